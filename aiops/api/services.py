"""What the HTTP surface needs from the rest, as one value. The composition root fills it; nothing here is concrete."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from prometheus_client import CollectorRegistry

from aiops.api.access.audit import AuditTrail
from aiops.api.access.idempotency import IdempotencyStore
from aiops.api.access.rates import Rates
from aiops.api.access.tokens import DEFAULT_TENANT, TokenStore
from aiops.api.event_streams import EventStreams
from aiops.api.webhooks.administration import Webhooks
from aiops.contracts import ApplyResult, CaseStore, Clock, GraphStore, Observations
from aiops.domain.analysis import Analysis
from aiops.domain.graph import Subgraph
from aiops.domain.incident_records import AlarmKey
from aiops.domain.occurrences import Change, Incident
from aiops.domain.progress import Watch, unwatched


@dataclass(frozen=True, slots=True)
class IngestCounts:
    """What became of a delivery: ``received = stored + rejected + dropped``. ``stored`` counts repeats too.

    ``entities``: ids that it was about, sorted, for alerts only; ``alarms``: keys of the alarms that alerts became.
    ``reasons``: why some were rejected, at most ten.
    """

    received: int
    stored: int
    rejected: int = 0
    dropped: int = 0
    entities: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    alarms: tuple[AlarmKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """What a protocol's own answer says: its body, content type and headers, beside the counts."""

    counts: IngestCounts
    body: bytes = b""
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PagerDutyTaken:
    """``alarm``: the one that the event is about; None where nothing open has its ``dedup_key``. ``stored`` 0: no change."""

    action: str
    dedup_key: str
    alarm: AlarmKey | None
    stored: int


