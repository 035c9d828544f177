"""What is said and how: the line of the verdict, the boxes, the chain with its lags, the timeline with its lanes, the doubts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from aiops.domain.batches import CLOCK_SKEW, StateObservation
from aiops.domain.candidates import RuleFiring
from aiops.domain.explanation import LANES
from aiops.domain.graph import Entity
from aiops.reasoning.clocks import clock_skews
from aiops.reasoning.documents import analysis_document
from aiops.reasoning.moments import clock, roughly, span
from aiops.reasoning.words.names import Names
from aiops.reasoning.words.quantities import counted, quantity, unit_of
from aiops.store.memory import MemoryGraphStore, MemorySignalStore
from tests.support.pipelines import make_pipeline
from tests.support.scorers import SetRules
from tests.support.sentence_checker import faults
from tests.support.sites import START, Site, chain, incident

Document = dict[str, Any]


def told(site: Site, *named: str, **pipeline: Any) -> Document:
    graph, signals = MemoryGraphStore(), MemorySignalStore()
    site.write(graph, signals)
    document = analysis_document(make_pipeline(graph, signals, **pipeline).analyze(incident(*named)))
    assert faults(document) == []
    return document


def section(document: Document, name: str) -> list[str]:
    return [one["text"] for part in document["sections"] if part["id"] == name for one in part["sentences"]]


def link_loss() -> Site:
    site = Site()
    site.entities["interface:edge-rtr-1/et-0/0/1"] = Entity(
        "interface:edge-rtr-1/et-0/0/1", "Interface", "et-0/0/1"
    )
    return (
        site.relate("interface:edge-rtr-1/et-0/0/1", "PART_OF", "device:edge-rtr-1")
        .relate("host:web-1", "DEPENDS_ON", "device:edge-rtr-1")
        .relate("service:shop", "RUNS_ON", "host:web-1")
        .line("interface:edge-rtr-1/et-0/0/1", -2.0, "%LINK-3-UPDOWN: Interface et-0/0/1, changed state to down", 3)
        .alarm("interface:edge-rtr-1/et-0/0/1", 0.0, "LinkDown")
        .alarm("host:web-1", 6.0, "InstanceDown")
        .alarm("service:shop", 16.0, "HighErrorRate")
    )  # fmt: skip


def test_the_verdict_is_one_line_that_says_who_what_when_and_how_much() -> None:
    document = told(link_loss(), "service:shop")
    summary = document["summary"]
    assert summary.startswith(document["verdict"].upper())
    assert "et-0/0/1 on edge-rtr-1 lost link 09:59:58; explains 3/3 alerts" in summary
    assert section(document, "verdict") == [summary]


def test_three_boxes() -> None:
    boxes = told(link_loss(), "service:shop")["boxes"]
    cause = [one["text"] for one in boxes["root_cause"]["sentences"]]
    assert boxes["root_cause"]["entity"] == "interface:edge-rtr-1/et-0/0/1"
    assert cause[0].startswith("et-0/0/1 on edge-rtr-1 lost link: at 09:59:58 it logged “%LINK-3-UPDOWN")
    assert "Rule NET-LINK-001" in cause[1]
    (first,) = boxes["critical_failure"]["sentences"]
    assert boxes["critical_failure"]["entity"] == "host:web-1"
    assert first["text"].endswith(
        "raised “InstanceDown: host:web-1 instancedown”, 8 s after the first sign of the fault"
    )
    assert boxes["impact"]["sentences"][0]["text"] == "It explains 3 of 3 alerts"


def test_a_chain_tells_lags_relations_and_what_is_inferred() -> None:
    chain_told = section(told(link_loss(), "service:shop"), "chain")
    assert "at 09:59:58" in chain_told[0]
    assert (
        "device edge-rtr-1 showed nothing (inferred); et-0/0/1 on edge-rtr-1 is a part of device edge-rtr-1 (netbox"
        in chain_told[1]
    )
    assert "host web-1 needs device edge-rtr-1 (netbox, seen 24 h before)" in chain_told[2]
    assert "10 s after host web-1; service shop runs on host web-1" in chain_told[3]


def test_a_weak_sign_minutes_ahead_does_not_turn_the_chain_around() -> None:
    site = (
        chain()
        .line("database:orders", -2.0, "PANIC: could not write to file: No space left on device", 2)
        .alarm("database:orders", 0.0, "InstanceDown")
        .alarm("service:shop", 5.0, "HighErrorRate", "critical")
        .alarm("service:edge", 9.0, "HighErrorRate", "critical")
        .metric("service:shop", "node_load1", normal=1.0, bad=1.16, from_s=-170.0)
    )
    first = told(site, "service:edge")["causes"][0]
    assert [hop["lag_s"] for hop in first["path"]] == [7.0, 4.0]


def test_slowness_is_called_a_symptom() -> None:
    site = chain().alarm("service:edge", 0.0, "HighLatency").alarm("service:edge", 2.0, "HighErrorRate")
    document = told(site, "service:edge", rules=SetRules([]))
    assert "(a symptom: what lies behind it was not seen)" in document["summary"]
    assert any(
        "no change of its state" in one["text"] for one in document["boxes"]["root_cause"]["sentences"]
    )


def test_lanes_of_the_timeline_and_detection_against_the_first_sign() -> None:
    site = link_loss().relate("service:shop", "USES", "cache:c").relate("service:shop", "USES", "cache:d")
    site.change("cache:c", -300.0, "cache 7.2", "scale", -200.0)
    site.change("cache:d", -4000.0, "move of the rack", "maintenance", 600.0)
    timeline = told(site, "service:shop")["timeline"]
    assert [one["at"] for one in timeline] == sorted(one["at"] for one in timeline)
    assert {one["lane"] for one in timeline} <= set(LANES)
    by_lane = {one["lane"]: one for one in timeline}
    assert by_lane["change"]["until"] == "2026-11-22T09:56:40.000Z"
    assert by_lane["maintenance"]["text"] == "cache d: maintenance “move of the rack” by dana"
    assert by_lane["detection"]["text"].endswith("2 s after the first telling sign of et-0/0/1 on edge-rtr-1")
    assert by_lane["cause"]["detected_at"] == "2026-11-22T10:00:00.000Z"


def test_a_wrong_clock_is_marked_where_its_lines_are_told() -> None:
    graph, signals = MemoryGraphStore(), MemorySignalStore()
    site = (
        chain()
        .line("host:db-1", -5.0, "Out of memory: Killed process 77 (postgres)", 2)
        .alarm("service:edge", 3.0, "InstanceDown")
    )
    site.write(graph, signals)
    signals.write_states([StateObservation(START.timestamp() - 60.0, "host:db-1", CLOCK_SKEW, "+7 min")])
    document = analysis_document(make_pipeline(graph, signals).analyze(incident("service:edge")))
    assert faults(document) == []
    assert "the clock of host db-1 is 7 min ahead: the times of its lines were corrected" in document["gaps"]
    marked = [one for one in document["timeline"] if one["skew_s"] is not None]
    assert [(one["entity"], one["skew_s"]) for one in marked] == [("host:db-1", 420.0)]
    assert any("(clock 7 min ahead, corrected)" in one for one in section(document, "timeline"))


def test_the_newest_word_on_a_clock_counts() -> None:
    said = [
        StateObservation(2.0, "host:a", CLOCK_SKEW, "+0 min"),
        StateObservation(1.0, "host:a", CLOCK_SKEW, "+7 min"),
    ]
    assert clock_skews(said) == {}
    assert clock_skews([*said, StateObservation(3.0, "host:a", CLOCK_SKEW, "-2 min")]) == {"host:a": -120.0}


def test_a_stale_relation_is_told_with_its_age_and_a_fresh_look_would_help() -> None:
    graph, signals = MemoryGraphStore(), MemorySignalStore()
    site = link_loss()
    old = START - timedelta(days=9)
    site.relations = [replace(one, last_seen=old) for one in site.relations]
    site.write(graph, signals)
    pipeline, posted = make_pipeline(graph, signals), incident("service:shop")
    from aiops.reasoning.retrieval import retrieve

    found = retrieve(graph, posted, pipeline.bounds)
    aged = replace(
        found.subgraph, relations=tuple(replace(one, last_seen=old) for one in found.subgraph.relations)
    )
    document = analysis_document(pipeline.analyze_observed(posted, aged, pipeline.observe(posted, found)))
    assert any("seen 9 days before: stale" in one for one in section(document, "chain"))
    assert any(one.startswith("A fresh look at the topology") for one in document["would_raise"])
    assert faults(document) == []


def test_what_was_ruled_out_and_would_explain_more_is_a_reason_to_doubt() -> None:
    site = chain().alarm("database:orders", 0.0, "InstanceDown").alarm("service:shop", 5.0, "HighErrorRate")
    site.alarm("service:edge", 9.0, "HighErrorRate").change(
        "database:orders", -60.0, "migration", "maintenance", 900.0
    )
    document = told(site, "service:edge")
    doubt = [
        one["text"]
        for one in document["boxes"]["root_cause"]["sentences"]
        if one["text"].startswith("Doubt this")
    ]
    assert document["causes"][0]["entity"]["id"] != "database:orders"
    assert doubt == [] or "database orders would explain" in doubt[0]
    assert any("database orders: " in one for one in section(document, "ruled_out"))


def test_an_inconclusive_answer_says_what_was_looked_at_what_is_missing_and_what_to_do() -> None:
    document = told(chain(), "service:edge")
    assert document["summary"] == "INCONCLUSIVE: no candidate has evidence in the window."
    assert document["boxes"] is None
    assert section(document, "looked_at")[0].startswith("Looked at 6 entities")
    assert any("sent nothing" in one for one in section(document, "actions"))
    assert any("alerts reach this system" in one for one in section(document, "actions"))
    assert section(document, "gaps")
    assert document["confidence_words"].startswith("No cause is named")


def test_actions_are_told_with_the_rule_and_where_there_is_none_that_is_said() -> None:
    document = told(link_loss(), "service:shop")
    actions = next(part for part in document["sections"] if part["id"] == "actions")["sentences"]
    rules = {one["id"]: one for one in document["evidence"] if one["kind"] == "rule"}
    assert all(rules[name]["name"] in one["text"] for one in actions for name in one["evidence"])
    risks = [one["mark"] for one in actions]
    assert risks == sorted(risks, key=("safe", "low", "high").index)
    without = told(link_loss(), "service:shop", rules=SetRules([]))
    assert section(without, "actions")[0].startswith("No rule proposes an action")


def test_reasons_why_it_is_not_confirmed() -> None:
    document = told(link_loss(), "service:shop")
    doubts = [one for one in section(document, "confidence") if one.startswith("Not confirmed")]
    if document["verdict"] == "likely":
        assert doubts
    pin = RuleFiring("PIN-1", "host:web-1", "pin", 0.1, None, None, "hosts first", (), ("PIN-1",))
    assert told(link_loss(), "service:shop", rules=SetRules([pin]))["boxes"] is not None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0 s"),
        (0.04, "0 s"),
        (2.1, "2.1 s"),
        (59.6, "1 min"),
        (157.0, "2 min 37 s"),
        (11_100.0, "3 h 5 min"),
        (777_600.0, "9 days"),
    ],
)
def test_spans(seconds: float, said: str) -> None:
    assert span(seconds) == span(-seconds) == said


def test_moments_of_another_day_carry_their_date() -> None:
    assert (clock(0.0, 10.0), clock(0.0, 90_000.0), roughly(11_100.0)) == (
        "00:00:00",
        "1970-01-01 00:00:00",
        "3 h",
    )


def test_quantities_and_counts() -> None:
    assert quantity(1.53e8, unit_of("node_memory_Cached_bytes")) == "153 MB"
    assert quantity(0.0231, unit_of("request_duration_seconds_mean")) == "23.1 ms"
    assert quantity(12.0, unit_of("disk_read_bytes_total")) == "12 B/s"
    assert (quantity(35.0, unit_of("node_load1")), quantity(91.5, "%")) == ("35", "91.5%")
    assert (counted(1, "alert"), counted(2, "alert"), counted(3, "entity")) == (
        "1 alert",
        "2 alerts",
        "3 entities",
    )


def test_names_are_told_apart() -> None:
    names = Names(
        [
            Entity("service:a/cart", "Service", "cart"),
            Entity("service:b/cart", "Service", "cart"),
            Entity("powerunit:p", "PowerUnit", "p"),
        ]
    )
    assert (names.of("service:a/cart"), names.of("powerunit:p"), names.of("host:?")) == (
        "service cart (a/cart)",
        "power unit p",
        "host:?",
    )
    assert (
        names.some(["powerunit:p", "service:a/cart", "x", "y", "z"], 2)
        == "power unit p, service cart (a/cart) and 3 more"
    )
