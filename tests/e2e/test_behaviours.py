"""What the product is judged by, end to end: topology, alarms, lines and samples in, an analysis out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import orjson
import pytest

from aiops.contracts import GraphStore, SignalStore
from aiops.domain.analysis import Analysis, RootCause
from aiops.domain.graph import GraphDelta
from aiops.domain.occurrences import Alarm, Incident
from aiops.reasoning.documents import analysis_document, analysis_json
from aiops.reasoning.rendering import render_markdown
from aiops.reasoning.what_if import Assumption
from tests.support.pipelines import make_pipeline
from tests.support.sites import START, Site, chain, incident, moment

Stores = tuple[GraphStore, SignalStore]


def analyse(stores: Stores, site: Site, posted: Incident, alarms: Sequence[Alarm] | None = None) -> Analysis:
    site.write(*stores, alarms=alarms)
    return make_pipeline(*stores).analyze(posted)


def ranked(analysis: Analysis) -> list[str]:
    return [cause.entity.id for cause in analysis.causes]


def cause_of(analysis: Analysis, entity: str) -> RootCause:
    return next(cause for cause in analysis.causes if cause.entity.id == entity)


def late_parent() -> Site:
    return (
        Site()
        .relate("device:access-1", "DEPENDS_ON", "device:core")
        .relate("host:web-1", "DEPENDS_ON", "device:access-1")
        .alarm("host:web-1", 0.0, "HostUnreachable")
        .alarm("device:access-1", 40.0, "DeviceDown")
    )


def test_late_parent_is_the_root(stores: Stores) -> None:
    site = late_parent()
    site.write(*stores, alarms=site.alarms[:1])
    pipeline = make_pipeline(*stores)
    before = pipeline.analyze(incident("host:web-1"))
    assert ranked(before)[0] == "host:web-1"
    stores[0].put_alarms(site.alarms[1:])
    after = pipeline.analyze(incident("host:web-1"))
    assert ranked(after)[0] == "device:access-1"
    assert cause_of(after, "device:access-1").explained == (
        "alarm:HostUnreachable@host:web-1:0",
        "alarm:DeviceDown@device:access-1:40",
    )


def test_any_order_of_the_same_alarms_gives_the_same_bytes(stores: Stores) -> None:
    graph, _ = stores
    site = chain()
    for number, entity in enumerate(("service:edge", "service:shop", "database:orders")):
        site.alarm(entity, 10.0 * number)
    site.write(*stores, alarms=[])
    pipeline = make_pipeline(*stores)
    answers = set()
    for order in itertools.permutations(site.alarms):
        for alarm in order:
            graph.put_alarms([alarm])
        answers.add(analysis_json(pipeline.analyze(incident("service:edge"))))
    assert len(answers) == 1


def test_order_of_arrival_leaves_no_trace(tmp_path: object) -> None:
    from aiops.store.memory import MemoryGraphStore, MemorySignalStore

    answers = set()
    for order in itertools.permutations(late_parent().alarms):
        fresh = (MemoryGraphStore(), MemorySignalStore())
        answers.add(analysis_json(analyse(fresh, late_parent(), incident("host:web-1"), alarms=order)))
    assert len(answers) == 1


def two_uplinks() -> Site:
    return (
        Site()
        .relate("device:access-1", "DEPENDS_ON", "device:edge-1", group="uplinks")
        .relate("device:access-1", "DEPENDS_ON", "device:edge-2", group="uplinks")
        .relate("device:edge-1", "POWERED_BY", "powerunit:pdu-1")
        .relate("device:edge-2", "POWERED_BY", "powerunit:pdu-1")
        .alarm("device:access-1", 3.0, "Unreachable")
    )


def test_one_of_two_uplinks_does_not_explain_the_switch(stores: Stores) -> None:
    site = two_uplinks().alarm("device:edge-1", 0.0, "DeviceDown")
    analysis = analyse(stores, site, incident("device:access-1"))
    uplink = cause_of(analysis, "device:edge-1")
    assert "alarm:Unreachable@device:access-1:3" in uplink.unexplained
    assert uplink.paths == ()
    assert ranked(analysis)[0] == "device:access-1"


def test_both_uplinks_explain_the_switch(stores: Stores) -> None:
    site = two_uplinks().alarm("device:edge-1", 0.0, "DeviceDown").alarm("device:edge-2", 1.0, "DeviceDown")
    analysis = analyse(stores, site, incident("device:access-1"))
    both = {"device:edge-1", "device:edge-2"}
    assert both <= set(ranked(analysis)[:3]) or ranked(analysis)[0] == "powerunit:pdu-1"
    for uplink in both:
        assert "alarm:Unreachable@device:access-1:3" in cause_of(analysis, uplink).explained


def test_what_silent_uplinks_share_reaches_the_switch(stores: Stores) -> None:
    analysis = analyse(stores, two_uplinks(), incident("device:access-1"))
    shared = cause_of(analysis, "powerunit:pdu-1")
    assert [hop.effect_id for hop in shared.paths[0].hops] == ["device:edge-1", "device:access-1"]
    assert not any(hop.observed for hop in shared.paths[0].hops)


def shared_power() -> Site:
    site = Site()
    for number in range(12):
        device = f"device:d-{number:02}"
        site.relate(device, "PART_OF", f"rack:r-{number % 2}")
        site.alarm(device, float(number % 4), "DeviceSilent")
    return site.relate("rack:r-0", "POWERED_BY", "powerunit:pdu").relate(
        "rack:r-1", "POWERED_BY", "powerunit:pdu"
    )


@pytest.mark.parametrize("named", [12, 3, 1])
def test_shared_cause_without_telemetry(stores: Stores, named: int) -> None:
    affected = [f"device:d-{number:02}" for number in range(named)]
    analysis = analyse(stores, shared_power(), incident(*affected))
    first = analysis.causes[0]
    assert first.entity.id == "powerunit:pdu"
    assert analysis.verdict == "likely"
    assert len(first.explained) == 12
    assert first.paths
    assert not any(hop.observed for path in first.paths for hop in path.hops)
    assert any("inferred" in text for text, _ in first.statements)


def test_silent_hop_does_not_cut_the_chain(stores: Stores) -> None:
    site = (
        Site()
        .relate("host:web-1", "DEPENDS_ON", "device:access-1")
        .relate("device:access-1", "DEPENDS_ON", "device:middle")
        .relate("device:middle", "DEPENDS_ON", "device:upper")
        .relate("device:upper", "DEPENDS_ON", "device:core")
        .alarm("device:core", 0.0, "DeviceDown")
        .alarm("device:access-1", 2.0, "Unreachable")
        .alarm("host:web-1", 3.0, "Unreachable")
    )
    analysis = analyse(stores, site, incident("host:web-1"))
    assert ranked(analysis)[0] == "device:core"
    hops = analysis.causes[0].paths[0].hops
    assert [hop.effect_id for hop in hops] == [
        "device:upper",
        "device:middle",
        "device:access-1",
        "host:web-1",
    ]
    assert [hop.observed for hop in hops] == [False, False, False, True]


def test_topology_that_leaves_with_the_fault(stores: Stores) -> None:
    graph, _ = stores
    site = (
        Site()
        .relate("device:access-1", "CONNECTED_TO", "device:core", by="lldp")
        .relate("host:web-1", "DEPENDS_ON", "device:access-1")
        .alarm("device:core", 0.0, "DeviceDown")
        .alarm("device:access-1", 4.0, "Unreachable")
        .alarm("host:web-1", 30.0, "Unreachable")
    )
    site.write(*stores)
    gone = GraphDelta("lldp", closed=(("device:access-1", "CONNECTED_TO", "device:core"),))
    graph.apply(gone, at=moment(1.0))
    analysis = make_pipeline(*stores).analyze(incident("host:web-1", offset_s=30.0))
    assert ranked(analysis)[0] == "device:core"
    assert [hop.relation for hop in analysis.causes[0].paths[0].hops] == ["CONNECTED_TO", "DEPENDS_ON"]


def test_loud_strangers_change_nothing(stores: Stores) -> None:
    graph, signals = stores
    site = late_parent()
    site.write(graph, signals)
    pipeline = make_pipeline(graph, signals)
    before = analysis_json(pipeline.analyze(incident("host:web-1")))
    strangers = Site()
    for number in range(100):
        strangers.relate(f"host:far-{number}", "DEPENDS_ON", "device:far-access")
        strangers.line(f"host:far-{number}", 1.0, f"disk {number} failed", 2)
    strangers.relate("device:far-access", "DEPENDS_ON", "device:far-dist")
    strangers.relate("device:far-dist", "DEPENDS_ON", "device:core")
    strangers.write(graph, signals)
    alarms = [
        Alarm(
            id=f"loud-{number}",
            fingerprint=f"loud-{number}",
            name=f"Down{number}",
            entity=f"host:far-{number % 100}",
            started_at=START,
            severity="critical",
        )
        for number in range(1000)
    ]
    graph.put_alarms(alarms)
    after = pipeline.analyze(incident("host:web-1"))
    assert ranked(after) == [cause["entity"]["id"] for cause in orjson.loads(before)["causes"]]
    assert after.causes[0].explained == (
        "alarm:HostUnreachable@host:web-1:0",
        "alarm:DeviceDown@device:access-1:40",
    )


def test_no_evidence_is_inconclusive(stores: Stores) -> None:
    analysis = analyse(stores, chain(), incident("service:edge"))
    assert analysis.verdict == "inconclusive"
    assert analysis.causes == ()
    assert analysis.summary == "INCONCLUSIVE: no candidate has evidence in the window."


def test_same_input_twice_gives_the_same_bytes(stores: Stores) -> None:
    site = chain().alarm("service:edge", 5.0).alarm("database:orders", 0.0)
    site.line("database:orders", -1.0, "PANIC: could not write to file: No space left on device", 2)
    site.metric("host:db-1", "node_filesystem_avail_bytes", normal=1e10, bad=0.0, from_s=-20.0)
    site.write(*stores)
    first = make_pipeline(*stores).analyze(incident("service:edge"))
    second = make_pipeline(*stores).analyze(incident("service:edge"))
    assert analysis_json(first) == analysis_json(second)
    assert first.engine.inputs_hash == second.engine.inputs_hash


def test_an_island_is_its_own_incident(stores: Stores) -> None:
    site = chain().add("host:island").alarm("host:island", 0.0, "DiskFull").alarm("database:orders", 0.0)
    analysis = analyse(stores, site, incident("host:island"))
    assert ranked(analysis) == ["host:island"]
    assert analysis.causes[0].explained == ("alarm:DiskFull@host:island:0",)
    assert analysis.causes[0].paths == ()


def test_a_change_just_before_comes_first_and_is_quoted(stores: Stores) -> None:
    site = (
        chain()
        .alarm("service:edge", 0.0, "HighErrorRate")
        .alarm("service:shop", 5.0, "HighErrorRate")
        .change("database:orders", -120.0, "orders schema 42")
        .change("host:elsewhere", -60.0, "elsewhere 7")
        .add("host:elsewhere")
    )
    analysis = analyse(stores, site, incident("service:edge"))
    assert ranked(analysis)[0] == "database:orders"
    said = " ".join(text for text, _ in analysis.causes[0].statements)
    assert "orders schema 42" in said
    assert b"elsewhere" not in analysis_json(analysis)


def test_maintenance_is_not_the_answer(stores: Stores) -> None:
    site = (
        chain()
        .alarm("service:edge", 10.0, "HighErrorRate")
        .alarm("service:shop", 5.0, "HighErrorRate")
        .alarm("database:orders", 0.0, "InstanceDown")
        .change("database:orders", -7200.0, "vacuum", kind="maintenance", ended_s=3600.0)
    )
    analysis = analyse(stores, site, incident("service:edge"))
    assert "database:orders" not in ranked(analysis)
    out = next(out for out in analysis.ruled_out if out.entity.id == "database:orders")
    assert (
        out.reason == "in maintenance since 08:00:00: vacuum; it would explain 2 of 2 entities with symptoms"
    )
    assert all("database:orders" not in alarm for cause in analysis.causes for alarm in cause.explained)


@pytest.mark.parametrize("kind", ["DEPENDS_ON", "CONNECTED_TO"])
def test_planned_work_that_explains_all_leaves_no_other_answer(stores: Stores, kind: str) -> None:
    """Each host explains itself alone; blaming the first of them would be a guess."""
    site = Site().change("device:tor", -600.0, "firmware", kind="maintenance", ended_s=3600.0)
    for number in range(4):
        site.relate(f"host:h{number}", kind, "device:tor").alarm(f"host:h{number}", number, "HostUnreachable")
    analysis = analyse(stores, site, incident("host:h0"))
    assert (analysis.verdict, ranked(analysis)) == ("inconclusive", [])
    assert "tor, in maintenance (firmware), would explain 4 of 4" in analysis.summary
    assert [out.entity.id for out in analysis.ruled_out] == ["device:tor"]


def test_one_host_behind_planned_work_is_not_confirmed(stores: Stores) -> None:
    site = Site().change("device:tor", -600.0, "firmware", kind="maintenance", ended_s=3600.0)
    site.relate("host:h0", "DEPENDS_ON", "device:tor").alarm("host:h0", 0.0, "HostUnreachable")
    analysis = analyse(stores, site, incident("host:h0"))
    assert (analysis.verdict, ranked(analysis)) == ("likely", ["host:h0"])
    assert "Not confirmed: tor, in maintenance (firmware), would explain 1 of 1" in render_markdown(
        analysis_document(analysis)
    )


def test_planned_work_that_looks_well_is_not_blamed(stores: Stores) -> None:
    site = Site().change("device:tor", -600.0, "firmware", kind="maintenance", ended_s=3600.0)
    for number in range(4):
        site.relate(f"host:h{number}", "DEPENDS_ON", "device:tor").alarm(f"host:h{number}", number, "Down")
    site.metric("device:tor", "node_load1", normal=1.0)
    analysis = analyse(stores, site, incident("host:h0"))
    assert ranked(analysis)[0] == "host:h0"


def test_planned_work_that_is_assumed_to_be_well_is_not_blamed(stores: Stores) -> None:
    site = Site().change("device:tor", -600.0, "firmware", kind="maintenance", ended_s=3600.0)
    for number in range(4):
        site.relate(f"host:h{number}", "DEPENDS_ON", "device:tor").alarm(f"host:h{number}", number, "Down")
    site.write(*stores)
    assumed = Assumption(healthy=frozenset(["device:tor"]))
    analysis = make_pipeline(*stores).analyze(incident("host:h0"), assume=assumed)
    assert ranked(analysis)[0] == "host:h0"


def test_chronic_noise_is_no_evidence(stores: Stores) -> None:
    site = chain().alarm("service:shop", 0.0, "HighErrorRate").alarm("host:db-1", -80_000.0, "DiskSlow")
    site.metric(
        "host:db-1", "node_disk_io_time_seconds_total", normal=0.2, bad=0.9, from_s=-3000.0, begin_s=-3600.0
    )
    analysis = analyse(stores, site, incident("service:edge", "service:shop"))
    assert ranked(analysis)[0] == "service:shop"
    assert all("host:db-1" not in name for cause in analysis.causes for name in cause.explained)
    assert any("open since before the window" in gap for gap in analysis.gaps)


def test_neutralising_the_cause_leaves_symptoms_unexplained(stores: Stores) -> None:
    site = (
        chain()
        .alarm("database:orders", 0.0, "InstanceDown")
        .alarm("service:shop", 5.0, "HighErrorRate")
        .alarm("service:edge", 9.0, "HighErrorRate")
        .add("host:bystander")
    )
    analysis = analyse(stores, site, incident("service:edge"))
    first = analysis.causes[0]
    assert first.entity.id == "database:orders"
    assert first.counterfactual is not None
    assert first.counterfactual.delta_explained == -3
    assert first.counterfactual.statement.startswith(
        "Without orders, 3 of 3 symptoms have no other explanation"
    )


def test_a_cause_that_explains_nothing_is_not_first(stores: Stores) -> None:
    site = (
        Site()
        .relate("service:edge", "CALLS", "service:shop")
        .relate("service:edge", "CALLS", "service:mail")
        .relate("service:sink", "CALLS", "service:edge")
        .relate("service:sink", "CALLS", "service:shop")
        .metric("service:sink", "process_cpu_seconds", normal=0.1, bad=50.0, from_s=-10.0)
        .metric("service:shop", "process_cpu_seconds", normal=0.1, bad=20.0, from_s=-10.0)
    )
    analysis = analyse(stores, site, incident("service:edge", symptoms=["service:edge"]))
    assert ranked(analysis)[0] == "service:shop"
    assert cause_of(analysis, "service:sink").explained == ()


def test_a_healthy_suspect_on_the_path_is_ruled_out(stores: Stores) -> None:
    site = (
        chain()
        .alarm("service:edge", 5.0, "HighErrorRate")
        .alarm("database:orders", 0.0, "InstanceDown")
        .metric("host:db-1", "node_load1", normal=0.5)
    )
    analysis = analyse(stores, site, incident("service:edge"))
    assert ranked(analysis)[0] == "database:orders"
    reasons = {out.entity.id: out.reason for out in analysis.ruled_out}
    assert reasons["host:db-1"] == "healthy in the window: it was heard from and nothing unusual was seen"


def test_every_statement_cites_evidence_that_is_listed(stores: Stores) -> None:
    site = chain().alarm("service:edge", 5.0).alarm("service:shop", 4.0).alarm("database:orders", 0.0)
    document = analysis_document(analyse(stores, site, incident("service:edge")))
    for cause in document["causes"]:
        listed = {item["id"] for item in cause["evidence"]}
        for statement in cause["statements"]:
            assert statement["evidence"]
            assert set(statement["evidence"]) <= listed
