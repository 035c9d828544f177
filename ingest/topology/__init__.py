"""What telemetry and documents say about the topology."""
