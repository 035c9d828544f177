"""Incidents: what comes in, what goes out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from aiops.api.schemas.analyses import AnalysisDocument, CauseInShort
from aiops.api.schemas.primitives import (
    MAX_ITEMS,
    PLAIN,
    Duration,
    Href,
    Labels,
    Name,
    Open,
    Severity,
    Strict,
    Text,
    Time,
    example,
)

Status = Literal["open", "acknowledged", "resolved"]
_INCIDENT: dict[str, object] = {
    "id": "01KAJ4Q2R6C8B4D1F3G5H7J9KM",
    "title": "Orders fail",
    "status": "open",
    "severity": "major",
    "source": "desk",
    "external_id": "INC-1",
    "description": "",
    "started_at": "2026-11-22T10:00:00Z",
    "ended_at": None,
    "affected": ["service:orders"],
    "labels": {},
    "window": {"before_s": 900.0, "after_s": 300.0},
    "owner": "",
    "merged_into": None,
}
_SUMMARY: dict[str, object] = {
    **{name: value for name, value in _INCIDENT.items() if name not in ("description", "window")},
    "analysis": 1,
    "verdict": "likely",
    "cause": {"entity": "host:db-1", "kind": "host_down", "confidence": 0.83},
    "alerts": 15,
    "alerts_open": 12,
    "entities": 1,
    "age_s": 300.0,
}


class Affected(Strict):
    """What an incident is about: an id, name or alias (``ref``), or labels (``match``). Exactly one of the two."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        json_schema_extra={"oneOf": [{"required": ["ref"]}, {"required": ["match"]}]},
    )
    ref: Name = Field("", description="an entity's id, name or alias")
    match: Annotated[Labels, Field(min_length=1)] = Field(
        default_factory=dict, description="labels, read by the identity rules"
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Affected:
        if len(self.model_fields_set) != 1:
            raise ValueError("give ref or match, and not both")
        return self


class IncidentAlert(Strict):
    """An alert that comes with an incident, as Prometheus writes it."""

    labels: Labels = Field(min_length=1)
    annotations: Labels = Field(default_factory=dict)
    startsAt: Time | None = None
    endsAt: Time | None = None
    generatorURL: Annotated[str, Field(max_length=2048, pattern=PLAIN)] = ""


class Window(Strict):
    """How far around ``started_at`` is looked."""

    before: Duration = "15m"
    after: Duration = "5m"


class Link(Strict):
    """Where more about it is."""

    rel: Name
    href: Href


class IncidentRequest(Strict):
    """An incident as an engineer or a ticket system posts it."""

    model_config = example(
        Strict,
        {
            "source": "desk",
            "external_id": "INC-1",
            "title": "Orders fail",
            "severity": "high",
            "started_at": "2026-11-22T10:00:00Z",
            "affected": [{"ref": "service:orders"}],
            "alerts": [
                {
                    "labels": {"alertname": "HighErrorRate", "service": "orders"},
                    "startsAt": "2026-11-22T10:00:10Z",
                }
            ],
            "window": {"before": "15m", "after": "5m"},
        },
    )
    title: Name
    source: Name | None = Field(None, description="who posts it; default is the token's name")
    external_id: Name | None = Field(None, description="its id there; with source it is the natural key")
    description: Text = ""
    severity: Severity = Field(
        "major", description="critical, major, minor, warning, info, or an alias of them"
    )
    started_at: Time | None = Field(None, description="default is the first alert's start, else now")
    ended_at: Time | None = None
    labels: Labels = Field(default_factory=dict)
    affected: list[Affected] = Field(default_factory=list, max_length=MAX_ITEMS)
    alerts: list[IncidentAlert] = Field(default_factory=list, max_length=MAX_ITEMS)
    window: Window = Window()
    analyze: bool = True
    links: list[Link] = Field(default_factory=list, max_length=32)
    owner: Name | None = Field(None, description="who takes care of it; default is nobody, or whom it has")


class IncidentPatch(Strict):
    """What may be changed of an incident; what is absent or null stays. ``owner`` "" takes the owner away."""

    model_config = example(Strict, {"status": "acknowledged", "owner": "ann"})
    status: Status | None = None
    title: Name | None = None
    description: Text | None = None
    severity: Severity | None = None
    owner: Annotated[str, Field(max_length=512, pattern=PLAIN)] | None = None


class WindowDocument(Open):
    """How far around the start is looked, in seconds."""

    before_s: float
    after_s: float


class UnresolvedDocument(Open):
    """What could not be resolved, and names like it."""

    pointer: str
    detail: str
    nearest: list[str]


class IncidentDocument(Open):
    """An incident with its newest analysis. ``unresolved`` and ``links`` are in the answer to a post only."""

    model_config = example(Open, {**_INCIDENT, "analysis_status": "done", "analysis": None})
    id: str
    title: str
    status: Status
    severity: str
    source: str
    external_id: str | None
    description: str
    started_at: datetime
    ended_at: datetime | None
    affected: list[str]
    labels: dict[str, str]
    window: WindowDocument
    owner: str
    merged_into: str | None
    analysis_status: Literal["none", "running", "done", "failed"]
    analysis: AnalysisDocument | None
    unresolved: list[UnresolvedDocument] | None = None
    links: list[Link] | None = None


class IncidentSummary(Open):
    """A line of the list. ``cause``: the first one of the newest analysis. ``age_s``: from start to end, or until now."""

    id: str
    title: str
    status: Status
    severity: str
    source: str
    external_id: str | None
    started_at: datetime
    ended_at: datetime | None
    owner: str
    merged_into: str | None
    affected: list[str]
    labels: dict[str, str]
    analysis: int | None
    verdict: str | None
    cause: CauseInShort | None
    alerts: int
    alerts_open: int
    entities: int
    age_s: float


class IncidentPage(Open):
    """``total``: how many there are in all."""

    model_config = example(Open, {"items": [_SUMMARY], "next_cursor": None, "total": 1})
    items: list[IncidentSummary]
    next_cursor: str | None
    total: int
