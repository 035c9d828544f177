"""Fixtures of the whole tree: the real servers, each started at most once a run."""

from tests.support.kafka_server import kafka_server, own_kafka
from tests.support.neo4j_server import neo4j_server

__all__ = ["kafka_server", "neo4j_server", "own_kafka"]
