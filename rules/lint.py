"""What is legal in a rule set and still wrong: duplicates, contradictions, rules that can never speak."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rules.documents import Place
from rules.examples import run_examples
from rules.model import (
    CompareCondition,
    ConcludedCondition,
    Condition,
    NearCondition,
    OrderCondition,
    OwnCondition,
    Rule,
    RuleSet,
)

_NOWHERE = Place("", 0)
_AGAINST = {
    "support": ("oppose", "veto"),
    "pin": ("veto", "oppose"),
    "oppose": ("support", "pin"),
    "veto": ("support", "pin"),
}


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """One finding. ``code``: duplicate | conflict | dead | untested | example | no_action."""

    code: str
    rule: str
    file: str
    line: int
    message: str


def lint_rules(rule_set: RuleSet, examples: Path | None = None) -> tuple[RuleProblem, ...]:
    """Findings sorted by file and line. With ``examples``, their failures, and rules that fire in none of them, too."""
    problems = [*_twins(rule_set), *_dead(rule_set), *_without_diagnostic(rule_set)]
    if examples is not None:
        problems.extend(_by_examples(rule_set, examples))
    return tuple(
        sorted(problems, key=lambda problem: (problem.file, problem.line, problem.code, problem.message))
    )


def _problem(code: str, rule: Rule, message: str) -> RuleProblem:
    return RuleProblem(code, rule.id, rule.place.file, rule.place.line, message)


def _twins(rule_set: RuleSet) -> Iterator[RuleProblem]:
    """Rules that match the same: saying the same they are duplicates, saying the opposite they contradict each other."""
    seen: dict[tuple[object, ...], list[Rule]] = {}
    for rule in rule_set.rules:
        key = (rule.entity, _canonical(rule))
        for other in seen.get(key, ()):
            if (
                other.conclusion.effect == rule.conclusion.effect
                and other.conclusion.kind == rule.conclusion.kind
            ):
                yield _problem("duplicate", rule, f"matches and says the same as {other.id}")
            elif other.conclusion.effect in _AGAINST[rule.conclusion.effect]:
                yield _problem(
                    "conflict",
                    rule,
                    f"says {rule.conclusion.effect} where {other.id}, which matches the same, says {other.conclusion.effect}",
                )
        seen.setdefault(key, []).append(rule)


def _canonical(rule: Rule) -> tuple[object, ...]:
    """Conditions without places, with aliases numbered by position; who is spoken about is part of it."""
    numbers = {
        c.alias: f"a{i}"
        for i, c in enumerate(rule.conditions)
        if isinstance(c, (OwnCondition, NearCondition, CompareCondition))
    }

    def plain(condition: Condition) -> Condition:
        if isinstance(condition, OwnCondition):
            return replace(condition, alias=numbers[condition.alias], place=_NOWHERE)
        if isinstance(condition, CompareCondition):
            quoted = numbers[condition.quoted_by] if condition.quoted_by else None
            alias = numbers[condition.alias]
            return replace(condition, alias=alias, quoted_by=quoted, place=_NOWHERE)
        if isinstance(condition, NearCondition):
            named = numbers[condition.named_by] if condition.named_by else None
            return replace(condition, alias=numbers[condition.alias], named_by=named, place=_NOWHERE)
        if isinstance(condition, OrderCondition):
            return replace(
                condition, first=numbers[condition.first], then=numbers[condition.then], place=_NOWHERE
            )
        return replace(condition, place=_NOWHERE)

    about = rule.conclusion.about
    return (*(plain(condition) for condition in rule.conditions), numbers[about] if about else None)


def _dead(rule_set: RuleSet) -> Iterator[RuleProblem]:
    """Rules that contradict themselves: a condition beside its own negation, or two orders in a circle."""
    for rule in rule_set.rules:
        wanted = {_essence(c) for c in rule.conditions if not isinstance(c, OrderCondition) and not c.negated}
        refused = {_essence(c) for c in rule.conditions if not isinstance(c, OrderCondition) and c.negated}
        if wanted & refused:
            yield _problem("dead", rule, "requires a condition and its negation")
        orders = {(c.first, c.then) for c in rule.conditions if isinstance(c, OrderCondition)}
        if any((then, first) in orders for first, then in orders if first != then):
            yield _problem("dead", rule, "orders two pieces of evidence both ways")


def _essence(condition: OwnCondition | NearCondition | CompareCondition | ConcludedCondition) -> object:
    if isinstance(condition, ConcludedCondition):
        return replace(condition, negated=False, place=_NOWHERE)
    return replace(condition, alias="", negated=False, place=_NOWHERE)


def _without_diagnostic(rule_set: RuleSet) -> Iterator[RuleProblem]:
    for rule in rule_set.rules:
        said = rule.conclusion
        if said.effect in ("support", "pin") and not any(
            action.type == "diagnostic" for action in said.actions
        ):
            yield _problem("no_action", rule, "supports a cause but proposes no diagnostic")
        kinds = [action.type for action in said.actions]
        if kinds != sorted(kinds):
            yield _problem("no_action", rule, "a mitigation is proposed before a diagnostic")


def _by_examples(rule_set: RuleSet, folder: Path) -> Iterator[RuleProblem]:
    report = run_examples(rule_set, folder)
    rules = {rule.id: rule for rule in rule_set.rules}
    for result in report.results:
        if result.problem is not None:
            yield _problem("example", rules[result.rule], f"{result.file}: {result.problem}")
    for message in report.missing:
        name = message.partition(" ")[0]
        if name in rules:
            yield _problem("untested", rules[name], message)
        else:
            yield RuleProblem("untested", name, str(folder), 0, message)
    for name, rule in sorted(rules.items()):
        if name not in report.fired:
            yield _problem("dead", rule, "fires in no example")
