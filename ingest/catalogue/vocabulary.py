"""What an event type is made of. The types themselves are in :mod:`ingest.catalogue.events`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from aiops.domain.graph import EMPTY

#: The machine that the line is from, and whoever speaks on it (the program's entity where that is known).
MACHINE, SPEAKER = "machine", "speaker"


class Tone(StrEnum):
    """Whether an event is trouble by itself."""

    BAD = "bad"
    GOOD = "good"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class Field:
    """A field that events may have. ``entity``: the entity that it names, and how that comes to be; "" for a plain value."""

    name: str
    means: str
    entity: str = ""


@dataclass(frozen=True, slots=True)
class EventType:
    """One type of event.

    ``needs``: fields of which it has all; in a group of several, one. ``may``: fields it may have. ``about``: the field,
    MACHINE or SPEAKER whose event it is, the first that is there. ``state``: (property, value), templates over the fields,
    that hold for it from then on; None: the event passes. ``says``: what of :mod:`ingest.catalogue.meaning` it says about
    the topology. ``default``: fields where absent.
    """

    name: str
    tone: Tone
    means: str
    needs: tuple[tuple[str, ...], ...] = ()
    may: tuple[str, ...] = ()
    about: tuple[str, ...] = (SPEAKER,)
    state: tuple[str, str] | None = None
    says: tuple[str, ...] = ()
    default: Mapping[str, str] = field(default_factory=lambda: EMPTY)

    @property
    def fields(self) -> frozenset[str]:
        """Every field that it may have."""
        return frozenset(self.may) | {name for group in self.needs for name in group}

    def complete(self, fields: Mapping[str, str]) -> bool:
        """Whether ``fields`` holds what it needs."""
        return all(any(fields.get(name) for name in group) for group in self.needs)


@dataclass(frozen=True, slots=True)
class TypedEvent:
    """What one line says: ``type`` of :data:`ingest.catalogue.events.EVENT_TYPES`, by the catalogue's ``message``."""

    type: str
    message: str
    fields: Mapping[str, str]
