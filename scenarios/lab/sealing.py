"""From what the recorder wrote to the folder of a recording: cut to the window, compressed, described."""

from __future__ import annotations

import json
import struct
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ingest.sources.recording import ALERTMANAGER_FILE, FORMAT, Frame, read_frames, write_frames
from scenarios.lab.faults import Fault
from scenarios.lab.incident import first_incident
from scenarios.lab.recorder import RAW_FILES
from scenarios.lab.topology import topology

PACKAGES = (
    *("prometheus", "prometheus-alertmanager", "prometheus-node-exporter", "prometheus-blackbox-exporter"),
    *("prometheus-postgres-exporter", "prometheus-redis-exporter", "prometheus-nginx-exporter"),
    *("rsyslog", "nginx-light", "redis-server", "postgresql-15", "lxcfs"),
)


def timestamp(at: float) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_raw(path: Path, start: float, end: float) -> Iterator[Frame]:
    """The uncompressed records of ``path`` that arrived in [start, end); a torn last one is left out."""
    with path.open("rb") as file:
        while True:
            head = file.read(10)
            if len(head) < 10:
                return
            at, peer_size = struct.unpack(">dH", head)
            rest = file.read(peer_size + 4)
            if len(rest) < peer_size + 4:
                return
            (size,) = struct.unpack_from(">I", rest, peer_size)
            payload = file.read(size)
            if len(payload) < size:
                return
            if start <= at < end:
                yield Frame(at, rest[:peer_size].decode(), payload)


def seal(received: Path, folder: Path, fault: Fault, start: float, injected: float, end: float) -> None:
    """Write the folder of the recording. ``label.json`` and ``changes.json`` alone come from the fault."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in RAW_FILES:
        write_frames(folder / f"{name}.zst", read_raw(received / name, start, end), level=12)
    changes = [
        {
            "external_id": change.external_id,
            "source": "change-calendar",
            "title": change.title,
            "kind": change.kind,
            "started_at": timestamp(injected + change.starts_s),
            "ended_at": timestamp(injected + change.ends_s),
            "entities": list(change.entities),
            "author": change.author,
        }
        for change in fault.changes
    ]
    label = {
        "root_causes": [{"entity": entity, "kind": kind} for entity, kind in fault.root_causes],
        "injected_at": timestamp(injected),
        "fault": fault.what,
    }
    manifest = {
        "format": FORMAT,
        "name": folder.name,
        "title": "An outage of a small web shop",
        "started_at": timestamp(start),
        "ended_at": timestamp(end),
        "tools": versions(),
    }
    incident = first_incident(read_frames(folder / ALERTMANAGER_FILE))
    for name, document in (
        ("recording.json", manifest),
        ("changes.json", changes),
        ("label.json", label),
        ("topology.json", topology()),
        ("incident.json", incident),
    ):
        write_json(folder / name, document)


def write_json(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def versions() -> dict[str, str]:
    """Package name to Debian version, of the programs that the lab runs."""
    done = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *PACKAGES],
        capture_output=True,
        text=True,
        check=False,
    )
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())
