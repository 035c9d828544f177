"""The facts that one analysis hands to CLIPS: answers to a program's questions, kept to what can matter and to bounds.

A rule may bind an entity only where every positive condition has an answer there (a semi-join made in Python), so CLIPS
joins what is left. Before it does, the size of each rule's join is bounded from above by the product of the answers per
condition, summed over its entities; a rule above the bound is left out and named, and so is a rule that negates it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from aiops.domain.evidence import Evidence, EvidenceSet
from aiops.domain.graph import Subgraph
from aiops.domain.occurrences import Incident
from aiops.errors import RuleLimitExceeded
from rules.comparisons import LOOK_EVERY, CompareQuestion, Comparer
from rules.compiler import CompiledRule, NearQuestion, OwnQuestion, Program, Step
from rules.matching import EvidenceIndex, EvidenceTexts, entity_holds
from rules.model import CompareSide, EntityMatch, EvidenceMatch
from rules.neighbours import Neighbourhood
from rules.patterns import glob_matches

MAX_CITED = 5  # items a group cites
MAX_TIMED = 8  # items of one entity that an order looks at: the earliest and the latest half
_BACK = {"cause": "effect", "effect": "cause", "any": "any"}
MAX_NAMED = 50  # items of one entity that are searched for neighbours' names


@dataclass(frozen=True, slots=True)
class RuleLimits:
    """Bounds of one evaluation. ``max_join``: partial matches of one rule; ``deadline_s``: CPU seconds of everything."""

    max_evidence: int = 50_000
    max_join: int = 20_000
    max_facts: int = 50_000
    max_firings: int = 20_000
    deadline_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A condition holds: through ``neighbour`` (-1: none), by evidence group ``group``, first seen at ``at_s``."""

    neighbour: int
    group: int
    at_s: float


Answers = dict[int, list[Answer]]  # by entity


@dataclass(frozen=True, slots=True)
class Facts:
    """What to assert, and what is needed to read the firings."""

    on: tuple[tuple[int, int], ...]
    own: tuple[tuple[int, int, int, float], ...]
    near: tuple[tuple[int, int, int, int, float], ...]
    groups: tuple[tuple[int, ...], ...]
    gaps: tuple[str, ...]


