"""What was recorded, as deliveries to a server in the order in which they arrived.

Three shapes are read: the folder of a recording (``aiops-recording/1``, docs/lab.md), a case folder (``rca-case/1``), and a
file with Alertmanager's deliveries or plain alerts, one JSON document a line.
"""

from __future__ import annotations

import gzip
import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cramjam
import orjson

from aiops.cli.alert_documents import alerts_of
from aiops.cli.documents import read_bytes, read_object
from aiops.client.calls import Call
from aiops.client.operations import deliveries
from aiops.client.operations import topology as topology_calls
from aiops.errors import InputError

#: Lines of one body at most, and their characters.
MAX_LINES = 5_000
MAX_CHARS = 4 * 2**20
_SEVERITIES = {"emergency": 0, "alert": 1, "critical": 2, "error": 3, "warning": 4, "notice": 5, "debug": 7}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request. ``at_s``: when it arrived, seconds since the epoch; ``what``: alerts, lines, samples, ..."""

    at_s: float
    what: str
    call: Call[object]
    count: int = 1


@dataclass(frozen=True, slots=True)
class Recorded:
    """``first``: what is sent before the clock runs (topology, changes); ``incident``: what is posted at the end, if asked."""

    first: tuple[Delivery, ...]
    flow: Iterable[Delivery]
    span_s: float
    incident: Mapping[str, object] | None


def read_recorded(path: Path, *, within_s: float = 1.0) -> Recorded:
    """What ``path`` holds; lines of ``within_s`` seconds travel in one body.

    Raises :class:`InputError` where it is none of the three.
    """
    if str(path) == "-" or path.is_file():
        return _json_lines(path)
    if (path / "case.json").is_file():
        try:
            return _case(path, within_s)
        except (KeyError, orjson.JSONDecodeError) as error:
            raise InputError(
                f"{path} is no case folder (rca-case/1): {error} is missing or no JSON"
            ) from error
    if path.is_dir():
        return _recording(path, within_s)
    raise InputError(
        f"there is no {path}", hint="give a recording, a case folder, or a file of alerts one a line"
    )


def _json_lines(path: Path) -> Recorded:
    flow = []
    for number, line in enumerate(read_bytes(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise InputError(f"{path} line {number} is no JSON: {error.msg}") from error
        flow.append(_alerts(document, f"{path} line {number}"))
    return Recorded((), sorted(flow, key=lambda one: one.at_s), _span(flow), None)


def _alerts(document: object, where: str) -> Delivery:
    """A webhook as it was, or alerts as Prometheus posts them; it arrived when the last of them began or ended."""
    alerts = list(alerts_of(document, where))
    at_s = max((_seconds(str(one.get("endsAt") or one.get("startsAt") or "")) for one in alerts), default=0.0)
    if isinstance(document, Mapping) and "alerts" in document:
        return Delivery(at_s, "webhook", deliveries.post_webhook(document), len(alerts))
    return Delivery(at_s, "alerts", deliveries.post_v2_alerts(alerts), len(alerts))


def _case(folder: Path, within_s: float) -> Recorded:
    head = read_object(folder / "case.json", "case")
    topology = read_object(folder / "topology.json", "topology")
    began = _seconds(str(head["detected_at"]))
    first = Delivery(began, "topology", topology_calls.import_topology(topology))
    flow = [*_case_alerts(folder), *_case_lines(folder, within_s), *_case_samples(folder)]
    flow.sort(key=lambda one: one.at_s)
    symptoms = head.get("symptoms")
    seen = [one for one in symptoms if isinstance(one, Mapping)] if isinstance(symptoms, list) else []
    incident = {
        "source": "case",
        "external_id": str(head["id"]),
        "title": str(head.get("description") or f"Incident {head['id']}")[:512],
        "started_at": str(head["detected_at"]),
        "affected": [{"ref": str(one["entity"])} for one in seen],
    }
    return Recorded((first,), flow, _span(flow), incident if seen else None)


def _rows(path: Path) -> Iterator[Mapping[str, object]]:
    if not path.exists():
        return
    with gzip.open(path, "rb") as lines:
        for number, line in enumerate(lines, start=1):
            row = orjson.loads(line)
            if not isinstance(row, Mapping):
                raise InputError(f"{path} line {number} is no object")
            yield row


def _case_alerts(folder: Path) -> Iterator[Delivery]:
    for row in _rows(folder / "alerts.jsonl.gz"):
        labels = {"alertname": str(row["name"]), "entity": str(row["entity"])}
        if row.get("severity"):
            labels["severity"] = str(row["severity"])
        alert = {
            "labels": labels,
            "annotations": {"summary": str(row.get("message") or row["name"])},
            "startsAt": str(row["at"]),
        }
        yield Delivery(_seconds(str(row["at"])), "alerts", deliveries.post_v2_alerts([alert]))


def _case_lines(folder: Path, within_s: float) -> Iterator[Delivery]:
    def entries() -> Iterator[tuple[float, str]]:
        for row in _rows(folder / "logs.jsonl.gz"):
            severity = _SEVERITIES.get(str(row.get("severity") or ""), 6)
            source = str(row.get("source") or "-").replace(" ", "_")[:48] or "-"
            message = str(row["message"]).replace("\n", " ")
            yield (
                _seconds(str(row["at"])),
                f"<{8 + severity}>1 {row['at']} {row['entity']} {source} - - - {message}",
            )

    return _gathered(entries(), within_s)


def _gathered(entries: Iterable[tuple[float, str]], within_s: float) -> Iterator[Delivery]:
    """Lines of ``within_s`` seconds in one body, bounded in lines and characters."""
    held: list[str] = []
    began_s, size = 0.0, 0
    for at_s, line in entries:
        if held and (len(held) >= MAX_LINES or size >= MAX_CHARS or at_s - began_s > within_s):
            yield _lines(began_s, held)
            held, size = [], 0
        if not held:
            began_s = at_s
        held.append(line)
        size += len(line)
    if held:
        yield _lines(began_s, held)


def _case_samples(folder: Path) -> Iterator[Delivery]:
    """Values of entities, a body for every quarter of a minute. Values of a pair of entities have no place in remote write."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from aiops.domain.batches import Series
    from ingest.parsers.remote_write import encode_remote_write

    path = folder / "metrics.parquet"
    if not path.exists():
        return
    table = pq.read_table(path, columns=["at", "entity", "peer", "metric", "value"])
    table = table.filter(pc.is_null(table["peer"])).sort_by("at")
    held: dict[Series, list[tuple[float, float]]] = {}
    began = 0
    for row in table.to_pylist():
        if held and row["at"] - began >= 15:
            yield _samples(float(began), encode_remote_write(held.items()), len(held))
            held = {}
        began = began if held else row["at"]
        series = Series(row["metric"], (("entity", row["entity"]),))
        held.setdefault(series, []).append((float(row["at"]), row["value"]))
    if held:
        yield _samples(float(began), encode_remote_write(held.items()), len(held))


