"""From rules to CLIPS constructs, out of a closed list of forms.

Nothing a user wrote reaches CLIPS: texts, names and expressions were answered in Python (:mod:`rules.matching`), and what
is left are the numbers of rules, conditions, entities and evidence groups, and the seconds of an order. The forms are
``defrule`` over four templates, ``not``, ``and``, ``test`` with ``<=`` and ``-``, ``assert`` of a conclusion, and the call
that hands over a firing; there is no other.

Templates: ``on`` rule r may bind entity e; ``own`` condition q holds on e by evidence group i, first seen at; ``near``
condition q holds on e through neighbour n; ``said`` rule r concluded about e. A firing is
the row (r, e, then for each positive condition in order: i, or n, i and the rule where there is one).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from rules.comparisons import CompareQuestion
from rules.model import (
    CompareCondition,
    ConcludedCondition,
    EntityMatch,
    EvidenceMatch,
    NearCondition,
    OrderCondition,
    OwnCondition,
    Rule,
    RuleSet,
)

#: The one function that a construct calls: it hands a firing to the engine. Facts are not read back, because each fact
#: with several values that Python has looked at leaks memory in CLIPS.
COLLECT = "collect-firing"

TEMPLATES: tuple[str, ...] = (
    "(deftemplate on (slot r (type INTEGER)) (slot e (type INTEGER)))",
    "(deftemplate own (slot q (type INTEGER)) (slot e (type INTEGER)) (slot i (type INTEGER)) (slot at (type FLOAT)))",
    "(deftemplate near (slot q (type INTEGER)) (slot e (type INTEGER)) (slot n (type INTEGER))"
    " (slot i (type INTEGER)) (slot at (type FLOAT)))",
    "(deftemplate said (slot r (type INTEGER)) (slot e (type INTEGER)))",
)


@dataclass(frozen=True, slots=True)
class OwnQuestion:
    """What the fact builder must answer for ``own`` facts. ``timed``: items one by one, because an order looks at them."""

    evidence: EvidenceMatch
    at_least: int
    timed: bool


@dataclass(frozen=True, slots=True)
class NearQuestion:
    """What the fact builder must answer for ``near`` facts."""

    direction: str
    over: tuple[str, ...]
    entity: EntityMatch
    evidence: EvidenceMatch | None
    named_by: EvidenceMatch | None
    at_least: int
    timed: bool


Question = OwnQuestion | NearQuestion | CompareQuestion


@dataclass(frozen=True, slots=True)
class Step:
    """One condition of a compiled rule. ``question`` is None for a conclusion about the bound entity.

    ``reads`` are the indexes of the rules whose conclusion satisfies it, None where it asks for none.
    """

    alias: str | None
    question: int | None
    near: bool
    reads: tuple[int, ...] | None
    negated: bool


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule as CLIPS sees it, and what is needed to read its firings. ``steps_cheap_first``: the positive ones, those first
    that are answered fastest."""

    rule: Rule
    steps: tuple[Step, ...]
    construct: str
    steps_cheap_first: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled rule set: the constructs, and the questions whose answers are its facts."""

    rules: tuple[CompiledRule, ...]
    questions: tuple[Question, ...]
    version: str


def compile_rules(rule_set: RuleSet) -> Program:
    """The program of ``rule_set``. Equal questions of several rules are asked once."""
    questions: dict[Question, int] = {}
    compiled: list[CompiledRule] = []
    for number, rule in enumerate(rule_set.rules):
        steps = _steps(rule, rule_set.premises[number], questions)
        construct = _construct(number, rule, steps, rule_set.strata[number])
        compiled.append(CompiledRule(rule, steps, construct, _cheap_first(steps)))
    return Program(tuple(compiled), tuple(questions), rule_set.version)


def _cheap_first(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The positive steps: conclusions, then own evidence, then neighbours."""
    positive = [step for step in steps if not step.negated]
    return tuple(sorted(positive, key=lambda step: (step.near, step.question is not None)))


