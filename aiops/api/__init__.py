"""HTTP over an injected pipeline."""
