"""aiops: names the root cause of an incident from a knowledge graph. Imports nothing of ours: this package is floor and roof."""

__version__ = "0.1.0"
