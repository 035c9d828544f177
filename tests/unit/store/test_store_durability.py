"""kill -9 of a writer at any moment loses nothing that was acknowledged, and leaves a store that opens."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from aiops.domain.batches import EntitySeries
from aiops.store.signals import DiskSignalStore
from aiops.store.sqlite import SqliteGraphStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

GRAPH_WRITER = """
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from aiops.domain.graph import GraphDelta, Relation
from aiops.domain.occurrences import Alarm
from aiops.store.sqlite import SqliteGraphStore
store = SqliteGraphStore(Path(sys.argv[1]))
noon = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
for number in range(100_000):
    relation = Relation(f"pod:{number}", "RUNS_ON", f"node:{number % 5}", "kube")
    store.apply(GraphDelta("kube", relations=(relation,)), at=noon)
    store.put_alarms([Alarm(f"a{number}", f"f{number}", "Down", f"pod:{number}", noon)])
    print(number, flush=True)
"""

SIGNAL_WRITER = """
import sys
from pathlib import Path
import numpy as np
import pyarrow as pa
from aiops.domain.batches import LOG_SCHEMA, EntitySeries
from aiops.store.signals import DiskSignalStore
store = DiskSignalStore(Path(sys.argv[1]))
for number in range(100_000):
    at_s = np.array([1772366400.0 + number])
    store.write_series([EntitySeries(f"host:{n}", None, "cpu", at_s, at_s) for n in range(20)])
    line = {"at_s": at_s[0], "entity": "host:0", "message": "m", "event_id": f"e{number}"}
    store.write_logs(pa.Table.from_pylist([line], schema=LOG_SCHEMA))
    print(number, flush=True)
"""


def killed_after(script: str, file: Path, acknowledged: int) -> int:
    """Run ``script`` until it has acknowledged so many writes, kill it, and return the last number it spoke."""
    command = [sys.executable, "-c", script, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= acknowledged:
                process.kill()
                break
        rest = [int(line) for line in process.stdout.read().splitlines() if line]
    assert process.returncode == -9
    return max([acknowledged, *rest])


@pytest.mark.parametrize("acknowledged", [0, 37])
def test_the_graph_keeps_what_was_acknowledged(tmp_path: Path, acknowledged: int) -> None:
    last = killed_after(GRAPH_WRITER, tmp_path / "graph.db", acknowledged)
    store = SqliteGraphStore(tmp_path / "graph.db")
    graph = store.export()
    alarms = store.alarms(start=NOON, end=NOON + timedelta(hours=1))
    named = {row.source_id for row in graph.relations}
    assert named >= {f"pod:{number}" for number in range(last + 1)}
    assert len(named) <= last + 2
    assert len(graph.relations) == len(named)
    assert {alarm.fingerprint for alarm in alarms} >= {f"f{number}" for number in range(last + 1)}
    store.close()


@pytest.mark.parametrize("acknowledged", [0, 37])
def test_the_signals_keep_what_was_acknowledged(tmp_path: Path, acknowledged: int) -> None:
    last = killed_after(SIGNAL_WRITER, tmp_path / "signals.db", acknowledged)
    store = DiskSignalStore(tmp_path / "signals.db")
    found = store.window(start=NOON, end=NOON + timedelta(days=2))
    assert len(found.series) == 20
    assert {len(item.at_s) for item in found.series} <= {last + 1, last + 2}
    ids = found.logs["event_id"].to_pylist()
    assert set(ids) >= {f"e{number}" for number in range(last + 1)}
    assert len(set(ids)) == len(ids)
    assert store.write_logs(found.logs) == 0
    assert store.write_series(found.series) == 0
    store.close()


def test_two_writers_of_one_file_keep_every_sample_once(tmp_path: Path) -> None:
    """Each writes what the other has written too, series come and go; nothing is there twice, nothing is missing."""
    one, two = (DiskSignalStore(tmp_path / "signals.sqlite", max_bytes=15_000) for _ in range(2))
    held: set[tuple[str, float]] = set()
    written = 0
    for step in range(200):
        at_s = np.array([NOON.timestamp() + 60.0 * minute for minute in range(step, step + 5)])
        names = [f"host:{n}" for n in (*range(3), 100 + step // 40, 200 + step % 7)]
        batch = [EntitySeries(name, None, "cpu", at_s, at_s) for name in names]
        for store in (one, two) if step % 3 else (two, one):
            written += store.write_series(batch)
        held |= {(name, at) for name in names for at in at_s.tolist()}
    assert written == len(held)
    stats = one.stats()
    assert stats == two.stats()
    assert stats["samples"] + stats["evicted_samples"] == written
    assert stats["evicted_samples"] > 0
    window = two.window(start=NOON, end=NOON + timedelta(days=1))
    found = [(series.entity, at) for series in window.series for at in series.at_s.tolist()]
    assert len(found) == len(set(found)) == stats["samples"]
    assert set(found) <= held
    one.close()
    two.close()
