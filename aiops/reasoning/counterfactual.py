"""What if this cause were healthy? What would stay unexplained, and who would be suspected instead.

A complaint counts for a cause only as far as nobody else accounts for it: another candidate with evidence of its own,
which the cause does not reach (else it is a consequence), and which reaches the complaint.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from aiops.domain.analysis import Counterfactual
from aiops.reasoning.complaints import Complaints
from aiops.reasoning.consequences import Explained
from aiops.reasoning.ranking import Ranked
from aiops.reasoning.spread import FailureGraph, Sighting


@dataclass(frozen=True, slots=True)
class Account:
    """Complaint ids by what becomes of them. ``only``: explained by this cause and nobody else."""

    explained: tuple[str, ...]
    unexplained: tuple[str, ...]
    only: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Accounts:
    """Who explains what, as masks over (complaining entities, entities of the graph)."""

    graph: FailureGraph
    complaints: Complaints
    explained: Explained
    failing: np.typing.NDArray[np.bool_]
    reaches: np.typing.NDArray[np.bool_]  # [n, n] would be large: rows follow ``suspects``
    suspects: tuple[str, ...]

    def of(self, members: Sequence[str]) -> Account:
        """The account of one cause (all entities merged into it)."""
        columns = [self.graph.index[member] for member in members if member in self.graph.index]
        covers = self.explained.plausibility > 0
        others = self.failing.copy()
        others[columns] = False
        rows = [row for row, suspect in enumerate(self.suspects) if suspect in members]
        if rows:
            others &= ~self.reaches[rows].any(axis=0)
        mine = _rows_with(covers[:, columns])
        elsewhere = _rows_with(covers[:, others])
        explained: list[str] = []
        unexplained: list[str] = []
        only: list[str] = []
        place = {entity: row for row, entity in enumerate(self.explained.entities)}
        for item in self.complaints.items:
            row = place.get(item.entity, -1)
            (explained if row in mine else unexplained).extend(item.ids)
            if row in mine and row not in elsewhere:
                only.extend(item.ids)
        return Account(tuple(explained), tuple(unexplained), tuple(only))

    def reaches_all(self, cause: Ranked, other: Ranked) -> bool:
        """Whether ``other`` may be nothing but a consequence of ``cause``."""
        rows = [row for row, suspect in enumerate(self.suspects) if suspect in cause.members]
        columns = [self.graph.index[member] for member in other.members if member in self.graph.index]
        return bool(rows and columns and np.asarray(self.reaches[rows].any(axis=0))[columns].all())


def _rows_with(mask: np.typing.NDArray[np.bool_]) -> frozenset[int]:
    return frozenset(np.flatnonzero(mask.any(axis=1)).tolist())


def settle_accounts(
    graph: FailureGraph,
    sighting: Sighting,
    complaints: Complaints,
    explained: Explained,
    forward: Sequence[np.typing.NDArray[np.bool_]],
    suspects: Sequence[str],
) -> Accounts:
    """``forward[i]``: bool [n], entities that a failure of ``suspects[i]`` reaches (itself left out)."""
    failing = np.array([entity in sighting.failing for entity in graph.entities], dtype=np.bool_)
    reaches = np.array(forward, dtype=np.bool_).reshape(len(suspects), len(graph.entities))
    return Accounts(graph, complaints, explained, failing, reaches, tuple(suspects))


def reached_from(
    graph: FailureGraph, members: Sequence[str], depth: int, floor: float
) -> np.typing.NDArray[np.bool_]:
    """Entities that a failure of ``members`` reaches within ``depth`` hops with at least plausibility ``floor``."""
    best: dict[str, float] = dict.fromkeys(members, 0.0)
    least = float(np.log(floor))
    border = sorted(best)
    for _ in range(depth):
        grown: dict[str, float] = {}
        for at in border:
            for arrow in graph.out.get(at, ()):
                value = best[at] + arrow.log_weight
                if value >= least and value > best.get(arrow.effect, -math.inf):
                    best[arrow.effect] = grown[arrow.effect] = value
        border = sorted(grown)
    reached = np.zeros(len(graph.entities), dtype=np.bool_)
    reached[[graph.index[entity] for entity in best if entity in graph.index and entity not in members]] = (
        True
    )
    return reached


def neutralise(
    cause: Ranked, account: Account, total: int, candidates: Sequence[Ranked], name: Callable[[str], str]
) -> Counterfactual:
    """What changes with the cause taken as healthy. ``total``: complaints in all. ``candidates``: all that were ranked; ``name``:
    what an entity is called.

    Nobody is scored again: what another candidate owes to a cause is given back to it, and the first by that is suspected.
    """
    rest = [
        (-(other.total - other.score.get("consequence", 0.0)), other.entity)
        for other in candidates
        if other.entity not in cause.members and other.score["prior"] > 0
    ]
    suspect = min(rest)[1] if rest else None
    lost = len(account.only)
    if not total:
        said = f"Without {name(cause.entity)} there is nothing left to explain"
    elif lost:
        said = f"Without {name(cause.entity)}, {lost} of {total} symptoms have no other explanation"
    else:
        said = f"Without {name(cause.entity)}, everything it explains has another explanation"
    said += f"; the next suspect would be {name(suspect)}." if suspect else "; nothing else is suspect."
    return Counterfactual(said, -lost, account.only, suspect)


#: Least share of the first total at which a cause that explains something may pass one that explains nothing.
COMPARABLE = 0.7


def first_by_difference(causes: Sequence[Ranked], accounts: Sequence[Account]) -> tuple[int, ...]:
    """Order of the causes in which one that explains nothing at all does not come before one that does.

    Only the first place is at stake: ``accounts`` belong to the first causes, in order. The other must have at least
    :data:`COMPARABLE` of its total: a topology with a relation missing does not outweigh what was plainly seen.
    """
    order = list(range(len(causes)))
    if not accounts or accounts[0].explained or causes[0].pinned is not None:
        return tuple(order)
    enough = COMPARABLE * causes[0].total
    better = next(
        (p for p, account in enumerate(accounts) if account.only and causes[p].total >= enough), None
    )
    if better is None:
        return tuple(order)
    order.remove(better)
    return (better, *order)