class IngestPort(Protocol):
    """Takes deliveries from outside. Durable when it returns, idempotent, safe to call from several threads.

    Every method raises :class:`aiops.errors.ParseError` where the delivery as a whole cannot be read,
    :class:`aiops.errors.BackPressure` where nothing more can be held and :class:`aiops.errors.StoreUnavailable`.
    """

    def take_remote_write(self, body: bytes, headers: Mapping[str, str]) -> Answered:
        """A snappy-compressed remote write request, 1.0 or 2.0 by its content type; header names are lower case."""
        ...

    def take_otlp_logs(self, body: bytes, headers: Mapping[str, str]) -> Answered:
        """An ExportLogsServiceRequest, protobuf or JSON."""
        ...

    def take_otlp_metrics(self, body: bytes, headers: Mapping[str, str]) -> Answered:
        """An ExportMetricsServiceRequest, protobuf or JSON."""
        ...

    def take_cloudevents(self, body: bytes, headers: Mapping[str, str]) -> IngestCounts:
        """CloudEvents 1.0: structured, batched or binary mode."""
        ...

    def take_lines(self, body: bytes, headers: Mapping[str, str], peer: str) -> IngestCounts:
        """Text lines, syslog or not; ``peer`` is who sent them."""
        ...

    async def post_v2_alerts(self, body: bytes) -> IngestCounts:
        """As :meth:`take_v2_alerts`, awaited in an event loop; ``entities`` and ``alarms`` are left out."""
        ...

    def take_pagerduty(self, body: bytes) -> PagerDutyTaken:
        """An event of PagerDuty's Events API v2."""
        ...

    def take_webhook(self, body: bytes) -> IngestCounts:
        """An Alertmanager webhook, version 4."""
        ...

    def take_v2_alerts(self, body: bytes) -> IngestCounts:
        """The array that Prometheus posts to ``/api/v2/alerts``."""
        ...

    def take_topology(self, document: Mapping[str, object]) -> ApplyResult:
        """All of a topology document or nothing of it (:class:`aiops.errors.TopologyError`)."""
        ...

    def take_changes(self, changes: Sequence[Change]) -> IngestCounts: ...

    def resolve_labels(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Ids that ``labels`` may mean by the identity rules, sorted; makes no entity. Two or more: ambiguous."""
        ...


@dataclass(frozen=True, slots=True)
class RuleFinding:
    """Something about a pack. ``severity``: error (it is refused) | warning. ``line``: 1-based, 0: the pack as a whole."""

    severity: str
    code: str
    rule: str | None
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class PackText:
    """A pack in use. ``editable``: it came through the API. ``rules``: id, title, description, effect, kind, category, weight."""

    name: str
    version: str
    description: str
    digest: str
    editable: bool
    rules: tuple[Mapping[str, object], ...]


@dataclass(frozen=True, slots=True)
class RulesState:
    """``refused``: why what is on disk now is not used; then ``packs`` is empty and the set of ``version`` goes on."""

    version: str
    refused: str | None
    packs: tuple[PackText, ...]


@dataclass(frozen=True, slots=True)
class ReplayedIncident:
    """A past incident again: the rank of its confirmed cause with the rules in use and with the others; None: not listed."""

    incident_id: str
    cause: str
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class BacktestResult:
    replayed: tuple[ReplayedIncident, ...]


class RulesPort(Protocol):
    """The rule packs. What is refused (:class:`aiops.errors.RuleError`) changes nothing."""

    def state(self) -> RulesState: ...

    def text(self, name: str) -> bytes | None:
        """The YAML of an editable pack."""
        ...

    def validate(self, data: bytes) -> tuple[RuleFinding, ...]:
        """Of a pack beside the others; raises nothing."""
        ...

    def put(self, data: bytes) -> tuple[str, bool]:
        """Its name, and whether it is new. In use from the next analysis on."""
        ...

    def remove(self, name: str) -> bool: ...

    def backtest(self, data: bytes | None) -> BacktestResult:
        """Incidents with a confirmed cause, with the rules in use and with this pack beside them; None: without any rule."""
        ...


class NetboxRead(Protocol):
    """What a NetBox export says: a topology document, and (JSON pointer, why) of what was left out."""

    @property
    def document(self) -> Mapping[str, object]: ...
    @property
    def skipped(self) -> Sequence[tuple[str, str]]: ...


class ReadNetbox(Protocol):
    def __call__(self, document: Mapping[str, object], complete: bool) -> NetboxRead:
        """Raises :class:`aiops.errors.TopologyError`."""
        ...


class Analyze(Protocol):
    """Analyses an incident. Pure but for reads of the stores; takes from milliseconds to seconds."""

    def __call__(
        self,
        incident: Incident,
        *,
        healthy: frozenset[str] = frozenset(),
        failed: frozenset[str] = frozenset(),
        watch: Watch = unwatched,
    ) -> Analysis:
        """``healthy``, ``failed``: entities to be taken as such, whatever was seen of them (what-if). ``watch`` is told how far
        it is."""
        ...


class Infer(Protocol):
    """Analyses what is handed in; reads and keeps nothing. Pure."""

    def __call__(
        self,
        incident: Incident,
        subgraph: Subgraph,
        seen: Observations,
        *,
        healthy: frozenset[str] = frozenset(),
        failed: frozenset[str] = frozenset(),
    ) -> Analysis: ...


class Renderers(Protocol):
    """One analysis, several faces. The document is what is stored; text is made from the document."""

    def document(self, analysis: Analysis) -> Mapping[str, object]:
        """JSON-ready, without ``id``, ``number``, ``created_at`` and ``duration_ms``, which the API adds."""
        ...

    def markdown(self, document: Mapping[str, object]) -> str: ...

    def text(self, document: Mapping[str, object]) -> str: ...

    def html(self, document: Mapping[str, object]) -> str:
        """A page of its own, without script."""
        ...

    def html_policy(self) -> str:
        """The Content-Security-Policy under which the page shows as it should."""
        ...


@dataclass(frozen=True, slots=True)
class Health:
    """``detail`` says what is wrong, or how well it is, in one line without secrets."""

    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SourceReading:
    """What came from one source since the process began; ``last_at``: when something last did. ``reasons``: rejects by reason."""

    name: str
    last_at: datetime | None
    received: int
    stored: int
    rejected: int
    dropped: int
    reasons: Mapping[str, int] = field(default_factory=dict)


HealthCheck = Callable[[], Health]


@dataclass(frozen=True, slots=True)
class ApiLimits:
    """The bounds of the HTTP surface."""

    body_bytes: int = 16 * 2**20
    body_timeout_s: float = 30.0  # for the whole body to arrive
    request_timeout_s: float = 60.0  # for the answer to begin
    health_timeout_s: float = 5.0
    wait_default_s: float = 10.0  # for an analysis, where the request names no ?wait=
    wait_max_s: float = 30.0
    watch_max_s: float = 300.0  # for an analysis that is watched
    analysis_workers: int = 2
    analysis_queue: int = 64  # waiting or running, of all tenants
    target_bytes: int = 8192  # of path and query
    header_bytes: int = 16_384
    headers: int = 100
    page_offset: int = 10_000  # of entities; beyond it a narrower query is asked for
    listeners: int = 64  # streams of events at once
    stream_s: float = 600.0  # after which a stream of events ends and its client comes again
    export_entities: int = 500_000


@dataclass(frozen=True, slots=True)
class Protection:
    """``allowed_hosts``: names that a request may be sent to, against DNS rebinding; addresses are always allowed, since no name
    was rebound to reach them; empty: any name. ``metrics``: served here, beside the API."""

    allowed_hosts: tuple[str, ...] = ()
    metrics: bool = True


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """What runs. ``rules`` and ``model`` are the engine's own names for them; model None: switched off."""

    version: str
    commit: str = "unknown"
    rules: str = "unknown"
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Services:
    """Everything :func:`aiops.api.app.create_app` needs, of one tenant. ``tokens``, ``idempotency``, ``clock``, ``version``,
    ``limits``, ``protection``, ``registry``, ``audit`` and ``rates`` are the same for all tenants of a process; the keys of
    ``idempotency`` are told apart by token, and a token has one tenant."""

    graph: GraphStore
    incidents: CaseStore
    ingest: IngestPort
    analyze: Analyze
    renderers: Renderers
    topology_document: Callable[[Subgraph], Mapping[str, object]]
    read_netbox: ReadNetbox
    tokens: TokenStore
    idempotency: IdempotencyStore
    clock: Clock
    version: VersionInfo
    limits: ApiLimits = field(default_factory=ApiLimits)
    rules: RulesPort | None = None
    infer: Infer | None = None
    sources: Callable[[], Sequence[SourceReading]] = field(default=tuple)
    health: Mapping[str, HealthCheck] = field(default_factory=dict)
    signal_stats: Callable[[], Mapping[str, int]] = field(default=lambda: {})
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    streams: EventStreams = field(default_factory=EventStreams)
    tenant: str = DEFAULT_TENANT
    protection: Protection = field(default_factory=Protection)
    audit: AuditTrail | None = None  # None: what is done here is not audited
    rates: Rates | None = None  # None: no limits
    webhooks: Webhooks | None = None  # None: this process sends none


class Tenants(Protocol):
    """The services of everyone, kept apart."""

    def services(self, tenant: str) -> Services | None:
        """Opened at the first time; None for a tenant that this process does not serve. Raises
        :class:`aiops.errors.StoreUnavailable` where it cannot be opened, or no further one."""
        ...


@dataclass(frozen=True, slots=True)
class OneTenant:
    """:class:`Tenants` of a process that serves one."""

    own: Services

    def services(self, tenant: str) -> Services | None:
        return self.own if tenant == self.own.tenant else None
