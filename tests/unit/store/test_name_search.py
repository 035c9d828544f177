"""Searching in names: each way that the embedded store takes finds the same as reading everything; slips are forgiven."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aiops.domain.graph import Entity, GraphDelta
from aiops.store import sqlite_search
from aiops.store.memory import MemoryGraphStore
from aiops.store.neo4j_tenancy import Tx
from aiops.store.sqlite import SqliteGraphStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KINDS = ("Host", "Pod", "Service", "Device")


def named(count: int) -> list[Entity]:
    return [
        Entity(
            f"{KINDS[n % 4].lower()}:fra{n % 3}/rack-{n // 7}-{n}",
            KINDS[n % 4],
            f"Rack {n // 7} / {n} ß",
            (f"10.0.{n // 50}.{n % 50}:9100", f"h{n}"),
        )
        for n in range(count)
    ]


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[tuple[MemoryGraphStore, SqliteGraphStore]]:
    memory, sqlite = MemoryGraphStore(), SqliteGraphStore(tmp_path / "graph.db")
    for store in (memory, sqlite):
        store.apply(GraphDelta("lab", tuple(named(120))), at=NOON)
        store.apply(
            GraphDelta("lab", (Entity("host:fra0/rack-0-0", "Host", "renamed", ("extra",)),)), at=NOON
        )
    yield memory, sqlite
    sqlite.close()


@pytest.mark.parametrize(("few", "in_order"), [(1, 1), (1, 30), (1, 5_000), (5, 10), (2_000, 5_000)])
@pytest.mark.parametrize("kind", [None, "Pod"])
def test_every_way_finds_the_same(
    stores: tuple[MemoryGraphStore, SqliteGraphStore],
    monkeypatch: pytest.MonkeyPatch,
    few: int,
    in_order: int,
    kind: str | None,
) -> None:
    memory, sqlite = stores
    monkeypatch.setattr(sqlite_search, "FEW", few)
    monkeypatch.setattr(sqlite_search, "READ_IN_ORDER", in_order)
    asked = (
        "",
        "h",
        "h1",
        "rack",
        "rack-16",
        "service:",
        "ss",
        "SS",
        "9100",
        "0.1.4",
        "renamed",
        "rack 0 / 0 ß",
        "none",
        '"',
        "%",
    )
    for query in asked:
        for limit in (0, 1, 7, 500):
            assert sqlite.find_entities(query, kind, limit) == memory.find_entities(query, kind, limit), query


def test_a_slip_leads_to_the_right_name(stores: tuple[MemoryGraphStore, SqliteGraphStore]) -> None:
    _, sqlite = stores
    draw = random.Random(7)
    for entity in draw.sample(named(120)[1:], 40):
        at = draw.randrange(2, len(entity.id) - 2)
        slips = (
            entity.id[:at] + "~" + entity.id[at + 1 :],
            entity.id[:at] + "~" + entity.id[at:],
            entity.id[:at] + entity.id[at + 2 :] + "z",
        )
        assert entity.id in sqlite.nearest_names(slips[0], 5)
        assert entity.id in sqlite.nearest_names(slips[1], 5)
        assert sqlite.nearest_names(slips[2], 5)
    assert sqlite.nearest_names("~~~~") == ()
    assert sqlite.nearest_names("") == ()


def test_a_slip_in_a_name_of_two_letters_leads_to_it(
    stores: tuple[MemoryGraphStore, SqliteGraphStore],
) -> None:
    short = [
        Entity("host:db", "Host", "db"),
        Entity("device:r1", "Device", "R1"),
        Entity("host:q", "Host", "q"),
    ]
    for store in stores:
        store.apply(GraphDelta("lab", tuple(short)), at=NOON)
        for slip, right in (
            ("bd", "db"),
            ("dp", "db"),
            ("db1", "db"),
            ("d", "db"),
            ("r2", "r1"),
            ("r", "r1"),
            ("w", "q"),
        ):
            assert right in [name.casefold() for name in store.nearest_names(slip)], slip
        assert store.nearest_names("xy~~") == ()


def test_a_statement_of_no_tenant_is_refused_before_it_is_sent() -> None:
    with pytest.raises(AssertionError, match="no tenant"):
        Tx(None, "shop").run("MATCH (n:Entity) RETURN n")  # type: ignore[arg-type]
