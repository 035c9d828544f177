"""The graph attention network: features, training, and serving as a bounded correction."""
