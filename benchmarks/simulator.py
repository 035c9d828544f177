"""Is the simulator like real failures? ``python -m benchmarks.simulator --cases DIR [--simulated 300] [-o FILE]``.

A simulated fault proves something about real ones only where both find the same methods good and the same methods bad. So
scorers that have learned nothing rank the labelled development cases (mean over sets) and the simulated ones, and the two
orders are compared by Spearman's rank correlation; 0.6 is the least at which the simulator is accepted. Ties are broken at
random, so that a scorer without an opinion does as well as chance.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aiops.evaluation.cases import find_cases
from aiops.wiring import load
from aiops.wiring.tables import Tabulated, Tabulator
from benchmarks.report import commit, machine, parser
from graph_models.simulation.telemetry import simulate_case

SEED = 7
ACCEPTED = 0.6
DEFAULT_CASES = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "cases"
#: Columns that everyone upstream of a failure shows too.
SYMPTOMS = ("latency", "errors", "traffic")

Floats = npt.NDArray[np.float64]
Scorer = Callable[[Tabulated], Floats]


def feature(name: str) -> Scorer:
    """One column of the table."""
    return lambda case: case.table.features[:, case.table.feature_names.index(name)]


def summed(prefix: str, *, symptoms: bool | None) -> Scorer:
    """The sum of all columns of a prefix; ``symptoms``: True only those of symptoms, False all others, None all."""

    def score(case: Tabulated) -> Floats:
        chosen = [
            position
            for position, name in enumerate(case.table.feature_names)
            if name.startswith(prefix)
            and (symptoms is None or symptoms == name.removeprefix(prefix).startswith(SYMPTOMS))
        ]
        return np.asarray(case.table.features[:, chosen].sum(axis=1))

    return score


def by_evidence(kinds: Sequence[str], *, largest: bool, count: bool = False) -> Scorer:
    """Strength of an entity's own live evidence of these kinds (all kinds where empty), or its number."""

    def score(case: Tabulated) -> Floats:
        rows = {entity: row for row, entity in enumerate(case.table.entities)}
        found = np.zeros(len(rows))
        for item in case.evidence.items:
            if (kinds and item.kind not in kinds) or item.entity not in rows or item.chronic:
                continue
            row, value = rows[item.entity], 1.0 if count else item.strength
            found[row] = max(found[row], value) if largest else found[row] + value
        return found

    return score


def random_walk(case: Tabulated) -> Floats:
    """Where a walk ends that goes from effects to their causes and starts anew where evidence is: PageRank, 0.85."""
    n = len(case.table.entities)
    restart = by_evidence((), largest=False)(case) + 1e-6
    restart = restart / restart.sum()
    cause, effect = case.table.edges
    ways = np.bincount(effect, minlength=n)
    at = restart
    for _ in range(30):
        moved = np.bincount(cause, weights=at[effect] / ways[effect], minlength=n)
        at = 0.15 * restart + 0.85 * (moved + restart * at[ways == 0].sum())
    return np.asarray(at)


SCORERS: Mapping[str, Scorer] = {
    "random": lambda case: np.zeros(len(case.table.entities)),
    "number of alerts": by_evidence(("alert",), largest=False, count=True),
    "number of findings": by_evidence((), largest=False, count=True),
    "largest robust z": by_evidence(("metric",), largest=True),
    "largest finding": by_evidence((), largest=True),
    "sum of findings": by_evidence((), largest=False),
    "all channels": summed("share:", symptoms=None),
    "symptoms only": summed("share:", symptoms=True),
    "no symptoms": summed("share:", symptoms=False),
    "no symptoms, against siblings": summed("contrast:", symptoms=False),
    "symptoms nobody below explains": summed("residual:", symptoms=None),
    "log only": feature("share:log"),
    "blame only": feature("blame"),
    "flow only": feature("flow"),
    "overhead only": feature("overhead"),
    "first change": feature("first_change"),
    "random walk": random_walk,
    "prior": lambda case: case.table.prior,
}


