"""Bounds of what a reader is told who keeps up with a store."""

#: Ids of entities told one by one; whoever is further behind reads everything.
MAX_TOUCHED = 50_000
