"""One function an operation. Made from docs/openapi.json by ``python -m tests.support.client_code``."""
