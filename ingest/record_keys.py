"""What goes into which record of the journal: topics, keys, and the cut of what is too large or about several things.

Topics: ``logs`` (lines by the sender's address, events by the host they are about), ``samples`` (by the instance or host they are
about), ``alerts`` (whole bodies and changes, by the source). What has one key stays in order; so does everything of one entity.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aiops.domain.batches import EventBatch, IntArray, Payloads, RawBatch, SampleBatch, Series
from ingest.journal.seams import Record

LOGS, SAMPLES, ALERTS = "logs", "samples", "alerts"
#: Transports whose payloads are whole bodies.
BODIES = frozenset({"alertmanager-webhook", "alertmanager-v2", "cloudevents", "changes"})
#: Labels that say whom a series is about, the first that is there.
_SUBJECTS = ("exported_instance", "instance", "node", "host", "hostname", "pod", "service", "job")
_SAMPLE_BYTES = 20
_SERIES_BYTES = 200

Batch = RawBatch | EventBatch | SampleBatch
Pack = Callable[[Batch], bytes]


@dataclass(frozen=True, slots=True)
class Cut:
    """``partitions``: into how many records a batch about many things is spread; ``max_bytes``: about how large one may get."""

    pack: Pack
    partitions: int = 1
    max_bytes: int = 2**20

    def records(self, item: Batch) -> list[Record]:
        """``item`` as records, without its rejects. Raises ParseError where it cannot be packed."""
        if isinstance(item, RawBatch):
            topic = ALERTS if item.transport in BODIES else LOGS
            key = (item.source if topic == ALERTS else address_of(item.peer) or item.source).encode()
            return [Record(topic, key, self.pack(part)) for part in _cut_lines(item, self.max_bytes)]
        item = replace(item, rejects=())
        if isinstance(item, EventBatch):
            parts = _spread_events(item, self.partitions)
            return [
                Record(LOGS, key, self.pack(part))
                for key, spread in parts
                for part in _cut_events(spread, self.max_bytes)
            ]
        return [
            Record(SAMPLES, key, self.pack(part))
            for key, spread in _spread_samples(item, self.partitions)
            for part in _cut_samples(spread, self.max_bytes)
        ]


def address_of(peer: str) -> str:
    """``10.0.0.1`` of ``udp 10.0.0.1``."""
    return peer.rpartition(" ")[2]


def count_of(item: Batch) -> int:
    """Messages in ``item``."""
    if isinstance(item, RawBatch):
        return len(item.payloads)
    return (
        int(item.table.num_rows)
        if isinstance(item, EventBatch)
        else len(item.at_s) + len(item.stale) + item.ignored
    )


def _cut_lines(batch: RawBatch, max_bytes: int) -> Iterator[RawBatch]:
    held = batch.payloads if isinstance(batch.payloads, Payloads) else Payloads.of(batch.payloads)
    if len(held.data) + 8 * len(held) <= max_bytes:
        yield batch
        return
    times = np.asarray(batch.received_at_s, dtype=np.float64)
    begin = 0
    while begin < len(held):
        limit = held.offsets[begin] + max_bytes
        end = max(begin + 1, int(np.searchsorted(held.offsets, limit, "right")) - 1)
        first, last = int(held.offsets[begin]), int(held.offsets[end])
        part = Payloads(held.data[first:last], held.offsets[begin : end + 1] - first)
        yield replace(batch, payloads=part, received_at_s=times[begin:end])
        begin = end


def _spread_events(batch: EventBatch, partitions: int) -> Iterator[tuple[bytes, EventBatch]]:
    hosts = pc.fill_null(batch.table["host"], batch.source).combine_chunks().dictionary_encode()
    if isinstance(hosts, pa.ChunkedArray):  # an empty table
        hosts = hosts.combine_chunks()
    names = [str(name) for name in hosts.dictionary.to_pylist()]
    if partitions == 1 or len(names) <= 1:
        yield (names[0] if names else batch.source).encode(), batch
        return
    bucket = np.array([zlib.crc32(name.encode()) % partitions for name in names])[hosts.indices.to_numpy()]
    for number in np.unique(bucket):
        rows = np.flatnonzero(bucket == number)
        key = names[hosts.indices[int(rows[0])].as_py()]
        yield key.encode(), replace(batch, table=batch.table.take(pa.array(rows)))


def _cut_events(batch: EventBatch, max_bytes: int) -> Iterator[EventBatch]:
    size, rows = int(batch.table.nbytes), int(batch.table.num_rows)
    step = max(1, rows * max_bytes // size) if size > max_bytes else max(1, rows)
    for begin in range(0, max(1, rows), step):
        yield replace(batch, table=batch.table.slice(begin, step))


def subject_of(series: Series) -> str:
    """Whom a series is about; its metric where no label says it."""
    labels = dict(series.labels)
    return next((labels[name] for name in _SUBJECTS if labels.get(name)), series.metric)


def _spread_samples(batch: SampleBatch, partitions: int) -> Iterator[tuple[bytes, SampleBatch]]:
    if partitions == 1 or len(batch.series) <= 1:
        yield (subject_of(batch.series[0]) if batch.series else batch.source).encode(), batch
        return
    subjects = [subject_of(series) for series in batch.series]
    buckets = np.array([zlib.crc32(subject.encode()) % partitions for subject in subjects])
    found = np.unique(buckets)
    for place, number in enumerate(found):
        chosen = np.flatnonzero(buckets == number)
        part = _of_series(batch, chosen, ignored=batch.ignored if place == 0 else 0)
        yield subjects[int(chosen[0])].encode(), part


def _cut_samples(batch: SampleBatch, max_bytes: int) -> Iterator[SampleBatch]:
    size = _SERIES_BYTES * len(batch.series) + _SAMPLE_BYTES * len(batch.at_s)
    pieces = min(max(1, len(batch.series)), -(-size // max_bytes)) if size else 1
    if pieces <= 1:
        yield batch
        return
    for place, chosen in enumerate(np.array_split(np.arange(len(batch.series)), pieces)):
        yield _of_series(batch, chosen, ignored=batch.ignored if place == 0 else 0)


def _of_series(batch: SampleBatch, chosen: IntArray, *, ignored: int) -> SampleBatch:
    """The samples of the chosen series, renumbered."""
    number = np.full(len(batch.series), -1, dtype=np.int64)
    number[chosen] = np.arange(len(chosen))
    kept = number[batch.series_index] >= 0
    return replace(
        batch,
        series=tuple(batch.series[place] for place in chosen.tolist()),
        series_index=number[batch.series_index[kept]],
        at_s=batch.at_s[kept],
        value=batch.value[kept],
        stale=tuple((int(number[place]), at_s) for place, at_s in batch.stale if number[place] >= 0),
        ignored=ignored,
    )
