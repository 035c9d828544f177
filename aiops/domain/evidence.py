"""Unit-free evidence: what changed, on which entity or relation, when, how strongly, and which event says so."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from aiops.domain.graph import EMPTY


class Channel(StrEnum):
    """The family of a piece of evidence. It means the same on every site, whatever the metric is called."""

    LATENCY = "latency"
    ERRORS = "errors"
    TRAFFIC = "traffic"
    CPU = "cpu"
    MEMORY = "memory"
    NETWORK = "network"
    DISK = "disk"
    SATURATION = "saturation"  # queues, pools, connections, throttling
    AVAILABILITY = "availability"  # down, unreachable, gone silent, restarted
    LOG = "log"
    STATE = "state"
    CHANGE = "change"
    SELF_TIME = "self_time"  # time spent in the entity itself, children's time taken away
    OVERHEAD = "overhead"  # caller's span minus callee's: network and queueing
    OTHER = "other"


#: Everyone downstream has these too: they place blame and stay out of the sum.
SYMPTOM_CHANNELS: frozenset[Channel] = frozenset({Channel.LATENCY, Channel.ERRORS, Channel.TRAFFIC})


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a piece of evidence comes from: ``type`` in event, series, alarm, change, state, relation, rule."""

    type: str
    id: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One statement that can be cited.

    ``kind``: log | metric | alert | change | state | topology | rule | history | fact.
    ``strength`` >= 0 is unit-free: 0 is nothing, 1 is barely worth mentioning, 3 strong, capped at 10.
    ``at_s`` is when it first showed (epoch seconds). ``direction``: +1 rose or appeared, -1 fell or vanished, 0 neither.
    ``text`` is what is quoted: the verbatim line, or the value against its baseline. ``peer`` set: it belongs to
    the relation entity -> peer. ``chronic``: it was as bad before the window, so it explains nothing.
    """

    id: str
    entity: str
    peer: str | None
    kind: str
    channel: Channel
    name: str
    at_s: float
    strength: float
    direction: int
    text: str
    ref: Reference
    value: float | None = None
    baseline: float | None = None
    severity: str | None = None
    chronic: bool = False
    attributes: Mapping[str, str] = field(default_factory=lambda: EMPTY)


def evidence_id(*parts: object) -> str:
    """A short id that depends on nothing but ``parts``, so that the same input is cited by the same name."""
    digest = hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()
    return f"e{digest[:12]}"


@dataclass(frozen=True, slots=True)
class EvidenceSet:
    """All evidence of one analysis, sorted by (entity, peer, at_s, id). ``gaps`` say what could not be looked at.

    ``facts``: what was last observed of each property of each entity, well or not, kind ``fact`` and strength 0. Nothing
    in it is unusual by itself; rules compare one fact with another. Sorted by (entity, name).
    """

    items: tuple[Evidence, ...]
    gaps: tuple[str, ...] = ()
    facts: tuple[Evidence, ...] = ()

    def by_entity(self) -> dict[str, tuple[Evidence, ...]]:
        """Evidence on entities; what belongs to a relation is listed under its ``entity`` end too."""
        grouped: dict[str, list[Evidence]] = {}
        for item in self.items:
            grouped.setdefault(item.entity, []).append(item)
        return {entity: tuple(items) for entity, items in grouped.items()}
