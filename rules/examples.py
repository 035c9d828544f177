"""A rule's own examples: small graphs with evidence, and what the rule must say about them, or that it must not speak.

``FOLDER/RULE-ID/positive-*.yaml`` and ``negative-*.yaml``. An example has ``entities``, ``relations``, ``evidence`` (``at_s``
counts from the incident's start) and, in a positive one, ``expect``: ``entity``, ``effect``, ``kind``, ``cites`` (ids that must
be cited), optionally ``trace``. The whole rule set is run, so that chains work; only the folder's rule is judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiops.domain.candidates import RuleFiring
from aiops.domain.evidence import Channel, Evidence, EvidenceSet, Reference
from aiops.domain.graph import RELATION_KINDS, Entity, Relation, Subgraph
from aiops.domain.occurrences import Incident
from aiops.errors import RuleError
from rules.conditions import EVIDENCE_KINDS
from rules.documents import Value, read_document
from rules.engine import ClipsRuleEngine
from rules.model import EFFECTS, RuleSet

INCIDENT_AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
MAX_EXAMPLES = 10_000

_CHANNELS = {
    "log": Channel.LOG,
    "state": Channel.STATE,
    "fact": Channel.STATE,
    "change": Channel.CHANGE,
    "alert": Channel.AVAILABILITY,
}


@dataclass(frozen=True, slots=True)
class Expected:
    """What a positive example demands of the rule under test. Empty parts demand nothing."""

    entity: str
    effect: str
    kind: str | None
    cites: tuple[str, ...]
    trace: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One file: the input of an evaluation, and what must come of it. No ``expected``: the rule must not fire."""

    rule: str
    file: str
    incident: Incident
    subgraph: Subgraph
    evidence: EvidenceSet
    expected: tuple[Expected, ...]


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """``problem`` is None where the example holds. ``fired``: every rule that spoke."""

    rule: str
    file: str
    problem: str | None
    fired: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExampleReport:
    """Results by file; ``missing`` says which rules lack a positive or a negative example, or have examples but no rule."""

    results: tuple[ExampleResult, ...]
    missing: tuple[str, ...]
    version: str

    @property
    def passed(self) -> bool:
        """Every example holds and none is missing."""
        return not self.missing and all(result.problem is None for result in self.results)

    @property
    def fired(self) -> frozenset[str]:
        """Rules that spoke in any example."""
        return frozenset(name for result in self.results for name in result.fired)


def run_examples(rule_set: RuleSet, folder: Path) -> ExampleReport:
    """Run every example below ``folder``. Raises :class:`RuleError` for a file that is no example."""
    engine = ClipsRuleEngine(rule_set)
    results: list[ExampleResult] = []
    names = {rule.id for rule in rule_set.rules}
    files = sorted(folder.glob("*/*.yaml"))
    if len(files) > MAX_EXAMPLES:
        raise RuleError(f"{folder}: more than {MAX_EXAMPLES} examples", file=str(folder), line=0, rule=None)
    have: set[tuple[str, str]] = set()
    for file in files:
        rule, sort = file.parent.name, file.stem.partition("-")[0]
        have.add((rule, sort))
        if rule in names:
            example = read_example(
                file.read_bytes(), f"{rule}/{file.name}", rule, positive=sort == "positive"
            )
            results.append(_judge(engine, example))
    missing = [
        f"{name} has no {sort} example"
        for name in sorted(names)
        for sort in ("positive", "negative")
        if (name, sort) not in have
    ]
    missing += [
        f"{rule} has {sort} examples but is in no loaded pack"
        for rule, sort in sorted(have)
        if rule not in names
    ]
    return ExampleReport(tuple(results), tuple(missing), engine.version)


def _judge(engine: ClipsRuleEngine, example: Example) -> ExampleResult:
    outcome = engine.evaluate(example.incident, example.subgraph, example.evidence)
    own = [firing for firing in outcome.firings if firing.rule == example.rule]
    problem = "; ".join(outcome.gaps) or None
    if problem is None and not example.expected and own:
        problem = f"it fired on {', '.join(firing.entity for firing in own)} and must not"
    if problem is None and example.expected:
        wanted = {expected.entity for expected in example.expected}
        extra = sorted(firing.entity for firing in own if firing.entity not in wanted)
        problems = [_difference(expected, own) for expected in example.expected]
        problem = next(
            (text for text in problems if text), f"it fired also on {', '.join(extra)}" if extra else None
        )
    fired = tuple(sorted({firing.rule for firing in outcome.firings}))
    return ExampleResult(example.rule, example.file, problem, fired)


def _difference(expected: Expected, own: list[RuleFiring]) -> str | None:
    firing = next((firing for firing in own if firing.entity == expected.entity), None)
    if firing is None:
        return f"it did not fire on {expected.entity}"
    if (firing.effect, firing.kind) != (expected.effect, expected.kind):
        return (
            f"on {firing.entity} it said {firing.effect} {firing.kind}, not {expected.effect} {expected.kind}"
        )
    lacking = sorted(set(expected.cites) - set(firing.evidence))
    if lacking:
        return f"on {firing.entity} it cites {', '.join(firing.evidence)}, not {', '.join(lacking)}"
    if expected.trace and firing.trace != expected.trace:
        return f"on {firing.entity} its trace is {' > '.join(firing.trace)}, not {' > '.join(expected.trace)}"
    return None


