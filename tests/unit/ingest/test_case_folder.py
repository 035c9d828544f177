"""Case folders: what is read, and how broken ones are refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aiops.errors import CaseError
from ingest.sources.case_folder import read_case

HEAD = {
    "format": "rca-case/1",
    "id": "c1",
    "system": "s",
    "detected_at": "2026-01-05T12:00:00Z",
    "window": {"start": "2026-01-05T11:30:00Z", "end": "2026-01-05T12:05:00Z"},
    "symptoms": [{"entity": "service:a", "metric": None, "at": "2026-01-05T12:00:00Z"}],
    "description": "slow",
    "modalities": [],
}
TOPOLOGY = {
    "entities": [
        {"id": "service:a", "kind": "service", "name": "a", "labels": {}},
        {"id": "host:h", "kind": "host", "name": "h"},
    ],
    "relations": [{"from": "service:a", "kind": "RUNS_ON", "to": "host:h", "labels": {}}],
}


def lines(*rows: object) -> bytes:
    return gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in rows))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "case.json").write_text(json.dumps(HEAD))
    (tmp_path / "topology.json").write_text(json.dumps(TOPOLOGY))
    table = pa.table(
        {
            "at": pa.array([20, 10, 10, 30], pa.int64()),
            "entity": ["service:a"] * 4,
            "peer": pa.array([None, None, "host:h", None], pa.string()),
            "metric": ["cpu"] * 4,
            "value": [2.0, 1.0, 5.0, float("nan")],
        }
    )
    pq.write_table(table, tmp_path / "metrics.parquet")
    (tmp_path / "logs.jsonl.gz").write_bytes(
        lines(
            {
                "at": "2026-01-05T12:00:01.5Z",
                "entity": "service:a",
                "severity": "error",
                "source": "app",
                "message": "b",
            },
            {
                "at": "2026-01-05T12:00:00Z",
                "entity": "service:a",
                "severity": None,
                "source": None,
                "message": "a",
            },
        )
    )
    (tmp_path / "alerts.jsonl.gz").write_bytes(
        lines(
            {
                "at": "2026-01-05T12:00:00Z",
                "entity": "host:h",
                "peer": None,
                "name": "Down",
                "severity": "high",
                "value": 1,
                "message": "",
            }
        )
    )
    (tmp_path / "states.jsonl.gz").write_bytes(
        lines({"at": "2026-01-05T12:00:00Z", "entity": "host:h", "property": "ready", "value": False})
    )
    (tmp_path / "label.json").write_text("this must never be read")
    return tmp_path


def test_everything_is_read_and_the_label_is_not(folder: Path) -> None:
    case = read_case(folder)
    assert (case.id, case.incident.affected) == ("c1", ("service:a",))
    assert case.incident.window_before_s == 1800
    assert [
        (s.entity, s.peer, s.at_s.tolist(), s.value.tolist()) for s in case.observations.window.series
    ] == [
        ("service:a", None, [10.0, 20.0], [1.0, 2.0]),
        ("service:a", "host:h", [10.0], [5.0]),
    ]
    assert case.observations.window.logs.column("message").to_pylist() == ["a", "b"]
    assert case.observations.window.logs.column("severity").to_pylist() == [None, 3]
    assert case.observations.alarms[0].severity == "major"
    assert case.observations.window.states[0].value == "false"
    assert len(case.delta.relations) == 1


def test_a_case_without_signals_is_a_case(folder: Path) -> None:
    for name in ("metrics.parquet", "logs.jsonl.gz", "alerts.jsonl.gz", "states.jsonl.gz"):
        (folder / name).unlink()
    case = read_case(folder)
    assert case.observations.window.series == ()
    assert case.observations.window.logs.num_rows == 0


def broken_head(**change: object) -> bytes:
    return json.dumps({**HEAD, **change}).encode()


@pytest.mark.parametrize(
    ("file", "content", "where"),
    [
        ("case.json", b"{", 1),
        ("case.json", b"[]", ""),
        ("case.json", broken_head(format="other/1"), "/format"),
        ("case.json", broken_head(detected_at="yesterday"), "/detected_at"),
        ("case.json", broken_head(detected_at="2026-01-05T12:00:00"), "/detected_at"),
        ("case.json", broken_head(window=None), "/window"),
        (
            "case.json",
            broken_head(window={"start": HEAD["window"]["end"], "end": HEAD["window"]["start"]}),
            "/window",
        ),
        ("case.json", broken_head(symptoms={}), "/symptoms"),
        ("case.json", broken_head(symptoms=[{"entity": 7}]), "/symptoms/0/entity"),
        ("case.json", broken_head(id=""), "/id"),
        (
            "topology.json",
            b'{"entities": [], "relations": [{"from": "a", "kind": "CALLS", "to": "b"}]}',
            "/relations/0/from",
        ),
        ("topology.json", b'{"entities": 3, "relations": []}', "/entities"),
        ("metrics.parquet", b"no parquet", ""),
        ("logs.jsonl.gz", b"no gzip", ""),
        ("logs.jsonl.gz", gzip.compress(b"{}\n")[:-6], ""),
        ("logs.jsonl.gz", gzip.compress(b'\n{"at":'), 2),
        ("logs.jsonl.gz", lines({"at": "2026-01-05T12:00:00Z", "entity": "a", "message": 3}), 1),
        ("logs.jsonl.gz", lines({"at": "noon", "entity": "a", "message": "m"}), 1),
        ("alerts.jsonl.gz", lines({"at": "2026-01-05T12:00:00Z", "entity": "a"}), 1),
        ("states.jsonl.gz", lines({"at": None, "entity": "a", "property": "p", "value": "v"}), 1),
    ],
)
def test_broken_input_says_where(folder: Path, file: str, content: bytes, where: str | int) -> None:
    (folder / file).write_bytes(content)
    with pytest.raises(CaseError) as caught:
        read_case(folder)
    assert str(caught.value.details["file"]).endswith(file)
    if isinstance(where, int):
        assert caught.value.details.get("line") == where
    elif where:
        assert str(caught.value.details["pointer"]).startswith(where)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaseError):
        read_case(tmp_path / "nothing")
    with pytest.raises(CaseError, match="missing"):
        read_case(tmp_path)
