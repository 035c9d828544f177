"""What every part of the explanation is told from, worked out once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiops.domain.analysis import Engine, Impact, RootCause, RuledOut
from aiops.domain.candidates import RuleFiring
from aiops.domain.evidence import Evidence
from aiops.domain.explanation import Sentence, Similar
from aiops.reasoning.diagnosis import Diagnosis, Finding, Matter
from aiops.reasoning.verdict import VerdictWeights
from aiops.reasoning.words.book import Book
from aiops.reasoning.words.names import Names
from aiops.reasoning.words.phrases import happened
from aiops.reasoning.words.signs import Signs


@dataclass(frozen=True, slots=True)
class Consequences:
    """What taking the first cause away would touch: ids, sorted. ``reached``: by its failure; ``kept``: alive by
    redundancy; ``suffering``: of those reached, whoever has symptoms."""

    reached: tuple[str, ...]
    services: tuple[str, ...]
    kept: tuple[str, ...]
    suffering: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Brief:
    """``signs_of_causes``: of each cause, in rank order, what says most plainly what happened to it. ``skews``: seconds by which
    machines' clocks run ahead. ``gaps``: in words, as they stand in the analysis. ``complains``: ``alert`` where all that
    has to be explained are alerts, else ``symptom``."""

    matter: Matter
    diagnosis: Diagnosis
    causes: tuple[RootCause, ...]
    ruled_out: tuple[RuledOut, ...]
    impact: Impact
    consequences: Consequences
    gaps: tuple[str, ...]
    engine: Engine
    weights: VerdictWeights
    book: Book
    names: Names
    signs: Signs
    signs_of_causes: tuple[Evidence | None, ...]
    skews: Mapping[str, float]
    complains: str = "symptom"
    similar: tuple[Similar, ...] = ()

    @property
    def first(self) -> RootCause:
        """The first cause; there must be one."""
        return self.causes[0]

    @property
    def finding(self) -> Finding:
        return self.diagnosis.findings[0]

    @property
    def start_s(self) -> float:
        return self.matter.incident.started_at.timestamp()

    def name(self, entity_id: str) -> str:
        return self.names.of(entity_id)

    def clock(self, at_s: float) -> str:
        return self.book.clock(at_s)

    def said(self, item: Evidence, *, after: str = "", mark: str = "") -> Sentence:
        """``swp2 on core-1 reported “…” at 22:01:54``, then ``after``."""
        told = happened(item, self.names)
        text = f"{self.name(item.entity)} {told.text} at {self.clock(item.at_s)}{after}"
        return Sentence(text, (self.book.item(item),), told.verbatim, mark)

    def firings(self) -> tuple[RuleFiring, ...]:
        """Of rules that spoke about the first cause, heaviest first."""
        members = frozenset(self.finding.ranked.members)
        mine = [firing for firing in self.matter.rules.firings if firing.entity in members]
        return tuple(sorted(mine, key=lambda firing: (-firing.weight, firing.rule, firing.entity)))

    def explained(self, cause: RootCause) -> str:
        """The id of the count of what ``cause`` explains."""
        count, total = len(cause.explained), len(cause.explained) + len(cause.unexplained)
        noun = self.noun(total)
        return self.book.count(
            "explained",
            f"{self.name(cause.entity.id)} explains {count} of {total} {noun}",
            count,
            total,
            members=cause.explained,
            entity=cause.entity.id,
        )

    def noun(self, total: int) -> str:
        """``alert`` or ``symptom``, as many as ``total``."""
        return self.complains if total == 1 else f"{self.complains}s"
