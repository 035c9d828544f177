"""Metrics of what the stores hold."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry

from aiops.api.boundary import ApiMetrics
from aiops.api.services import VersionInfo
from aiops.api.webhooks.sender import WebhookMetrics
from aiops.domain.graph import Entity, GraphDelta, Relation
from aiops.domain.incident_records import Feedback, IncidentChange
from aiops.domain.occurrences import Alarm, Incident
from aiops.errors import StoreUnavailable
from aiops.store.memory import MemoryGraphStore
from aiops.wiring.site_metrics import FRESH_S, Held, SiteMetrics
from tests.support.api_fakes import FakeClock

ROOT = Path(__file__).parents[3]
NOON = datetime(2026, 11, 22, 10, tzinfo=UTC)


def store_with_something() -> MemoryGraphStore:
    store = MemoryGraphStore()
    entities = (Entity("host:a", "Host", "a"), Entity("unknown:x", "Unknown", "x"))
    store.apply(GraphDelta("hand", entities, (Relation("host:a", "DEPENDS_ON", "unknown:x"),)), at=NOON)
    store.put_alarms([Alarm("1", "f", "Down", "host:a", NOON), Alarm("2", "g", "Down", "host:a", NOON, NOON)])
    for number, verdict in enumerate(("correct", "correct", "wrong", "unknown")):
        incident = Incident(f"I{number}", "t", NOON, severity="critical", affected=("host:a",))
        if number == 3:
            incident = Incident("I3", "t", NOON, severity="critical", status="resolved", ended_at=NOON)
        judged = Feedback(f"F{number}", incident.id, NOON, "me", verdict)
        store.record([IncidentChange(incident, feedback=judged)])
    return store


def test_each_tenant_is_counted_and_counts_are_kept_for_a_moment() -> None:
    store, now, registry = store_with_something(), [0.0], CollectorRegistry()
    clock = FakeClock(NOON + timedelta(seconds=1))
    registry.register(SiteMetrics(lambda: [Held("red", store, store)], clock, monotonic=lambda: now[0]))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {"tenant": "red", **labels})

    assert value("aiops_graph_nodes", type="Host") == 1
    assert value("aiops_graph_edges", type="DEPENDS_ON") == 1
    assert value("aiops_entities_unmatched") == 1
    assert value("aiops_alerts_open") == 1
    assert value("aiops_incidents_open", severity="critical") == 3
    assert value("aiops_incidents_open", severity="info") == 0
    assert value("aiops_feedback", verdict="unknown") == 1
    assert value("aiops_top1_accuracy_ratio") == 2 / 3
    store.put_alarms([Alarm("3", "h", "Down", "host:a", NOON)])
    assert value("aiops_alerts_open") == 1
    now[0] += FRESH_S + 1
    assert value("aiops_alerts_open") == 2


def test_a_store_that_cannot_be_read_is_counted_and_hides_no_other() -> None:
    class Broken(MemoryGraphStore):
        def counts(self) -> dict[str, int]:
            raise StoreUnavailable("gone")

    store, broken, registry = store_with_something(), Broken(), CollectorRegistry()
    held = [Held("blue", broken, broken), Held("red", store, store)]
    registry.register(SiteMetrics(lambda: held, FakeClock(NOON)))
    assert registry.get_sample_value("aiops_site_read_failures_total", {"tenant": "blue"}) == 1
    assert registry.get_sample_value("aiops_site_read_failures_total", {"tenant": "red"}) == 0
    assert registry.get_sample_value("aiops_entities_unmatched", {"tenant": "red"}) == 1
    assert registry.get_sample_value("aiops_entities_unmatched", {"tenant": "blue"}) is None


def test_every_metric_of_the_server_is_documented_and_every_documented_one_exists() -> None:
    registry = CollectorRegistry()
    ApiMetrics(registry, VersionInfo("1"))
    WebhookMetrics(registry)
    registry.register(SiteMetrics(tuple, FakeClock(NOON)))
    made = {metric.name + ("_total" if metric.type == "counter" else "") for metric in registry.collect()}
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    documented = set(
        re.findall(
            r"^\| `(aiops_[a-z0-9_]+)`",
            page.partition("## Metrics of the server")[2].partition("\n## ")[0],
            re.M,
        )
    )
    assert documented == made
