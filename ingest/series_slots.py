"""One slot a series: what is known of a million series as arrays, bounded, and given up by age.

A series is looked up by the identity of the object that a decoder hands out, at the cost of a dict look-up of a number; only an
object that was not seen before is compared by value. What is worked out about a series is shared between all that are alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiops.domain.batches import FloatArray, IntArray, Series, SeriesKey
from ingest.topology.discovery import Finding

#: Series that have a slot.
MAX_SERIES = 1_500_000
#: Of one source (remote write, a scrape pool, OTLP), and of one target of it (job and instance): samples of new series beyond are
#: dropped and counted.
MAX_SERIES_PER_SOURCE = 1_000_000
MAX_SERIES_PER_TARGET = 250_000
#: A series without samples for this long gives its slot away when there is need.
IDLE_S = 900.0

_GROWTH = 4_096
_NONE = -1


@dataclass(frozen=True, slots=True)
class SlotBounds:
    """How many series may have a slot, and for how long an idle one keeps it."""

    max_series: int = MAX_SERIES
    max_per_source: int = MAX_SERIES_PER_SOURCE
    max_per_target: int = MAX_SERIES_PER_TARGET
    idle_s: float = IDLE_S


class _Numbered:
    """Texts with a number each, and how many series have it."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.held: list[int] = []
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        found = self._numbers.get(text)
        if found is None:
            found = self._numbers[text] = len(self.texts)
            self.texts.append(text)
            self.held.append(0)
        return found


