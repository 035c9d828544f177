"""HTTP over an injected pipeline: :func:`aiops.api.app.create_app`."""
