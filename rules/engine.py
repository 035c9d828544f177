"""Rules over evidence: facts in, one bounded CLIPS run, firings out. Implements ``aiops.contracts.RuleEngine``.

One environment is compiled once and reset for each evaluation; a lock lets one evaluation in at a time. After a run that
was stopped the environment is thrown away, so nothing of it can reach the next analysis.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

import clips

from aiops.domain.candidates import RuleFiring, RuleOutcome
from aiops.domain.evidence import EvidenceSet
from aiops.domain.graph import Subgraph
from aiops.domain.occurrences import Incident
from aiops.errors import RuleLimitExceeded
from rules.compiler import COLLECT, TEMPLATES, Program, compile_rules
from rules.facts import FactBuilder, Facts, RuleLimits, texts_of, with_facts
from rules.firings import read_firings
from rules.model import RuleSet

_SLICE = 250  # firings between two looks at the clock
_CHECK_EVERY = 500  # facts between two looks at the clock


class ClipsRuleEngine:
    """Evaluates one rule set. Safe to call from several threads; the same input gives the same outcome.

    Evaluation that runs into ``limits`` never raises: a single rule is left out, or all firings are, and ``gaps`` says
    which and why. ``cpu_clock`` is the clock of the deadline: CPU seconds of the
    calling thread, so that a busy machine does not change an answer.
    """

    def __init__(
        self,
        rule_set: RuleSet,
        *,
        limits: RuleLimits | None = None,
        cpu_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._program: Program = compile_rules(rule_set)
        self._texts = texts_of(self._program)
        self._limits = limits or RuleLimits()
        self._cpu_clock = cpu_clock
        self._own_clock = cpu_clock is time.thread_time
        self._lock = threading.Lock()
        self._rows: list[tuple[int, ...]] = []
        self._environment: clips.Environment | None = _environment(self._program, self._rows)

    @property
    def version(self) -> str:
        """Semver and SHA-256 of the rule set."""
        return self._program.version

    def evaluate(self, incident: Incident, subgraph: Subgraph, evidence: EvidenceSet) -> RuleOutcome:
        """All firings on ``evidence``, sorted by (entity, rule)."""
        deadline = self._cpu_clock() + self._limits.deadline_s
        # reading the CPU clock is a system call; no thread has used more CPU seconds than have passed
        not_before_s = time.monotonic() + self._limits.deadline_s if self._own_clock else -math.inf

        def check(where: str) -> None:
            if time.monotonic() >= not_before_s and self._cpu_clock() > deadline:
                raise RuleLimitExceeded(
                    f"rule evaluation was stopped after {self._limits.deadline_s:g} s at {where}",
                    limit="deadline_s",
                    rule=where,
                )

        with self._lock:
            try:
                seen = with_facts(self._program, evidence)
                facts = FactBuilder(
                    self._program, incident, subgraph, seen, self._texts, self._limits, check
                ).build()
                rows = self._run(facts, check)
                firings = read_firings(self._program, rows, facts, subgraph, seen)
            except RuleLimitExceeded as exc:
                self._environment = None
                return RuleOutcome(firings=(), version=self._program.version, gaps=(exc.message,))
        return RuleOutcome(firings=_ordered(firings), version=self._program.version, gaps=facts.gaps)

    def _run(self, facts: Facts, check: Callable[[str], None]) -> list[tuple[int, ...]]:
        """Assert, run in slices, and collect what fired as rows of numbers."""
        if not facts.on:
            return []
        if self._environment is None:
            self._environment = _environment(self._program, self._rows)
        environment = self._environment
        environment.reset()
        self._rows.clear()
        templates = {name: environment.find_template(name) for name in ("on", "own", "near")}
        for number, (q, e, i, at) in enumerate(facts.own):
            templates["own"].assert_fact(q=q, e=e, i=i, at=at)
            if number % _CHECK_EVERY == 0:
                check("the facts of single entities")
        for number, (q, e, n, i, at) in enumerate(facts.near):
            templates["near"].assert_fact(q=q, e=e, n=n, i=i, at=at)
            if number % _CHECK_EVERY == 0:
                check("the facts of neighbours")
        for number, (r, e) in enumerate(facts.on):
            templates["on"].assert_fact(r=r, e=e)
            if number % _CHECK_EVERY == 0:
                check(self._program.rules[r].rule.id)
        self._fire(environment, check)
        return list(self._rows)

    def _fire(self, environment: clips.Environment, check: Callable[[str], None]) -> None:
        fired = 0
        while True:
            ran = environment.run(limit=_SLICE)
            fired += ran
            if ran < _SLICE:
                return
            waiting = next(iter(environment.activations()), None)
            where = self._rule_named(waiting.name) if waiting is not None else "the last rule"
            if fired >= self._limits.max_firings and waiting is not None:
                raise RuleLimitExceeded(
                    f"rule evaluation was stopped after {fired} firings at {where}",
                    limit="max_firings",
                    rule=where,
                )
            check(where)

    def _rule_named(self, construct: str) -> str:
        rule = self._program.rules[int(construct.rpartition("-")[2])].rule
        return f"{rule.id} ({rule.place.file}:{rule.place.line})"


def _environment(program: Program, rows: list[tuple[int, ...]]) -> clips.Environment:
    """A new environment whose firings are appended to ``rows``."""
    environment = clips.Environment()

    def collect(*row: int) -> None:
        rows.append(row)

    environment.define_function(collect, COLLECT)
    for construct in TEMPLATES:
        environment.build(construct)
    for compiled in program.rules:
        environment.build(compiled.construct)
    return environment


def _ordered(firings: list[RuleFiring]) -> tuple[RuleFiring, ...]:
    return tuple(sorted(firings, key=lambda firing: (firing.entity, firing.rule)))
