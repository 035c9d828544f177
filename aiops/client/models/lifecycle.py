"""Documents of ``lifecycle``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from aiops.client.documents import Answered, Given
from aiops.client.models.incidents import IncidentAlert


class Acknowledgement(Given):
    """``owner``: who takes care of it; default is whom it has, else the token's name."""

    comment: str | None = None
    owner: str | None = None


class ActivityDocument(Answered):
    """Something that happened to an incident. ``number`` counts over all incidents, without gaps. ``actor``: a
    token's name, or ``aiops``.
    """

    number: int
    incident_id: str
    kind: str
    at: datetime
    actor: str
    text: str
    details: Mapping[str, str]


class ActivityPage(Answered):
    """In order; ``next_cursor`` is the number to go on from."""

    items: tuple[ActivityDocument, ...]
    next_cursor: str | None


class Comment(Given):
    """A comment."""

    comment: str


class LabelsDocument(Answered):
    """Ids of entities and alerts."""

    causal: tuple[str, ...]
    non_causal: tuple[str, ...]


class TrueCauseDocument(Answered):
    """What it was."""

    entity: str
    kind: str | None


class FeedbackDocument(Answered):
    """Feedback as it is kept."""

    id: str
    incident_id: str
    at: datetime
    actor: str
    verdict: str
    analysis: int | None
    labels: LabelsDocument
    root_cause: TrueCauseDocument | None
    comment: str
    resolution: str


class FeedbackLabels(Given):
    """Entities (id, name or alias) or alerts (id) that were part of the cause, and that were not."""

    causal: tuple[str, ...] | None = None
    non_causal: tuple[str, ...] | None = None


class FeedbackList(Answered):
    """The newest first."""

    items: tuple[FeedbackDocument, ...]
    next_cursor: str | None


class TrueCause(Given):
    """What it was: an entity by id, name or alias, and what was wrong with it."""

    entity: str
    kind: str | None = None


class FeedbackRequest(Given):
    """What an engineer found out. ``analysis``: the number that is judged; default is the newest."""

    verdict: Literal["correct", "partial", "wrong", "unknown"]
    analysis: int | None = None
    labels: FeedbackLabels | None = None
    root_cause: TrueCause | None = None
    comment: str | None = None
    resolution: str | None = None


class Merge(Given):
    """Incidents that become a part of this one, by id. ``analyze``: what is one now is analysed anew."""

    incidents: tuple[str, ...]
    analyze: bool | None = None


class MoreAlerts(Given):
    """``alerts`` as Prometheus writes them, or the ``ids`` of alerts that are known; at least one. Those of
    another incident leave it.
    """

    alerts: tuple[IncidentAlert, ...] | None = None
    ids: tuple[str, ...] | None = None
    analyze: bool | None = None


class Note(Given):
    """Something to say with it."""

    comment: str | None = None


class ResolutionInput(Given):
    """``resolution``: what fixed it; it is kept as feedback and shown beside similar incidents later."""

    comment: str | None = None
    resolution: str | None = None


class Split(Given):
    """Alerts, by id, that become an incident of their own. ``analyze``: both are analysed anew."""

    alerts: tuple[str, ...]
    title: str | None = None
    analyze: bool | None = None
