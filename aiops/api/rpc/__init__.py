"""gRPC over the same pipeline and the same tokens."""
