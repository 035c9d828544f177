"""From the YAML of one rule to its checked model: every key is known, every alias resolves, every bound is kept."""

from __future__ import annotations

import re

from aiops.domain.candidates import RuleAction
from aiops.domain.evidence import Channel
from aiops.domain.graph import ENTITY_KINDS, RELATION_KINDS
from aiops.domain.occurrences import SEVERITIES
from rules.comparisons import MAX_STEPS, NUMERIC, TESTS
from rules.documents import Value
from rules.model import (
    EFFECTS,
    CompareCondition,
    CompareSide,
    ConcludedCondition,
    Conclusion,
    ConclusionMatch,
    Condition,
    EntityMatch,
    EvidenceMatch,
    NearCondition,
    OrderCondition,
    OwnCondition,
    Rule,
    ValueMatch,
)
from rules.patterns import alternatives, pattern_problem
from rules.statements import placeholder_problem
from rules.takes import NUMBERS, TAKES

MAX_CONDITIONS = 12
MAX_NEIGHBOURS = 3
MAX_GLOB_STARS = 4
EVIDENCE_KINDS = ("log", "metric", "alert", "change", "state", "topology", "history")
CATEGORIES = ("failure", "saturation", "change", "maintenance", "degradation", "symptom", "misconfiguration")

_RULE_ID = re.compile(r"[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)+")
_WORD = re.compile(r"[a-z][a-z0-9_]{0,39}")
#: Kinds follow the field's spelling, which hyphens some (``pod-kill``) and underscores others (``disk_full``).
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_EVIDENCE_KEYS = (
    *("kind", "channel", "name", "text", "direction", "min_strength", "min_severity", "attributes"),
    *("chronic", "peer", "value", "around_incident", "any_of"),
)


def read_rule(value: Value, pack: str) -> Rule:
    """One entry of a pack's ``rules``. Raises :class:`aiops.errors.RuleError`."""
    head = value.fields(
        *("id", "title", "description", "match", "then"),
        required=("id", "title", "description", "match", "then"),
    )
    rule_id = head["id"].text(limit=60)
    if not _RULE_ID.fullmatch(rule_id):
        head["id"].place.refuse(
            f"{rule_id!r} is no rule id", "capitals and digits joined by '-', such as NET-LINK-001"
        )
    fields = value.within(rule_id).fields()
    match = fields["match"].fields("entity", "all", required=("all",))
    entity = _entity(match["entity"]) if "entity" in match else EntityMatch()
    entries = match["all"].items(limit=MAX_CONDITIONS)
    conditions = tuple(_condition(entry, f"c{index}") for index, entry in enumerate(entries))
    _check_conditions(conditions, match["all"])
    return Rule(
        id=rule_id,
        title=fields["title"].text(limit=120),
        description=fields["description"].text(limit=1_000),
        pack=pack,
        entity=entity,
        conditions=conditions,
        conclusion=_conclusion(fields["then"], conditions),
        place=value.within(rule_id).place,
    )


def _condition(value: Value, alias: str, *, negated: bool = False) -> Condition:
    heads = value.fields("evidence", "state", "fact", "compare", "neighbour", "concluded", "order", "not")
    if len(heads) != 1:
        value.place.refuse("one condition an entry is expected", "start each condition with its own '-'")
    ((head, body),) = heads.items()
    if head == "not":
        if negated:
            value.place.refuse("a 'not' inside a 'not'")
        return _condition(body, alias, negated=True)
    if head == "order":
        if negated:
            value.place.refuse("an order cannot be negated", "swap 'first' and 'then'")
        fields = body.fields("first", "then", "within_s", required=("first", "then", "within_s"))
        return OrderCondition(
            first=fields["first"].text(limit=40),
            then=fields["then"].text(limit=40),
            within_s=fields["within_s"].number(0, 86_400),
            place=body.place,
        )
    if head == "concluded":
        return ConcludedCondition(_concluded(body), negated, body.place)
    if head == "neighbour":
        return _neighbour(body, alias, negated)
    if head == "compare":
        return _compare(body, alias, negated)
    extra = ("as", "at_least")
    fields = body.fields(*extra, *(_EVIDENCE_KEYS if head == "evidence" else ("property", *_VALUE_KEYS)))
    return OwnCondition(
        alias=_alias(fields["as"]) if "as" in fields else alias,
        evidence=_evidence(body, extra) if head == "evidence" else _state(body, extra, kind=head),
        at_least=fields["at_least"].whole(1, 1_000) if "at_least" in fields else 1,
        negated=negated,
        place=body.place,
    )


def _alias(value: Value) -> str:
    name = value.text(limit=40)
    if not _WORD.fullmatch(name) or name in ("entity", "text", "value", "baseline", "name", "peer"):
        value.place.refuse(f"{name!r} cannot be an alias", "a lower-case word of letters, digits and '_'")
    return name


