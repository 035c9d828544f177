"""The document and its renderings: complete, stable, and safe to show."""

from __future__ import annotations

import orjson

from aiops.domain.candidates import RuleAction, RuleFiring
from aiops.reasoning.documents import Document, analysis_document, analysis_json
from aiops.reasoning.faces.foreign import columns
from aiops.reasoning.rendering import render_markdown, render_text
from aiops.reasoning.what_if import Assumption
from aiops.store.memory import MemoryGraphStore, MemorySignalStore
from tests.support.pipelines import make_pipeline
from tests.support.scorers import BrokenCorrector, SetCorrector, SetRules
from tests.support.sites import Site, chain, incident

CHECK = RuleAction(
    "Look at the disk", "diagnostic", "safe", "df -h", None, "https://runbooks.example.net/disk"
)
RESTART = RuleAction("Restart the database", "mitigation", "high", "systemctl restart postgresql", "none")


def disk_full(*, weight: float = 0.8) -> RuleFiring:
    return RuleFiring(
        "DB-DISK-001", "database:orders", "support", weight, "disk_full", "saturation",
        "The database cannot write because its disk is full", (), ("DB-DISK-001",), (RESTART, CHECK),
    )  # fmt: skip


def outage() -> Site:
    return (
        chain()
        .alarm("database:orders", 0.0, "InstanceDown")
        .alarm("service:shop", 5.0, "HighErrorRate")
        .alarm("service:edge", 9.0, "HighErrorRate")
        .line("database:orders", -2.0, "PANIC: `could not` write *file* <b>x</b>\x1b[31m @here", 2)
        .metric("host:db-1", "node_load1", normal=0.5)
    )


def document(site: Site | None = None, **pipeline: object) -> Document:
    graph, signals = MemoryGraphStore(), MemorySignalStore()
    (site or outage()).write(graph, signals)
    made = make_pipeline(graph, signals, **pipeline)  # type: ignore[arg-type]
    return analysis_document(made.analyze(incident("service:edge")))


def test_document_has_every_key_of_the_resource() -> None:
    found = document(rules=SetRules([disk_full()]))
    assert set(found) == {
        "incident_id", "verdict", "summary", "engine", "causes", "ruled_out", "impact", "similar", "gaps",
        "conformal_set", "boxes", "timeline", "sections", "evidence", "confidence_words", "would_raise", "alternatives",
    }  # fmt: skip
    first = found["causes"][0]
    assert {
        "rank",
        "confidence",
        "score",
        "entity",
        "kind",
        "category",
        "critical_failure",
        "path",
        "explains",
    } <= set(first)
    assert first["entity"] == {"id": "database:orders", "name": "orders", "type": "Database"}
    assert (first["kind"], first["category"]) == ("disk_full", "saturation")
    assert first["critical_failure"] == {
        "entity": "service:shop",
        "alert_id": "alarm:HighErrorRate@service:shop:5",
    }
    assert [action["title"] for action in first["actions"]] == ["Look at the disk", "Restart the database"]
    assert first["actions"][0]["why"] == "rule DB-DISK-001"
    assert found["engine"]["graph_as_of"] == "2026-11-22T10:00:00.000Z"
    assert found["engine"]["inputs_hash"].startswith("sha256:")
    assert found["impact"] == {"entities": 2, "services": ["edge", "shop"], "redundant_ok": 0}


def test_json_is_sorted_and_reads_back() -> None:
    graph, signals = MemoryGraphStore(), MemorySignalStore()
    outage().write(graph, signals)
    analysis = make_pipeline(graph, signals).analyze(incident("service:edge"))
    body = analysis_json(analysis)
    assert orjson.loads(body) == analysis_document(analysis)
    assert list(orjson.loads(body)) == sorted(orjson.loads(body))


def test_text_shows_the_answer_without_control_characters() -> None:
    text = render_text(document(rules=SetRules([disk_full()])))
    assert text.startswith("CONFIRMED (")
    said = " ".join(text.split())
    assert (
        "==> service shop raised “HighErrorRate: service:shop higherrorrate” at 10:00:05, 7 s after database orders"
        in said
    )
    assert "service shop sends requests to database orders (netbox, seen 24 h before)" in said
    assert "1. Diagnose (safe): Look at the disk: df -h (rule DB-DISK-001)" in said
    assert "runbook: https://runbooks.example.net/disk" in said
    assert (
        "2. Mitigate (high risk): Restart the database: systemctl restart postgresql; to undo: none (rule DB-DISK-001)"
        in said
    )
    assert "\x1b" not in text
    assert max(map(columns, text.splitlines())) <= 80
    assert "RULED OUT" in text
    assert "WHAT WOULD MAKE IT SURER" in text
    assert "GAPS" in text


def test_text_lists_only_the_first_causes() -> None:
    assert "  3. " not in render_text(document(), top=2)
    assert "  2. " in render_text(document(), top=2)


def test_markdown_quotes_what_comes_from_outside() -> None:
    markdown = render_markdown(document())
    line = next(line for line in markdown.splitlines() if "PANIC" in line and line.startswith("- "))
    assert line.startswith(
        "- (+) database orders logged “``PANIC: `could not` write *file* <\u200bb>x<\u200b/b> [31m @\u200bhere``”"
    )
    assert "<b>" not in markdown.splitlines()[0]
    assert "\x1b" not in markdown


