"""Rules on past failures: how often each spoke, how often of the true cause, and what its word did to the ranking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from aiops.domain.candidates import RuleFiring
from aiops.domain.fault_kinds import normalise_kind
from aiops.evaluation.labels import Label

#: A cause that is not listed at all stands behind every place.
UNLISTED = 1_000_000


@dataclass(frozen=True, slots=True)
class Replayed:
    """One past failure. ``rank``: place of the true cause with all rules; ``without``: by rule that spoke, its place without
    that rule; ``bare``: without any rule. None: not listed."""

    label: Label
    firings: tuple[RuleFiring, ...]
    rank: int | None
    bare: int | None
    without: Mapping[str, int | None]


@dataclass(slots=True)
class RuleRecord:
    """What became of one rule. ``on_cause``: firings about the true cause, of ``firings``; ``kind_right``: of those, how many
    named its kind; ``up``, ``down``: cases in which the true cause stands better, or worse, for it."""

    rule: str
    effect: str
    kind: str | None
    cases: int = 0
    firings: int = 0
    on_cause: int = 0
    kind_right: int = 0
    up: int = 0
    down: int = 0

    @property
    def precision(self) -> float:
        """Share of firings that were about the true cause."""
        return self.on_cause / self.firings if self.firings else 0.0

    def row(self) -> dict[str, object]:
        """For a table or JSON."""
        names = ("rule", "effect", "kind", "cases", "firings", "on_cause")
        counted = {name: getattr(self, name) for name in names}
        return {
            **counted,
            "precision": round(self.precision, 3),
            "kind_right": self.kind_right,
            "up": self.up,
            "down": self.down,
        }


@dataclass(frozen=True, slots=True)
class Backtest:
    """All rules that spoke, by id; ``silent``: those that never did; ``ac1_with`` and ``ac1_bare`` of the whole set."""

    records: tuple[RuleRecord, ...]
    silent: tuple[str, ...]
    cases: int
    ac1_with: float
    ac1_bare: float
    up: int = field(default=0)
    down: int = field(default=0)


def tally(replays: Iterable[Replayed], rules: Sequence[str]) -> Backtest:
    """Count ``replays``. ``rules``: the ids of the whole set."""
    records: dict[str, RuleRecord] = {}
    with_all: list[bool] = []
    bare: list[bool] = []
    up = down = 0
    for replay in replays:
        with_all.append(replay.rank == 1)
        bare.append(replay.bare == 1)
        up += _place(replay.rank) < _place(replay.bare)
        down += _place(replay.rank) > _place(replay.bare)
        _count(replay, records)
    spoke = tuple(records[name] for name in sorted(records))
    count = len(with_all)
    return Backtest(
        spoke,
        tuple(sorted(set(rules) - records.keys())),
        count,
        round(sum(with_all) / count, 4) if count else 0.0,
        round(sum(bare) / count, 4) if count else 0.0,
        up,
        down,
    )


def _count(replay: Replayed, records: dict[str, RuleRecord]) -> None:
    wanted = {normalise_kind(kind) for kind in replay.label.kinds}
    causes = {entity for entity, _ in replay.label.causes}
    for firing in replay.firings:
        record = records.setdefault(firing.rule, RuleRecord(firing.rule, firing.effect, firing.kind))
        record.firings += 1
        if firing.entity in causes:
            record.on_cause += 1
            record.kind_right += firing.kind is not None and normalise_kind(firing.kind) in wanted
    for rule in {firing.rule for firing in replay.firings}:
        records[rule].cases += 1
        if rule in replay.without:
            records[rule].up += _place(replay.rank) < _place(replay.without[rule])
            records[rule].down += _place(replay.rank) > _place(replay.without[rule])


def _place(rank: int | None) -> int:
    return UNLISTED if rank is None else rank