def read_example(data: bytes, file: str, rule: str, *, positive: bool) -> Example:
    """One example file. Raises :class:`RuleError` with file and line."""
    document = read_document(data, file).within(rule)
    known = ("description", "entities", "relations", "evidence", "expect")
    required = ("description", "entities", "evidence", *(("expect",) if positive else ()))
    fields = document.fields(*known, required=required)
    if "expect" in fields and not positive:
        fields["expect"].place.refuse("a negative example expects nothing")
    relations = fields["relations"].items(limit=2_000) if "relations" in fields else ()
    subgraph = Subgraph(
        as_of=INCIDENT_AT,
        entities=tuple(
            sorted((_entity(item) for item in fields["entities"].items(limit=2_000)), key=lambda e: e.id)
        ),
        relations=tuple(sorted((_relation(item) for item in relations), key=lambda relation: relation.key)),
    )
    items = sorted(
        (_evidence(item) for item in fields["evidence"].items(limit=5_000)),
        key=lambda item: (item.entity, item.peer or "", item.at_s, item.id),
    )
    return Example(
        rule=rule,
        file=file,
        incident=Incident(id="example", title=fields["description"].text(limit=400), started_at=INCIDENT_AT),
        subgraph=subgraph,
        evidence=EvidenceSet(
            tuple(item for item in items if item.kind != "fact"),
            facts=tuple(item for item in items if item.kind == "fact"),
        ),
        expected=tuple(_expected(item) for item in fields["expect"].items()) if positive else (),
    )


def _entity(value: Value) -> Entity:
    fields = value.fields("id", "kind", "name", "aliases", "labels", required=("id", "kind"))
    entity_id = fields["id"].text(limit=200)
    return Entity(
        id=entity_id,
        kind=fields["kind"].text(limit=60),
        name=fields["name"].text(limit=200) if "name" in fields else entity_id.partition(":")[2],
        aliases=fields["aliases"].texts() if "aliases" in fields else (),
        labels={name: label.text() for name, label in fields["labels"].fields().items()}
        if "labels" in fields
        else {},
    )


def _relation(value: Value) -> Relation:
    fields = value.fields("from", "kind", "to", required=("from", "kind", "to"))
    return Relation(
        fields["from"].text(), fields["kind"].one_of(*sorted(RELATION_KINDS)), fields["to"].text()
    )


def _evidence(value: Value) -> Evidence:
    known = ("id", "entity", "peer", "kind", "channel", "name", "at_s", "strength", "direction", "text")
    extra = ("value", "baseline", "severity", "chronic", "attributes")
    fields = value.fields(*known, *extra, required=("id", "entity", "kind", "text"))
    kind, text = fields["kind"].one_of(*EVIDENCE_KINDS, "fact"), fields["text"].text()
    attributes = fields["attributes"].fields() if "attributes" in fields else {}
    seen = {name: item.text() for name, item in attributes.items()}
    if kind in ("state", "fact") and " = " in text:
        seen.setdefault("property", text.partition(" = ")[0])
        seen.setdefault("value", text.partition(" = ")[2])
    name = fields["name"].text() if "name" in fields else text.partition(" = ")[0]
    at = INCIDENT_AT + timedelta(seconds=fields["at_s"].number(-1e6, 1e6) if "at_s" in fields else 0.0)
    channel = (
        fields["channel"].one_of(*Channel) if "channel" in fields else _CHANNELS.get(kind, Channel.OTHER)
    )
    return Evidence(
        id=fields["id"].text(limit=40),
        entity=fields["entity"].text(limit=200),
        peer=fields["peer"].text(limit=200) if "peer" in fields else None,
        kind=kind,
        channel=Channel(channel),
        name=name,
        at_s=at.timestamp(),
        strength=fields["strength"].number(0, 10) if "strength" in fields else 5.0,
        direction=fields["direction"].whole(-1, 1) if "direction" in fields else 1,
        text=text,
        ref=Reference("event", fields["id"].text(limit=40)),
        value=fields["value"].number(-1e18, 1e18) if "value" in fields else None,
        baseline=fields["baseline"].number(-1e18, 1e18) if "baseline" in fields else None,
        severity=fields["severity"].text(limit=20) if "severity" in fields else None,
        chronic=fields["chronic"].flag() if "chronic" in fields else False,
        attributes=seen,
    )


def _expected(value: Value) -> Expected:
    fields = value.fields(
        "entity", "effect", "kind", "cites", "trace", required=("entity", "effect", "cites")
    )
    return Expected(
        entity=fields["entity"].text(limit=200),
        effect=fields["effect"].one_of(*EFFECTS),
        kind=fields["kind"].text(limit=40) if "kind" in fields else None,
        cites=fields["cites"].texts(),
        trace=fields["trace"].texts() if "trace" in fields else (),
    )
