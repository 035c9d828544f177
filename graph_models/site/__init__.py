"""What one site teaches: its history as columns, and a small head on them. Serving it needs no torch."""
