"""What a site's own labels are worth: ``python -m benchmarks.adaptation --cases DIR --set NAME``.

For each set a third of the cases is kept aside; models are adapted to 10, 16, 32, 64 and all of the others, drawn by seed, as
``aiops train --adapt`` does it (the largest bound that so many labels open; the gate is not asked), and are asked about the
cases kept aside, beside the prior. Tables alone: no paths.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aiops.evaluation.examined import Examined
from aiops.evaluation.metrics import paired_interval
from benchmarks.accuracy import write_document
from benchmarks.cases import SEED, case_arguments, examined_cases, progress
from benchmarks.report import commit, machine
from graph_models.export import load_network
from graph_models.registry import packaged_model
from graph_models.training import LabelledTable
from graph_models.training.adapting import AdaptationSettings, adapt, bounds_for, places

LABELS = (10, 16, 32, 64)
#: Draws of few labels, which differ much, and of many.
DRAWS, FEW, FEWER_DRAWS = 6, 32, 2
ASIDE = 3


def table_of(case: Examined) -> LabelledTable:
    return LabelledTable(case.table, case.rules, case.truth(), system=case.system)


def measure(cases: Sequence[Examined], draws: int) -> dict[str, object]:
    """Figures of one set, by number of labels. ``gain``: AC@1 less the prior's on the same cases, paired."""
    usable = [table_of(case) for case in cases if case.truth()]
    order = np.random.default_rng(SEED).permutation(len(usable))
    test = [usable[int(i)] for i in order[: len(usable) // ASIDE]]
    pool = [usable[int(i)] for i in order[len(usable) // ASIDE :]]
    prior = places(test, [np.zeros(len(case.table.entities)) for case in test])
    rows = [{"labels": 0, "bound": 0.0, **_measures(prior)}]
    network = load_network(packaged_model())
    for labels in (*[number for number in LABELS if number < len(pool)], len(pool)):
        found = []
        for draw in range(draws if labels <= FEW else FEWER_DRAWS if labels < len(pool) else 1):
            chosen = np.random.default_rng((SEED, labels, draw)).permutation(len(pool))[:labels]
            settings = AdaptationSettings(seed=SEED + draw)
            model = adapt([pool[int(i)] for i in chosen], network, settings, bound=bounds_for(labels)[-1])
            found.append(places(test, model.deltas(test)))
            progress(f"{labels} labels, draw {draw}: {(found[-1] == 1).mean():.3f}")
        together = np.concatenate(found)
        gain = np.mean([(one == 1).astype(float) - (prior == 1) for one in found], axis=0)
        rows.append(
            {
                "labels": labels,
                "bound": bounds_for(labels)[-1],
                **_measures(together),
                "gain": paired_interval(gain, seed=SEED),
            }
        )
    return {"asked": len(test), "rows": rows}


def _measures(found: np.ndarray) -> dict[str, Any]:
    return {f"ac{k}": round(float((found <= k).mean()), 4) for k in (1, 3, 5)}


def table(document: Mapping[str, Any]) -> str:
    lines = [f"{'set':<22}{'labels':>7} {'AC@1':>7} {'AC@3':>7} {'AC@5':>7}"]
    for name, one in document["sets"].items():
        lines += [
            f"{name:<22}{row['labels']:>7} {row['ac1']:>7.3f} {row['ac3']:>7.3f} {row['ac5']:>7.3f}"
            for row in one["rows"]
        ]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = case_arguments(__doc__ or "")
    arguments.add_argument("--set", action="append", metavar="NAME", help="only these sets; repeatable")
    arguments.add_argument("--draws", type=int, default=DRAWS, metavar="N", help="draws of labels")
    options = arguments.parse_args(argv)
    sets: dict[str, list[Examined]] = {}
    for folder, case in examined_cases(options):
        if not options.set or folder.data_set in options.set:
            sets.setdefault(folder.data_set, []).append(case)
    fitting = {name: found for name, found in sets.items() if len(found) * (ASIDE - 1) // ASIDE >= LABELS[0]}
    document = {
        "commit": commit(),
        "machine": machine(),
        "seed": SEED,
        "draws": options.draws,
        "protocol": f"one case in {ASIDE} kept aside, drawn by seed; labels drawn from the others",
        "sets": {name: measure(found, options.draws) for name, found in sorted(fitting.items())},
    }
    write_document(document, options.output)
    sys.stdout.write(table(json.loads(json.dumps(document))) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
