"""What was learned from batches that are not stored yet: a store that refuses is tried again, and nothing is learned twice."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from aiops.domain.occurrences import Anomaly

_H = TypeVar("_H")

#: Batches are tried again in their order; so many that wait are remembered.
MAX_WAITING = 64


@dataclass(frozen=True, slots=True)
class Learned(Generic[_H]):
    """What a batch gave, the anomalies among it. ``batch`` keeps it alive, so that no other has its identity."""

    harvest: _H
    anomalies: tuple[Anomaly, ...]
    batch: object


class Unstored(Generic[_H]):
    """By what tells a batch from all others: its position, or itself. Bounded; the oldest go first."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, Hashable], Learned[_H]] = {}

    def __contains__(self, key: tuple[str, Hashable]) -> bool:
        return key in self._waiting

    def learn(self, key: tuple[str, Hashable], read: Callable[[], Learned[_H]]) -> Learned[_H]:
        """What ``read`` gives, or gave when the batch ``key`` (partition, and what tells it apart) was tried before."""
        held = self._waiting.get(key)
        if held is None:
            held = self._waiting[key] = read()
            while len(self._waiting) > MAX_WAITING:
                del self._waiting[next(iter(self._waiting))]
        return held

    def stored(self, key: tuple[str, Hashable]) -> None:
        self._waiting.pop(key, None)

    def forget(self, partition: str) -> None:
        """Somebody else reads ``partition`` now."""
        for key in [key for key in self._waiting if key[0] == partition]:
            del self._waiting[key]
