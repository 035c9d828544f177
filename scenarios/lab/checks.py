"""Is a recording good enough to keep? Size, quiet before, symptoms after, a voice from every host."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ingest.sources.recording import (
    ALERTMANAGER_FILE,
    REMOTE_WRITE_FILE,
    STREAM_FILES,
    SYSLOG_FILE,
    Frame,
    read_frames,
)
from scenarios.lab.incident import firing_alerts
from scenarios.lab.layout import COLLECTOR, HOSTS

MAX_BYTES = 3 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Findings:
    """What a look at a recording gave. ``problems`` is empty if it is good."""

    name: str
    size_bytes: int
    syslog_frames: int
    remote_write_bodies: int
    alerts_before: tuple[str, ...]
    alerts_after: tuple[str, ...]
    incident: str
    problems: tuple[str, ...]


def inspect(folder: Path, injected: float) -> Findings:
    """Look at the recording in ``folder`` whose fault was injected at ``injected`` (seconds since the epoch)."""
    size = sum(path.stat().st_size for path in folder.iterdir())
    speakers, frames = _speakers(read_frames(folder / SYSLOG_FILE))
    bodies = sum(1 for _ in read_frames(folder / REMOTE_WRITE_FILE))
    before: list[str] = []
    after: list[str] = []
    for alert in firing_alerts(read_frames(folder / ALERTMANAGER_FILE)):
        late = datetime.fromisoformat(alert["startsAt"]).timestamp() >= injected
        where = alert["labels"].get("instance") or alert["labels"].get("service") or ""
        lag = datetime.fromisoformat(alert["startsAt"]).timestamp() - injected
        (after if late else before).append(f"{lag:+.0f}s {alert['labels']['alertname']} {where}".strip())
    incident = json.loads((folder / "incident.json").read_text())
    missing = sorted({host.address for host in HOSTS if host.name != COLLECTOR} - set(speakers))
    problems = [
        *([f"{size} bytes, more than {MAX_BYTES}"] if size > MAX_BYTES else []),
        *([f"alerts before the fault: {before}"] if before else []),
        *([] if after else ["no alert after the fault"]),
        *([] if incident else ["no incident"]),
        *([f"no syslog from {missing}"] if missing else []),
        *([f"only {bodies} remote-write bodies"] if bodies < 10 else []),
    ]
    title = f"{incident['started_at']} {incident['title']} {incident['affected']}" if incident else ""
    return Findings(folder.name, size, frames, bodies, tuple(before), tuple(after), title, tuple(problems))


def _speakers(frames: Iterable[Frame]) -> tuple[Counter[str], int]:
    speakers: Counter[str] = Counter()
    for frame in frames:
        match = re.match(r"\w+ ([\d.]+):", frame.peer)
        if match:
            speakers[match[1]] += 1
    return speakers, speakers.total()


def stream_sizes(folder: Path) -> dict[str, int]:
    """Compressed bytes of each stream file."""
    return {name: (folder / name).stat().st_size for name in STREAM_FILES}