class SeriesSlots:
    """Slots of series with their plans. ``refused``: samples of series that found no slot, by reason.

    Arrays by slot: ``made_s`` when its plan was made (-inf: has none that holds), ``seen_s`` its last batch (both monotonic
    seconds), ``generation`` of the names that the plan was made with, ``settled`` and ``reads_value`` as in :class:`Finding`.
    """

    def __init__(self, bounds: SlotBounds) -> None:
        self._bounds = bounds
        self._by_id: dict[int, int] = {}
        self._by_value: dict[Series, int] = {}
        self._series: list[Series | None] = []
        self._keys: list[SeriesKey | None] = []
        self._free: list[int] = []
        self._sources = _Numbered()
        self._targets = _Numbered()
        self._source = np.zeros(0, dtype=np.int32)
        self._target = np.zeros(0, dtype=np.int32)  # _NONE: says nothing about whether its target is heard
        self._special = np.zeros(0, dtype=np.bool_)
        self._findings: dict[
            int, Finding
        ] = {}  # of those slots whose finding says more than whose series it is
        self._looked_s = -np.inf
        self.made_s: FloatArray = np.zeros(0)
        self.seen_s: FloatArray = np.zeros(0)
        self.generation = np.zeros(0, dtype=np.int64)
        self.settled = np.zeros(0, dtype=np.bool_)
        self.reads_value = np.zeros(0, dtype=np.bool_)
        self.refused: dict[str, int] = {}
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._series) - len(self._free)

    def held(self) -> dict[str, int]:
        """Series that have a slot, by source."""
        return dict(sorted(zip(self._sources.texts, self._sources.held, strict=True)))

    def find(self, series: Sequence[Series]) -> IntArray:
        """The slot of each; -1 where it has none."""
        found = list(map(self._by_id.get, map(id, series)))
        if None in found:
            for place, slot in enumerate(found):
                if slot is None:
                    found[place] = self._by_equal(series[place])
        return np.array(found, dtype=np.int64)

    def _by_equal(self, series: Series) -> int:
        slot = self._by_value.get(series, _NONE)
        if slot != _NONE:  # another object for the same series: it stands for it from now on
            old = self._series[slot]
            self._by_id.pop(id(old), None)
            del self._by_value[series]
            self._keep(slot, series)
        return slot

    def _keep(self, slot: int, series: Series) -> None:
        self._series[slot] = series
        self._by_id[id(series)] = slot
        self._by_value[series] = slot

    def take(self, series: Series, source: str, target: str | None, now_s: float) -> int:
        """A slot for a new series; -1 where there is none left for its source, its target or at all."""
        bounds = self._bounds
        source_number = self._sources.number(source)
        target_number = _NONE if target is None else self._targets.number(target)
        full = len(self) >= bounds.max_series or self._sources.held[source_number] >= bounds.max_per_source
        crowded = target is not None and self._targets.held[target_number] >= bounds.max_per_target
        if full or crowded:
            self._evict_idle(now_s)
            if self._sources.held[source_number] >= bounds.max_per_source or len(self) >= bounds.max_series:
                return self._refuse("too many active series of the source")
            if target is not None and self._targets.held[target_number] >= bounds.max_per_target:
                return self._refuse("too many active series of the target")
        if not self._free:
            self._grow()
        slot = self._free.pop()
        self._source[slot], self._target[slot] = source_number, target_number
        self._sources.held[source_number] += 1
        if target is not None:
            self._targets.held[target_number] += 1
        self.seen_s[slot], self.made_s[slot] = now_s, -np.inf
        self._keep(slot, series)
        return slot

    def _refuse(self, reason: str) -> int:
        self.refused[reason] = self.refused.get(reason, 0) + 1
        return _NONE

    def _grow(self) -> None:
        held = len(self._series)
        size = min(max(self._bounds.max_series, held + 1), held + max(_GROWTH, held // 4))
        more = size - held
        self._series += [None] * more
        self._keys += [None] * more
        for name in (*("made_s", "seen_s", "generation", "settled", "reads_value"),):
            setattr(self, name, _longer(getattr(self, name), size))
        for name in ("_source", "_target", "_special"):
            setattr(self, name, _longer(getattr(self, name), size))
        self._free += range(size - 1, held - 1, -1)

    def _evict_idle(self, now_s: float) -> None:
        """Free every slot without samples for ``idle_s``; looked for at most every tenth of that."""
        if now_s - self._looked_s < self._bounds.idle_s / 10:
            return
        self._looked_s = now_s
        for slot in np.flatnonzero(self.seen_s < now_s - self._bounds.idle_s).tolist():
            series = self._series[slot]
            if series is not None:
                self._release(slot, series)
                self.evicted += 1

    def _release(self, slot: int, series: Series) -> None:
        del self._by_id[id(series)], self._by_value[series]
        self._series[slot] = self._keys[slot] = None
        self._findings.pop(slot, None)
        self._special[slot] = False
        self._sources.held[int(self._source[slot])] -= 1
        if self._target[slot] != _NONE:
            self._targets.held[int(self._target[slot])] -= 1
        self._free.append(slot)

    def plan(self, slot: int, finding: Finding, *, generation: int, now_s: float) -> None:
        """Note what was found out about the series in ``slot``."""
        series, entity = self._series[slot], finding.entity
        assert series is not None  # the slot was given to it
        assert entity is not None  # every series is somebody's
        key = self._keys[slot]
        if key is None or key[0] != entity or key[1] != finding.peer:
            self._keys[slot] = (entity, finding.peer, series.metric, series.labels)
        self.made_s[slot], self.generation[slot] = now_s, generation
        self.settled[slot], self.reads_value[slot] = finding.settled, finding.reads_value
        special = bool(finding.relations or finding.states)
        self._special[slot] = special
        if special:
            self._findings[slot] = finding
        else:
            self._findings.pop(slot, None)

    def forget_plans(self) -> None:
        """Every plan has to be made anew; the slots stay."""
        self.made_s[:] = -np.inf

    def keys_of(self, slots: IntArray) -> list[SeriesKey]:
        """The key of each, the same object every time until its plan says otherwise. All of them have a plan."""
        keys = self._keys
        return [key for slot in slots.tolist() if (key := keys[slot]) is not None]

    def targets_of(self, slots: IntArray) -> set[str]:
        """The targets that these series say are alive."""
        texts = self._targets.texts
        return {texts[number] for number in np.unique(self._target[slots]).tolist() if number != _NONE}

    def target_of(self, slot: int) -> str | None:
        """The target that this series says is alive, or None."""
        number = int(self._target[slot])
        return None if number == _NONE else self._targets.texts[number]

    def special(self, slots: IntArray) -> list[tuple[int, Finding]]:
        """(place in ``slots``, finding) of those whose finding has relations or states."""
        places = np.flatnonzero(self._special[slots]).tolist()
        return [(place, self._findings[int(slots[place])]) for place in places]


def _longer(column: np.ndarray, size: int) -> np.ndarray:
    longer = np.zeros(size, dtype=column.dtype)
    longer[: len(column)] = column
    return longer