class FactBuilder:
    """Answers a program's questions for one analysis. ``texts`` is :func:`texts_of` the program; ``check`` is called now and
    then and raises past the deadline."""

    def __init__(
        self,
        program: Program,
        incident: Incident,
        subgraph: Subgraph,
        evidence: EvidenceSet,
        texts: EvidenceTexts,
        limits: RuleLimits,
        check: Callable[[str], None],
    ) -> None:
        if len(evidence.items) > limits.max_evidence:
            raise RuleLimitExceeded(
                f"{len(evidence.items)} pieces of evidence, at most {limits.max_evidence} are evaluated",
                limit="max_evidence",
                rule=None,
            )
        self._program, self._limits, self._check = program, limits, check
        self._items = evidence.items
        self._around = Neighbourhood(subgraph)
        self._index = EvidenceIndex(evidence.items, texts, incident.started_at.timestamp())
        self._place = [self._around.index(item.entity) for item in evidence.items]
        self._found: dict[EvidenceMatch, dict[int, list[int]]] = {}
        self._fitting: dict[EntityMatch, frozenset[int]] = {}
        self._groups: dict[tuple[int, ...], int] = {}
        self._in_order: list[tuple[int, ...]] = []
        self._answers: dict[int, Answers] = {}
        self._possible: list[frozenset[int]] = []  # by rule: entities it may conclude about
        self._gaps: list[str] = []
        self._comparer = Comparer(self._around, self._facts_by_entity(), self._items, self._find)

    def _facts_by_entity(self) -> dict[int, list[tuple[int, Evidence]]]:
        facts: dict[int, list[tuple[int, Evidence]]] = {}
        for number, item in enumerate(self._items):
            place = self._place[number]
            if item.kind == "fact" and place is not None:
                facts.setdefault(place, []).append((number, item))
        return facts

    def build(self) -> Facts:
        """All facts. Raises :class:`RuleLimitExceeded` where the evaluation as a whole cannot be bounded."""
        on: list[tuple[int, int]] = []
        own: set[tuple[int, int, int, float]] = set()
        near: set[tuple[int, int, int, int, float]] = set()
        skipped: set[int] = set()
        for number, compiled in enumerate(self._program.rules):
            if number % LOOK_EVERY == 0:
                self._check(compiled.rule.id)
            candidates = self._candidates(compiled)
            if not candidates:
                self._possible.append(frozenset())
                continue
            problem = self._problem(compiled, candidates, skipped)
            if problem is None:
                owned, neared = self._facts_of(compiled, candidates)
                total = len(on) + len(candidates) + len(own | owned) + len(near | neared)
                if total > self._limits.max_facts:
                    problem = f"more than {self._limits.max_facts} facts would be needed"
            if problem is not None:
                place = compiled.rule.place
                self._gaps.append(
                    f"rule {compiled.rule.id} ({place.file}:{place.line}) was not evaluated: {problem}"
                )
                skipped.add(number)
                self._possible.append(frozenset())
                continue
            own |= owned
            near |= neared
            on.extend((number, entity) for entity in sorted(candidates))
            self._possible.append(self._concluded_about(compiled, candidates))
        return Facts(
            tuple(on), tuple(sorted(own)), tuple(sorted(near)), tuple(self._in_order), tuple(self._gaps)
        )

    def _candidates(self, compiled: CompiledRule) -> set[int]:
        """Entities on which every positive condition has an answer."""
        steps = compiled.steps_cheap_first
        left = self._of(compiled.rule.entity) if steps else frozenset()
        for step in steps:
            if not left:
                break
            here: set[int] | frozenset[int]
            if step.question is None:
                here = self._said(step)
            elif step.reads is not None:
                said, answers = self._said(step), self._near(step.question)
                here = {e for e, found in answers.items() if any(one.neighbour in said for one in found)}
            elif step.near:
                here = set(self._near(step.question))
            else:
                here = self._owners(step.question)
            left = left & here
        return set(left)

    def _of(self, match: EntityMatch) -> frozenset[int]:
        """The entities that ``match`` holds for."""
        if match not in self._fitting:
            fitting = self._around.of_kinds(match.kinds)
            if match.labels:
                fitting = frozenset(n for n in fitting if entity_holds(match, self._around.entities[n]))
            self._fitting[match] = fitting
        return self._fitting[match]

    def _said(self, step: Step) -> frozenset[int]:
        return frozenset().union(*(self._possible[number] for number in step.reads or ()))

    def _concluded_about(self, compiled: CompiledRule, candidates: set[int]) -> frozenset[int]:
        about = compiled.rule.conclusion.about
        if about is None:
            return frozenset(candidates)
        step = next(step for step in compiled.steps if step.alias == about)
        answers = self._near(step.question or 0)
        return frozenset(one.neighbour for entity in candidates for one in answers.get(entity, ()))

    def _problem(self, compiled: CompiledRule, candidates: set[int], skipped: set[int]) -> str | None:
        for step in compiled.steps:
            if step.negated and step.reads is not None and skipped.intersection(step.reads):
                return "it negates a rule that was not evaluated"
        size = 0
        for entity in candidates:
            product = 1
            for step in compiled.steps:
                if step.question is not None:
                    reads = max(1, len(step.reads or ()))
                    product *= max(1, len(self._answers_on(step, entity)) * reads)
            size += product
        if size > self._limits.max_join:
            return f"its join may reach {size} matches, at most {self._limits.max_join} are allowed"
        return None

    def _facts_of(
        self, compiled: CompiledRule, candidates: set[int]
    ) -> tuple[set[tuple[int, int, int, float]], set[tuple[int, int, int, int, float]]]:
        own: set[tuple[int, int, int, float]] = set()
        near: set[tuple[int, int, int, int, float]] = set()
        for step in compiled.steps:
            if step.question is None:
                continue
            for entity in candidates:
                for one in self._answers_on(step, entity):
                    if step.near:
                        near.add((step.question, entity, one.neighbour, one.group, one.at_s))
                    else:
                        own.add((step.question, entity, one.group, one.at_s))
        return own, near

    def _answers_on(self, step: Step, entity: int) -> Sequence[Answer]:
        """What the question of ``step`` is answered with on ``entity``; own evidence is grouped only where it is needed."""
        assert step.question is not None
        if step.near:
            return self._near(step.question).get(entity, ())
        question = self._program.questions[step.question]
        if isinstance(question, CompareQuestion):
            return self._compared(step.question, question).get(entity, ())
        assert isinstance(question, OwnQuestion)
        answers = self._answers.setdefault(step.question, {})
        if entity not in answers:
            items = self._find(question.evidence).get(entity, ())
            enough = len(items) >= question.at_least
            answers[entity] = self._grouped(-1, items, question.timed) if enough else []
        return answers[entity]

    def _near(self, number: int) -> Answers:
        if number not in self._answers:
            question = self._program.questions[number]
            assert isinstance(question, NearQuestion)
            self._answers[number] = self._answer_near(question)
        return self._answers[number]

    def _compared(self, number: int, question: CompareQuestion) -> Answers:
        if number not in self._answers:
            self._answers[number] = {
                entity: [
                    Answer(
                        -1,
                        self._group(list(cited)),
                        min((self._items[one].at_s for one in cited), default=0.0),
                    )
                ]
                for entity, cited in self._comparer.answer(question, self._check).items()
            }
        return self._answers[number]

    def _owners(self, number: int) -> frozenset[int]:
        """The entities with an answer to a question about own evidence or a comparison."""
        question = self._program.questions[number]
        if isinstance(question, CompareQuestion):
            return frozenset(self._compared(number, question))
        assert isinstance(question, OwnQuestion)
        found = self._find(question.evidence)
        return frozenset(entity for entity, items in found.items() if len(items) >= question.at_least)

    def _answer_near(self, question: NearQuestion) -> Answers:
        having = self._find(question.evidence) if question.evidence is not None else None
        naming = self._find(question.named_by) if question.named_by is not None else None
        answers: Answers = {}
        plain: dict[int, Answer] = {}  # by neighbour: the same on every entity next to it
        for turn, (entity, neighbours) in enumerate(self._pairs(question, having, naming)):
            if turn % LOOK_EVERY == 0:
                self._check("a neighbour condition")
            found: list[Answer] = []
            for neighbour in sorted(neighbours):
                named: list[int] = []
                if naming is not None:
                    items = naming[entity][:MAX_NAMED]
                    named = [item for item in items if self._around.names(self._items[item], neighbour)]
                    if not named:
                        continue
                if neighbour in plain:
                    found.append(plain[neighbour])
                    continue
                seen = having[neighbour] if having is not None else []
                if question.timed and seen:
                    found.extend(self._grouped(neighbour, seen, True))
                else:
                    at_s = min((self._items[item].at_s for item in seen), default=0.0)
                    answer = Answer(neighbour, self._group([*self._best(seen), *self._best(named)]), at_s)
                    found.append(answer)
                    if naming is None:
                        plain[neighbour] = answer
            if question.at_least > 1 and len(found) >= question.at_least:
                members = [item for one in found for item in self._in_order[one.group][:1]]
                found = [Answer(-1, self._group(self._best(members)), min(one.at_s for one in found))]
            elif question.at_least > 1:
                found = []
            if found:
                answers[entity] = found
        return answers

    def _pairs(
        self,
        question: NearQuestion,
        having: Mapping[int, list[int]] | None,
        naming: Mapping[int, list[int]] | None,
    ) -> Iterator[tuple[int, set[int]]]:
        """Entities, ascending, with the neighbours that may answer; begins at the few that have evidence."""
        fitting = self._of(question.entity)
        if having is None:
            pairs = self._around.pairs(question.direction, question.over)
            for entity in sorted(pairs if naming is None else pairs.keys() & naming.keys()):
                yield entity, pairs[entity] & fitting
            return
        back = self._around.pairs(_BACK[question.direction], question.over)
        near: dict[int, set[int]] = {}
        for neighbour in having.keys() & fitting:
            for entity in back.get(neighbour, ()):
                if naming is None or entity in naming:
                    near.setdefault(entity, set()).add(neighbour)
        yield from sorted(near.items())

    def _find(self, match: EvidenceMatch) -> dict[int, list[int]]:
        if match not in self._found:
            by_entity: dict[int, list[int]] = {}
            for number in self._index.find(match):
                entity = self._place[number]
                if entity is not None:
                    by_entity.setdefault(entity, []).append(number)
            self._found[match] = by_entity
        return self._found[match]

    def _grouped(self, neighbour: int, items: Sequence[int], timed: bool) -> list[Answer]:
        if not timed:
            at_s = min(self._items[item].at_s for item in items)
            return [Answer(neighbour, self._group(self._best(items)), at_s)]
        ordered = sorted(items, key=lambda item: (self._items[item].at_s, self._items[item].id))
        if len(ordered) > MAX_TIMED:
            ordered = [*ordered[: MAX_TIMED // 2], *ordered[-MAX_TIMED // 2 :]]
        return [Answer(neighbour, self._group([item]), self._items[item].at_s) for item in ordered]

    def _best(self, items: Sequence[int]) -> list[int]:
        return sorted(items, key=lambda item: cite_order(self._items[item]))[:MAX_CITED]

    def _group(self, items: list[int]) -> int:
        key = tuple(dict.fromkeys(items))
        if key not in self._groups:
            self._groups[key] = len(self._groups)
            self._in_order.append(key)
        return self._groups[key]


def cite_order(item: Evidence) -> tuple[float, float, str]:
    """Strongest first, then earliest."""
    return (-item.strength, item.at_s, item.id)


def texts_of(program: Program) -> EvidenceTexts:
    """The memory of what the expressions of ``program`` find."""
    return EvidenceTexts(_matches(program))


def with_facts(program: Program, evidence: EvidenceSet) -> EvidenceSet:
    """``evidence`` with those facts among its items that some condition of ``program`` looks at."""
    globs = tuple(sorted(_fact_names(program)))
    wanted = [fact for fact in evidence.facts if glob_matches(globs, fact.name)] if globs else []
    return EvidenceSet((*evidence.items, *wanted), evidence.gaps)


def _fact_names(program: Program) -> set[str]:
    names = {name for match in _matches(program) if "fact" in match.kinds for name in match.names or ("*",)}
    for question in program.questions:
        if isinstance(question, CompareQuestion):
            names.update((*question.left.names, *question.right.names))
    return names


def _matches(program: Program) -> list[EvidenceMatch]:
    found: list[EvidenceMatch] = []
    for question in program.questions:
        if isinstance(question, OwnQuestion):
            found.append(question.evidence)
        elif isinstance(question, CompareQuestion):
            sides: tuple[CompareSide, ...] = (question.left, question.right)
            wheres = [side.where for side in sides if side.where is not None]
            found.extend([*wheres, *([question.quoted_by] if question.quoted_by else [])])
        else:
            found.extend(match for match in (question.evidence, question.named_by) if match is not None)
    return found
