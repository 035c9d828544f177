"""What one site teaches: its history as columns, and a small head on them. Serving needs no torch; :mod:`graph_models.training.adapting`
makes it."""
