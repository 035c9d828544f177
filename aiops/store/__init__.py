"""Stores behind the contracts: SQLite, Neo4j, and one in memory for single analyses and tests."""
