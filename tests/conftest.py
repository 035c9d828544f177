"""Fixtures of the whole tree: the real servers, each started at most once a run."""

from tests.support.neo4j_server import neo4j_server

__all__ = ["neo4j_server"]
