"""The vocabulary: frozen values that every room speaks in. Imports nothing of ours but :mod:`aiops.errors`."""
