"""The documents that cross the API's edge, one module a topic."""
