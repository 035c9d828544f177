"""Services for tests of the API: real token and answer files in memory, the memory store, and fakes for the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import orjson
from prometheus_client import CollectorRegistry

from aiops.api.access.audit import SqliteAudit
from aiops.api.access.idempotency import SqliteIdempotency
from aiops.api.access.rates import Rates
from aiops.api.access.tokens import SqliteTokenStore
from aiops.api.services import (
    Answered,
    ApiLimits,
    BacktestResult,
    Health,
    HealthCheck,
    IngestCounts,
    PackText,
    PagerDutyTaken,
    ReplayedIncident,
    RuleFinding,
    RulesState,
    Services,
    VersionInfo,
)
from aiops.api.webhooks.administration import Webhooks
from aiops.api.webhooks.destinations import Destinations
from aiops.api.webhooks.posting import Poster
from aiops.api.webhooks.store import SqliteWebhooks, WebhookBounds
from aiops.contracts import ApplyResult, Observations
from aiops.domain.analysis import Analysis, Engine, Impact, RootCause
from aiops.domain.evidence import evidence_id
from aiops.domain.graph import Entity, GraphDelta, Relation, Subgraph
from aiops.domain.incident_records import alarm_key
from aiops.domain.occurrences import Alarm, Change, Incident
from aiops.domain.progress import Progress, Watch, unwatched
from aiops.errors import ParseError, RuleError, TopologyError
from aiops.reasoning.documents import analysis_document
from aiops.store.memory import MemoryGraphStore
from ingest.parsers.pagerduty import parse_pagerduty
from ingest.topology.netbox import read_netbox

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@dataclass
class FakeClock:
    """Stands still unless told."""

    at: datetime = START

    def now(self) -> datetime:
        return self.at

    def advance(self, **parts: float) -> None:
        self.at += timedelta(**parts)


class FakeIngest:
    """Keeps what it is given; reads just enough of each format to say no."""

    def __init__(self, graph: MemoryGraphStore, clock: FakeClock) -> None:
        self.graph = graph
        self.clock = clock
        self.writes: list[bytes] = []
        self.write_headers: list[Mapping[str, str]] = []
        self.changes: list[Change] = []
        self.failure: Exception | None = None

    def take_remote_write(self, body: bytes, headers: Mapping[str, str]) -> Answered:
        self._fail()
        if not body.startswith(b"snappy"):
            raise ParseError("no snappy block", reason="snappy", offset=0)
        self.writes.append(body)
        self.write_headers.append(headers)
        problems = b"1 x too old" if b"old" in body else b""
        headers = {"X-Prometheus-Remote-Write-Samples-Written": "1"}
        return Answered(IngestCounts(1, 1), problems, headers=headers)

    def take_otlp_logs(self, body: bytes, headers: Mapping[str, str]) -> Answered:
        return self._otlp(body, headers)

    def take_otlp_metrics(self, body: bytes, headers: Mapping[str, str]) -> Answered:
        return self._otlp(body, headers)

    def take_pagerduty(self, body: bytes) -> PagerDutyTaken:
        self._fail()
        event = parse_pagerduty(body, received_at_s=self.clock.at.timestamp())
        return PagerDutyTaken(event.action, event.dedup_key, None, 0)

    def take_cloudevents(self, body: bytes, headers: Mapping[str, str]) -> IngestCounts:
        if "ce-id" not in headers:
            found = self._json(body)
            for item in found if isinstance(found, list) else [found]:
                if not isinstance(item, dict) or not all(
                    isinstance(item.get(name), str) and item[name] for name in ("id", "source", "type")
                ):
                    raise ParseError("no event", reason="event")
                if item.get("specversion") != "1.0":
                    raise ParseError("no event of 1.0", reason="version")
        self._fail()
        return IngestCounts(1, 1)

    def take_lines(self, body: bytes, headers: Mapping[str, str], peer: str) -> IngestCounts:
        self._fail()
        if not body.strip():
            raise ParseError("no line", reason="empty", offset=0)
        count = len(body.splitlines())
        return IngestCounts(count, count)

    def _otlp(self, body: bytes, headers: Mapping[str, str]) -> Answered:
        self._fail()
        if not body:
            raise ParseError("no body", reason="empty", offset=0)
        if headers.get("content-type", "").startswith("application/json"):
            if not isinstance(self._json(body), dict):
                raise ParseError("no request", reason="json")
            return Answered(IngestCounts(1, 1), b"{}", "application/json")
        return Answered(IngestCounts(1, 1), b"", "application/x-protobuf")

    def take_webhook(self, body: bytes) -> IngestCounts:
        document = self._json(body)
        if not isinstance(document, dict) or document.get("version") != "4":
            raise ParseError(
                '"version" must be "4"', hint="use the default webhook payload", reason="version"
            )
        return self._alerts(document.get("alerts"))

    def take_v2_alerts(self, body: bytes) -> IngestCounts:
        return self._alerts(self._json(body))

    async def post_v2_alerts(self, body: bytes) -> IngestCounts:
        return self.take_v2_alerts(body)

    def take_topology(self, document: Mapping[str, object]) -> ApplyResult:
        self._fail()
        entities = [_entity(item) for item in document.get("entities", [])]
        source = str(document.get("source", "import"))
        relations = [_relation(item, source) for item in document.get("relations", [])]
        known = {entity.id for entity in entities} | {e.id for e in self.graph.export().entities}
        problems = tuple(
            (f"/relations/{index}/{end}", f"no entity {name!r}")
            for index, relation in enumerate(relations)
            for end, name in (("from", relation.source_id), ("to", relation.target_id))
            if name not in known
        )
        if problems:
            raise TopologyError("the document has problems", problems=problems)
        delta = GraphDelta(source, tuple(entities), tuple(relations))
        return self.graph.apply(replace(delta, complete=bool(document.get("complete"))), at=self.clock.now())

    def take_changes(self, changes: Sequence[Change]) -> IngestCounts:
        self._fail()
        self.changes.extend(changes)
        return IngestCounts(len(changes), self.graph.put_changes(changes))

    def resolve_labels(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        for name in ("entity", "device", "service", "host", "instance"):
            if labels.get(name):
                return self.graph.resolve([labels[name]])[labels[name]]
        return ()

    def _alerts(self, alerts: object) -> IngestCounts:
        self._fail()
        if not isinstance(alerts, list) or not all(_is_alert(alert) for alert in alerts):
            raise ParseError("expected an array of alerts with labels and times", reason="alerts")
        entities = sorted({self._entity_of(alert["labels"]) for alert in alerts})
        alarms = [
            Alarm(
                id=f"alarm-{evidence_id(_fingerprint(alert), self._started(alert).isoformat())[1:]}",
                fingerprint=_fingerprint(alert),
                name=alert["labels"].get("alertname", "?"),
                entity=self._entity_of(alert["labels"]),
                started_at=self._started(alert),
            )
            for alert in alerts
        ]
        self.graph.put_alarms(alarms)
        keys = tuple(alarm_key(alarm) for alarm in alarms)
        return IngestCounts(len(alerts), len(alerts), entities=tuple(entities), alarms=keys)

    def _started(self, alert: Mapping[str, object]) -> datetime:
        given = alert.get("startsAt")
        return datetime.fromisoformat(given) if isinstance(given, str) else self.clock.now()

    def _entity_of(self, labels: Mapping[str, str]) -> str:
        ids = self.resolve_labels(labels)
        return ids[0] if len(ids) == 1 else f"unknown:{sorted(labels.items())[0][1] or 'empty'}"[:200]

    def _json(self, body: bytes) -> object:
        self._fail()
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError(f"not JSON: {error.msg}", reason="json", offset=error.pos) from error

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


def _fingerprint(alert: Mapping[str, object]) -> str:
    return orjson.dumps(alert["labels"], option=orjson.OPT_SORT_KEYS).decode()


def _is_alert(alert: object) -> bool:
    if not isinstance(alert, dict) or not isinstance(alert.get("labels"), dict) or not alert["labels"]:
        return False
    texts = [*alert["labels"].values()]
    annotations = alert.get("annotations", {})
    if not isinstance(annotations, dict):
        return False
    texts.extend(annotations.values())
    if not all(isinstance(text, str) and "\x00" not in text for text in texts):
        return False
    names = [*alert["labels"], *annotations]
    if any(not name or "\x00" in name for name in names):
        return False
    return all(_is_time(alert[name]) for name in ("startsAt", "endsAt") if name in alert)


def _is_time(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return datetime.fromisoformat(value.upper().replace(":60", ":59")).tzinfo is not None
    except ValueError:
        return False


def _entity(item: Mapping[str, object]) -> Entity:
    name = item.get("name") or item["id"]
    return Entity(
        str(item["id"]), str(item["kind"]), str(name), tuple(item.get("aliases", ())), item.get("labels", {})
    )


def _relation(item: Mapping[str, object], source: str) -> Relation:
    return Relation(str(item["from"]), str(item["kind"]), str(item["to"]), provenance=source)


class FakeRules:
    """Keeps packs that say ``pack: NAME`` in their first line and refuses others."""

    def __init__(self) -> None:
        self.packs: dict[str, bytes] = {}

    def state(self) -> RulesState:
        texts = tuple(PackText(name, "1.0.0", "", "0", True, ()) for name in sorted(self.packs))
        return RulesState("1.0.0+sha256.0", None, texts)

    def text(self, name: str) -> bytes | None:
        return self.packs.get(name)

    def validate(self, data: bytes) -> tuple[RuleFinding, ...]:
        try:
            self._name(data)
        except RuleError as error:
            return (RuleFinding("error", "refused", None, 1, error.message),)
        return ()

    def put(self, data: bytes) -> tuple[str, bool]:
        name = self._name(data)
        new = name not in self.packs
        self.packs[name] = data
        return name, new

    def remove(self, name: str) -> bool:
        return self.packs.pop(name, None) is not None

    def backtest(self, data: bytes | None) -> BacktestResult:
        if data is not None:
            self._name(data)
        return BacktestResult((ReplayedIncident("I1", "host:a", 2, 1),))

    def _name(self, data: bytes) -> str:
        first = data.splitlines()[0].decode("utf-8", "replace")
        if not first.startswith("pack: "):
            raise RuleError("no pack", file="the pack", line=1, rule=None)
        return first.removeprefix("pack: ")


@dataclass
class FakeAnalyze:
    """Names the first affected entity; waits for ``gate`` or raises ``failure`` where a test asks for it."""

    graph: MemoryGraphStore
    gate: threading.Event | None = None
    failure: Exception | None = None
    calls: list[tuple[Incident, frozenset[str]]] = field(default_factory=list)

    def __call__(
        self,
        incident: Incident,
        *,
        healthy: frozenset[str] = frozenset(),
        failed: frozenset[str] = frozenset(),
        watch: Watch = unwatched,
    ) -> Analysis:
        watch(Progress("retrieved", 1, 0))
        self.calls.append((incident, healthy | failed))
        if self.gate is not None:
            self.gate.wait(10)
        if self.failure is not None:
            raise self.failure
        suspects = [entity for entity in incident.affected if entity not in healthy]
        causes = tuple(_cause(self.graph.entity(entity_id)) for entity_id in suspects[:1])
        return Analysis(
            incident_id=incident.id,
            verdict="likely" if causes else "inconclusive",
            summary=f"{suspects[0]} is the cause" if causes else "nothing speaks for anyone",
            causes=causes,
            ruled_out=(),
            impact=Impact(1, (), 0),
            gaps=(),
            engine=Engine("0", "none", None, incident.started_at, "sha256:0", False),
        )


def infer_nothing(
    incident: Incident,
    subgraph: Subgraph,
    _seen: Observations,
    *,
    healthy: frozenset[str] = frozenset(),
    failed: frozenset[str] = frozenset(),
) -> Analysis:
    """Names nobody, whatever is handed in."""
    size = len(subgraph.entities) - len(healthy | failed)
    engine = Engine("0", "none", None, incident.started_at, "sha256:0", False)
    return Analysis(incident.id, "inconclusive", "nobody", (), (), Impact(size, (), 0), (), engine)


def _cause(entity: Entity | None) -> RootCause:
    assert entity is not None
    return RootCause(1, entity, "down", "failure", 0.8, "high", {}, None, (), (), (), (), (), None, ())


class FakeRenderers:
    """The real document, plain faces."""

    def document(self, analysis: Analysis) -> Mapping[str, object]:
        return analysis_document(analysis)

    def markdown(self, document: Mapping[str, object]) -> str:
        return f"# {document['verdict']}\n\n{document['summary']}\n"

    def text(self, document: Mapping[str, object]) -> str:
        return f"{document['verdict']}: {document['summary']}\n"

    def html(self, document: Mapping[str, object]) -> str:
        return f"<!doctype html><title>{document['verdict']}</title>"

    def html_policy(self) -> str:
        return "default-src 'none'"


def export_document(subgraph: Subgraph) -> Mapping[str, object]:
    """The topology as it is imported."""
    return {
        "source": "export",
        "entities": [
            {
                "id": entity.id,
                "kind": entity.kind,
                "name": entity.name,
                "aliases": list(entity.aliases),
                "labels": dict(entity.labels),
            }
            for entity in subgraph.entities
        ],
        "relations": [
            {"from": relation.source_id, "kind": relation.kind, "to": relation.target_id}
            for relation in subgraph.relations
        ],
    }


def seed_topology(graph: MemoryGraphStore) -> None:
    """A shop on a host behind two devices of one alias."""
    entities = (
        Entity("device:edge-1", "Device", "edge-1", ("10.0.0.1", "gateway")),
        Entity("device:edge-2", "Device", "edge-2", ("10.0.0.2", "gateway")),
        Entity("host:db-3", "Host", "db-3", ("db-3.example.net",), {"site": "fra1"}),
        Entity("interface:edge-1/ge-0/0/1", "Interface", "ge-0/0/1"),
        Entity("service:shop/cart", "Service", "cart"),
    )
    relations = (
        Relation("service:shop/cart", "RUNS_ON", "host:db-3"),
        Relation("interface:edge-1/ge-0/0/1", "PART_OF", "device:edge-1"),
    )
    graph.apply(GraphDelta("test", entities, relations), at=START - timedelta(days=1))


@dataclass
class FakeSite:
    """Services and the fakes behind them."""

    services: Services
    graph: MemoryGraphStore
    clock: FakeClock
    ingest: FakeIngest
    analyze: FakeAnalyze
    tokens: SqliteTokenStore
    idempotency: SqliteIdempotency
    admin: str
    audit: SqliteAudit
    webhooks: Webhooks

    def token(self, *scopes: str, expires_at: datetime | None = None, tenant: str = "default") -> str:
        return self.tokens.issue("test", scopes, expires_at, tenant=tenant)[1]

    def close(self) -> None:
        self.audit.close()
        self.webhooks.store.close()
        self.tokens.close()
        self.idempotency.close()


ADMIN = "aiops_first_0123456789abcdef0123456789abcdef"


def fake_site(
    *, limits: ApiLimits | None = None, health: Mapping[str, Callable[[], Health]] | None = None
) -> FakeSite:
    """A small site with an administrator's token."""
    clock = FakeClock()
    graph = MemoryGraphStore()
    seed_topology(graph)
    tokens = SqliteTokenStore(":memory:", clock, cost=16).open()
    tokens.bootstrap(ADMIN)
    idempotency = SqliteIdempotency(":memory:", clock).open()
    audit = SqliteAudit(":memory:", clock).open()
    anywhere = Destinations(allow_http=True, allow_private=True)
    store = SqliteWebhooks(":memory:", WebhookBounds(endpoints=50)).open()
    webhooks = Webhooks("default", store, anywhere, Poster(anywhere), graph, clock)
    ingest, analyze = FakeIngest(graph, clock), FakeAnalyze(graph)
    checks: Mapping[str, HealthCheck] = health if health is not None else {"graph": lambda: Health(True)}
    services = Services(
        graph=graph,
        incidents=graph,
        ingest=ingest,
        analyze=analyze,
        infer=infer_nothing,
        renderers=FakeRenderers(),
        rules=FakeRules(),
        read_netbox=read_netbox,
        topology_document=export_document,
        tokens=tokens,
        idempotency=idempotency,
        clock=clock,
        version=VersionInfo("0.1.0", "abc", "1+sha256:0", None),
        limits=limits or ApiLimits(analysis_workers=1, analysis_queue=2, body_bytes=100_000, stream_s=0.2),
        health=checks,
        signal_stats=lambda: {"series": 0},
        registry=CollectorRegistry(),
        audit=audit,
        rates=Rates(clock),
        webhooks=webhooks,
    )
    return FakeSite(services, graph, clock, ingest, analyze, tokens, idempotency, ADMIN, audit, webhooks)
