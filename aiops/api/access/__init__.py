"""Who may ask, and what was answered already."""
