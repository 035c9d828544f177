"""Recorded outages and what makes them. Not part of the wheel."""