def place(scores: Floats, case: Tabulated, rng: np.random.Generator) -> int:
    """The place of the best right candidate after merging by group, from 1; equals stand in random order."""
    merged = np.full(len(scores), -np.inf)
    np.maximum.at(merged, case.table.group, scores)
    standing = np.unique(case.table.group)
    order = standing[np.lexsort((rng.random(len(standing)), -merged[standing]))]
    right = {int(case.table.group[row]) for row in case.truth}
    return 1 + next(position for position, row in enumerate(order.tolist()) if row in right)


def figures(cases: Sequence[Tabulated], seed: int = SEED) -> dict[str, tuple[float, float]]:
    """AC@1 and Avg@5 of every scorer over ``cases`` whose truth is a candidate."""
    found = {}
    for name, scorer in SCORERS.items():
        rng = np.random.default_rng(seed)
        places = np.array([place(scorer(case), case, rng) for case in cases if case.truth])
        top = [float((places <= k).mean()) for k in range(1, 6)]
        found[name] = (top[0], float(np.mean(top)))
    return found


def spearman(one: Sequence[float], other: Sequence[float]) -> float:
    """Correlation of the ranks; equals share the mean of their ranks. 0 where one of them does not vary."""
    first, second = _ranks(np.asarray(one)), _ranks(np.asarray(other))
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: Floats) -> Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2.0)[inverse])


def compare(sets: Mapping[str, Sequence[Tabulated]], simulated: Sequence[Tabulated]) -> dict[str, Any]:
    """Both orders, and how alike they are: over all sets, by each set, and with each set left out."""
    real = {name: figures(cases) for name, cases in sorted(sets.items())}
    ours = figures(simulated)
    names = list(SCORERS)

    def mean(measure: int, left_out: str | None = None) -> list[float]:
        kept = [found for name, found in real.items() if name != left_out]
        return [float(np.mean([found[scorer][measure] for found in kept])) for scorer in names]

    def column(found: Mapping[str, tuple[float, float]], measure: int) -> list[float]:
        return [found[scorer][measure] for scorer in names]

    measures = ("ac1", "avg5")
    rows = [
        {
            "scorer": scorer,
            **{f"real_{measure}": mean(i)[row] for i, measure in enumerate(measures)},
            **{f"simulated_{measure}": ours[scorer][i] for i, measure in enumerate(measures)},
        }
        for row, scorer in enumerate(names)
    ]
    agreement = {measure: spearman(mean(i), column(ours, i)) for i, measure in enumerate(measures)}
    return {
        "accepted": all(value >= ACCEPTED for value in agreement.values()),
        "least": ACCEPTED,
        "spearman": agreement,
        "spearman_by_set": {
            name: spearman(column(found, 1), column(ours, 1)) for name, found in real.items()
        },
        "spearman_without": {name: spearman(mean(1, name), column(ours, 1)) for name in real},
        "scorers": rows,
    }


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(__doc__ or "")
    arguments.add_argument("--cases", type=Path, help="folder with labelled case folders below it")
    arguments.add_argument("--simulated", type=int, default=300, help="number of simulated faults")
    options = arguments.parse_args(argv)
    shared = os.environ.get("AIOPS_SHARED_DATA")
    root = options.cases or (Path(shared) / "cases" if shared else DEFAULT_CASES)
    tabulator, sets = Tabulator(load()), dict[str, list[Tabulated]]()
    for found in find_cases(root):
        own = sets.setdefault(found.data_set, [])
        wanted = options.only is None or options.only in found.data_set
        if found.labelled and wanted and not (options.quick and len(own) >= 6):
            own.append(tabulator.folder(found.path))
    count = 30 if options.quick else options.simulated
    simulated = [tabulator.simulated(simulate_case(SEED * 1_000_000 + number)) for number in range(count)]
    document = compare({name: cases for name, cases in sets.items() if cases}, simulated)
    for row in document["scorers"]:
        sys.stdout.write(
            f"{row['scorer']:<32} real {row['real_ac1']:.2f} {row['real_avg5']:.2f}"
            f"   simulated {row['simulated_ac1']:.2f} {row['simulated_avg5']:.2f}\n"
        )
    sys.stdout.write(f"Spearman {document['spearman']}\n")
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        head = {"commit": commit(), "machine": machine(), "seed": SEED, "simulated": len(simulated)}
        options.output.write_text(json.dumps({**head, **document}, indent=1) + "\n", encoding="utf-8")
    return 0 if document["accepted"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
