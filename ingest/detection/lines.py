"""Kinds of lines under watch: how often each template comes from each entity, and templates that were never seen before.

Lines are counted in bins of event time, a minute wide; a bin is judged once the data's own clock is ``late_s`` past its
end. What goes through the array detectors is sqrt(count + 3/8), whose scale is 1/2 for Poisson counts of any rate (Anscombe,
Biometrika 1948), and no scale is smaller than that; what comes in bursts gets the larger scale that it shows.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import orjson
import pyarrow as pa

from aiops.domain.batches import FloatArray, IntArray
from aiops.domain.occurrences import Anomaly
from ingest.detection.arrays import ArrayDetector, BoolArray, NarrowArray
from ingest.detection.confirmation import confirmed
from ingest.detection.openings import OpenAnomalies, anomaly_id, time_of
from ingest.detection.settings import DetectionSettings
from ingest.detection.slots import SlotTable
from ingest.partition_parts import packed_part, unpacked_part
from ingest.templates import Mined

_FORMAT = "aiops-line-watch/1"
POISSON_SCALE = 0.5
_ANSCOMBE = 0.375
#: The data's own clock goes on by at most so many bins a batch: one host whose clock is a year ahead ends no bin of the others.
MAX_ADVANCE = 60
_SHIFT = 32
_LOW = (1 << _SHIFT) - 1
_HOUR_S = 3_600.0


class LineRates:
    """Counts by (entity, template) of one partition. ``late`` counts lines whose bin was judged already, or lies further
    ahead than bins are kept; they are stored as any other."""

    def __init__(self, settings: DetectionSettings) -> None:
        self._settings = settings
        self._detector = ArrayDetector(settings, floor=POISSON_SCALE)
        self._slots: SlotTable[int] = SlotTable(
            max_slots=settings.max_kinds, window=settings.window, idle_s=settings.idle_s
        )
        self._open = OpenAnomalies(settings)
        self._entities: dict[str, int] = {}
        self._texts: dict[int, str] = {}  # template number to its text as it was last
        self._bins: dict[int, FloatArray] = {}
        self._judged: int | None = None  # the newest bin that was judged
        self._now: int | None = None  # the bin that the data's own clock is in
        self._since_s = 0.0
        self._next_number = 0
        self._told_new: Counter[str] = Counter()
        self._told_hour = 0
        self.late = 0
        self.suppressed_new = 0

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def unwatched(self) -> int:
        """How often a kind of line found no place."""
        return self._slots.refused

    @property
    def suppressed(self) -> int:
        """Anomalies that were not told because too many were."""
        return self._open.suppressed + self.suppressed_new

    def observe(self, logs: pa.Table, entities: list[str], entity: IntArray, mined: Mined) -> list[Anomaly]:
        """What begins, gets worse or ends with these lines (LOG_SCHEMA); row i is of ``entities[entity[i]]``."""
        at_s = logs["at_s"].to_numpy()
        if not len(at_s):
            return []
        if self._now is None:
            self._since_s = float(np.median(at_s))
        self._advance_clock(at_s)
        told = self._new_templates(logs, at_s, entities, entity, mined)
        self._count(at_s, entities, entity, mined)
        return told + self._judge_bins()

    def _advance_clock(self, at_s: FloatArray) -> None:
        middle = int(np.median(at_s) // self._settings.bin_s)
        if self._now is None:
            self._now, self._judged = middle, middle - 2
        else:
            self._now = max(self._now, min(middle, self._now + MAX_ADVANCE))

    def _count(self, at_s: FloatArray, entities: list[str], entity: IntArray, mined: Mined) -> None:
        assert self._now is not None
        assert self._judged is not None
        known = [self._entities.get(name, -1) for name in entities]
        for place, name in enumerate(entities):
            if known[place] < 0 and len(self._entities) < self._settings.max_kinds:
                known[place] = self._entities.setdefault(name, len(self._entities))
        number = mined.number()
        owner = np.array(known, dtype=np.int64)[entity]
        bins = np.floor_divide(at_s, self._settings.bin_s).astype(np.int64)
        timely = (bins > self._judged) & (bins <= self._now + 2)
        usable = timely & (number >= 0) & (owner >= 0)
        self.late += int(len(timely) - timely.sum())
        keys, which = np.unique((owner[usable] << _SHIFT) | number[usable], return_inverse=True)
        now_s = (self._now + 1) * self._settings.bin_s
        slots = self._slots.slots(keys.tolist(), now_s)
        for kind, text in zip(mined.numbers.tolist(), mined.texts, strict=True):
            if kind >= 0 and text is not None:
                self._texts[kind] = text
        if len(self._texts) > self._settings.max_kinds:
            used = {key & _LOW for key, _slot in self._slots.items()}
            self._texts = {kind: text for kind, text in self._texts.items() if kind in used}
        slot, bins = slots[which], bins[usable]
        placed = slot >= 0
        slot, bins = slot[placed], bins[placed]
        for number_of_bin in np.unique(bins).tolist():
            counts = np.bincount(slot[bins == number_of_bin], minlength=len(self._slots.heard_s))
            held = self._bins.get(number_of_bin)
            if held is not None:
                counts[: len(held)] = counts[: len(held)] + held
            self._bins[number_of_bin] = counts.astype(np.float64)

    def _judge_bins(self) -> list[Anomaly]:
        assert self._now is not None
        assert self._judged is not None
        late_bins = int(np.ceil(self._settings.late_s / self._settings.bin_s))
        told: list[Anomaly] = []
        last = self._now - late_bins - 1
        if last - self._judged > self._settings.window:  # a long silence of everybody: judge its end only
            self._judged = last - self._settings.window
        while self._judged < last:
            self._judged += 1
            told += self._judge(self._judged)
        for number in [number for number in self._bins if number <= self._judged]:
            del self._bins[number]
        return told

    def _judge(self, number: int) -> list[Anomaly]:
        size = len(self._slots.heard_s)
        counts = np.zeros(size)
        held = self._bins.pop(number, None)
        if held is not None:
            counts[: len(held)] = held
        value = np.sqrt(counts + _ANSCOMBE)
        z, speaks = self._detector.advance(self._slots.columns, slice(0, size), self._settings.bin_s, value)
        begin_s = number * self._settings.bin_s
        every = np.arange(size)
        self._slots.remember(every, np.full(size, begin_s), value)
        warm = self._slots.columns.count > self._settings.warm_up
        speaks |= (np.abs(z) > 2.0 * self._settings.far) & warm
        return self._told(begin_s, counts, z, speaks)

    def _told(self, begin_s: float, counts: FloatArray, z: NarrowArray, speaks: BoolArray) -> list[Anomaly]:
        told: list[Anomaly] = []
        opened = self._open.slots()
        for slot in opened:
            news = self._open.seen(slot, float(z[slot]), begin_s, float(counts[slot]))
            if news is not None:
                told.append(news)
            if slot not in self._open:
                self._quiet(slot)
        speaks[opened] = False
        for slot in np.flatnonzero(speaks).tolist():
            news = self._candidate(slot, begin_s)
            if news is not None:
                told.append(news)
        return told

    def _quiet(self, slot: int) -> None:
        columns = self._slots.columns
        columns.up[slot] = columns.down[slot] = columns.last[slot] = 0.0

    def _candidate(self, slot: int, begin_s: float) -> Anomaly | None:
        self._quiet(slot)
        times, values = self._slots.recent(slot)
        shift = confirmed(times, values, least=self._settings.confirm, floor=POISSON_SCALE, after=1)
        if shift is None:
            return None
        key = self._slots.key(slot)
        entity = self._entity_names()[key >> _SHIFT]
        text = self._texts[key & _LOW]
        anomaly = Anomaly(
            anomaly_id(entity, None, text, (), "log_rate", shift.at_s),
            entity,
            text,
            "log_rate",
            time_of(shift.at_s),
            direction="up" if shift.score > 0 else "down",
            score=shift.score,
            value=max(0.0, shift.value**2 - _ANSCOMBE),
            expected=max(0.0, shift.expected**2 - _ANSCOMBE),
        )
        return self._open.open(slot, anomaly, begin_s)

    def _entity_names(self) -> list[str]:
        return list(self._entities)

    def _new_templates(
        self, logs: pa.Table, at_s: FloatArray, entities: list[str], entity: IntArray, mined: Mined
    ) -> list[Anomaly]:
        """Templates nobody had seen before, once what is usual has been learned."""
        assert self._now is not None
        now_s = self._now * self._settings.bin_s
        fresh = np.flatnonzero(mined.numbers >= self._next_number).tolist()
        if not fresh:
            return []
        self._next_number = int(mined.numbers.max()) + 1
        if now_s - self._since_s < self._settings.learning_s:
            return []
        hour = int(now_s // _HOUR_S)
        if hour != self._told_hour:
            self._told_hour, self._told_new = hour, Counter()
        told: list[Anomaly] = []
        for place in sorted(fresh, key=lambda p: (int(mined.numbers[p]), p)):
            rows = np.flatnonzero(mined.code == place)
            owner, text = entities[int(entity[rows[0]])], mined.texts[place]
            if text is None or not self._may_tell(owner):
                continue
            start_s = float(at_s[rows].min())
            ids = logs["event_id"].take(pa.array(rows[:5])).to_pylist()
            severity = logs["severity"][int(rows[0])].as_py()
            told.append(
                Anomaly(
                    anomaly_id(owner, None, text, (), "new_template", start_s),
                    owner,
                    text,
                    "new_template",
                    time_of(start_s),
                    time_of(float(at_s[rows].max())),
                    score=float(8 - severity) if severity is not None else 0.0,
                    value=float(len(rows)),
                    expected=0.0,
                    events=tuple(ids),
                )
            )
        return told

    def _may_tell(self, entity: str) -> bool:
        s = self._settings
        if (
            self._told_new.total() >= s.max_new_templates
            or self._told_new[entity] >= s.max_new_templates_per_entity
        ):
            self.suppressed_new += 1
            return False
        self._told_new[entity] += 1
        return True

    def save(self) -> bytes:
        """Everything that was learned, for :meth:`load`."""
        keys, small, data = self._slots.dump()
        bins = [(number, np.flatnonzero(held).tolist(), len(held)) for number, held in self._bins.items()]
        counts = [held[held > 0].tolist() for held in self._bins.values()]
        head = orjson.dumps(
            [
                [self._judged, self._now, self._since_s, self._next_number, self._told_hour],
                [self.late, self.suppressed_new, list(self._told_new.items())],
                list(self._entities),
                list(self._texts.items()),
                [keys, small, self._open.dump(), bins, counts],
            ]
        )
        return packed_part(_FORMAT, len(head).to_bytes(8, "little") + head + data)

    def load(self, part: bytes) -> None:
        """Become what was saved. Raises :class:`aiops.errors.ParseError` for bytes that :meth:`save` did not make."""
        fresh = LineRates(self._settings)
        unpacked_part(_FORMAT, part, fresh._fill)
        self.__dict__.update(fresh.__dict__)

    def _fill(self, content: bytes) -> None:
        size = int.from_bytes(content[:8], "little")
        clock, counted, entities, texts, (keys, small, opened, bins, counts) = orjson.loads(
            content[8 : 8 + size]
        )
        self._judged, self._now, self._since_s, self._next_number, self._told_hour = clock
        self.late, self.suppressed_new, told = counted
        self._told_new = Counter(dict(told))
        self._entities = {name: place for place, name in enumerate(entities)}
        self._texts = dict(texts)
        self._slots.fill([(slot, key) for slot, key in keys], small, content[8 + size :])
        self._open.fill(*opened)
        for (number, places, width), values in zip(bins, counts, strict=True):
            self._bins[number] = np.zeros(width)
            self._bins[number][places] = values