def _samples(at_s: float, body: bytes, count: int) -> Delivery:
    return Delivery(at_s, "samples", deliveries.post_remote_write(body, content_encoding="snappy"), count)


def _lines(at_s: float, lines: list[str]) -> Delivery:
    body = "\n".join(lines) + "\n"
    return Delivery(at_s, "lines", deliveries.post_lines(body), len(lines))


def _recording(folder: Path, within_s: float) -> Recorded:
    from ingest.sources.recording import STREAM_FILES

    streams = [folder / name for name in STREAM_FILES if (folder / name).exists()]
    if not streams:
        raise InputError(
            f"{folder} is no recording: it has none of {', '.join(STREAM_FILES)}", hint="docs/lab.md"
        )
    head = read_object(folder / "recording.json", "recording")
    flow = heapq.merge(*(_stream(path, within_s) for path in streams), key=lambda one: one.at_s)
    incident = folder / "incident.json"
    began, ended = (_seconds(str(head.get(name) or "")) for name in ("started_at", "ended_at"))
    return Recorded(
        tuple(_documents(folder, began)),
        flow,
        max(ended - began, 0.0),
        read_object(incident, "incident") if incident.exists() else None,
    )


def _documents(folder: Path, at_s: float) -> Iterator[Delivery]:
    topology, changes = folder / "topology.json", folder / "changes.json"
    if topology.exists():
        document = read_object(topology, "topology")
        yield Delivery(at_s, "topology", topology_calls.import_topology(document))
    if changes.exists():
        listed = orjson.loads(read_bytes(changes))
        for change in listed.get("changes", []) if isinstance(listed, dict) else listed:
            yield Delivery(at_s, "change", deliveries.post_change(change))


def _stream(path: Path, within_s: float) -> Iterator[Delivery]:
    from ingest.sources.recording import REMOTE_WRITE_FILE, SYSLOG_FILE, read_frames

    if path.name == SYSLOG_FILE:
        yield from _gathered(_syslog(path), within_s)
        return
    for frame in read_frames(path):
        if path.name == REMOTE_WRITE_FILE:
            yield _samples(frame.at, bytes(cramjam.snappy.compress_raw(frame.payload)), 1)
        else:
            document = orjson.loads(frame.payload)
            yield Delivery(frame.at, "webhook", deliveries.post_webhook(document))


def _syslog(path: Path) -> Iterator[tuple[float, str]]:
    """Messages by arrival. A connection's bytes are cut into its messages, whatever pieces they came in."""
    from ingest.parsers.syslog_frames import SyslogFramer
    from ingest.sources.recording import read_frames

    framers: dict[str, SyslogFramer] = {}
    for frame in read_frames(path):
        if frame.peer.startswith("udp"):
            payloads: Iterable[bytes] = (frame.payload,)
        else:
            payloads = framers.setdefault(frame.peer, SyslogFramer()).feed(frame.payload).messages
        for payload in payloads:
            yield frame.at, payload.decode(errors="replace").replace("\n", " ")


def _seconds(text: str) -> float:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{text!r} is no time", hint="RFC 3339, for example 2026-11-22T10:00:00Z") from error
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _span(flow: list[Delivery]) -> float:
    return max((one.at_s for one in flow), default=0.0) - min((one.at_s for one in flow), default=0.0)
