"""Identities of series as bytes: written once a series, read once a series, looked up after that.

A series travels as its metric name and, for each label, its name and value; 0xFF stands before a label and 0xFE between
its name and value, two bytes that UTF-8 never holds.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence

from aiops.domain.batches import Series
from ingest.journal.sections import encoded, poison

#: Bytes that a :class:`SeriesNames` holds by default, as it counts them: enough for some 250,000 series of 120 bytes of labels.
DEFAULT_MAX_BYTES = 128 << 20
#: What a held series weighs beside its label bytes: objects and dictionary entries, a little more than measured.
SERIES_OVERHEAD_BYTES = 400
_BETWEEN, _VALUE = b"\xff", b"\xfe"


class SeriesNames:
    """Which bytes name which series, both ways, for the series in use. Thread-safe.

    Bounded in two generations: what was not asked for during a whole generation is forgotten. A series that
    is written and read in one process is one object.
    """

    def __init__(self, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._half = max(1, max_bytes // 2)
        self._young: dict[bytes, Series] = {}
        self._old: dict[bytes, Series] = {}
        #: by id(series); the series is held beside its bytes, so that its id stays its own
        self._written: dict[int, tuple[Series, bytes]] = {}
        self._written_before: dict[int, tuple[Series, bytes]] = {}
        self._young_bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._young) + sum(key not in self._young for key in self._old)

    def write(self, series: Sequence[Series]) -> list[bytes]:
        """The bytes of each. Raises ParseError for text that is no Unicode and labels out of order."""
        with self._lock:
            known = [*map(self._written.get, map(id, series))]
            return [
                found[1] if found is not None else self._write(one)
                for one, found in zip(series, known, strict=True)
            ]

    def read(self, names: Sequence[bytes]) -> tuple[Series, ...]:
        """The series of each. Raises ParseError for bytes that name none."""
        with self._lock:
            known = [*map(self._young.get, names)]
            return tuple(
                found if found is not None else self._read(name)
                for name, found in zip(names, known, strict=True)
            )

    def _write(self, series: Series) -> bytes:
        before = self._written_before.get(id(series))
        name = series_bytes(series) if before is None else before[1]
        held = self._young.get(name) or self._old.get(name) or series
        self._keep(name, held)
        self._written[id(series)] = (series, name)
        return name

    def _read(self, name: bytes) -> Series:
        found = self._young.get(name) or self._old.get(name) or series_of(name)
        self._keep(name, found)
        return found

    def _keep(self, name: bytes, series: Series) -> None:
        size = len(name) + SERIES_OVERHEAD_BYTES
        if self._young_bytes + size > self._half:
            self._old, self._young, self._young_bytes = self._young, {}, 0
            self._written_before, self._written = self._written, {}
        self._young[name] = series
        self._young_bytes += size


def series_bytes(series: Series) -> bytes:
    """The bytes that name ``series``. Raises ParseError."""
    _check_order(series)
    parts = [encoded(series.metric, "a metric name")]
    for name, value in series.labels:
        parts.append(encoded(name, "a label name") + _VALUE + encoded(value, "a label value"))
    return _BETWEEN.join(parts)


def series_of(name: bytes) -> Series:
    """The series that ``name`` names. Raises ParseError."""
    metric, *labels = name.split(_BETWEEN)
    pairs = []
    try:
        for label in labels:
            key, between, value = label.partition(_VALUE)
            if not between:
                raise poison("a label without a value")
            pairs.append((key.decode(), value.decode()))
        series = Series(metric.decode(), tuple(pairs))
    except UnicodeDecodeError as exc:
        raise poison("labels that are no UTF-8") from exc
    _check_order(series)
    return series


def _check_order(series: Series) -> None:
    if any(one[0] >= other[0] for one, other in itertools.pairwise(series.labels)):
        raise poison(f"labels of {series.metric!r} that are not in the order of their names, or double")
