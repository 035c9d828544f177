"""Documents of ``explanations``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from datetime import datetime

from aiops.client.documents import Answered


class NamedEntity(Answered):
    """An entity by id and name."""

    id: str
    name: str


class Share(Answered):
    """How many of the symptoms."""

    count: int
    of: int


class AlternativeDocument(Answered):
    """Another cause that was looked at: why it is listed, and why not first."""

    rank: int
    entity: NamedEntity
    kind: str | None
    confidence: float
    explains: Share
    text: str
    evidence: tuple[str, ...]


class Sentence(Answered):
    """A sentence and the ids of the evidence that it cites. ``verbatim``: the part that came from outside as
    it stands. ``mark``: for, against, observed, inferred, a risk. ``link``: where more is written.
    """

    text: str
    evidence: tuple[str, ...]
    verbatim: str | None = None
    mark: str | None = None
    link: str | None = None


class BoxDocument(Answered):
    """One of the three boxes. ``entity``: whom it is about."""

    title: str
    sentences: tuple[Sentence, ...]
    entity: str | None


class BoxesDocument(Answered):
    """The state change, the first symptom, who suffers."""

    root_cause: BoxDocument
    critical_failure: BoxDocument
    impact: BoxDocument


class CitedReference(Answered):
    """Where a cited thing comes from."""

    type: str
    id: str


class CitedDocument(Answered):
    """Something that sentences rest on. ``members``: what was counted. ``supports`` null: neither for nor
    against anyone.
    """

    id: str
    kind: str
    name: str
    entity: str | None
    entity_name: str | None
    peer: str | None
    peer_name: str | None
    channel: str | None
    at: datetime | None
    until: datetime | None
    text: str
    value: float | None
    baseline: float | None
    unit: str | None
    severity: str | None
    source: str
    strength: float | None
    weight: float | None
    supports: bool | None
    details: tuple[str, ...]
    members: tuple[str, ...]
    ref: CitedReference
    href: str | None


class Moment(Answered):
    """Something at its own time, not that of its arrival. ``skew_s``: by how much its clock was corrected.
    ``until``: when it ended. ``detected_at``: when it was noticed. ``evidence``: ids in the analysis.
    """

    at: datetime
    lane: str
    entity: str | None
    text: str
    evidence: tuple[str, ...]
    until: datetime | None = None
    skew_s: float | None = None
    detected_at: datetime | None = None


class SectionDocument(Answered):
    """A part of the answer, the one source of Markdown, HTML and plain text."""

    id: str
    title: str
    sentences: tuple[Sentence, ...]


class SimilarIncident(Answered):
    """An earlier incident that looked like this one. ``confirmed_cause``: what an engineer said it was;
    ``cause``: that, else the first cause of its analysis. ``shared``: what they have in common.
    """

    incident_id: str
    title: str
    similarity: float
    confirmed_cause: str | None
    cause: str | None
    cause_kind: str | None
    confirmed: bool
    resolution: str
    shared: tuple[str, ...]
    evidence: str
