"""Series under watch: every sample through the array detectors, what they point at confirmed, told as anomalies."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np
import orjson

from aiops.domain.batches import EntitySeries, FloatArray, IntArray, SeriesColumns, SeriesKey
from aiops.domain.occurrences import Anomaly
from ingest.detection.arrays import RESTART_S, ArrayDetector, BoolArray, NarrowArray
from ingest.detection.confirmation import confirmed
from ingest.detection.openings import OpenAnomalies, anomaly_id, time_of
from ingest.detection.settings import DetectionSettings
from ingest.detection.slots import SlotTable
from ingest.partition_parts import packed_part, unpacked_part

_FORMAT = "aiops-series-watch/1"
#: Endings of the names of metrics that count up.
COUNTERS = ("_total", "_count", "_sum", "_bucket")
#: What is larger is not watched: its square would not fit.
LARGEST = 1e18
#: The data's own clock is the median of so many batches' medians: one sender whose clock is a year ahead ages nobody else.
CLOCK_BATCHES = 5


class SeriesWatch:
    """All series of one partition. Values of counters are taken as rates per second; one that went back began anew."""

    def __init__(self, settings: DetectionSettings) -> None:
        self._settings = settings
        self._detector = ArrayDetector(settings)
        self._slots: SlotTable[SeriesKey] = SlotTable(
            max_slots=settings.max_series, window=settings.window, idle_s=settings.idle_s
        )
        self._open = OpenAnomalies(settings)
        self._is_counter = np.zeros(0, dtype=np.bool_)
        self._now_s = -np.inf
        self._middles: deque[float] = deque(maxlen=CLOCK_BATCHES)

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def unwatched(self) -> int:
        """How often a series found no place."""
        return self._slots.refused

    @property
    def suppressed(self) -> int:
        """Anomalies that were not told because too many were open."""
        return self._open.suppressed

    def observe(self, series: Sequence[EntitySeries]) -> list[Anomaly]:
        """What begins, gets worse or ends with these samples (times ascending in each series)."""
        columns = SeriesColumns.of(series)
        if not len(columns):
            return []
        self._advance_clock(columns)
        slots = self._slots.slots(columns.keys, self._now_s, objects=True)
        told: list[Anomaly] = []
        for slot, at_s, value in _rounds(slots, columns):
            counts = self._counts(slot)
            for chosen, counter in ((~counts, False), (counts, True)):
                if chosen.any():
                    told += self._take(slot[chosen], at_s[chosen], value[chosen], counter=counter)
        for which_slot, anomaly in self._open.end_silent(self._now_s):
            self._settle(which_slot, anew=True)
            told.append(anomaly)
        return told

    def _counts(self, slots: IntArray) -> BoolArray:
        """Which slots are of counters; looked at once, when a slot has no sample yet."""
        held = len(self._slots.heard_s)
        if len(self._is_counter) < held:
            more = np.zeros(held - len(self._is_counter), dtype=np.bool_)
            self._is_counter = np.concatenate([self._is_counter, more])
        for slot in slots[np.isinf(self._slots.at_s[slots])].tolist():
            self._is_counter[slot] = self._slots.key(slot)[2].endswith(COUNTERS)
        found: BoolArray = self._is_counter[slots]
        return found

    def _advance_clock(self, columns: SeriesColumns) -> None:
        self._middles.append(float(np.median(columns.at_s[columns.starts[1:] - 1])))
        self._now_s = max(self._now_s, float(np.median(self._middles)))

    def _take(self, slot: IntArray, at_s: FloatArray, raw: FloatArray, *, counter: bool) -> list[Anomaly]:
        """One sample for each of ``slot``. What is older than the one before is passed over."""
        table = self._slots
        elapsed = at_s - table.at_s[slot]
        restarted = ~(elapsed > -RESTART_S) | np.isinf(elapsed)
        first = restarted if counter else np.zeros(len(slot), dtype=np.bool_)
        usable = ((elapsed > 0) | restarted) & (np.abs(raw) < LARGEST)
        again = restarted & (table.filled[slot] > 0)
        if again.any():
            table.begin_anew(slot[again])
        fresh = usable & ~first
        before = table.raw[slot]
        table.at_s[slot[usable]] = at_s[usable]
        table.raw[slot[usable]] = raw[usable]
        if not fresh.any():
            return []
        slot, at_s, raw, before = slot[fresh], at_s[fresh], raw[fresh], before[fresh]
        elapsed = np.where(restarted[fresh], 1.0, elapsed[fresh])
        value = np.where(raw >= before, raw - before, raw) / elapsed if counter else raw
        z, speaks = self._detector.advance(table.columns, slot, elapsed.astype(np.float32), value)
        table.remember(slot, at_s, value)
        return self._judge(slot, at_s, value, z, speaks)

    def _judge(
        self, slot: IntArray, at_s: FloatArray, value: FloatArray, z: NarrowArray, speaks: BoolArray
    ) -> list[Anomaly]:
        told: list[Anomaly] = []
        opened = self._open.slots()
        ongoing = np.isin(slot, opened) if opened else np.zeros(len(slot), dtype=np.bool_)
        for place in np.flatnonzero(ongoing).tolist():
            which = int(slot[place])
            news = self._open.seen(which, float(z[place]), float(at_s[place]), float(value[place]))
            if news is not None:
                told.append(news)
            if which not in self._open:
                self._settle(which, anew=abs(z[place]) >= self._settings.calm)
        for place in np.flatnonzero(speaks & ~ongoing).tolist():
            news = self._candidate(int(slot[place]), float(at_s[place]), float(z[place]))
            if news is not None:
                told.append(news)
        return told

    def _candidate(self, slot: int, at_s: float, z: float) -> Anomaly | None:
        """The anomaly that a detector points at, if it is one. Its sums begin anew either way."""
        columns, s = self._slots.columns, self._settings
        detector = "ewma" if abs(z) > s.far else "cusum"
        columns.up[slot] = columns.down[slot] = columns.last[slot] = 0.0
        times, values = self._slots.recent(slot)
        usual = float(np.sqrt(columns.var[slot]))
        floor = max(s.level_floor * abs(float(columns.mean[slot])), 0.5 * usual, 1e-12)
        shift = confirmed(times, values, least=s.confirm, floor=floor)
        if shift is None:
            return None
        entity, peer, metric, labels = self._slots.key(slot)
        anomaly = Anomaly(
            anomaly_id(entity, peer, metric, labels, detector, shift.at_s),
            entity,
            metric,
            detector,
            time_of(shift.at_s),
            peer=peer,
            direction="up" if shift.score > 0 else "down",
            score=shift.score,
            value=shift.value,
            expected=shift.expected,
            labels=dict(labels),
        )
        return self._open.open(slot, anomaly, at_s)

    def _settle(self, slot: int, *, anew: bool) -> None:
        """An anomaly has ended. ``anew``: because it lasted so long, or because nothing was heard: what is now is usual."""
        columns = self._slots.columns
        columns.up[slot] = columns.down[slot] = columns.last[slot] = 0.0
        _times, values = self._slots.recent(slot)
        if anew and len(values):
            low, center, high = np.quantile(values, (0.25, 0.5, 0.75))
            columns.mean[slot] = center
            columns.var[slot] = ((high - low) / 1.349) ** 2

    def save(self) -> bytes:
        """Everything that was learned, for :meth:`load`."""
        keys, small, data = self._slots.dump()
        now = None if np.isinf(self._now_s) else self._now_s
        head = orjson.dumps([now, list(self._middles), keys, small, self._open.dump()])
        return packed_part(_FORMAT, len(head).to_bytes(8, "little") + head + data)

    def load(self, part: bytes) -> None:
        """Become what was saved. Raises :class:`aiops.errors.ParseError` for bytes that :meth:`save` did not make."""
        fresh = SeriesWatch(self._settings)
        unpacked_part(_FORMAT, part, fresh._fill)
        self._slots, self._open = fresh._slots, fresh._open
        self._now_s, self._middles, self._is_counter = fresh._now_s, fresh._middles, fresh._is_counter

    def _fill(self, content: bytes) -> None:
        size = int.from_bytes(content[:8], "little")
        now, middles, keys, small, opened = orjson.loads(content[8 : 8 + size])
        made = [
            (slot, (entity, peer, metric, tuple((name, value) for name, value in labels)))
            for slot, (entity, peer, metric, labels) in keys
        ]
        self._slots.fill(made, small, content[8 + size :])
        self._is_counter = np.zeros(len(self._slots.heard_s), dtype=np.bool_)
        for key, slot in self._slots.items():
            self._is_counter[slot] = key[2].endswith(COUNTERS)
        self._open.fill(*opened)
        self._now_s = -np.inf if now is None else now
        self._middles.extend(middles)


def _rounds(slots: IntArray, columns: SeriesColumns) -> Iterator[tuple[IntArray, FloatArray, FloatArray]]:
    """The first sample of every series that has a slot, then the second of those that have one, and so on."""
    counts = np.diff(columns.starts)
    if counts.max() == 1 and slots.min() >= 0 and len(np.unique(slots)) == len(slots):
        yield slots, columns.at_s, columns.value
        return
    slot_of = np.repeat(slots, counts)
    rows = np.flatnonzero(slot_of >= 0)
    rows = rows[np.lexsort((columns.at_s[rows], slot_of[rows]))]  # two series may be of one slot
    slot_of, at_s, value = slot_of[rows], columns.at_s[rows], columns.value[rows]
    if not len(rows):
        return
    starts = np.flatnonzero(np.r_[True, np.diff(slot_of) != 0])
    counts = np.diff(np.append(starts, len(slot_of)))
    for number in range(int(counts.max())):
        which = starts[counts > number] + number
        yield slot_of[which], at_s[which], value[which]
