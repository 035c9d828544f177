"""The documents that cross the API's edge. Our own resources refuse unknown fields; times carry their offset."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from aiops.domain.occurrences import SEVERITIES, severity_named

MAX_ITEMS = 1000  # alerts or references of one incident, names of one question
MAX_LABELS = 128
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DURATION = re.compile(r"(?:(\d{1,7})d)?(?:(\d{1,7})h)?(?:(\d{1,7})m)?(?:(\d{1,7})s)?", re.ASCII)
_EARLIEST, _LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2999, 12, 31, tzinfo=UTC)
MAX_WINDOW_S = 7 * 86400.0


def duration_s(text: str) -> float:
    """Seconds of ``15m``, ``1h30m``, ``90s``, ``2d``. Raises :class:`ValueError`."""
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError("expected a duration like 15m, 1h30m or 90s")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(days * 86400 + hours * 3600 + minutes * 60 + seconds)


def _rfc3339(value: object) -> object:
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("expected a time with its offset, for example 2026-11-22T10:00:00Z")
    return value


def _within_reason(at: datetime) -> datetime:
    if not _EARLIEST <= at <= _LATEST:
        raise ValueError("expected a time between 1970 and 2999")
    return at.astimezone(UTC)


def _window(text: str) -> str:
    if duration_s(text) > MAX_WINDOW_S:
        raise ValueError("expected at most 7d")
    return text


def _severity(text: str) -> str:
    named = severity_named(text)
    if named is None:
        raise ValueError(f"expected one of {', '.join(SEVERITIES)}, or a word that other tools use for them")
    return named


PLAIN = r"^[^\x00]*$"  # no zero character, which databases refuse
Time = Annotated[
    AwareDatetime, Field(strict=False), BeforeValidator(_rfc3339), AfterValidator(_within_reason)
]
Duration = Annotated[str, Field(pattern=r"^([0-9]{1,7}[dhms])+$", max_length=32), AfterValidator(_window)]
Severity = Annotated[str, Field(min_length=1, max_length=32), AfterValidator(_severity)]
Name = Annotated[str, Field(min_length=1, max_length=512, pattern=PLAIN)]
Text = Annotated[str, Field(max_length=16_384, pattern=PLAIN)]
Labels = Annotated[
    dict[Name, Annotated[str, Field(max_length=4096, pattern=PLAIN)]], Field(max_length=MAX_LABELS)
]
Href = Annotated[str, Field(max_length=2048, pattern=r"^https?://[^\s\x00]+$")]


class Strict(BaseModel):
    """A document of ours that comes in."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Open(BaseModel):
    """A document that goes out; fields may be added to it later."""

    model_config = ConfigDict(extra="allow")


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


class ChangeRequest(Strict):
    """A deployment, a configuration, a maintenance ..."""

    external_id: Name
    source: Name | None = None
    title: Name
    kind: Literal["deploy", "config", "maintenance", "scale", "other"] = "other"
    started_at: Time
    ended_at: Time | None = None
    entities: list[Name] = Field(default_factory=list, max_length=MAX_ITEMS)
    author: Annotated[str, Field(max_length=512, pattern=PLAIN)] = ""
    links: list[Link] = Field(default_factory=list, max_length=32)
    labels: Labels = Field(default_factory=dict)


class ResolveRequest(Strict):
    """Names to look up, and label sets to read by the identity rules."""

    names: list[Name] = Field(default_factory=list, max_length=MAX_ITEMS)
    labels: list[Labels] = Field(default_factory=list, max_length=MAX_ITEMS)


class TopologyEntity(Strict):
    id: Name
    kind: Name
    name: Name | None = None
    aliases: list[Name] = Field(default_factory=list, max_length=MAX_LABELS)
    labels: Labels = Field(default_factory=dict)


class TopologyRelation(Strict):
    from_: Name = Field(alias="from")
    kind: Name
    to: Name
    provenance: Name | None = None
    confidence: Annotated[float, Field(ge=0, le=1)] = 1.0
    redundancy_group: Name | None = None
    labels: Labels = Field(default_factory=dict)
    first_seen: Time | None = None
    last_seen: Time | None = None
    valid_from: Time | None = None
    valid_to: Time | None = None


class TopologyDocument(Strict):
    """``complete``: what ``source`` no longer names is closed."""

    source: Name = "import"
    complete: bool = False
    at: Time | None = None
    entities: list[TopologyEntity] = Field(default_factory=list, max_length=500_000)
    relations: list[TopologyRelation] = Field(default_factory=list, max_length=2_000_000)


class TokenRequest(Strict):
    name: Name
    scopes: list[
        Literal[
            "ingest:write",
            "incidents:read",
            "incidents:write",
            "analysis:run",
            "topology:read",
            "topology:write",
            "rules:write",
            "admin",
        ]
    ] = Field(min_length=1, max_length=16)
    expires_at: Time | None = Field(None, description="null: never")


class ProblemItem(Open):
    detail: str
    pointer: str | None = Field(None, description="JSON pointer into the body")
    parameter: str | None = Field(None, description="name of the query parameter or header")


class ProblemDocument(Open):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[ProblemItem]
    request_id: str


class EntityDocument(Open):
    id: str
    kind: str
    name: str
    aliases: list[str]
    labels: dict[str, str]


class EntityPage(Open):
    items: list[EntityDocument]
    next_cursor: str | None


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


class Receipt(Open):
    """``received = stored + rejected + dropped``."""

    received: int
    stored: int
    rejected: int
    dropped: int


class TopologyReceipt(Open):
    created: int
    updated: int
    unchanged: int
    closed: int
    unknown_kinds: list[str]


class SubgraphDocument(Open):
    as_of: datetime
    entities: list[EntityDocument]
    relations: list[dict[str, Any]]
    truncated: bool


class Resolution(Open):
    """``ids``: none, one, or several where the name is ambiguous; ``nearest``: names like it where there is none."""

    ids: list[str]
    nearest: list[str]


class ResolveDocument(Open):
    names: dict[str, Resolution]
    labels: list[Resolution]


class TokenDocument(Open):
    prefix: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewTokenDocument(TokenDocument):
    """``token`` is shown this once."""

    token: str


class TokenList(Open):
    items: list[TokenDocument]


class CheckDocument(Open):
    ok: bool
    detail: str


class ReadyDocument(Open):
    status: Literal["ready", "not ready"]
    checks: dict[str, CheckDocument]


class StatusDocument(Open):
    status: Literal["ok"]


class VersionDocument(Open):
    version: str
    commit: str
    rules: str
    model: str | None


class StatsDocument(Open):
    graph: dict[str, int]
    signals: dict[str, int]


class AlertmanagerStatus(Open):
    """The part of Alertmanager's v2 status that clients read."""

    cluster: dict[str, Any]
    versionInfo: dict[str, str]
    config: dict[str, str]
    uptime: datetime
