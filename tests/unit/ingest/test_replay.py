"""A recording goes through the same parsers and worker as live data, in order of arrival."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aiops.domain.batches import Series
from aiops.errors import ParseError, RecordingError
from ingest.changes import parse_changes
from ingest.counters import Taken
from ingest.parsers.remote_write import encode_remote_write
from ingest.replay import replay
from ingest.sources.recording import Frame, write_frames
from tests.support.ingest_sites import AT, AT_S, FOREVER, IngestSite, line, topology

CHANGE = {
    "external_id": "1",
    "title": "deploy",
    "kind": "deploy",
    "started_at": AT.isoformat(),
    "entities": ["h1"],
}


def recording(folder: Path) -> Path:
    counted = line("h2", "by tcp").encode()
    framed = b"%d %s" % (len(counted), counted)
    write_frames(
        folder / "syslog.bin.zst",
        [
            Frame(AT_S, "udp 192.0.2.1:1", line("h1", "by udp").encode()),
            Frame(AT_S + 1, "tcp 192.0.2.2:1#1", framed[:20]),
            Frame(AT_S + 2, "tcp 192.0.2.2:1#1", framed[20:] + b"99 cut"),
        ],
    )
    body = encode_remote_write(
        [(Series("up", (("instance", "h1:9100"),)), [(AT_S, 1.0), (AT_S + 5, 0.0)])], compressed=False
    )
    write_frames(
        folder / "remote_write.bin.zst",
        [
            Frame(AT_S + 1, "http x", body),
            Frame(AT_S + 2, "http x", b"\xff\xff"),
            Frame(AT_S + 90, "http x", body),
        ],
    )
    alert = {"status": "firing", "labels": {"alertname": "A", "host": "h1"}, "startsAt": AT.isoformat()}
    webhook = json.dumps({"version": "4", "alerts": [alert]}).encode()
    write_frames(
        folder / "alertmanager.bin.zst", [Frame(AT_S + 3, "http x", webhook), Frame(AT_S + 4, "http x", b"{")]
    )
    (folder / "topology.json").write_text(
        json.dumps(topology([{"id": "host:h1", "kind": "Host", "name": "h1"}]))
    )
    (folder / "changes.json").write_text(json.dumps([CHANGE]))
    return folder


@pytest.mark.parametrize("batch_s", [0.5, 15.0])
def test_a_recording_is_taken_whole(tmp_path: Path, batch_s: float) -> None:
    site, shares = IngestSite(), []
    report = replay(recording(tmp_path), site.worker, on_progress=shares.append, batch_s=batch_s)
    assert report.frames == {"syslog.bin.zst": 3, "remote_write.bin.zst": 3, "alertmanager.bin.zst": 2}
    assert report.counters == {
        "alertmanager": Taken(2, 1, 1, 0),
        "changes": Taken(1, 1, 0, 0),
        "remote-write": Taken(5, 4, 1, 0),
        "syslog-tcp": Taken(2, 1, 1, 0),
        "syslog-udp": Taken(1, 1, 0, 0),
        "topology:cmdb": Taken(1, 1, 0, 0),
    }
    assert report.started_at == AT
    assert shares[-1] == 1.0
    assert shares == sorted(shares)
    assert set(site.logs()) == {("host:h1", "by udp"), ("host:h2", "by tcp")}
    assert site.owners() == {"up": ("host:h1", None)}
    assert site.graph.changes(start=FOREVER[0], end=FOREVER[1])[0].entities == ("host:h1",)


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no recording"):
        replay(tmp_path, IngestSite().worker)
    recording(tmp_path)
    (tmp_path / "topology.json").write_text("{")
    with pytest.raises(RecordingError, match="no JSON"):
        replay(tmp_path, IngestSite().worker)


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({}, ""),
        ([3], "/0"),
        ([{**CHANGE, "title": ""}], "/0/title"),
        ([{**CHANGE, "kind": "magic"}], "/0/kind"),
        ([{**CHANGE, "started_at": None}], "/0/started_at"),
        ([{**CHANGE, "started_at": "noon"}], "/0/started_at"),
        ([{**CHANGE, "ended_at": "2000-01-01T00:00:00Z"}], "/0/ended_at"),
        ([{**CHANGE, "entities": "h1"}], "/0/entities"),
        ([{**CHANGE, "entities": [1]}], "/0/entities/0"),
        ([{**CHANGE, "author": 5}], "/0/author"),
    ],
)
def test_changes_that_are_wrong(document: object, pointer: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_changes(document)
    assert caught.value.details["pointer"] == pointer
