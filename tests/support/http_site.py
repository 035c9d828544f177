"""A whole site behind its HTTP surface, and short words for what is sent to it.

Times are seconds from :data:`START`. Relations are written as ``host:web-1 DEPENDS_ON device:core``, with
``[uplinks]`` behind for a redundancy group.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiops.domain.batches import Series
from aiops.lifecycle.keeper import Keeper
from aiops.settings import Settings, load_settings
from aiops.wiring.api import Site, open_site
from aiops.wiring.keeper import make_keeper
from graph_models.registry import packaged_model
from ingest.parsers.remote_write import encode_remote_write
from servers.neo4j_server import Neo4jServer
from tests.support.api_client import ApiClient
from tests.support.ingest_sites import lines

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
ADMIN = "aiops_tests_0123456789abcdef0123456789abcdef"
KINDS = {"powerunit": "PowerUnit", "loadbalancer": "LoadBalancer", "volumeclaim": "VolumeClaim"}
OWN_TO_A_RUN = frozenset({"id", "incident_id", "number", "created_at", "duration_ms"})
_ZERO = "0001-01-01T00:00:00Z"

Alert = dict[str, Any]
Document = dict[str, Any]


def stamp(offset_s: float) -> str:
    return (START + timedelta(seconds=offset_s)).isoformat().replace("+00:00", "Z")


def alert(
    entity: str | Mapping[str, str],
    offset_s: float,
    name: str = "Down",
    *,
    severity: str = "critical",
    ended_s: float | None = None,
    **annotations: str,
) -> Alert:
    """An alert as Prometheus writes it, about an entity's id or about whomever these labels mean."""
    labels = {"entity": entity} if isinstance(entity, str) else dict(entity)
    given: Alert = {
        "labels": {"alertname": name, "severity": severity, **labels},
        "annotations": {"summary": f"{name} of {next(iter(labels.values()))}", **annotations},
        "startsAt": stamp(offset_s),
    }
    return given if ended_s is None else {**given, "endsAt": stamp(ended_s)}


def webhook(alerts: Iterable[Alert], *, truncated: int = 0) -> Document:
    """A group of alerts as an Alertmanager delivers it."""
    members = [
        {
            **given,
            "status": "resolved" if "endsAt" in given else "firing",
            "endsAt": given.get("endsAt", _ZERO),
            "generatorURL": "http://prometheus.test/graph",
        }
        for given in alerts
    ]
    status = "firing" if any(member["status"] == "firing" for member in members) else "resolved"
    return {
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": truncated,
        "status": status,
        "receiver": "aiops",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.test",
        "alerts": members,
    }


def entity(identifier: str, *aliases: str, **labels: str) -> Document:
    """``powerunit:pdu-1`` as a topology document names it."""
    kind, name = identifier.split(":", 1)
    return {
        "id": identifier,
        "kind": KINDS.get(kind, kind.capitalize()),
        "name": name.rsplit("/", 1)[-1] if kind == "pod" else name,
        "aliases": list(aliases),
        "labels": labels,
    }


def topology(
    relations: Sequence[str],
    *more: Document,
    source: str = "netbox",
    at_s: float = -86_400.0,
    **fields: object,
) -> Document:
    """A topology document of these relations; ``more`` are entities with aliases and labels, or without relations."""
    entities = {str(item["id"]): item for item in more}
    edges: list[Document] = []
    for text in relations:
        words = text.split()
        for end in (words[0], words[2]):
            entities.setdefault(end, entity(end))
        edge: Document = {"from": words[0], "kind": words[1], "to": words[2]}
        edges.append(edge if len(words) == 3 else {**edge, "redundancy_group": words[3].strip("[]")})
    return {
        "source": source,
        "at": stamp(at_s),
        "entities": list(entities.values()),
        "relations": edges,
        **fields,
    }


@dataclass(slots=True)
class MovableClock:
    """Stands still until it is moved."""

    at: datetime

    def now(self) -> datetime:
        return self.at


