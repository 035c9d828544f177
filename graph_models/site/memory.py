r"""A site's own history: how often each entity shows what, when it is the cause and when it is not.

For entity e and token k, with counts over labelled incidents, and p_k the share of all rows that were no cause and had k:

.. math::
    b_{ek} = (n_{ek} + 3 p_k) / (n_e + 3), \quad c_k = (m_k + 2 p_k) / (m + 2), \quad
    \mathrm{surprise}_{ek} = -\log b_{ek}, \quad \mathrm{ratio}_{ek} = \log(c_k / b_{ek})

so what an entity always shows counts little, and what causes show and others do not counts much (Dirichlet smoothing towards
the site's own mean). Names of entities and metrics are kept: a memory belongs to its site and is never shipped.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from aiops.domain.candidates import CandidateTable
from aiops.errors import ModelError

FORMAT = "aiops-site/1"
#: Rows (over all incidents) that a token needs to get a column of its own, and most columns.
FEWEST_ROWS, MOST_TOKENS = 4, 400
_ENTITY_TRUST, _CAUSE_TRUST = 3.0, 2.0
_LEAST = 1e-4


@dataclass(frozen=True, slots=True)
class Habit:
    """What one entity showed in ``rows`` incidents in which it was no cause, and in how many it was the cause."""

    rows: int
    causes: int
    tokens: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SiteMemory:
    """``background``: rows with each token that were no cause, of ``rows``; ``cause``: the same of the ``causes`` rows that were.

    ``vocabulary``: tokens with a column of their own, sorted.
    """

    incidents: int
    rows: int
    background: Mapping[str, int]
    causes: int
    cause: Mapping[str, int]
    habits: Mapping[str, Habit]
    vocabulary: tuple[str, ...]

    def surprise(self, entity: str, token: str) -> tuple[float, float]:
        """(surprise, ratio) of ``token`` on ``entity``."""
        pooled = (self.background.get(token, 0) + 0.5) / (self.rows + 1.0)
        habit = self.habits.get(entity, _STRANGER)
        usual = (habit.tokens.get(token, 0) + _ENTITY_TRUST * pooled) / (habit.rows + _ENTITY_TRUST)
        among_causes = (self.cause.get(token, 0) + _CAUSE_TRUST * pooled) / (self.causes + _CAUSE_TRUST)
        usual = max(usual, _LEAST)
        return -math.log(usual), math.log(max(among_causes, _LEAST) / usual)

    def guilt(self, entity: str) -> float:
        """log of how often ``entity`` was the cause, smoothed."""
        return math.log((self.habits.get(entity, _STRANGER).causes + 0.5) / (self.incidents + 5.0))


_STRANGER = Habit(0, 0, {})


def standing_rows(table: CandidateTable) -> tuple[int, ...]:
    """One row a candidate: those that stand for their group."""
    return tuple(sorted({int(row) for row in table.group}))


def remember(incidents: Iterable[tuple[CandidateTable, Sequence[int]]]) -> SiteMemory:
    """The memory of labelled incidents: (table, rows that are right answers)."""
    background: Counter[str] = Counter()
    cause: Counter[str] = Counter()
    habits: dict[str, Counter[str]] = defaultdict(Counter)
    innocent: Counter[str] = Counter()
    guilty: Counter[str] = Counter()
    number = 0
    for table, truth in incidents:
        number += 1
        right = {int(table.group[row]) for row in truth}
        for row in standing_rows(table):
            entity = table.entities[row]
            names = [token.name for token in table.tokens[row]] if table.tokens else []
            if row in right:
                guilty[entity] += 1
                cause.update(names)
            else:
                innocent[entity] += 1
                background.update(names)
                habits[entity].update(names)
    totals = background + cause
    frequent = sorted(
        (token for token in totals if totals[token] >= FEWEST_ROWS), key=lambda token: (-totals[token], token)
    )
    return SiteMemory(
        incidents=number,
        rows=innocent.total(),
        background=dict(background),
        causes=guilty.total(),
        cause=dict(cause),
        habits={
            entity: Habit(innocent[entity], guilty[entity], dict(habits[entity]))
            for entity in sorted({*innocent, *guilty})
        },
        vocabulary=tuple(sorted(frequent[:MOST_TOKENS])),
    )


def forget(memory: SiteMemory, table: CandidateTable, truth: Sequence[int]) -> SiteMemory:
    """``memory`` without one incident that is part of it; the vocabulary stays."""
    one = remember([(table, truth)])
    habits = dict(memory.habits)
    for entity, habit in one.habits.items():
        held = habits[entity]
        habits[entity] = Habit(
            held.rows - habit.rows, held.causes - habit.causes, _less(held.tokens, habit.tokens)
        )
    return replace(
        memory,
        incidents=memory.incidents - 1,
        rows=memory.rows - one.rows,
        background=_less(memory.background, one.background),
        causes=memory.causes - one.causes,
        cause=_less(memory.cause, one.cause),
        habits=habits,
    )


def _less(counts: Mapping[str, int], taken: Mapping[str, int]) -> dict[str, int]:
    return {**counts, **{token: counts[token] - number for token, number in taken.items()}}


def write_memory(path: Path, memory: SiteMemory) -> None:
    """As JSON with sorted keys: the same memory, the same bytes."""
    document = {
        "format": FORMAT,
        "incidents": memory.incidents,
        "rows": memory.rows,
        "background": memory.background,
        "causes": memory.causes,
        "cause": memory.cause,
        "habits": {
            entity: {"rows": habit.rows, "causes": habit.causes, "tokens": habit.tokens}
            for entity, habit in memory.habits.items()
        },
        "vocabulary": memory.vocabulary,
    }
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_memory(path: Path) -> SiteMemory:
    """Raises :class:`ModelError` on a file that is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']!r} in place of {FORMAT!r}")
        return SiteMemory(
            incidents=int(document["incidents"]),
            rows=int(document["rows"]),
            background=dict(document["background"]),
            causes=int(document["causes"]),
            cause=dict(document["cause"]),
            habits={
                entity: Habit(int(one["rows"]), int(one["causes"]), dict(one["tokens"]))
                for entity, one in document["habits"].items()
            },
            vocabulary=tuple(document["vocabulary"]),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(
            f"{path} is no site memory: {error}", hint="adapt the model anew", file=str(path)
        ) from error
