"""What an answer says, in words: sentences, each with the ids of what it rests on, and everything that is cited.

A sentence without evidence does not exist. Facts of topology, rules, history and counts are cited like log lines, so that a
reader can look up every number, time and name.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiops.domain.evidence import Reference

#: Lanes of a timeline, in the order in which they are drawn.
LANES: tuple[str, ...] = (
    *("maintenance", "change", "cause", "symptom", "detection"),
    *("alert", "state", "log", "metric"),
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """``evidence``: ids of :class:`Cited` things, at least one. ``verbatim``: the part of ``text`` that came from outside as it
    stands, or is a command; empty where there is none. ``mark``: for and against of evidence, observed and inferred of a step
    of the chain, risk of an action; else empty. ``link``: an http(s) address that belongs to it, such as a runbook."""

    text: str
    evidence: tuple[str, ...]
    verbatim: str = ""
    mark: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Cited:
    """Something that sentences rest on. ``kind``: that of :class:`aiops.domain.evidence.Evidence`, or topology, rule, history,
    count (computed here; ``members`` are what was counted), gap (looked for and not there) or incident.

    ``text`` is the verbatim line, or says it in words; ``details`` say more of it. ``baseline``: what was usual, of a count what
    it is a part of. ``source``: who said so. ``weight`` in [0, 1]; ``supports``: of the first cause that cites it, None
    where it is neither for nor against anyone. Times are epoch seconds.
    """

    id: str
    kind: str
    text: str
    ref: Reference
    name: str = ""
    entity: str | None = None
    entity_name: str | None = None
    peer: str | None = None
    peer_name: str | None = None
    channel: str | None = None
    at_s: float | None = None
    until_s: float | None = None
    value: float | None = None
    baseline: float | None = None
    unit: str | None = None
    severity: str | None = None
    source: str = ""
    strength: float | None = None
    weight: float | None = None
    supports: bool | None = None
    details: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Box:
    """One of the three boxes. ``entity``: id of whom it is about."""

    title: str
    sentences: tuple[Sentence, ...]
    entity: str | None = None


@dataclass(frozen=True, slots=True)
class Boxes:
    """``root_cause``: a state change. ``critical_failure``: the first symptom. ``impact``: who suffers."""

    root_cause: Box
    critical_failure: Box
    impact: Box


@dataclass(frozen=True, slots=True)
class Moment:
    """A point of the timeline, by event time. ``lane``: one of :data:`LANES`. ``skew_s``: the clock that stamped it runs ahead by
    so much, and ``at_s`` is corrected for it. ``detected_at_s``: when the entity's first alert began."""

    at_s: float
    lane: str
    entity: str | None
    text: str
    evidence: tuple[str, ...]
    until_s: float | None = None
    skew_s: float | None = None
    detected_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the answer, the one source of every rendering."""

    id: str
    title: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another cause that was looked at: why it is listed, and why not first."""

    rank: int
    entity: str
    entity_name: str
    kind: str | None
    confidence: float
    explained: int
    of: int
    sentence: Sentence


@dataclass(frozen=True, slots=True)
class Similar:
    """A past incident that looked alike. ``similarity`` in [0, 1]; ``shared``: what they have in common, in words.
    ``cause``: entity id, right beyond doubt where ``confirmed``; ``evidence``: the id under which it is cited."""

    incident_id: str
    title: str
    similarity: float
    cause: str | None
    cause_kind: str | None
    confirmed: bool
    resolution: str
    shared: tuple[str, ...]
    evidence: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that is said. ``boxes`` None where no cause is named. ``evidence``: every cited thing once, in order of mention."""

    sections: tuple[Section, ...] = ()
    evidence: tuple[Cited, ...] = ()
    boxes: Boxes | None = None
    timeline: tuple[Moment, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    similar: tuple[Similar, ...] = ()
    confidence_words: str = ""
    would_raise: tuple[str, ...] = ()


NOTHING_SAID = Explanation()