def _neighbour(value: Value, alias: str, negated: bool) -> NearCondition:
    known = (
        "as",
        "direction",
        "over",
        "kind",
        "labels",
        "evidence",
        "state",
        "fact",
        "concluded",
        "named_by",
        "at_least",
    )
    fields = value.fields(*known, required=("direction",))
    tests = [name for name in ("evidence", "state", "fact") if name in fields]
    if len(tests) > 1:
        value.place.refuse(
            "a neighbour has one of 'evidence', 'state' and 'fact'", "use evidence with kind: state"
        )
    evidence = None
    if tests == ["evidence"]:
        evidence = _evidence(fields["evidence"])
    elif tests:
        evidence = _state(fields[tests[0]], kind=tests[0])
    at_least = fields["at_least"].whole(1, 1_000) if "at_least" in fields else 1
    if at_least > 1 and "concluded" in fields:
        fields["at_least"].place.refuse("'at_least' cannot count conclusions", "count evidence instead")
    kinds = (
        tuple(item.one_of(*sorted(RELATION_KINDS)) for item in fields["over"].items())
        if "over" in fields
        else ()
    )
    return NearCondition(
        alias=_alias(fields["as"]) if "as" in fields else alias,
        direction=fields["direction"].one_of("cause", "effect", "any"),
        over=kinds,
        entity=_entity(value, within_neighbour=True),
        evidence=evidence,
        concluded=_concluded(fields["concluded"]) if "concluded" in fields else None,
        named_by=fields["named_by"].text(limit=40) if "named_by" in fields else None,
        at_least=at_least,
        negated=negated,
        place=value.place,
    )


def _entity(value: Value, *, within_neighbour: bool = False) -> EntityMatch:
    fields = value.fields() if within_neighbour else value.fields("kind", "labels")
    kinds: tuple[str, ...] = ()
    if "kind" in fields:
        kinds = tuple(item.one_of(*sorted(ENTITY_KINDS)) for item in fields["kind"].items())
    return EntityMatch(kinds=kinds, labels=_globs_by_name(fields["labels"]) if "labels" in fields else ())


def _globs(value: Value) -> tuple[str, ...]:
    for item in value.items():
        if item.text(limit=200).count("*") > MAX_GLOB_STARS:
            item.place.refuse(
                f"more than {MAX_GLOB_STARS} stars in a name", "use 'text' with a regular expression"
            )
    return value.texts()


def _globs_by_name(value: Value) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple(sorted((name, _globs(globs)) for name, globs in value.fields().items()))


def _concluded(value: Value) -> ConclusionMatch:
    fields = value.fields("rule", "kind", "category", "effect")
    if not {"rule", "kind", "category"} & fields.keys():
        value.place.refuse("'concluded' needs 'rule', 'kind' or 'category'")
    effects = (
        tuple(item.one_of(*EFFECTS) for item in fields["effect"].items()) if "effect" in fields else None
    )
    return ConclusionMatch(
        rules=fields["rule"].texts() if "rule" in fields else (),
        kinds=fields["kind"].texts() if "kind" in fields else (),
        categories=fields["category"].texts() if "category" in fields else (),
        effects=effects or ConclusionMatch().effects,
    )


_VALUE_KEYS = ("is", "is_not", "regex", "above", "below")


def _value(value: Value, ignore: tuple[str, ...] = ()) -> ValueMatch:
    fields = value.fields(*_VALUE_KEYS, *ignore)
    if not fields.keys() & set(_VALUE_KEYS):
        value.place.refuse(f"one of {', '.join(_VALUE_KEYS)} is expected here")
    return ValueMatch(
        equals=tuple(text.lower() for text in fields["is"].texts()) if "is" in fields else (),
        differs=tuple(text.lower() for text in fields["is_not"].texts()) if "is_not" in fields else (),
        regex=_regex(fields["regex"]) if "regex" in fields else None,
        above=fields["above"].number(-1e18, 1e18) if "above" in fields else None,
        below=fields["below"].number(-1e18, 1e18) if "below" in fields else None,
    )


def _regex(value: Value) -> str:
    pattern = value.text()
    problem = pattern_problem(pattern)
    if problem:
        value.place.refuse(problem, "expressions follow RE2: no look-around, no back-references")
    return pattern


def _text(value: Value) -> str:
    fields = value.fields("contains", "regex")
    if len(fields) != 1:
        value.place.refuse("'text' takes either 'contains' or 'regex'")
    return _regex(fields["regex"]) if "regex" in fields else alternatives(fields["contains"].texts(limit=20))


