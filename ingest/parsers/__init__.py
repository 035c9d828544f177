"""Bytes to columns, one format a module."""
