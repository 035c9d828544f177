"""When something was last told of each entity: what lets an analysis stand that nothing has touched since."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

#: Entities of which it is remembered; beyond that everything counts as told just now.
MOST = 100_000


class Marks:
    """Numbers of a feed by the entity that was told of. They only grow."""

    def __init__(self, since: int, *, most: int = MOST) -> None:
        """Nothing is known of what was told up to ``since``."""
        self._since = since
        self._most = most
        self._last: dict[str, int] = {}

    def tell(self, entities: Iterable[str], mark: int) -> None:
        """Something was told of ``entities`` at ``mark`` at the latest."""
        self._last.update(dict.fromkeys(entities, mark))
        if len(self._last) > self._most:
            self.tell_all(mark)

    def tell_all(self, mark: int) -> None:
        """Anything may have been told of anything up to ``mark``."""
        self._since = mark
        self._last.clear()

    def told(self, entities: frozenset[str] | None, mark: int) -> bool:
        """Whether anything may have been told of ``entities`` (None: of whatever) after ``mark``."""
        if mark < self._since:
            return True
        if entities is None:
            return any(last > mark for last in self._last.values())
        return any(self._last.get(entity, 0) > mark for entity in entities)


@dataclass(frozen=True, slots=True)
class Reading:
    """What an analysis read. ``entities``: all that it asked about; ``any_alarm``: it asked for alarms whatever they are about.
    ``stands``: whether what no feed tells of (changes, signals, who judges) is as it was."""

    entities: frozenset[str]
    any_alarm: bool
    stands: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Answer:
    """``kept``: whether an analysis said something new. ``reading``: None where nobody took down what it read."""

    kept: bool
    reading: Reading | None = None
