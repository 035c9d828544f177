"""What the Neo4j store does where there is no Neo4j, and how it writes kinds and maps."""

from __future__ import annotations

import socket
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops.domain.graph import GraphDelta
from aiops.errors import ConfigError, StoreUnavailable
from aiops.store.neo4j import Neo4jGraphStore
from aiops.store.neo4j_labels import label_of, type_of
from aiops.store.neo4j_rows import key_of, pairs, unpaired

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        port = taken.getsockname()[1]
        store = Neo4jGraphStore(f"bolt://127.0.0.1:{port}", "neo4j", "x", connect_timeout_s=0.5, retry_s=0.2)
        for call in (store.counts, lambda: store.apply(GraphDelta("x"), at=NOON)):
            with pytest.raises(StoreUnavailable, match=f"{port}.*running") as caught:
                call()
            assert caught.value.details["retry_after_s"] == 5.0
        store.close()


@pytest.mark.parametrize("uri", ["", "http://127.0.0.1", "no address", "bolt://127.0.0.1:port"])
def test_an_address_that_is_none_is_refused(uri: str) -> None:
    with pytest.raises(ConfigError, match="bolt://"):
        Neo4jGraphStore(uri, "neo4j", "x")


@given(st.dictionaries(st.text(alphabet="ab=\\é"), st.text(alphabet="ab=\\é")))
def test_maps_survive_as_lists_of_pairs(labels: dict[str, str]) -> None:
    assert unpaired(pairs(labels)) == labels


@given(
    st.lists(st.text(alphabet="a|\\"), min_size=2, max_size=2),
    st.lists(st.text(alphabet="a|\\"), min_size=2, max_size=2),
)
def test_keys_of_several_texts_are_not_mixed_up(one: list[str], other: list[str]) -> None:
    assert (key_of(*one) == key_of(*other)) == (one == other)


@given(st.text())
def test_only_plain_words_are_written_into_a_statement(kind: str) -> None:
    for written in (label_of(kind), type_of(kind)):
        assert written.count("`") == 2
        assert all(letter.isascii() and (letter.isalnum() or letter == "_") for letter in written[1:-1])
    assert label_of("Entity") == label_of("Alarm") == label_of("") == "`Other`"
    assert (label_of("Host"), type_of("RUNS_ON"), type_of("runs on")) == (
        "`Host`",
        "`RUNS_ON`",
        "`RELATED_TO`",
    )
