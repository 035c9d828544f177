"""What is as it was is not written again: the last value of every observed property, bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import orjson

from aiops.domain.batches import StateObservation
from ingest.partition_parts import packed_part, unpacked_part

MAX_PROPERTIES = 500_000
#: A value that stays is stated again this often, so that a window sees it.
REFRESH_S = 600.0
_FORMAT = "aiops-states/1"


class StateMemory:
    """The last value by (entity, property)."""

    def __init__(self, max_properties: int = MAX_PROPERTIES, refresh_s: float = REFRESH_S) -> None:
        self._max_properties = max_properties
        self._refresh_s = refresh_s
        self._last: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()

    def news(self, states: Iterable[StateObservation]) -> tuple[StateObservation, ...]:
        """Those that say something else than the one before, in order of time. Changes nothing."""
        fresh: dict[tuple[str, str], tuple[str, float]] = {}
        news: list[StateObservation] = []
        for state in sorted(states, key=lambda s: (s.at_s, s.entity, s.property, s.value)):
            key = (state.entity, state.property)
            value, at_s = fresh.get(key) or self._last.get(key) or ("", float("-inf"))
            if value != state.value or state.at_s - at_s >= self._refresh_s:
                news.append(state)
                fresh[key] = (state.value, state.at_s)
        return tuple(news)

    def commit(self, stored: Iterable[StateObservation]) -> None:
        """These were stored."""
        for state in stored:
            self._last[(state.entity, state.property)] = (state.value, state.at_s)
            self._last.move_to_end((state.entity, state.property))
        while len(self._last) > self._max_properties:
            self._last.popitem(last=False)

    def save(self) -> bytes:
        """Everything that is remembered, for :meth:`load`."""
        return packed_part(_FORMAT, orjson.dumps([(*key, *last) for key, last in self._last.items()]))

    def load(self, part: bytes) -> None:
        """Become what was saved. Raises :class:`aiops.errors.ParseError` for bytes that :meth:`save` did not make."""
        loaded = unpacked_part(_FORMAT, part, orjson.loads)
        self._last = OrderedDict(((entity, name), (value, at_s)) for entity, name, value, at_s in loaded)
