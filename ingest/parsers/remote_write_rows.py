"""Rows of one remote-write body while it is read, and the batch that they become. Both versions of the protocol fill them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from aiops.domain.batches import FloatArray, IntArray, Reject, SampleBatch, Series
from aiops.errors import ParseError
from ingest.parsers.protobuf_wire import BoolArray
from ingest.parsers.remote_write_samples import (
    SAMPLE_BYTES,
    STALE_NAN_BITS,
    ZERO_BYTES,
    BitArray,
    sample_columns,
    samples_at,
    zeros_at,
)
from ingest.parsers.series_reader import numbered

#: Series and samples of one body that cannot be used; with more of them the whole body is refused.
MAX_REJECTS = 10_000
#: Samples of one body that are not of the usual shape; each of them is read on its own.
MAX_UNUSUAL = 500_000


@dataclass(frozen=True, slots=True)
class MetricMetadata:
    """What a sender says about a metric family. ``kind``: counter, gauge, histogram, ... or unknown."""

    metric: str
    kind: str
    help: str
    unit: str


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """One body. ``samples``, ``histograms`` and ``exemplars`` are the numbers of what was taken, for the headers
    ``X-Prometheus-Remote-Write-{Samples,Histograms,Exemplars}-Written``; staleness markers are samples. ``dropped``: samples and
    histograms that found no room, by reason (they are in ``batch.ignored`` too). ``batch.rejects`` could not be used.

    Where ``rejected`` or ``dropped`` is not empty, 2.0 wants a 400 whose body says so, with the headers.
    """

    batch: SampleBatch
    samples: int
    histograms: int
    exemplars: int
    metadata: tuple[MetricMetadata, ...]
    dropped: Mapping[str, int]

    @property
    def complete(self) -> bool:
        """Whether everything was taken."""
        return not self.batch.rejects and not self.dropped

    def headers(self) -> dict[str, str]:
        """The headers that 2.0 requires in the answer."""
        counts = {"Samples": self.samples, "Histograms": self.histograms, "Exemplars": self.exemplars}
        return {f"X-Prometheus-Remote-Write-{name}-Written": str(count) for name, count in counts.items()}

    def problems(self) -> str:
        """What was not taken and why, for people."""
        reasons: dict[str, int] = dict(self.dropped)
        for reject in self.batch.rejects:
            reasons[reject.reason] = reasons.get(reject.reason, 0) + 1
        return "; ".join(f"{count} x {reason}" for reason, count in list(reasons.items())[:20])


@dataclass(slots=True)
class Rows:
    """One row a sample: ``owners[i]`` and where its bytes are. A row is a full sample at ``starts[i]`` of the body unless it is
    in ``zeros`` (there with the value left out), ``raw`` (row to the bytes of a ``Sample``) or ``known`` (row to bits and
    milliseconds).
    """

    source: str
    received_at_s: float
    owners: list[Series] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    zeros: list[int] = field(default_factory=list)
    raw: dict[int, bytes] = field(default_factory=dict)
    known: dict[int, tuple[int, int]] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    metadata: list[MetricMetadata] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    histograms: int = 0
    exemplars: int = 0

    def add_raw(self, owner: Series, sample: bytes) -> None:
        """A sample that has to be read on its own. Raises ParseError past :data:`MAX_UNUSUAL`."""
        if len(self.raw) >= MAX_UNUSUAL:
            raise ParseError(
                f"remote write: more than {MAX_UNUSUAL} samples that are new or of an unusual shape",
                hint="send smaller batches (max_samples_per_send)",
                reason="too large",
            )
        self.raw[len(self.owners)] = sample
        self.owners.append(owner)
        self.starts.append(0)

    def add_known(self, owner: Series, bits: int, millis: int) -> None:
        """A sample that was read."""
        self.known[len(self.owners)] = (bits, millis)
        self.owners.append(owner)
        self.starts.append(0)

    def reject(self, reason: str, raw: bytes) -> None:
        """A part that cannot be used. Raises ParseError past :data:`MAX_REJECTS`."""
        if len(self.rejects) >= MAX_REJECTS:
            raise ParseError(
                f"remote write: more than {MAX_REJECTS} parts cannot be used, the last because: {reason}",
                hint="this is hardly what the sender meant",
                reason="too many rejects",
            )
        self.rejects.append(Reject(self.source, reason, self.received_at_s, raw))

    def drop(self, reason: str, count: int) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + count

    def finish(self, data: bytes) -> WriteRequest:
        """The rows as columns; ``data`` is the body that ``starts`` point into."""
        series, index = numbered(self.owners)
        bits, millis, keep = self._columns(data)
        ended = keep & (bits == STALE_NAN_BITS)
        at_s: FloatArray = millis / 1000.0
        value: FloatArray = bits.view(np.float64)
        taken = int(keep.sum())
        stale: tuple[tuple[int, float], ...] = ()
        if ended.any():
            stale = tuple(zip(index[ended].tolist(), at_s[ended].tolist(), strict=True))
            keep &= ~ended
        if not keep.all():
            index, at_s, value = index[keep], at_s[keep], value[keep]
        ignored = self.exemplars + sum(self.dropped.values())
        batch = SampleBatch(self.source, series, index, at_s, value, tuple(self.rejects), stale, ignored)
        return WriteRequest(
            batch,
            taken - 2 * self.histograms,
            self.histograms,
            self.exemplars,
            tuple(self.metadata),
            dict(self.dropped),
        )

    def _columns(self, data: bytes) -> tuple[BitArray, IntArray, BoolArray]:
        """Bits and milliseconds of every row, and which rows could be read."""
        count = len(self.owners)
        starts = np.array(self.starts, dtype=np.int64)
        keep = np.ones(count, dtype=np.bool_)
        if not self.zeros and not self.raw and not self.known and count:
            bits, millis, usual = samples_at(data, starts)
        else:
            bits, millis = np.zeros(count, dtype=np.uint64), np.zeros(count, dtype=np.int64)
            usual = self._mixed(data, starts, bits, millis)
        if not usual.all():
            zeros = set(self.zeros)
            for row in np.flatnonzero(~usual).tolist():
                start = int(starts[row])
                self.raw[row] = data[start : start + (ZERO_BYTES if row in zeros else SAMPLE_BYTES)]
        if self.raw:
            rows = list(self.raw)
            bits[rows], millis[rows], wrong = sample_columns(list(self.raw.values()))
            for place, reason in sorted(wrong.items()):
                keep[rows[place]] = False
                self.reject(f"sample: {reason}", self.raw[rows[place]])
        return bits, millis, keep

    def _mixed(self, data: bytes, starts: IntArray, bits: BitArray, millis: IntArray) -> BoolArray:
        full = np.ones(len(starts), dtype=np.bool_)
        usual = np.ones(len(starts), dtype=np.bool_)
        zeros = np.array(self.zeros, dtype=np.int64)
        full[zeros] = False
        full[list(self.raw)] = False
        for row, (row_bits, row_millis) in self.known.items():
            full[row] = False
            bits[row], millis[row] = row_bits, row_millis
        if zeros.size:
            millis[zeros], usual[zeros] = zeros_at(data, starts[zeros])
        rows = np.flatnonzero(full)
        if rows.size:
            bits[rows], millis[rows], usual[rows] = samples_at(data, starts[rows])
        return usual
