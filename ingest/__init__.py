"""From bytes to graph changes and evidence."""
