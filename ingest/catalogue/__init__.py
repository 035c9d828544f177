"""The message catalogue: one YAML a message, which turns lines of known products into typed events."""
