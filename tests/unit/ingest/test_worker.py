"""The worker: what comes in reaches the stores under the right names, and the counters add up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops.contracts import ApplyResult
from aiops.domain.batches import Reject, StateObservation
from aiops.domain.graph import GraphDelta
from aiops.domain.occurrences import Change
from aiops.errors import ParseError, StoreUnavailable, TopologyError
from aiops.store.memory import MemoryGraphStore
from ingest.counters import Taken
from ingest.parsers.alertmanager import AlertBatch, parse_webhook
from tests.support.ingest_sites import AT, AT_S, FOREVER, IngestSite, line, lines, samples, topology

CMDB = topology(
    [
        {"id": "host:app-1", "kind": "Host", "name": "app-1", "aliases": ["10.0.0.4", "app-1.example.net"]},
        {"id": "service:stock", "kind": "Service", "name": "stock", "aliases": ["stock:8080"]},
        {"id": "instance:api@app-1", "kind": "Instance", "name": "api@app-1", "aliases": ["app-1:8000"]},
        {"id": "device:sw-1", "kind": "Device", "name": "sw-1"},
    ],
    [{"from": "instance:api@app-1", "kind": "RUNS_ON", "to": "host:app-1"}],
)


def site() -> IngestSite:
    made = IngestSite()
    made.worker.take_topology(CMDB)
    return made


def adds_up(taken: Taken) -> bool:
    return taken.received == taken.stored + taken.rejected + taken.dropped


def test_a_topology_document_is_applied_or_refused_whole() -> None:
    made = IngestSite()
    taken = made.worker.take_topology(CMDB)
    assert taken == Taken(5, 5, 0, 0, ApplyResult(created=5, updated=0, unchanged=0, closed=0))
    with pytest.raises(TopologyError):
        made.worker.take_topology(
            topology([], [{"from": "host:app-1", "kind": "CALLS", "to": "host:nobody"}])
        )
    assert made.worker.counters() == {"topology:cmdb": Taken(5, 5, 0, 0)}
    known = topology([], [{"from": "host:app-1", "kind": "DEPENDS_ON", "to": "device:sw-1"}])
    made.worker.take_topology(known, at=AT)
    assert ("host:app-1", "DEPENDS_ON", "device:sw-1") in made.relations()


def test_lines_find_their_speaker_and_what_they_complain_about() -> None:
    made = site()
    taken = made.worker.take_syslog(
        lines(
            [
                line("app-1", "connect to stock:8080 failed: refused", app="api"),
                line("app-1.example.net", "hello", app="kernel"),
                line("sw-1", "interface swp1 link down, carrier lost"),
                "<13>no host here",
                b"\xff\xfe not syslog",
            ],
            peer="udp 10.0.0.4:5140",
        )
    )
    assert adds_up(taken)
    assert taken.received == 5
    assert ("instance:api@app-1", "connect to stock:8080 failed: refused") in made.logs()
    assert ("host:app-1", "hello") in made.logs()
    assert ("interface:sw-1/swp1", "interface swp1 link down, carrier lost") in made.logs()
    assert ("instance:api@app-1", "CALLS", "service:stock") in made.relations("connect_failed")
    assert ("interface:sw-1/swp1", "PART_OF", "device:sw-1") in made.relations("interface_link")
    window = made.signals.window(start=FOREVER[0], end=FOREVER[1])
    assert window.states == (StateObservation(AT_S, "interface:sw-1/swp1", "oper_status", "down"),)
    assert len(list(made.dead_letters.read())) == taken.rejected


def test_a_neighbour_that_is_taken_away_closes_the_link() -> None:
    made = site()
    link = ("interface:sw-1/Ethernet1", "CONNECTED_TO", "interface:chassis-9/Et3")
    text = 'LLDP neighbor with chassisId chassis-9 and portId "Et3" {} on interface Ethernet1'
    made.worker.take_syslog(lines([line("sw-1", text.format("added"))]))
    assert link in made.relations("lldp_line")
    later = AT_S + 60
    made.worker.take_syslog(lines([line("sw-1", text.format("removed"), at_s=later)], at_s=later))
    assert link not in made.relations("lldp_line")
    before = made.graph.export(as_of=AT + timedelta(seconds=30))
    assert link in {r.key[:3] for r in before.relations}


def test_samples_get_their_owners_and_new_names_are_seen_within_a_batch() -> None:
    made = site()
    taken = made.worker.take_samples(
        samples(
            ("node_load1", {"instance": "10.0.0.8:9100", "job": "node"}, 1.0),
            ("node_uname_info", {"instance": "10.0.0.8:9100", "nodename": "db-8"}, 1.0),
            ("up", {"instance": "app-1:8000", "job": "api"}, 1.0),
            ("api_client_requests_total", {"instance": "app-1:8000", "peer": "stock"}, 5.0),
            ("nan_metric", {"instance": "app-1:8000"}, float("nan")),
            ("bare", {}, 1.0),
        )
    )
    assert taken == Taken(6, 5, 0, 1)
    assert made.owners() == {
        "node_load1": ("host:db-8", None),
        "node_uname_info": ("host:db-8", None),
        "up": ("instance:api@app-1", None),
        "api_client_requests_total": ("instance:api@app-1", "service:stock"),
        "bare": ("unknown:remote-write", None),
    }
    assert [entity.id for entity in made.graph.unmatched()] == ["unknown:remote-write"]
    assert made.relations("client_peer") == [("instance:api@app-1", "CALLS", "service:stock")]


def test_unmatched_series_find_their_owner_after_an_import() -> None:
    made = IngestSite()
    batch = samples(("up", {"instance": "app-1:8000"}, 1.0))
    made.worker.take_samples(batch)
    assert made.owners() == {"up": ("instance:app-1:8000", None)}
    made.worker.take_topology(CMDB)
    made.worker.take_samples(replace(batch, at_s=batch.at_s + 15))
    window = made.signals.window(start=seconds(10), end=seconds(20))
    assert [series.entity for series in window.series] == ["instance:api@app-1"]


class CountingGraph(MemoryGraphStore):
    """Counts writes and fails on request."""

    def __init__(self) -> None:
        super().__init__()
        self.applied: list[GraphDelta] = []
        self.broken = False

    def apply(self, delta: GraphDelta, *, at: datetime) -> ApplyResult:
        if self.broken:
            raise StoreUnavailable("down", retry_after_s=1.0)
        self.applied.append(delta)
        return super().apply(delta, at=at)


def test_what_is_unchanged_is_not_written_again_until_it_is_due() -> None:
    graph = CountingGraph()
    made = IngestSite(graph=graph)
    batch = samples(("traces_service_graph_request_total", {"client": "a", "server": "b"}, 1.0))
    made.worker.take_samples(batch)
    written = len(graph.applied)
    for step in range(1, 20):
        made.worker.take_samples(replace(batch, at_s=batch.at_s + step * 15))
    assert len(graph.applied) == written
    made.worker.take_samples(replace(batch, at_s=batch.at_s + 301))
    assert len(graph.applied) == written + 1


def test_a_store_that_is_down_loses_nothing_and_counts_nothing() -> None:
    graph = CountingGraph()
    made = IngestSite(graph=graph)
    graph.broken = True
    batch = samples(("traces_service_graph_request_total", {"client": "a", "server": "b"}, 1.0))
    raw = lines([line("h1", "connect to 10.0.0.7:5432 refused")])
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            made.worker.take_samples(batch)
        with pytest.raises(StoreUnavailable):
            made.worker.take_syslog(raw)
    assert made.worker.counters() == {}
    graph.broken = False
    made.worker.take_samples(batch)
    made.worker.take_syslog(raw)
    assert made.relations("service_graph") == [("service:a", "CALLS", "service:b")]
    assert made.relations("connect_failed") == [("host:h1", "CALLS", "instance:10.0.0.7:5432")]


def pod_on(node: str, at_s: float, *more: tuple[str, dict[str, str], float]) -> Any:
    info = {"namespace": "n", "pod": "p", "node": node, "job": "ksm", "instance": "ksm:8080"}
    return samples(("kube_pod_info", info, 1.0), *more, at_s=at_s)


def alive(at_s: float) -> Any:
    return samples(("process_cpu_seconds_total", {"job": "ksm", "instance": "ksm:8080"}, 1.0), at_s=at_s)


def test_aging_pauses_while_the_source_is_silent() -> None:
    made = IngestSite()
    runs = ("pod:n/p", "RUNS_ON", "host:n1")
    made.worker.take_samples(pod_on("n1", AT_S))
    for step in range(1, 200):  # the exporter is down: others speak, up says 0
        at_s = AT_S + 15 * step
        up = ("up", {"job": "ksm", "instance": "ksm:8080"}, 0.0)
        made.worker.take_samples(samples(up, ("x", {"instance": "other:1"}, 1.0), at_s=at_s))
    assert made.worker.maintain(AT + timedelta(hours=1)) == 0
    assert runs in made.relations()
    back = AT_S + 3600
    for step in range(30):  # the exporter is back and does not name the pod any more
        made.worker.take_samples(alive(back + 15 * step))
    assert made.worker.maintain(AT + timedelta(hours=2)) == 1
    assert runs not in made.relations()
    made.worker.take_samples(pod_on("n1", back + 7200))
    assert runs in made.relations()


def test_a_pod_that_moves_leaves_its_node_and_the_past_stays() -> None:
    made = IngestSite()
    made.worker.take_samples(pod_on("n1", AT_S))
    made.worker.take_samples(pod_on("n2", AT_S + 600))
    assert made.relations("kube_pod_info") == [("pod:n/p", "RUNS_ON", "host:n2")]
    before = made.graph.export(as_of=AT + timedelta(seconds=300))
    assert [r.target_id for r in before.relations if r.kind == "RUNS_ON"] == ["host:n1"]


def webhook(*alerts: dict[str, Any], truncated: int = 0) -> AlertBatch:
    body = {"version": "4", "truncatedAlerts": truncated, "alerts": list(alerts)}
    return parse_webhook(orjson.dumps(body), received_at_s=AT_S)


def alert(
    status: str = "firing", start_s: float = 0, end_s: float | None = None, **labels: str
) -> dict[str, Any]:
    def at(seconds: float) -> str:
        return (AT + timedelta(seconds=seconds)).isoformat()

    ends = {} if end_s is None else {"endsAt": at(end_s)}
    return {
        "status": status,
        "labels": {"alertname": "Down", "severity": "page", **labels},
        "annotations": {"summary": "it is down", "value": "0.5"},
        "startsAt": at(start_s),
        **ends,
    }


def alarms(made: IngestSite) -> list[tuple[str, datetime, datetime | None]]:
    return [(a.entity, a.started_at, a.ended_at) for a in made.graph.alarms(start=FOREVER[0], end=FOREVER[1])]


def seconds(count: float) -> datetime:
    return AT + timedelta(seconds=count)


def test_an_alert_becomes_an_alarm() -> None:
    made = site()
    taken = made.worker.take_alerts(webhook(alert(host="app-1", peer="stock"), truncated=3))
    assert taken == Taken(4, 1, 0, 3)
    (alarm,) = made.graph.alarms(start=FOREVER[0], end=FOREVER[1])
    assert (alarm.name, alarm.entity, alarm.peer) == ("Down", "host:app-1", "service:stock")
    assert (alarm.severity, alarm.value, alarm.message) == ("critical", 0.5, "it is down")


def test_delivery_traps_leave_no_ghost_and_no_double() -> None:
    made = site()
    firing, resolved = alert(host="app-1"), alert("resolved", end_s=60, host="app-1")
    replica = alert(host="app-1", prometheus_replica="b")
    made.worker.take_alerts(webhook(resolved))
    for again in (firing, resolved, replica, firing):
        made.worker.take_alerts(webhook(again, again))
    assert alarms(made) == [("host:app-1", seconds(0), seconds(60))]
    assert made.worker.counters()["alertmanager"] == Taken(9, 9, 0, 0)


def test_replicas_that_saw_an_alert_at_different_moments_tell_of_one() -> None:
    made = site()
    early, late = alert(host="app-1"), alert(start_s=7, host="app-1")
    for again in (early, late, early, late):
        made.worker.take_alerts(webhook(again))
    assert alarms(made) == [("host:app-1", seconds(0), None)]
    over = alert("resolved", start_s=7, end_s=60, host="app-1")
    made.worker.take_alerts(webhook(over))
    made.worker.take_alerts(webhook(early))
    assert alarms(made) == [("host:app-1", seconds(0), seconds(60))]
    made.worker.take_alerts(webhook(alert(start_s=61, host="app-1")))  # it came back
    assert alarms(made)[1:] == [("host:app-1", seconds(61), None)]


def test_an_alarm_whose_ending_was_lost_ends_when_it_starts_anew_in_any_order() -> None:
    first, second = alert(host="app-1"), alert(start_s=600, host="app-1")
    for order in ((first, second), (second, first)):
        made = site()
        for posted in order:
            made.worker.take_alerts(webhook(posted))
        assert alarms(made) == [("host:app-1", seconds(0), seconds(600)), ("host:app-1", seconds(600), None)]


def test_an_alert_about_nobody_is_kept() -> None:
    made = site()
    made.worker.take_alerts(webhook(alert(), alert(host="ghost"), alert(device="sw-1", ifName="swp9")))
    assert {entity for entity, _start, _end in alarms(made)} == {
        *("unknown:alertmanager", "host:ghost", "interface:sw-1/swp9")
    }
    assert [entity.id for entity in made.graph.unmatched()] == ["host:ghost", "unknown:alertmanager"]
    assert ("interface:sw-1/swp9", "PART_OF", "device:sw-1") in made.relations("labels")


values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.text(max_size=10)
    | st.lists(st.booleans(), max_size=2)
)
posted = st.dictionaries(
    st.sampled_from(["status", "labels", "annotations", "startsAt", "endsAt", "fingerprint", "generatorURL"]),
    values
    | st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4)
    | st.sampled_from(["firing", "resolved", "2026-11-22T10:00:00Z", "0001-01-01T00:00:00Z"]),
    max_size=7,
)
bodies = st.fixed_dictionaries({"version": st.just("4"), "alerts": st.lists(posted, max_size=5)})


@given(bodies.map(lambda body: orjson.dumps(body)) | st.binary(max_size=60))
@settings(max_examples=100, deadline=None)
def test_hostile_alert_bodies_are_stored_or_rejected(body: bytes) -> None:
    made = IngestSite()
    try:
        batch = parse_webhook(body, received_at_s=AT_S)
    except ParseError:
        return
    taken = made.worker.take_alerts(batch)
    assert adds_up(taken)
    assert taken.received == len(batch.alerts) + len(batch.rejects) + batch.truncated
    assert made.worker.take_alerts(batch).stored == taken.stored
    assert len(alarms(made)) <= taken.stored


def test_changes_name_their_entities_as_they_like() -> None:
    made = site()
    change = Change("c1", "git", "42", "deploy", "deploy", AT, None, ("app-1.example.net", "stock", "nobody"))
    assert made.worker.take_changes([change]) == Taken(1, 1, 0, 0)
    (stored,) = made.graph.changes(start=FOREVER[0], end=FOREVER[1])
    assert stored.entities == ("host:app-1", "nobody", "service:stock")
    assert made.worker.take_changes([]) == Taken()


def test_states_are_written_when_they_change() -> None:
    made = site()
    states = [StateObservation(AT_S + s, "host:app-1", "mode", v) for s, v in ((0, "a"), (1, "a"), (2, "b"))]
    assert made.worker.take_states(states) == Taken(3, 3, 0, 0)
    made.worker.take_states([StateObservation(AT_S + 3, "host:app-1", "mode", "b")])
    window = made.signals.window(start=FOREVER[0], end=FOREVER[1])
    assert [(s.at_s - AT_S, s.value) for s in window.states] == [(0, "a"), (2, "b")]


def test_a_clock_that_runs_ahead_is_corrected_and_reported() -> None:
    made = site()
    for step in range(10):
        at_s = AT_S + step
        made.worker.take_syslog(
            lines(
                [line("app-1", f"m{step}", at_s=at_s + 420), line("sw-1", f"n{step}", at_s=at_s)], at_s=at_s
            )
        )
    assert made.worker.skews() == {"app-1": 420.0}
    logs = made.signals.window(start=FOREVER[0], end=FOREVER[1]).logs
    at_s = np.array(logs["at_s"].to_pylist())
    assert at_s.min() == AT_S
    assert at_s.max() == AT_S + 9


def test_ambiguous_names_losses_rejects_and_the_reading() -> None:
    made = IngestSite()
    two = [{"id": f"host:web.{s}", "kind": "Host", "name": "web", "labels": {"site": s}} for s in "ab"]
    made.worker.take_topology(topology(two))
    made.worker.take_syslog(lines([line("web", "hello")]))
    assert made.worker.ambiguous() == {"web": ("host:web.a", "host:web.b")}
    assert made.worker.lost("syslog-udp", 4) == Taken(4, 0, 0, 4)
    assert made.worker.reject(Reject("remote-write", "no snappy block", AT_S, b"x")) == Taken(1, 0, 1, 0)
    reading = made.worker.reading(queue_bytes=7)
    assert reading.reject_reasons == {("remote-write", "no snappy block"): 1}
    assert (reading.ambiguous, reading.queue_bytes) == (1, 7)
    assert all(adds_up(taken) for taken in reading.sources.values())


def test_nothing_comes_of_nothing() -> None:
    made = IngestSite()
    assert made.worker.take_syslog(lines([])) == Taken()
    assert made.worker.take_samples(samples()) == Taken()
    assert made.worker.take_alerts(AlertBatch(())) == Taken()
    assert made.worker.maintain(datetime(2026, 1, 1, tzinfo=UTC)) == 0
