"""From rows of numbers back to sentences: one firing a rule and entity, with its evidence and its chain of rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aiops.domain.candidates import RuleFiring
from aiops.domain.evidence import Evidence, EvidenceSet
from aiops.domain.graph import Subgraph
from rules.compiler import CompiledRule, Program
from rules.facts import Facts, cite_order
from rules.statements import fill

MAX_EVIDENCE = 12
MAX_TRACE = 32


@dataclass(frozen=True, slots=True)
class _Match:
    """One row read back: who was bound, which evidence by alias, which conclusions it rests on."""

    bound: int
    about: int
    cited: tuple[int, ...]
    by_alias: tuple[tuple[str, int], ...]
    neighbours: tuple[tuple[str, int], ...]
    premises: tuple[tuple[int, int], ...]  # (rule, entity)


def read_firings(
    program: Program, rows: list[tuple[int, ...]], facts: Facts, subgraph: Subgraph, evidence: EvidenceSet
) -> list[RuleFiring]:
    """Rows of one run as firings. Rows of the same rule about the same entity become one firing that cites them all."""
    matches: dict[tuple[int, int], list[_Match]] = {}
    for row in sorted(rows):
        match = _read(program.rules[row[0]], row, facts)
        matches.setdefault((row[0], match.about), []).append(match)
    made: dict[tuple[int, int], RuleFiring] = {}
    by_id = {item.id: item for item in evidence.items}
    for key in sorted(matches):  # a rule's number is above those of its premises
        made[key] = _firing(program.rules[key[0]], key[1], matches[key], made, by_id, subgraph, evidence)
    return list(made.values())


def _read(compiled: CompiledRule, row: tuple[int, ...], facts: Facts) -> _Match:
    bound, values = row[1], iter(row[2:])
    cited: list[int] = []
    by_alias: list[tuple[str, int]] = []
    neighbours: list[tuple[str, int]] = []
    premises: list[tuple[int, int]] = []
    for step in compiled.steps:
        if step.negated:
            continue
        if step.question is None:
            premises.append((next(values), bound))
            continue
        neighbour = next(values) if step.near else -1
        group = facts.groups[next(values)]
        cited.extend(group)
        if step.alias is not None and group:
            by_alias.append((step.alias, group[0]))
        if step.alias is not None and neighbour >= 0:
            neighbours.append((step.alias, neighbour))
        if step.reads is not None:
            premises.append((next(values), neighbour))
    alias = compiled.rule.conclusion.about
    about = bound if alias is None else dict(neighbours)[alias]
    return _Match(bound, about, tuple(cited), tuple(by_alias), tuple(neighbours), tuple(premises))


def _firing(
    compiled: CompiledRule,
    about: int,
    matches: list[_Match],
    made: dict[tuple[int, int], RuleFiring],
    by_id: dict[str, Evidence],
    subgraph: Subgraph,
    evidence: EvidenceSet,
) -> RuleFiring:
    rule, said = compiled.rule, compiled.rule.conclusion
    items = evidence.items
    best = max(matches, key=lambda match: sum(items[number].strength for number in match.cited))
    premises = [made[key] for match in (best, *matches) for key in match.premises]
    own = _by_strength(items[number] for number in best.cited)
    inherited = _by_strength(by_id[name] for firing in premises for name in firing.evidence)
    others = _by_strength(items[number] for match in matches for number in match.cited)
    quoted = {alias: items[number] for alias, number in best.by_alias}
    first = items[best.by_alias[0][1]] if best.by_alias else next(iter((*own, *inherited)), None)
    cited = dict.fromkeys(item.id for item in (*quoted.values(), *own, *inherited, *others))
    return RuleFiring(
        rule=rule.id,
        entity=subgraph.entities[about].id,
        effect=said.effect,
        weight=said.weight,
        kind=said.kind,
        category=said.category,
        statement=fill(
            said.statement,
            subgraph.entities[best.bound].name,
            quoted,
            first,
            {alias: subgraph.entities[number].name for alias, number in best.neighbours},
        ),
        evidence=tuple(cited)[:MAX_EVIDENCE],
        trace=_trace(premises, rule.id),
        actions=said.actions,
    )


def _by_strength(items: Iterable[Evidence]) -> list[Evidence]:
    return sorted(items, key=cite_order)


def _trace(premises: list[RuleFiring], rule_id: str) -> tuple[str, ...]:
    """Premises first, this rule last; each once."""
    chain = dict.fromkeys(name for firing in premises for name in firing.trace if name != rule_id)
    return (*tuple(chain)[-(MAX_TRACE - 1) :], rule_id)
