"""Recorded outages that ship with the product."""
