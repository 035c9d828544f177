"""Documents of ``incidents``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from aiops.client.documents import Answered, Given
from aiops.client.models.analyses import AnalysisDocument, CauseInShort


class Affected(Given):
    """What an incident is about: an id, name or alias (``ref``), or labels (``match``). Exactly one of the
    two.
    """

    ref: str | None = None
    match: Mapping[str, str] | None = None


class Link(Given):
    """Where more about it is."""

    rel: str
    href: str


class IncidentAlert(Given):
    """An alert that comes with an incident, as Prometheus writes it."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str] | None = None
    startsAt: datetime | None = None
    endsAt: datetime | None = None
    generatorURL: str | None = None


class UnresolvedDocument(Answered):
    """What could not be resolved, and names like it."""

    pointer: str
    detail: str
    nearest: tuple[str, ...]


class WindowDocument(Answered):
    """How far around the start is looked, in seconds."""

    before_s: float
    after_s: float


class IncidentDocument(Answered):
    """An incident with its newest analysis. ``unresolved`` and ``links`` are in the answer to a post only."""

    id: str
    title: str
    status: str
    severity: str
    source: str
    external_id: str | None
    description: str
    started_at: datetime
    ended_at: datetime | None
    affected: tuple[str, ...]
    labels: Mapping[str, str]
    window: WindowDocument
    owner: str
    merged_into: str | None
    analysis_status: str
    analysis: AnalysisDocument | None
    unresolved: tuple[UnresolvedDocument, ...] | None = None
    links: tuple[Link, ...] | None = None


class IncidentSummary(Answered):
    """A line of the list. ``cause``: the first one of the newest analysis. ``age_s``: from start to end, or
    until now.
    """

    id: str
    title: str
    status: str
    severity: str
    source: str
    external_id: str | None
    started_at: datetime
    ended_at: datetime | None
    owner: str
    merged_into: str | None
    affected: tuple[str, ...]
    labels: Mapping[str, str]
    analysis: int | None
    verdict: str | None
    cause: CauseInShort | None
    alerts: int
    alerts_open: int
    entities: int
    age_s: float


class IncidentPage(Answered):
    """``total``: how many there are in all."""

    items: tuple[IncidentSummary, ...]
    next_cursor: str | None
    total: int


class IncidentPatch(Given):
    """What may be changed of an incident; what is absent or null stays. ``owner`` "" takes the owner away."""

    status: Literal["open", "acknowledged", "resolved"] | None = None
    title: str | None = None
    description: str | None = None
    severity: str | None = None
    owner: str | None = None


class Window(Given):
    """How far around ``started_at`` is looked."""

    before: str | None = None
    after: str | None = None


class IncidentRequest(Given):
    """An incident as an engineer or a ticket system posts it."""

    title: str
    source: str | None = None
    external_id: str | None = None
    description: str | None = None
    severity: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    labels: Mapping[str, str] | None = None
    affected: tuple[Affected, ...] | None = None
    alerts: tuple[IncidentAlert, ...] | None = None
    window: Window | None = None
    analyze: bool | None = None
    links: tuple[Link, ...] | None = None
    owner: str | None = None
