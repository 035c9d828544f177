"""The Model Context Protocol server: deterministic answers for assistants to quote."""
