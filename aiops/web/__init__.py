"""The page: templates, its own scripts and styles, and the routes that serve them."""
