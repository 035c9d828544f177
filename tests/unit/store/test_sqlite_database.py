"""The database file: what is refused, and how it says so."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from aiops.domain.batches import EntitySeries, StateObservation
from aiops.domain.graph import Entity, GraphDelta
from aiops.domain.incident_records import IncidentQuery
from aiops.domain.occurrences import Change
from aiops.errors import ConfigError, InputError, StoreError, StoreUnavailable
from aiops.store.signals import DiskSignalStore
from aiops.store.sqlite import SqliteGraphStore
from aiops.store.sqlite_schema import SqliteDatabase
from aiops.store.sqlite_tables import GRAPH_MIGRATIONS

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "graph.db").write_bytes(b"certainly no database, and long enough to be looked at " * 20)
    with pytest.raises(StoreError, match=r"graph\.db.*backup"):
        SqliteGraphStore(tmp_path / "graph.db")


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    SqliteGraphStore(tmp_path / "graph.db").close()
    with sqlite3.connect(tmp_path / "graph.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="version 99"):
        SqliteGraphStore(tmp_path / "graph.db")


def test_migrations_run_once_and_in_order(tmp_path: Path) -> None:
    file = tmp_path / "any.db"
    SqliteDatabase(file, ["CREATE TABLE one (x)"]).close()
    with pytest.raises(StoreUnavailable):
        SqliteDatabase(file, ["CREATE TABLE one (x)", "CREATE TABLE two (x); no such statement"])
    database = SqliteDatabase(file, ["CREATE TABLE one (x)", "CREATE TABLE two (x)"])
    with database.read() as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="writable"):
        SqliteGraphStore(tmp_path / "file" / "graph.db")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreUnavailable, match="folder"):
        SqliteGraphStore(tmp_path / "folder")


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = SqliteGraphStore(tmp_path / "graph.db")
    store.close()
    store.close()
    for call in (store.counts, lambda: store.apply(GraphDelta("x"), at=NOON)):
        with pytest.raises(StoreUnavailable, match="closed"):
            call()


def test_a_second_process_sees_what_was_written(tmp_path: Path) -> None:
    one, two = SqliteGraphStore(tmp_path / "graph.db"), SqliteGraphStore(tmp_path / "graph.db")
    one.apply(GraphDelta("x", (Entity("host:a", "Host", "a"),)), at=NOON)
    assert two.entity("host:a") == Entity("host:a", "Host", "a")
    with pytest.raises(InputError, match="Unicode"):
        two.entity("\ud800")
    one.close()
    two.close()


def sample(entity: str, at_s: float) -> EntitySeries:
    return EntitySeries(entity, None, "cpu", np.array([at_s]), np.array([1.0]))


def test_two_signal_writers_on_one_file_agree_on_series(tmp_path: Path) -> None:
    one, two = DiskSignalStore(tmp_path / "s.db"), DiskSignalStore(tmp_path / "s.db")
    assert one.write_series([sample("a", 1.0)]) == two.write_series([sample("b", 1.0)]) == 1
    assert two.write_series([sample("a", 1.0), sample("a", 2.0)]) == 1
    assert one.write_series([sample("a", 2.0), sample("b", 1.0)]) == 0
    assert one.stats()["series"] == 2
    one.close()
    two.close()


class Ticking:
    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at


def test_age_counts_from_arrival(tmp_path: Path) -> None:
    clock = Ticking()
    store = DiskSignalStore(tmp_path / "s.db", max_age_s=60, clock=clock)
    far_ahead = NOON.timestamp() + 1e9
    store.write_series([sample("ahead", far_ahead), sample("a", 1.0)])
    store.write_states([StateObservation(1.0, "a", "phase", "Running")])
    clock.at = datetime.fromtimestamp(NOON.timestamp() + 59, UTC)
    store.write_series([sample("a", 2.0)])
    assert store.stats()["samples"] == 3
    clock.at = datetime.fromtimestamp(NOON.timestamp() + 61, UTC)
    store.write_series([sample("a", 3.0)])
    stats = store.stats()
    assert (stats["samples"], stats["evicted_samples"], stats["evicted_states"], stats["states"]) == (
        2,
        2,
        1,
        0,
    )
    store.close()
    with pytest.raises(ConfigError, match="clock"):
        DiskSignalStore(tmp_path / "s.db", max_age_s=60)


def test_states_go_with_their_time_and_silent_series_are_forgotten(tmp_path: Path) -> None:
    store = DiskSignalStore(tmp_path / "s.db", max_bytes=1000)
    assert store.write_states([StateObservation(float(n), "a", "p", "v") for n in range(10)]) == 10
    store.write_series([sample(f"h{n}", 10.0 + n) for n in range(5)])
    for turn in range(10):
        store.write_series([sample("late", 1000.0 * turn + n) for n in range(20)])
    stats = store.stats()
    assert (stats["states"], stats["evicted_states"], stats["series"]) == (0, 10, 1)
    assert stats["samples"] + stats["evicted_samples"] == 205
    assert stats["bytes"] <= 1000
    store.close()


def test_changes_of_the_first_schema_stay_and_get_labels(tmp_path: Path) -> None:
    file = tmp_path / "graph.db"
    database = SqliteDatabase(file, GRAPH_MIGRATIONS[:1])
    with database.write() as connection:
        connection.execute(
            "INSERT INTO change VALUES ('argo', '7', 'c', 't', 'deploy', 60000000, NULL, '[]', 'ann')"
        )
    database.close()
    store = SqliteGraphStore(file)
    began = datetime.fromtimestamp(60, UTC)
    (kept,) = store.changes(start=began, end=began + timedelta(seconds=1))
    store.close()
    assert kept == Change("c", "argo", "7", "t", "deploy", began, None, (), "ann")


def test_incidents_of_an_earlier_version_are_found_in_the_list(tmp_path: Path) -> None:
    file = tmp_path / "graph.db"
    database = SqliteDatabase(file, GRAPH_MIGRATIONS[:3])
    document = b'{"verdict": "likely", "causes": [{"kind": "disk_full"}]}'
    with database.write() as connection:
        for row in (
            "entity VALUES ('host:a', 'Host', 'a', '[]', '{}')",
            "alarm VALUES ('f1', 60000000, 'a1', 'Down', 'host:a', NULL, NULL, NULL, NULL, '', '', '{}')",
            "incident VALUES ('I1', 'NAÏVE', 60000000, 'critical', 'snow', 'INC7', '', NULL, 'acknowledged',"
            """ '["host:a"]', '[]', '{"team":"shop"}', 900.0, 300.0)""",
            "incident VALUES ('I2', 'none', 60000000, 'x', 'api', NULL, '', NULL, 'open', '[]', '[]', '{}', 900, 300)",
        ):
            connection.execute(f"INSERT INTO {row}")
        connection.executemany(
            "INSERT INTO analysis VALUES ('I1', ?, 60000000, ?)", [(1, b"no JSON"), (2, document)]
        )
        connection.execute("INSERT INTO root_cause VALUES ('I1', 2, 1, 'host:a', 0.75)")
    database.close()
    store = SqliteGraphStore(file)
    row, other = store.find_incidents(IncidentQuery(sort="-severity")).rows
    assert (row.analysis, row.verdict, row.cause, row.cause_kind, row.confidence) == (
        *(2, "likely", "host:a", "disk_full", 0.75),
    )
    assert (other.incident.id, other.analysis, other.verdict, row.incident.owner) == ("I2", None, None, "")
    asked = {"entity": "host:a", "labels": {"team": "shop"}, "q": "naïve", "status": ("acknowledged",)}
    assert store.find_incidents(IncidentQuery(**asked)).rows == (row,)  # type: ignore[arg-type]
    assert [(head.number, head.verdict, head.cause) for head in store.analysis_heads("I1")] == [
        *((1, "", None), (2, "likely", "host:a")),
    ]
    mark, (alarm,) = store.alarms_since(0)
    store.put_alarms([replace(alarm, message="again")])
    assert store.alarms_since(mark)[1] == (replace(alarm, message="again"),)
    assert store.topology_mark() == 0
    store.close()
