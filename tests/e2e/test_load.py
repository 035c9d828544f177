"""A short load on a real server that is killed in it: nothing acknowledged is lost or doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.load import run


@pytest.mark.parametrize("store", ["sqlite", pytest.param("neo4j", marks=pytest.mark.integration)])
@pytest.mark.timeout(600)
def test_a_load_with_kills_in_it_loses_and_doubles_nothing(tmp_path: Path, store: str) -> None:
    found = {row.name.split(": ")[1]: row.value for row in run(tmp_path, store, 25.0, seed=3)}
    assert found["kill -9 of the API"] + found["kill -9 of Neo4j"] >= 1
    assert (
        min(found["alerts acknowledged"], found["incidents acknowledged"], found["feedback acknowledged"]) > 0
    )