def _steps(
    rule: Rule, premises: tuple[tuple[int, ...], ...], questions: dict[Question, int]
) -> tuple[Step, ...]:
    timed = {name for c in rule.conditions if isinstance(c, OrderCondition) for name in (c.first, c.then)}
    own = {c.alias: c.evidence for c in rule.conditions if isinstance(c, OwnCondition)}
    waiting = list(premises)
    steps: list[Step] = []
    for condition in rule.conditions:
        if isinstance(condition, OwnCondition):
            own_question = OwnQuestion(condition.evidence, condition.at_least, condition.alias in timed)
            number = questions.setdefault(own_question, len(questions))
            steps.append(Step(condition.alias, number, False, None, condition.negated))
        elif isinstance(condition, NearCondition):
            question = NearQuestion(
                direction=condition.direction,
                over=condition.over,
                entity=condition.entity,
                evidence=condition.evidence,
                named_by=own[condition.named_by] if condition.named_by else None,
                at_least=condition.at_least,
                timed=condition.alias in timed,
            )
            number = questions.setdefault(question, len(questions))
            reads = waiting.pop(0) if condition.concluded is not None else None
            steps.append(Step(condition.alias, number, True, reads, condition.negated))
        elif isinstance(condition, CompareCondition):
            quoted = own[condition.quoted_by] if condition.quoted_by else None
            compare = CompareQuestion(condition.left, condition.test, condition.right, quoted)
            number = questions.setdefault(compare, len(questions))
            steps.append(Step(condition.alias, number, False, None, condition.negated))
        elif isinstance(condition, ConcludedCondition):
            steps.append(Step(None, None, False, waiting.pop(0), condition.negated))
    return tuple(steps)


def _construct(number: int, rule: Rule, steps: tuple[Step, ...], stratum: int) -> str:
    positive = [index for index, step in enumerate(steps) if not step.negated]
    lines = [f"(on (r {number}) (e ?e))"]
    lines += [_pattern(steps[index], index) for index in positive]
    lines += [_test(rule, steps, order) for order in rule.conditions if isinstance(order, OrderCondition)]
    lines += [f"(not {_pattern(step, None)})" for step in steps if step.negated]
    bound = " ".join(name for index in positive for name in _bound(steps[index], index))
    about = "?e"
    if rule.conclusion.about is not None:
        about = f"?n{next(i for i in positive if steps[i].alias == rule.conclusion.about)}"
    body = "\n  ".join(lines)
    return (
        f"(defrule rule-{number} (declare (salience {-stratum}))\n  {body}\n  =>\n"
        f"  (assert (said (r {number}) (e {about})))\n  ({COLLECT} {number} ?e {bound}))"
    )


def _pattern(step: Step, index: int | None) -> str:
    """The pattern of a condition; ``index`` None (in a ``not``): nothing is bound but the entity and the neighbour."""
    item = f"(i ?i{index}) (at ?t{index})" if index is not None else ""
    neighbour = f"?n{index}" if index is not None else "?n"
    if step.question is None:
        return _said(step, "?e", index)
    if not step.near:
        return f"(own (q {step.question}) (e ?e) {item})"
    pattern = f"(near (q {step.question}) (e ?e) (n {neighbour}) {item})"
    if step.reads is None:
        return pattern
    if index is None:
        return f"(and {pattern} {_said(step, neighbour, None)})"
    return f"{pattern}\n  {_said(step, neighbour, index)}"


def _said(step: Step, entity: str, index: int | None) -> str:
    allowed = "|".join(str(number) for number in step.reads or ())
    slot = f"?r{index}&{allowed}" if index is not None else allowed
    return f"(said (r {slot}) (e {entity}))"


def _bound(step: Step, index: int) -> tuple[str, ...]:
    """The variables of a positive condition in the order in which a firing lists them."""
    if step.question is None:
        return (f"?r{index}",)
    names = (f"?n{index}", f"?i{index}") if step.near else (f"?i{index}",)
    return (*names, f"?r{index}") if step.reads is not None else names


def _test(rule: Rule, steps: tuple[Step, ...], order: OrderCondition) -> str:
    where = {step.alias: index for index, step in enumerate(steps) if not step.negated}
    first, then = f"?t{where[order.first]}", f"?t{where[order.then]}"
    within = float(order.within_s)
    assert math.isfinite(within), rule.id
    return f"(test (and (<= {first} {then}) (<= (- {then} {first}) {within!r})))"
