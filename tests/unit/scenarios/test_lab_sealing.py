"""From the recorder's raw files to a recording: the cut, the documents, the incident, the checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ingest.sources.recording import SYSLOG_FILE, Frame, encode_frame, read_frames
from scenarios.lab import __main__ as command
from scenarios.lab.checks import inspect, stream_sizes
from scenarios.lab.faults import ALL
from scenarios.lab.incident import first_incident
from scenarios.lab.layout import HOSTS
from scenarios.lab.recorder import RAW_FILES
from scenarios.lab.sealing import read_raw, seal, timestamp

START, INJECTED, END = 1000.0, 1010.0, 1020.0


def alert(name: str, at: float, /, status: str = "firing", **labels: str) -> dict[str, Any]:
    return {
        "status": status,
        "labels": {"alertname": name, "severity": "major", **labels},
        "annotations": {"summary": f"{name} it is"},
        "startsAt": timestamp(at),
        "fingerprint": f"{name.lower():0<16}",
    }


def webhook(at: float, *alerts: dict[str, Any]) -> Frame:
    return Frame(at, "http 127.0.0.1:4", json.dumps({"version": "4", "alerts": alerts}).encode())


def raw_folder(tmp_path: Path, webhooks: list[Frame]) -> Path:
    received = tmp_path / "received"
    received.mkdir()
    lines = [Frame(at, f"udp {host.address}:5", b"<13>x") for at in (999.0, 1005.0, 1020.0) for host in HOSTS]
    bodies = [Frame(START + i, "http 127.0.0.1:4", b"body") for i in range(15)]
    for name, frames in zip(RAW_FILES, (lines, bodies, webhooks), strict=True):
        (received / name).write_bytes(b"".join(map(encode_frame, frames)))
    return received


def test_the_cut_is_half_open_and_a_torn_record_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "raw.bin"
    whole = [Frame(at, "p", b"abc") for at in (999.9, 1000.0, 1019.9, 1020.0)]
    path.write_bytes(b"".join(map(encode_frame, whole)))
    assert [frame.at for frame in read_raw(path, START, END)] == [1000.0, 1019.9]
    size = path.stat().st_size
    for cut in range(1, size // 4):
        path.write_bytes(b"".join(map(encode_frame, whole[:2]))[:-cut])
        assert list(read_raw(path, START, END)) == []


def test_a_sealed_recording_has_every_file_and_passes_its_checks(tmp_path: Path) -> None:
    noise = alert("InstanceDown", 1012.0, instance="db-1:9100")
    customers = alert("ShopErrors", 1015.0, service="edge")
    received = raw_folder(tmp_path, [webhook(1013.0, noise), webhook(1016.0, noise, customers)])
    folder = tmp_path / "bad-release"
    seal(received, folder, ALL["bad-release"], START, INJECTED, END)
    assert sorted(path.name for path in folder.iterdir()) == [
        "alertmanager.bin.zst",
        "changes.json",
        "incident.json",
        "label.json",
        "recording.json",
        "remote_write.bin.zst",
        "syslog.bin.zst",
        "topology.json",
    ]
    assert {frame.at for frame in read_frames(folder / SYSLOG_FILE)} == {1005.0}
    assert json.loads((folder / "label.json").read_text()) == {
        "root_causes": [{"entity": "service:catalogue", "kind": "bad_release"}],
        "injected_at": "1970-01-01T00:16:50.000Z",
        "fault": ALL["bad-release"].what,
    }
    changes = json.loads((folder / "changes.json").read_text())
    assert [change["external_id"] for change in changes] == ["CHG-2204", "REL-5.2.0"]
    assert changes[1]["started_at"] == "1970-01-01T00:16:47.000Z"
    findings = inspect(folder, INJECTED)
    assert findings.problems == ()
    assert findings.alerts_after == ("+2s InstanceDown db-1:9100", "+5s ShopErrors edge")
    assert set(stream_sizes(folder)) == {"syslog.bin.zst", "remote_write.bin.zst", "alertmanager.bin.zst"}


def test_nothing_but_the_label_and_the_change_gives_the_answer_away(tmp_path: Path) -> None:
    received = raw_folder(tmp_path, [webhook(1016.0, alert("ShopErrors", 1015.0, service="edge"))])
    folder = tmp_path / "database-stopped"
    seal(received, folder, ALL["database-stopped"], START, INJECTED, END)
    manifest = json.loads((folder / "recording.json").read_text())
    assert manifest["format"] == "aiops-recording/1"
    assert manifest["title"] == "An outage of a small web shop"
    assert "db-1" not in json.dumps(manifest | {"name": ""})
    assert timestamp(INJECTED) not in (folder / "incident.json").read_text()


def test_a_bad_recording_is_called_bad(tmp_path: Path) -> None:
    received = raw_folder(tmp_path, [webhook(1006.0, alert("HighCpu", 1005.0, instance="db-1:9100"))])
    (received / RAW_FILES[0]).write_bytes(b"")
    (received / RAW_FILES[1]).write_bytes(b"")
    folder = tmp_path / "cpu-hog"
    seal(received, folder, ALL["cpu-hog"], START, INJECTED, END)
    problems = " | ".join(inspect(folder, INJECTED).problems)
    for part in (
        "alerts before the fault: ['-5s HighCpu",
        "no alert after",
        "no syslog from",
        "only 0 remote",
    ):
        assert part in problems


def test_the_incident_comes_from_what_customers_see() -> None:
    early = alert("InstanceDown", 1011.0, instance="db-1:9100")
    late = alert("ShopSlow", 1019.0, service="edge")
    incident = first_incident([webhook(1012.0, early), webhook(1019.5, early, late)])
    assert incident == {
        "source": "oncall",
        "external_id": "INC-shopslow",
        "title": "ShopSlow it is",
        "description": "ShopSlow: ShopSlow it is",
        "severity": "major",
        "started_at": "1970-01-01T00:16:59.000Z",
        "affected": [{"ref": "service:edge"}],
        "alerts": [{"labels": late["labels"], "startsAt": "1970-01-01T00:16:59.000Z"}],
    }


def test_without_a_customer_alert_it_comes_from_the_first_that_fired() -> None:
    resolved = alert("NoPing", 1001.0, status="resolved", instance="10.77.0.1")
    second = alert("UnitFailed", 1015.0, instance="app-1:9100", name="shop.service")
    incident = first_incident([webhook(1016.0, resolved, second), webhook(1017.0, second)])
    assert incident is not None
    assert incident["affected"] == [{"match": {"instance": "app-1:9100"}}]
    assert first_incident([]) is None


def test_the_command_lists_faults_and_refuses_unknown_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(ALL)
    with pytest.raises(SystemExit):
        command.main(["record", "--out", "x", "--only", "meteor"])
    assert "invalid choice: 'meteor'" in capsys.readouterr().err


def test_recording_without_root_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert command.main(["check"]) == 1
    assert "needs root" in capsys.readouterr().err