def _compare(value: Value, alias: str, negated: bool) -> CompareCondition:
    known = ("as", "left", "test", "right", "quoted_by")
    fields = value.fields(*known, required=("left", "test", "right"))
    test = fields["test"].one_of(*TESTS)
    left, right = _side(fields["left"]), _side(fields["right"])
    for side, name in ((left, "left"), (right, "right")):
        if (test in NUMERIC) != (side.take in NUMBERS):
            fields[name].place.refuse(
                f"{test!r} does not compare what {side.take!r} takes",
                f"numbers ({', '.join(NUMBERS)}) go with {', '.join(sorted(NUMERIC))}",
            )
    if left.take == "own_name" and "quoted_by" not in fields:
        fields["left"].place.refuse(
            "names alone can not be cited", "say with 'quoted_by' which evidence quotes them"
        )
    if left.values:
        fields["left"].place.refuse("the left side has no constants", "swap the sides")
    return CompareCondition(
        alias=_alias(fields["as"]) if "as" in fields else alias,
        left=left,
        test=test,
        right=right,
        quoted_by=fields["quoted_by"].text(limit=40) if "quoted_by" in fields else None,
        negated=negated,
        place=value.place,
    )


def _side(value: Value) -> CompareSide:
    fields = value.fields(
        "property", "take", "kind", "way", "same_place", "where", "values", required=("take",)
    )
    take = fields["take"].one_of(*TAKES)
    if ("property" in fields) + ("values" in fields) != (take != "own_name"):
        value.place.refuse("a side reads either a 'property' or 'values'", "own_name reads neither")
    if "values" in fields and len(fields) > 2:
        value.place.refuse("'values' stand alone beside 'take'")
    steps = fields["way"].items(limit=MAX_STEPS) if "way" in fields else ()
    kinds = fields["kind"].items() if "kind" in fields else ()
    return CompareSide(
        names=_globs(fields["property"]) if "property" in fields else (),
        take=take,
        kinds=tuple(item.one_of(*sorted(ENTITY_KINDS)) for item in kinds),
        way=tuple(tuple(item.one_of(*sorted(RELATION_KINDS)) for item in step.items()) for step in steps),
        same_place=fields["same_place"].flag() if "same_place" in fields else False,
        where=_state(fields["where"], kind="fact") if "where" in fields else None,
        values=fields["values"].texts(limit=20) if "values" in fields else (),
    )


def _state(value: Value, extra: tuple[str, ...] = (), *, kind: str = "state") -> EvidenceMatch:
    fields = value.fields("property", *_VALUE_KEYS, *extra, required=("property",))
    return EvidenceMatch(
        kinds=(kind,),
        names=_globs(fields["property"]),
        value=_value(value, ("property", *extra)),
        chronic=True,  # a state that was wrong before is still wrong
    )


def _evidence(value: Value, extra: tuple[str, ...] = (), *, inner: bool = False) -> EvidenceMatch:
    fields = value.fields(*_EVIDENCE_KEYS, *extra)
    if not {"kind", "channel", "name", "text", "any_of"} & fields.keys():
        value.place.refuse("a test of evidence needs 'kind', 'channel', 'name', 'text' or 'any_of'")
    if inner and "any_of" in fields:
        fields["any_of"].place.refuse("'any_of' inside 'any_of'")
    before, after = None, None
    if "around_incident" in fields:
        around = fields["around_incident"].fields("before_s", "after_s")
        before = around["before_s"].number(0, 604_800) if "before_s" in around else None
        after = around["after_s"].number(0, 604_800) if "after_s" in around else None
    return EvidenceMatch(
        kinds=tuple(item.one_of(*EVIDENCE_KINDS) for item in fields["kind"].items())
        if "kind" in fields
        else (),
        channels=tuple(item.one_of(*Channel) for item in fields["channel"].items())
        if "channel" in fields
        else (),
        names=_globs(fields["name"]) if "name" in fields else (),
        text=_text(fields["text"]) if "text" in fields else None,
        direction=_direction(fields["direction"]) if "direction" in fields else None,
        min_strength=fields["min_strength"].number(0, 10) if "min_strength" in fields else 0.0,
        min_severity=fields["min_severity"].one_of(*SEVERITIES) if "min_severity" in fields else None,
        attributes=_globs_by_name(fields["attributes"]) if "attributes" in fields else (),
        chronic=fields["chronic"].flag() if "chronic" in fields else False,
        peer=fields["peer"].one_of("any", "none") == "any" if "peer" in fields else None,
        value=_value(fields["value"]) if "value" in fields else None,
        before_s=before,
        after_s=after,
        any_of=tuple(_evidence(item, inner=True) for item in fields["any_of"].items(limit=20))
        if "any_of" in fields
        else (),
    )


def _direction(value: Value) -> int:
    return 1 if value.one_of("rose", "fell") == "rose" else -1


