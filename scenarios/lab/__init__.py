"""A small data centre of real programs in network namespaces, its faults and its recorder."""
