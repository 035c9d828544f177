"""What is done to incidents: acknowledged, merged, split, given alerts, judged; and what is told of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from aiops.api.schemas.incidents import IncidentAlert
from aiops.api.schemas.primitives import MAX_ITEMS, PLAIN, Name, Open, Strict, Text, example

MAX_MERGED = 100
_ACTIVITY: dict[str, object] = {
    "number": 12,
    "incident_id": "01KAJ4Q2R6C8B4D1F3G5H7J9KM",
    "kind": "acknowledged",
    "at": "2026-11-22T10:06:00Z",
    "actor": "ann",
    "text": "on it",
    "details": {"owner": "ann"},
}
_FEEDBACK: dict[str, object] = {
    "verdict": "wrong",
    "analysis": 1,
    "labels": {"causal": ["host:db-1"], "non_causal": ["host:web-1"]},
    "root_cause": {"entity": "host:db-1", "kind": "disk_full"},
    "comment": "the disk was full",
    "resolution": "old logs deleted",
}


class Note(Strict):
    """Something to say with it."""

    model_config = example(Strict, {"comment": "was the planned restart"})
    comment: Text = ""


class Acknowledgement(Note):
    """``owner``: who takes care of it; default is whom it has, else the token's name."""

    model_config = example(Strict, {"owner": "ann", "comment": "on it"})
    owner: Name | None = None


class Resolution(Note):
    """``resolution``: what fixed it; it is kept as feedback and shown beside similar incidents later."""

    model_config = example(Strict, {"resolution": "optic replaced"})
    resolution: Text = ""


class Comment(Strict):
    """A comment."""

    model_config = example(Strict, {"comment": "power is back in rack 7"})
    comment: Annotated[str, Field(min_length=1, max_length=16_384, pattern=PLAIN)]


class Merge(Strict):
    """Incidents that become a part of this one, by id. ``analyze``: what is one now is analysed anew."""

    model_config = example(Strict, {"incidents": ["01KAJ4Q2R6C8B4D1F3G5H7J9KM"]})
    incidents: list[Name] = Field(min_length=1, max_length=MAX_MERGED)
    analyze: bool = True


class Split(Strict):
    """Alerts, by id, that become an incident of their own. ``analyze``: both are analysed anew."""

    model_config = example(Strict, {"alerts": ["alarm-0a1b2c3d4e5f"], "title": "Backup fails"})
    alerts: list[Name] = Field(min_length=1, max_length=MAX_ITEMS)
    title: Annotated[str, Field(max_length=512, pattern=PLAIN)] = ""
    analyze: bool = True


class MoreAlerts(Strict):
    """``alerts`` as Prometheus writes them, or the ``ids`` of alerts that are known; at least one. Those of another incident
    leave it."""

    model_config = ConfigDict(
        **{
            **Strict.model_config,
            "json_schema_extra": {
                "anyOf": [{"required": ["alerts"]}, {"required": ["ids"]}],
                "examples": [{"alerts": [{"labels": {"alertname": "DiskFull", "host": "db-1"}}]}],
            },
        }
    )
    alerts: list[IncidentAlert] = Field(default_factory=list, max_length=MAX_ITEMS)
    ids: list[Name] = Field(default_factory=list, max_length=MAX_ITEMS)
    analyze: bool = True

    @model_validator(mode="after")
    def _something(self) -> MoreAlerts:
        if not self.alerts and not self.ids:
            raise ValueError("give alerts or ids, at least one")
        return self


class ActivityDocument(Open):
    """Something that happened to an incident. ``number`` counts over all incidents, without gaps. ``actor``: a token's name, or
    ``aiops``."""

    model_config = example(Open, _ACTIVITY)
    number: int
    incident_id: str
    kind: str
    at: datetime
    actor: str
    text: str
    details: dict[str, str]


class ActivityPage(Open):
    """In order; ``next_cursor`` is the number to go on from."""

    model_config = example(Open, {"items": [_ACTIVITY], "next_cursor": None})
    items: list[ActivityDocument]
    next_cursor: str | None


class FeedbackLabels(Strict):
    """Entities (id, name or alias) or alerts (id) that were part of the cause, and that were not."""

    causal: list[Name] = Field(default_factory=list, max_length=MAX_ITEMS)
    non_causal: list[Name] = Field(default_factory=list, max_length=MAX_ITEMS)


class TrueCause(Strict):
    """What it was: an entity by id, name or alias, and what was wrong with it."""

    entity: Name
    kind: Name | None = None


class FeedbackRequest(Strict):
    """What an engineer found out. ``analysis``: the number that is judged; default is the newest."""

    model_config = example(Strict, _FEEDBACK)
    verdict: Literal["correct", "partial", "wrong", "unknown"]
    analysis: Annotated[int, Field(ge=1, le=999_999_999)] | None = None
    labels: FeedbackLabels = FeedbackLabels()
    root_cause: TrueCause | None = None
    comment: Text = ""
    resolution: Text = ""


class LabelsDocument(Open):
    """Ids of entities and alerts."""

    causal: list[str]
    non_causal: list[str]


class TrueCauseDocument(Open):
    """What it was."""

    entity: str
    kind: str | None


class FeedbackDocument(Open):
    """Feedback as it is kept."""

    model_config = example(
        Open,
        {
            "id": "01KAJ5M0A1B2C3D4E5F6G7H8J9",
            "incident_id": "01KAJ4Q2R6C8B4D1F3G5H7J9KM",
            "at": "2026-11-22T11:00:00Z",
            "actor": "ann",
            **_FEEDBACK,
        },
    )
    id: str
    incident_id: str
    at: datetime
    actor: str
    verdict: Literal["correct", "partial", "wrong", "unknown"]
    analysis: int | None
    labels: LabelsDocument
    root_cause: TrueCauseDocument | None
    comment: str
    resolution: str


class FeedbackList(Open):
    """The newest first."""

    model_config = example(Open, {"items": [], "next_cursor": None})
    items: list[FeedbackDocument]
    next_cursor: str | None
