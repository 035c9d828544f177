"""Measurements of the product, each a script that writes JSON."""
