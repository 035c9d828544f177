"""Incidents and their analyses, in and out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

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
)


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
    rel: Name
    href: Href


class IncidentRequest(Strict):
    """An incident as an engineer or a ticket system posts it."""

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


class IncidentPatch(Strict):
    """What may be changed of an incident."""

    status: Literal["open", "acknowledged", "resolved"] | None = None
    title: Name | None = None
    description: Text | None = None
    severity: Severity | None = None


class Assume(Strict):
    """What-if: entities that are taken to be healthy or failed, by id, name or alias."""

    healthy: list[Name] = Field(default_factory=list, max_length=MAX_ITEMS)
    failed: list[Name] = Field(default_factory=list, max_length=MAX_ITEMS)


class AnalysisRequest(Strict):
    """A new analysis; with an assumption it is answered and not kept."""

    assume: Assume = Assume()


class ConformalSetDocument(Open):
    """Entities, likeliest first, one of which is a true cause in a share of ``level`` of incidents."""

    level: float
    causes: list[str]
    size: int


class AnalysisDocument(Open):
    """``number`` null: a what-if, not kept. ``conformal_set`` null: not calibrated, or no cause is named."""

    id: str
    incident_id: str
    number: int | None
    created_at: datetime
    duration_ms: int
    verdict: Literal["confirmed", "likely", "inconclusive"]
    summary: str
    causes: list[dict[str, Any]]
    conformal_set: ConformalSetDocument | None = None


class RunningDocument(Open):
    incident_id: str
    analysis_status: Literal["running"]


class IncidentDocument(Open):
    id: str
    title: str
    status: str
    severity: str
    source: str
    external_id: str | None
    description: str
    started_at: datetime
    ended_at: datetime | None
    affected: list[str]
    labels: dict[str, str]
    analysis_status: Literal["none", "running", "done", "failed"]
    analysis: AnalysisDocument | None


class IncidentSummary(Open):
    id: str
    title: str
    status: str
    severity: str
    source: str
    started_at: datetime


class IncidentPage(Open):
    items: list[IncidentSummary]
    next_cursor: str | None
