"""A recording, played through the same parsers and the same worker as live data, as fast as they go.

Everything is taken in order of arrival, in batches of a few seconds of arrival time and bounded in bytes; event
times are those of the data, so that the result does not depend on when or how fast it is played.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import orjson

from aiops.domain.batches import IntArray, RawBatch, Reject, SampleBatch, Series
from aiops.errors import ParseError, RecordingError
from ingest.changes import parse_changes
from ingest.counters import Taken
from ingest.parsers.alertmanager import parse_webhook
from ingest.parsers.remote_write import RemoteWriteDecoder
from ingest.parsers.syslog_frames import Frames, SyslogFramer
from ingest.sources.recording import (
    REMOTE_WRITE_FILE,
    STREAM_FILES,
    SYSLOG_FILE,
    Frame,
    read_frames,
)
from ingest.worker import IngestWorker

BATCH_S = 15.0
BATCH_BYTES = 8 * 1024 * 1024
MAX_CONNECTIONS = 10_000
MAINTAIN_EVERY_S = 60.0
TOPOLOGY_FILE = "topology.json"
CHANGES_FILE = "changes.json"
_MAX_DOCUMENT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """``frames`` by stream file, ``counters`` by source (what this replay added), first and last arrival; None: no frames."""

    frames: Mapping[str, int]
    counters: Mapping[str, Taken]
    started_at: datetime | None
    ended_at: datetime | None


def replay(
    folder: Path,
    worker: IngestWorker,
    *,
    on_progress: Callable[[float], None] = lambda _share: None,
    batch_s: float = BATCH_S,
) -> ReplayReport:
    """Play the recording in ``folder``. ``on_progress`` is told the share done, 0 to 1, by frames' size in the files.

    Raises :class:`aiops.errors.RecordingError` for a folder or file that is none (what came before it has been taken), and what
    the worker raises. Memory: one batch and one block of each stream.
    """
    streams = [folder / name for name in STREAM_FILES if (folder / name).exists()]
    if not streams:
        raise RecordingError(
            f"{folder} is no recording: it has none of {', '.join(STREAM_FILES)}",
            hint="name the folder of a recording",
            file=str(folder),
        )
    before = worker.counters()
    player = _Player(worker)
    first = next(heapq.merge(*(_numbered(path, place) for place, path in enumerate(streams))), None)
    started_s = None if first is None else first[0]
    _take_documents(folder, worker, started_s)
    span = _span(folder, started_s)
    frames = dict.fromkeys((path.name for path in streams), 0)
    batch_end = -float("inf")
    held = 0
    at_s = started_s
    for at_s, place, _number, frame in heapq.merge(*(_numbered(p, i) for i, p in enumerate(streams))):
        if at_s >= batch_end or held >= BATCH_BYTES:
            player.flush(at_s)
            batch_end, held = at_s + batch_s, 0
            on_progress(min(0.99, (at_s - (started_s or 0.0)) / span))
        frames[streams[place].name] += 1
        held += len(frame.payload)
        player.take(streams[place].name, frame)
    player.finish(at_s)
    on_progress(1.0)
    return ReplayReport(frames, _added(before, worker.counters()), _time(started_s), _time(at_s))


class _Player:
    """Sorts frames to their parsers and hands the worker one batch for each sender and stream."""

    def __init__(self, worker: IngestWorker) -> None:
        self._worker = worker
        self._decoder = RemoteWriteDecoder()
        self._framers: dict[str, SyslogFramer] = {}
        self._lines: dict[tuple[str, str], tuple[list[bytes], list[float]]] = {}
        self._samples: list[SampleBatch] = []
        self._webhooks: list[Frame] = []
        self._rejects: list[Reject] = []
        self._maintained_s: float | None = None

    def take(self, stream: str, frame: Frame) -> None:
        if stream == SYSLOG_FILE:
            self._take_syslog(frame)
        elif stream == REMOTE_WRITE_FILE:
            self._take_samples(frame)
        else:
            self._webhooks.append(frame)

    def flush(self, at_s: float) -> None:
        """Hand over what was gathered: numbers before words, since they tell who is who."""
        if self._samples:
            self._worker.take_samples(merge_batches(self._samples))
        self._worker.take_syslog(
            *(
                RawBatch(transport, transport, peer, tuple(payloads), tuple(times))
                for (transport, peer), (payloads, times) in sorted(self._lines.items())
            )
        )
        for frame in self._webhooks:
            try:
                self._worker.take_alerts(parse_webhook(frame.payload, received_at_s=frame.at))
            except ParseError as exc:
                self._worker.reject(Reject("alertmanager", exc.message, frame.at, frame.payload))
        for reject in self._rejects:
            self._worker.reject(reject)
        self._samples, self._lines, self._webhooks, self._rejects = [], {}, [], []
        if self._maintained_s is None:
            self._maintained_s = at_s
        if at_s - self._maintained_s >= MAINTAIN_EVERY_S:
            self._worker.maintain(datetime.fromtimestamp(at_s, UTC))
            self._maintained_s = at_s

    def finish(self, at_s: float | None) -> None:
        """The end of the recording ends every connection."""
        for peer, framer in self._framers.items():
            self._add_frames(framer.close(), peer, at_s or 0.0)
        self._framers.clear()
        self.flush(at_s or 0.0)

    def _take_syslog(self, frame: Frame) -> None:
        if not frame.peer.startswith("tcp "):
            self._add_lines("syslog-udp", frame.peer, (frame.payload,), frame.at)
            return
        if frame.peer not in self._framers and len(self._framers) >= MAX_CONNECTIONS:
            oldest = next(iter(self._framers))
            self._add_frames(self._framers.pop(oldest).close(), oldest, frame.at)
        framer = self._framers.setdefault(frame.peer, SyslogFramer())
        self._add_frames(framer.feed(frame.payload), frame.peer, frame.at)

    def _add_frames(self, frames: Frames, peer: str, at_s: float) -> None:
        if frames.messages:
            self._add_lines("syslog-tcp", peer, frames.messages, at_s)
        self._rejects += [Reject("syslog-tcp", reject.reason, at_s, reject.raw) for reject in frames.rejects]

    def _add_lines(self, transport: str, peer: str, lines: Sequence[bytes], at_s: float) -> None:
        address = peer.split("#", 1)[0].rpartition(":")[0]  # a sender's ports change, its address does not
        payloads, times = self._lines.setdefault((transport, address), ([], []))
        payloads.extend(lines)
        times.extend([at_s] * len(lines))

    def _take_samples(self, frame: Frame) -> None:
        try:
            batch = self._decoder.decode(
                frame.payload, source="remote-write", received_at_s=frame.at, compressed=False
            )
        except ParseError as exc:
            self._rejects.append(Reject("remote-write", exc.message, frame.at, frame.payload))
        else:
            self._samples.append(batch)


def merge_batches(batches: list[SampleBatch]) -> SampleBatch:
    """Several batches of one source as one, each series once."""
    if len(batches) == 1:
        return batches[0]
    place: dict[Series, int] = {}
    same: dict[int, int] = {}  # by identity: a decoder hands out the same object for the same series
    numbers: list[IntArray] = []
    for batch in batches:
        for series in batch.series:
            if id(series) not in same:
                same[id(series)] = place.setdefault(series, len(place))
        numbers.append(
            np.fromiter((same[id(series)] for series in batch.series), np.int64, len(batch.series))
        )
    return SampleBatch(
        batches[0].source,
        tuple(place),
        np.concatenate([number[batch.series_index] for number, batch in zip(numbers, batches, strict=True)]),
        np.concatenate([batch.at_s for batch in batches]),
        np.concatenate([batch.value for batch in batches]),
        tuple(reject for batch in batches for reject in batch.rejects),
        tuple(
            (int(number[which]), at_s)
            for number, batch in zip(numbers, batches, strict=True)
            for which, at_s in batch.stale
        ),
        sum(batch.ignored for batch in batches),
    )


def _numbered(path: Path, place: int) -> Iterator[tuple[float, int, int, Frame]]:
    """Frames with what orders them: arrival, then stream, then place in the stream; a frame itself is never compared."""
    for number, frame in enumerate(read_frames(path)):
        yield (frame.at, place, number, frame)


def _take_documents(folder: Path, worker: IngestWorker, started_s: float | None) -> None:
    topology = _document(folder / TOPOLOGY_FILE)
    if topology is not None:
        worker.take_topology(topology, at=_time(started_s))
    changes = _document(folder / CHANGES_FILE)
    if changes is not None:
        worker.take_changes(parse_changes(changes))


def _document(path: Path) -> object:
    if not path.exists():
        return None
    if path.stat().st_size > _MAX_DOCUMENT_BYTES:
        raise RecordingError(f"{path}: larger than {_MAX_DOCUMENT_BYTES} bytes", file=str(path))
    try:
        return orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as exc:
        raise RecordingError(f"{path}: no JSON document ({exc})", file=str(path)) from exc


def _span(folder: Path, started_s: float | None) -> float:
    """Seconds that the recording says it lasts; what it does not say makes the progress coarse and nothing else."""
    manifest = _document(folder / "recording.json")
    if isinstance(manifest, dict) and isinstance(manifest.get("ended_at"), str) and started_s is not None:
        try:
            ended_s = datetime.fromisoformat(manifest["ended_at"]).timestamp()
        except ValueError as exc:
            raise RecordingError(
                f"{folder}: ended_at is no time", file=str(folder / "recording.json")
            ) from exc
        return max(1.0, ended_s - started_s)
    return 900.0


def _added(before: Mapping[str, Taken], after: Mapping[str, Taken]) -> Mapping[str, Taken]:
    added = {}
    for source, taken in after.items():
        old = before.get(source, Taken())
        added[source] = Taken(
            taken.received - old.received,
            taken.stored - old.stored,
            taken.rejected - old.rejected,
            taken.dropped - old.dropped,
        )
    return {source: taken for source, taken in added.items() if taken.received}


def _time(at_s: float | None) -> datetime | None:
    return None if at_s is None else datetime.fromtimestamp(at_s, UTC)
