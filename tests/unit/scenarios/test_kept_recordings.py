"""Every recording that is kept is whole, small, quiet before its fault and loud after it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from ingest.sources.recording import FORMAT, STREAM_FILES, SYSLOG_FILE, read_frames
from scenarios.lab.checks import inspect
from scenarios.lab.faults import ALL
from scenarios.lab.topology import topology

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = sorted(path.parent for path in (ROOT / "aiops" / "scenarios").glob("*/recording.json"))
KEPT = sorted(path.parent for path in (ROOT / "scenarios" / "recordings").glob("*/recording.json"))
DOCUMENTS = ("recording.json", "incident.json", "changes.json", "topology.json", "label.json")


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_there_is_one_recording_for_each_fault_and_three_ship() -> None:
    assert {folder.name for folder in SHIPPED} == {fault.name for fault in ALL.values() if fault.ships}
    assert {folder.name for folder in (*SHIPPED, *KEPT)} == set(ALL)


@pytest.mark.parametrize("folder", [*SHIPPED, *KEPT], ids=lambda folder: folder.name)
def test_a_kept_recording_is_good(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted((*DOCUMENTS, *STREAM_FILES))
    manifest, incident, changes, document, label = (
        json.loads((folder / name).read_text()) for name in DOCUMENTS
    )
    assert manifest["format"] == FORMAT
    assert manifest["name"] == folder.name
    assert document == topology()
    fault = ALL[folder.name]
    assert label["root_causes"] == [{"entity": entity, "kind": kind} for entity, kind in fault.root_causes]
    assert [change["external_id"] for change in changes] == [change.external_id for change in fault.changes]
    start, end = seconds(manifest["started_at"]), seconds(manifest["ended_at"])
    injected = seconds(label["injected_at"])
    assert injected - start == pytest.approx(600, abs=5)
    assert end - injected == pytest.approx(300, abs=5)
    assert injected < seconds(incident["started_at"]) < end
    assert inspect(folder, injected).problems == ()


@pytest.mark.parametrize("folder", [*SHIPPED, *KEPT], ids=lambda folder: folder.name)
def test_streams_of_syslog_begin_at_a_message(folder: Path) -> None:
    """The window is cut by time, so the first piece of each connection must not be the rest of a message."""
    first: dict[str, bytes] = {}
    for frame in read_frames(folder / SYSLOG_FILE):
        first.setdefault(frame.peer, frame.payload)
    assert any(peer.startswith("tcp") for peer in first)
    for payload in first.values():
        head = payload[:8].split(b" ")[0]
        assert payload.startswith(b"<") or head.isdigit()
