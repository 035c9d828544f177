"""The engine on small hand-made rule sets: chaining, negation, order, determinism, threads, bounds."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from aiops.domain.evidence import Channel, Evidence, EvidenceSet, Reference
from aiops.domain.graph import Entity, Relation, Subgraph
from aiops.domain.occurrences import Incident
from rules.engine import ClipsRuleEngine
from rules.facts import RuleLimits
from rules.loader import assemble, parse_pack

AT = datetime(2026, 1, 1, tzinfo=UTC)
INCIDENT = Incident(id="i", title="t", started_at=AT)


def engine(*rules: str, limits: RuleLimits | None = None, **kwargs: object) -> ClipsRuleEngine:
    body = "pack: {name: t, version: 0.1.0, description: d}\nrules:\n" + "\n".join(rules)
    return ClipsRuleEngine(assemble([parse_pack(body.encode(), "t.yaml")]), limits=limits, **kwargs)  # type: ignore[arg-type]


def rule(
    rule_id: str,
    conditions: str,
    then: str = "effect: support, weight: 0.5, kind: bad, statement: '{entity}: {text}'",
) -> str:
    return (
        f"  - {{id: {rule_id}, title: t, description: d, match: {{all: [{conditions}]}}, then: {{{then}}}}}"
    )


def item(name: str, entity: str, text: str, at: float = 0, **extra: object) -> Evidence:
    fields: dict[str, object] = {
        "peer": None, "kind": "log", "channel": Channel.LOG, "name": text, "strength": 3.0, "direction": 1,
        "ref": Reference("event", name), **extra,
    }  # fmt: skip
    return Evidence(id=name, entity=entity, text=text, at_s=AT.timestamp() + at, **fields)  # type: ignore[arg-type]


def graph(
    count: int = 2, links: tuple[tuple[str, str, str], ...] = (("service:s0", "CALLS", "service:s1"),)
) -> Subgraph:
    entities = tuple(
        sorted((Entity(f"service:s{i}", "Service", f"s{i}") for i in range(count)), key=lambda e: e.id)
    )
    return Subgraph(AT, entities, tuple(Relation(*link) for link in links))


def evidence(*items: Evidence) -> EvidenceSet:
    return EvidenceSet(tuple(sorted(items, key=lambda i: (i.entity, i.peer or "", i.at_s, i.id))))


BOOM = "{evidence: {as: boom, kind: log, text: {contains: boom}}}"


def test_statement_quotes_and_cites_what_matched() -> None:
    outcome = engine(rule("A-1", BOOM)).evaluate(
        INCIDENT, graph(), evidence(item("e1", "service:s0", "BOOM {entity} 7"))
    )
    (firing,) = outcome.firings
    assert (firing.statement, firing.evidence, firing.trace) == ("s0: BOOM {entity} 7", ("e1",), ("A-1",))
    assert outcome.gaps == ()


def test_chains_carry_evidence_and_trace_of_their_premises() -> None:
    second = rule(
        "B-1",
        "{evidence: {as: sad, kind: log, text: {contains: sad}}}, {neighbour: {as: n, direction: cause, concluded: {rule: A-1}}}",
        "about: n, effect: pin, weight: 1, statement: '{n} hurts {entity}'",
    )
    third = rule(
        "C-1", "{concluded: {rule: B-1}}", "effect: oppose, weight: 0.1, statement: '{entity} again'"
    )
    outcome = engine(rule("A-1", BOOM), second, third).evaluate(
        INCIDENT, graph(), evidence(item("e1", "service:s1", "boom"), item("e2", "service:s0", "sad"))
    )
    by_rule = {firing.rule: firing for firing in outcome.firings}
    assert by_rule["B-1"].entity == "service:s1"
    assert by_rule["B-1"].statement == "s1 hurts s0"
    assert by_rule["C-1"].trace == ("A-1", "B-1", "C-1")
    assert set(by_rule["C-1"].evidence) == {"e1", "e2"}


def test_negated_conclusions_are_seen_before_the_rule_speaks() -> None:
    calm = rule("Z-1", "{evidence: {kind: log, text: {contains: oo}}}, {not: {concluded: {rule: A-1}}}")
    rules = engine(rule("A-1", BOOM), calm)
    fired = rules.evaluate(
        INCIDENT, graph(), evidence(item("e1", "service:s0", "boom"), item("e2", "service:s1", "zoo"))
    )
    assert [(firing.rule, firing.entity) for firing in fired.firings] == [
        ("A-1", "service:s0"),
        ("Z-1", "service:s1"),
    ]


@pytest.mark.parametrize(
    ("first", "then", "fires"), [(0, 50, True), (0, 61, False), (50, 0, False), (5, 5, True)]
)
def test_order_is_within_seconds(first: float, then: float, fires: bool) -> None:
    ordered = rule(
        "A-1",
        BOOM
        + ", {evidence: {as: sad, kind: log, text: {contains: sad}}}, {order: {first: boom, then: sad, within_s: 60}}",
    )
    outcome = engine(ordered).evaluate(
        INCIDENT,
        graph(),
        evidence(item("e1", "service:s0", "boom", first), item("e2", "service:s0", "sad", then)),
    )
    assert bool(outcome.firings) is fires


def test_counts_of_neighbours_and_negated_neighbours() -> None:
    links = tuple((f"service:s{i}", "CALLS", "service:s0") for i in range(1, 5))
    many = rule(
        "A-1",
        "{neighbour: {direction: effect, over: CALLS, at_least: 3, evidence: {text: {contains: boom}}}}",
    )
    none = rule("A-2", BOOM + ", {not: {neighbour: {direction: effect, evidence: {text: {contains: boom}}}}}")
    rules = engine(many, none)
    three = [item(f"e{i}", f"service:s{i}", "boom") for i in (1, 2, 3)]
    fired = rules.evaluate(INCIDENT, graph(5, links), evidence(*three)).firings
    assert ("A-1", "service:s0") in {(f.rule, f.entity) for f in fired}
    fewer = rules.evaluate(
        INCIDENT, graph(5, links), evidence(*three[:2], item("e0", "service:s0", "boom"))
    ).firings
    assert ("A-1", "service:s0") not in {(f.rule, f.entity) for f in fewer}
    assert ("A-2", "service:s0") not in {(f.rule, f.entity) for f in fewer}
    assert ("A-2", "service:s1") in {(f.rule, f.entity) for f in fewer}


def test_chronic_evidence_and_strange_entities_do_not_count() -> None:
    seen = evidence(item("e1", "service:s0", "boom", chronic=True), item("e2", "host:unknown", "boom"))
    assert engine(rule("A-1", BOOM)).evaluate(INCIDENT, graph(), seen).firings == ()


@pytest.mark.parametrize(
    ("test", "extra", "fires"),
    [
        ("value: {above: 3}", {"value": 4.0}, True),
        ("value: {above: 3}", {"value": 3.0}, False),
        ("value: {below: 3}", {"attributes": {"value": "2.5"}}, True),
        ("value: {below: 3}", {"attributes": {"value": "many"}}, False),
        ("value: {is_not: [good]}", {"attributes": {"value": "Good"}}, False),
        ("value: {regex: '^x'}", {"attributes": {"value": "xyz"}}, True),
        ("value: {regex: '^x'}", {}, False),
        ("min_severity: major", {"severity": "critical"}, True),
        ("min_severity: major", {"severity": "warning"}, False),
        ("min_severity: major", {}, False),
        ("direction: fell", {"direction": -1}, True),
        ("direction: rose", {"direction": -1}, False),
        ("attributes: {unit: 'ng*'}", {"attributes": {"unit": "nginx"}}, True),
        ("attributes: {unit: 'ng*'}", {}, False),
        ("peer: any", {"peer": "service:s1"}, True),
        ("peer: any", {}, False),
        ("channel: cpu", {}, False),
        ("around_incident: {before_s: 10, after_s: 10}", {"at": 11}, False),
        ("around_incident: {before_s: 10, after_s: 10}", {"at": -11}, False),
        ("around_incident: {before_s: 10, after_s: 10}", {"at": -9}, True),
    ],
)
def test_parts_of_an_evidence_test(test: str, extra: dict[str, object], fires: bool) -> None:
    found = engine(rule("A-1", f"{{evidence: {{kind: log, {test}}}}}")).evaluate(
        INCIDENT,
        graph(),
        evidence(item("e1", "service:s0", "boom", **extra)),  # type: ignore[arg-type]
    )
    assert bool(found.firings) is fires


def test_same_input_same_outcome_from_many_threads() -> None:
    rules = engine(rule("A-1", BOOM), rule("B-1", "{neighbour: {direction: cause, concluded: {rule: A-1}}}"))
    inputs = [evidence(item(f"e{i}", "service:s1", f"boom {i}")) for i in range(8)]
    expected = [rules.evaluate(INCIDENT, graph(), one) for one in inputs]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda one: rules.evaluate(INCIDENT, graph(), one), inputs * 5)) == expected * 5


def star(size: int) -> tuple[Subgraph, EvidenceSet]:
    links = tuple((f"service:s{i}", "CALLS", "service:s0") for i in range(1, size))
    return graph(size, links), evidence(*(item(f"e{i}", f"service:s{i}", "boom") for i in range(size)))


def test_a_join_that_would_explode_is_left_out_and_named_with_its_dependants() -> None:
    near = "{neighbour: {direction: effect, evidence: {text: {contains: boom}}}}"
    bomb = rule("A-1", ", ".join([near] * 3))
    calm = rule("B-1", BOOM + ", {not: {concluded: {rule: A-1}}}")
    plain = rule("C-1", BOOM)
    outcome = engine(bomb, calm, plain).evaluate(INCIDENT, *star(60))
    assert {firing.rule for firing in outcome.firings} == {"C-1"}
    assert "A-1 (t.yaml:3) was not evaluated: its join may reach" in outcome.gaps[0]
    assert "B-1" in outcome.gaps[1]
    assert "negates a rule that was not evaluated" in outcome.gaps[1]


def test_bounds_of_facts_firings_evidence_and_time() -> None:
    subgraph, seen = star(600)
    facts = engine(rule("A-1", BOOM), limits=RuleLimits(max_facts=100)).evaluate(INCIDENT, subgraph, seen)
    assert (facts.firings, "more than 100 facts" in facts.gaps[0]) == ((), True)
    small = engine(rule("A-1", BOOM), limits=RuleLimits(max_firings=250))
    stopped = small.evaluate(INCIDENT, subgraph, seen)
    assert (stopped.firings, "after 250 firings at A-1 (t.yaml:3)" in stopped.gaps[0]) == ((), True)
    assert len(small.evaluate(INCIDENT, *star(20)).firings) == 20  # a fresh environment after a stop
    many = engine(rule("A-1", BOOM), limits=RuleLimits(max_evidence=10)).evaluate(INCIDENT, subgraph, seen)
    assert "600 pieces of evidence" in many.gaps[0]
    ticks = iter(range(1_000))
    late = engine(rule("A-1", BOOM), cpu_clock=lambda: float(next(ticks))).evaluate(INCIDENT, subgraph, seen)
    assert "stopped after 2 s" in late.gaps[0]


def test_hostile_text_in_evidence_reaches_no_engine() -> None:
    bad = 'boom") (system "touch /tmp/x") (assert (said (r 0) (e 0)))'
    outcome = engine(rule("A-1", BOOM)).evaluate(INCIDENT, graph(), evidence(item("e1", "service:s0", bad)))
    assert len(outcome.firings) == 1
    assert outcome.firings[0].statement.startswith('s0: boom") (system')