def test_an_inconclusive_answer_renders_too() -> None:
    found = document(chain())
    assert found["causes"] == []
    assert render_text(found).startswith("INCONCLUSIVE: no candidate has evidence in the window.")
    assert "Root cause" not in render_markdown(found)


def test_inferred_hops_are_dashed() -> None:
    site = Site()
    for number in range(4):
        site.relate(f"device:d{number}", "POWERED_BY", "powerunit:p").alarm(f"device:d{number}", 0.0)
    graph, signals = MemoryGraphStore(), MemorySignalStore()
    site.write(graph, signals)
    found = analysis_document(make_pipeline(graph, signals).analyze(incident("device:d0")))
    said = " ".join(render_text(found).split())
    assert (
        "- > device d0 raised “Down: device:d0 down” at 10:00:00 (the step is inferred); device d0 draws its"
        in said
    )
    assert "power unit p is the likely cause, inferred, as it sends no telemetry" in found["summary"]


def test_the_network_is_named_or_its_absence_is() -> None:
    with_model = document(corrector=SetCorrector({"service:shop": 3.0}))
    assert with_model["engine"]["model"] == "set@1"
    assert with_model["causes"][0]["entity"]["id"] == "service:shop"
    assert "the network was not used: switched off" in document()["gaps"]
    broken = document(corrector=BrokenCorrector())
    assert broken["engine"]["model"] is None
    assert any("the model wants features" in gap for gap in broken["gaps"])


def test_pins_vetoes_and_rule_gaps_are_stated() -> None:
    pin = RuleFiring("PIN-1", "host:db-1", "pin", 0.1, None, None, "hosts first", (), ("PIN-1",))
    veto = RuleFiring(
        "VETO-1", "service:shop", "veto", 1.0, None, None, "shop is decommissioned", (), ("VETO-1",)
    )
    found = document(rules=SetRules([pin, veto], gaps=("rule X stopped",)))
    assert "host:db-1" in [cause["entity"]["id"] for cause in found["causes"][:3]]
    assert "service:shop" not in [cause["entity"]["id"] for cause in found["causes"]]
    reasons = {out["entity"]["id"]: out["reason"] for out in found["ruled_out"]}
    assert reasons["service:shop"].startswith("shop is decommissioned; it would explain 2 of")
    assert "rule X stopped" in found["gaps"]


def what_if(assume: Assumption) -> Document:
    graph, signals = MemoryGraphStore(), MemorySignalStore()
    outage().write(graph, signals)
    return analysis_document(make_pipeline(graph, signals).analyze(incident("service:edge"), assume=assume))


def test_what_if_it_were_healthy() -> None:
    found = what_if(Assumption(healthy=frozenset({"database:orders"})))
    assert found["causes"][0]["entity"]["id"] == "service:shop"
    assert "what-if: database:orders is taken as healthy" in found["gaps"]
    assert found["ruled_out"][0]["reason"].startswith("taken as healthy (what-if)")


def test_what_if_it_had_failed() -> None:
    found = what_if(Assumption(failed=frozenset({"host:db-1"})))
    assert found["causes"][0]["entity"]["id"] == "host:db-1"
    assert found["causes"][0]["evidence"][0]["text"] == "taken as failed (what-if)"
    assert "what-if: host:db-1 is taken as failed" in found["gaps"]


def test_an_incident_that_names_nothing_is_analysed_on_signals_alone() -> None:
    graph, signals = MemoryGraphStore(), MemorySignalStore()
    site = chain().metric("host:db-1", "node_cpu_usage_ratio", normal=0.1, bad=0.99, from_s=-30.0)
    site.line("host:db-1", -20.0, "watchdog: BUG: soft lockup - CPU#0 stuck", 1)
    site.write(graph, signals)
    found = analysis_document(make_pipeline(graph, signals).analyze(incident()))
    assert found["causes"][0]["entity"]["id"] == "host:db-1"
    assert found["gaps"][0].startswith("the incident names no entity")


def test_nothing_at_all_is_inconclusive() -> None:
    found = analysis_document(make_pipeline(MemoryGraphStore(), MemorySignalStore()).analyze(incident()))
    assert found["verdict"] == "inconclusive"
    assert found["impact"] == {"entities": 0, "services": [], "redundant_ok": 0}


def test_redundancy_is_ruled_out_and_counted() -> None:
    site = (
        Site()
        .relate("service:app", "DEPENDS_ON", "device:up-1", group="uplinks")
        .relate("service:app", "DEPENDS_ON", "device:up-2", group="uplinks")
        .relate("service:job", "DEPENDS_ON", "device:up-1")
        .alarm("device:up-1", 0.0, "DeviceDown")
        .alarm("service:job", 4.0, "Failed")
    )
    graph, signals = MemoryGraphStore(), MemorySignalStore()
    site.write(graph, signals)
    found = analysis_document(make_pipeline(graph, signals).analyze(incident("service:job")))
    assert found["causes"][0]["entity"]["id"] == "device:up-1"
    assert found["impact"] == {"entities": 1, "services": ["job"], "redundant_ok": 1}
    assert "service app is kept alive by redundancy" in render_text(found)
