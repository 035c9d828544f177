"""The product on damaged cases: ``python -m benchmarks.robustness --cases DIR``.

Detector 60 s late, a fifth of the metrics missing, a tenth of the relations wrong, no logs, no relations
(:mod:`aiops.evaluation.perturbations`). Beside the product: the prior alone and the strongest scorers without learning.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aiops.evaluation.examined import Examined
from aiops.evaluation.metrics import measures, paired_interval
from aiops.evaluation.perturbations import PERTURBATIONS
from aiops.wiring import load
from aiops.wiring.bench import Examiner
from benchmarks.accuracy import write_document
from benchmarks.cases import SEED, case_arguments, examined_cases
from benchmarks.report import commit, machine

SHOWN = ("product", "prior", "random_walk", "largest_robust_z", "alert_count")


def ranks_of(found: Sequence[Examined], scorer: str) -> list[int | None]:
    """Rank of the true cause in each case, by one scorer."""
    return [case.label.rank_in(case.answers[scorer].ranked) for case in found]


def summary(found: Sequence[Examined], whole: Sequence[Examined]) -> dict[str, Any]:
    """Each scorer on the damaged cases; the product's difference in AC@1 to the undamaged ones, in pairs."""
    first = [np.array([float(rank == 1) for rank in ranks_of(cases, "product")]) for cases in (found, whole)]
    sets = sorted({case.data_set for case in found})
    return {
        "scorers": {name: measures(ranks_of(found, name)) for name in SHOWN},
        "difference": paired_interval(first[0] - first[1], seed=SEED),
        "sets": {
            name: measures(ranks_of([case for case in found if case.data_set == name], "product"))
            for name in sets
        },
        "inconclusive": sum(not case.answers["product"].ranked for case in found),
    }


def table(document: Mapping[str, Any]) -> str:
    """AC@1 / AC@3 of every scorer, one line a damage."""
    lines = [f"{'damage':<26}" + "".join(f"{name:>20}" for name in SHOWN)]
    for name, found in document["damage"].items():
        figures = [found["scorers"][scorer] for scorer in SHOWN]
        cells = [f"{one['ac1']:.3f} / {one['ac3']:.3f}" for one in figures]
        lines.append(f"{name:<26}" + "".join(f"{cell:>20}" for cell in cells))
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    options = case_arguments(__doc__ or "").parse_args(argv)
    examiner = Examiner(load(), seed=SEED)
    damage: dict[str, object] = {}
    whole: list[Examined] = []
    for name, change in PERTURBATIONS.items():
        found = [case for _, case in examined_cases(options, change=change, name=name, examiner=examiner)]
        whole = whole or found
        damage[name] = summary(found, whole)
    document = {
        "commit": commit(),
        "machine": machine(),
        "seed": SEED,
        "most_cases_a_set": options.most,
        "protocol": "development cases, the product as it ships, damaged before anything is looked at",
        "cases": len(whole),
        "damage": damage,
    }
    write_document(document, options.output)
    sys.stdout.write(table(document) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