def _conclusion(value: Value, conditions: tuple[Condition, ...]) -> Conclusion:
    known = ("about", "effect", "weight", "kind", "category", "statement", "actions")
    fields = value.fields(*known, required=("effect", "weight", "statement"))
    neighbours = {c.alias: c for c in conditions if isinstance(c, NearCondition) and not c.negated}
    about = fields["about"].text(limit=40) if "about" in fields else "entity"
    if about != "entity" and (about not in neighbours or neighbours[about].at_least > 1):
        fields["about"].place.refuse(
            f"{about!r} binds no neighbour", "'entity' or the alias of one neighbour"
        )
    speaking = (OwnCondition, NearCondition, CompareCondition)
    aliases = {c.alias for c in conditions if isinstance(c, speaking) and not c.negated}
    statement = fields["statement"].text(limit=400)
    problem = placeholder_problem(statement, aliases)
    if problem:
        fields["statement"].place.refuse(problem)
    kind = fields["kind"].text(limit=40) if "kind" in fields else None
    if kind is not None and not _KIND.fullmatch(kind):
        fields["kind"].place.refuse(f"{kind!r} is no fault kind", "a lower-case word such as disk_full")
    return Conclusion(
        about=None if about == "entity" else about,
        effect=fields["effect"].one_of(*EFFECTS),
        weight=fields["weight"].number(0, 1),
        kind=kind,
        category=fields["category"].one_of(*CATEGORIES) if "category" in fields else None,
        statement=statement,
        actions=tuple(_action(item) for item in fields["actions"].items(limit=8))
        if "actions" in fields
        else (),
    )


def _action(value: Value) -> RuleAction:
    known = ("title", "type", "risk", "command", "undo", "runbook")
    fields = value.fields(*known, required=("title", "type"))
    kind = fields["type"].one_of("diagnostic", "mitigation")
    if kind == "mitigation" and not {"risk", "undo"} <= fields.keys():
        value.place.refuse("a mitigation states its 'risk' and its 'undo'")
    risk = fields["risk"].one_of("safe", "low", "high") if "risk" in fields else "safe"
    if kind == "diagnostic" and risk != "safe":
        value.place.refuse("a diagnostic is safe", "what can do harm is a mitigation")
    return RuleAction(
        title=fields["title"].text(limit=200),
        type=kind,
        risk=risk,
        command=fields["command"].text(limit=400) if "command" in fields else None,
        undo=fields["undo"].text(limit=400) if "undo" in fields else None,
        runbook=fields["runbook"].text(limit=400) if "runbook" in fields else None,
    )


def _check_conditions(conditions: tuple[Condition, ...], value: Value) -> None:
    own = {c.alias: c for c in conditions if isinstance(c, OwnCondition)}
    near = [c for c in conditions if isinstance(c, NearCondition)]
    aliases = [c.alias for c in conditions if isinstance(c, (OwnCondition, NearCondition, CompareCondition))]
    for alias in aliases:
        if aliases.count(alias) > 1:
            value.place.refuse(f"the alias {alias!r} is given twice")
    if len(near) > MAX_NEIGHBOURS:
        near[MAX_NEIGHBOURS].place.refuse(
            f"more than {MAX_NEIGHBOURS} neighbour conditions in one rule",
            "split it and chain with 'concluded'",
        )
    for condition in near:
        named = own.get(condition.named_by) if condition.named_by else None
        if condition.named_by and (named is None or named.negated):
            condition.place.refuse(
                f"'named_by' refers to {condition.named_by!r}, which is no evidence of the entity"
            )
    for comparison in conditions:
        if isinstance(comparison, CompareCondition) and comparison.quoted_by is not None:
            quoting = own.get(comparison.quoted_by)
            if quoting is None or quoting.negated:
                comparison.place.refuse(
                    f"'quoted_by' refers to {comparison.quoted_by!r}, which is no evidence of the entity"
                )
    timed = {c.alias for c in near if c.evidence and not c.negated and c.at_least == 1}
    timed |= {c.alias for c in own.values() if not c.negated and c.at_least == 1}
    for order in conditions:
        if isinstance(order, OrderCondition):
            for alias in (order.first, order.then):
                if alias not in timed:
                    order.place.refuse(f"{alias!r} is no single piece of evidence that has a time")
    grounded = any(
        (isinstance(c, (OwnCondition, ConcludedCondition, CompareCondition)) and not c.negated)
        or (
            isinstance(c, NearCondition)
            and not c.negated
            and (c.evidence is not None or c.concluded is not None)
        )
        for c in conditions
    )
    if not grounded:
        value.place.refuse(
            "nothing here can be cited", "at least one condition must require evidence or a conclusion"
        )