@dataclass(slots=True)
class HttpSite:
    """Everything that is asked goes through HTTP, but for syslog lines, which have no route."""

    site: Site
    client: ApiClient
    clock: MovableClock
    keeper: Keeper

    def pass_time(self, seconds: float = 5.0, *, steps: int = 3) -> None:
        """Time passes for the keeper of incidents, which otherwise does nothing: a few steps now, and a few afterwards."""
        for moved_s in (0.0, seconds):
            self.clock.at += timedelta(seconds=moved_s)
            for _ in range(steps):
                while self.keeper.step(self.clock.now()):
                    pass

    def incidents(self, **parameters: str) -> list[Document]:
        """What the list shows."""
        items = self.send("GET", "/api/v1/incidents", 200, params=parameters)["items"]
        return list(items)

    def whole(self, incident_id: str) -> Document:
        return self.send("GET", f"/api/v1/incidents/{incident_id}", 200)

    def grouped(self, *given: Alert, via: str = "v2") -> Document:
        """Send alerts and nothing else, let time pass, and give the one incident that there is."""
        self.alerts(*given, via=via)
        self.pass_time()
        (found,) = self.incidents()
        return self.whole(str(found["id"]))

    def send(self, method: str, path: str, status: int, **arguments: Any) -> Document:
        """Ask, and fail unless the answer has ``status``."""
        answer = self.client.ask(method, path, **arguments)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text[:2000]}"
        return dict(answer.json()) if answer.content else {}

    def learn(self, document: Document) -> Document:
        return self.send("POST", "/api/v1/topology:import", 200, json=document)

    def alerts(self, *given: Alert, via: str = "webhook") -> None:
        """Each alert in a delivery of its own."""
        for one in given:
            if via == "webhook":
                self.send("POST", "/api/v1/ingest/alertmanager", 200, json=webhook([one]))
            else:
                self.send("POST", "/api/v2/alerts", 200, json=[one])

    def change(
        self, entity_name: str, offset_s: float, title: str, kind: str = "deploy", **more: object
    ) -> None:
        document = {
            "external_id": title,
            "source": "pipeline",
            "title": title,
            "kind": kind,
            "started_at": stamp(offset_s),
            "entities": [entity_name],
            **more,
        }
        answer = self.client.post("/api/v1/changes", json=document)
        assert answer.status_code in (200, 201), answer.text[:2000]

    def samples(self, *series: tuple[str, Mapping[str, str], Sequence[tuple[float, float]]]) -> None:
        """Remote write: (metric, labels, [(seconds from START, value)])."""
        began = START.timestamp()
        body = encode_remote_write(
            (Series(metric, tuple(sorted(labels.items()))), [(began + at_s, value) for at_s, value in points])
            for metric, labels, points in series
        )
        headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
        self.send("POST", "/api/v1/write", 204, content=body, headers=headers)

    def syslog(
        self,
        host: str,
        offset_s: float,
        message: str,
        *,
        app: str = "kernel",
        severity: int = 3,
        ahead_s: float = 0.0,
    ) -> None:
        """An RFC 5424 line that arrives at ``offset_s`` from a host whose clock is ``ahead_s`` ahead."""
        text = f"<{8 + severity}>1 {stamp(offset_s + ahead_s)} {host} {app} - - - {message}"
        self.site.worker.take_syslog(lines([text], at_s=START.timestamp() + offset_s))

    def incident(
        self,
        *affected: str,
        offset_s: float = 0.0,
        external_id: str = "INC-1",
        status: int = 201,
        **more: object,
    ) -> Document:
        """Post an incident, wait for its analysis, give the whole answer."""
        document = {
            "source": "desk",
            "external_id": external_id,
            "title": "something hurts",
            "started_at": stamp(offset_s),
            "affected": [{"ref": name} for name in affected],
            **more,
        }
        return self.send("POST", "/api/v1/incidents?wait=30s", status, json=document)

    def analysis(self, *affected: str, **more: Any) -> Document:
        given = self.incident(*affected, **more)
        assert given["analysis_status"] == "done", given
        return dict(given["analysis"])


def ranked(analysis: Mapping[str, Any]) -> list[str]:
    return [cause["entity"]["id"] for cause in analysis["causes"]]


def lasting(analysis: Mapping[str, Any]) -> Document:
    """What an analysis says, without what belongs to its making."""
    return {name: value for name, value in analysis.items() if name not in OWN_TO_A_RUN}


def site_settings(data: Path, server: Neo4jServer | None = None, **more: object) -> Settings:
    """Settings of a site on the embedded store, or on ``server``; with the network wherever its weights are."""
    store: dict[str, object] = {"store": "sqlite"}
    if server is not None:
        store = {
            "store": "neo4j",
            "neo4j_uri": server.uri,
            "neo4j_user": server.user,
            "neo4j_password": server.password,
        }
    weights = (packaged_model() / "manifest.json").exists()
    return load_settings(data=data, **{"model_enabled": weights, **store, **more}).with_token(ADMIN)


@contextmanager
def http_site(settings: Settings, *, now_s: float = 600.0) -> Iterator[HttpSite]:
    """An open site whose clock stands still at ``now_s``."""
    clock = MovableClock(START + timedelta(seconds=now_s))
    with open_site(settings, clock) as site:
        client = ApiClient(site.app, ADMIN)
        keeper = make_keeper(settings, site.tenants.site("default"), site.app.state.metrics, holder="tests")
        assert keeper is not None
        try:
            yield HttpSite(site, client, clock, keeper)
        finally:
            client.close()
