"""Makes ``aiops/reasoning/calibration.json`` from labelled failures and measures it: ``python -m benchmarks.calibration``.

The map is fitted on all cases; every figure is of cases that the map it is judged by had not seen: grouped ten-fold
cross-validation (cases detected within 15 minutes of each other stay together), and whole systems left out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from aiops.evaluation.calibration import FOLDS, Judged, calibrate, confidences, lost_answers
from aiops.reasoning.calibration import calibration_json
from aiops.reasoning.verdict import VerdictWeights
from benchmarks.cases import SEED, case_arguments, examined_cases
from benchmarks.report import commit, machine

SHIPPED = Path(__file__).resolve().parent.parent / "aiops" / "reasoning" / "calibration.json"


def main(argv: Sequence[str] | None = None) -> int:
    arguments = case_arguments(__doc__ or "")
    arguments.add_argument("--map", type=Path, default=SHIPPED, metavar="FILE", help="write the map here")
    options = arguments.parse_args(argv)
    judged = [found.judged for _, found in examined_cases(options, calibrated=False)]
    measured = calibrate(judged, seed=SEED)
    made = measured.calibration

    def confident(one: Judged) -> float:
        return confidences(one.raw[:1], made)[0]

    weights = VerdictWeights()
    dropped, lost = lost_answers(judged, confident, weights.inconclusive_below)
    document = {
        "commit": commit(),
        "machine": machine(),
        "seed": SEED,
        "protocol": {
            "folds": f"{FOLDS}-fold cross-validation over all cases pooled, cases of one outage together",
            "left_out": "each system left out, the others pooled",
        },
        "cases": len(judged),
        "folds": measured.folds,
        "left_out": measured.left_out,
        "left_out_sets": measured.left_out_sets,
        "inconclusive": {"below": weights.inconclusive_below, "cases": dropped, "right_answers_lost": lost},
        "map": {
            "first": [made.first.raw, made.first.probability],
            "later": [made.later.raw, made.later.probability],
        },
        "conformal": {"level": made.level, "least_share": made.least_share},
    }
    options.map.write_bytes(calibration_json(made))
    text = json.dumps(document, indent=1) + "\n"
    if options.output is None:
        sys.stdout.write(text)
    else:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
