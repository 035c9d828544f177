"""What learning is worth, protocol by protocol: ``python -m benchmarks.protocols --cases DIR --cache DIR``.

Every learner on the same tables (the product's evidence, rules and prior), five seeds, and paired bootstrap intervals of
the differences. Protocols are in :mod:`aiops.evaluation.learning`, learners in :mod:`benchmarks.learners`. With
``--cache`` a run that was stopped goes on where it was.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aiops.evaluation.comparison import compare
from aiops.evaluation.learning import PROTOCOLS, Outcome, run_units, units
from benchmarks.accuracy import write_document
from benchmarks.cases import SEED, cache_key, case_arguments, examined_cases, progress
from benchmarks.learners import GRAPHLESS, LEARNERS
from benchmarks.report import commit, machine

SEEDS = 5


def table(document: Mapping[str, Any]) -> str:
    """AC@1 / AC@3 pooled, one line a learner, one column a protocol."""
    names = list(document["protocols"])
    lines = [f"{'learner':<24}" + "".join(f"{name:>16}" for name in names)]
    for learner in LEARNERS:
        cells = []
        for name in names:
            found = document["protocols"][name]["learners"].get(learner)
            cells.append("-" if found is None else f"{found['ac1']:.3f} / {found['ac3']:.3f}")
        lines.append(f"{learner:<24}" + "".join(f"{cell:>16}" for cell in cells))
    return "\n".join(lines)


def _kept(output: Path | None) -> dict[str, object]:
    if output is None or not output.is_file():
        return {}
    found: dict[str, object] = json.loads(output.read_text())["protocols"]
    return found


def main(argv: Sequence[str] | None = None) -> int:
    arguments = case_arguments(__doc__ or "")
    arguments.add_argument("--seeds", type=int, default=SEEDS, metavar="N")
    arguments.add_argument("--protocol", action="append", choices=list(PROTOCOLS), help="only these")
    arguments.add_argument("--learner", action="append", choices=list(LEARNERS), help="only these")
    arguments.add_argument(
        "--keep",
        action="store_true",
        help="keep the other protocols of the output file, each with its own scope",
    )
    options = arguments.parse_args(argv)
    seeds = range(SEED, SEED + (1 if options.quick else options.seeds))
    cases = [found for _, found in examined_cases(options)]
    key = cache_key("protocols")
    protocols: dict[str, object] = _kept(options.output) if options.keep else {}
    for protocol in options.protocol or PROTOCOLS:
        outcomes: dict[str, list[Outcome]] = {}
        for name in options.learner or LEARNERS:
            for seed in seeds:
                todo = list(units(protocol, cases, seed))
                made = run_units(LEARNERS[name], cases, todo, seed, cache=options.cache, key=f"{key}/{name}")
                outcomes.setdefault(name, []).append(made)
                progress(f"{protocol} {name} seed {seed}: {len(made.ranks)} cases")
        found = compare(
            outcomes, [case.data_set for case in cases], against=("prior",), graphless=GRAPHLESS, seed=SEED
        )
        protocols[protocol] = {
            "learns_from": PROTOCOLS[protocol],
            "commit": commit(),
            "seeds": list(seeds),
            "most_cases_a_set": options.most,
            **found,
        }
    document = {
        "commit": commit(),
        "machine": machine(),
        "seed": SEED,
        "most_cases_a_set": options.most,
        "seeds": list(seeds),
        "quick": options.quick,
        "cases": len(cases),
        "protocols": {name: protocols[name] for name in PROTOCOLS if name in protocols},
    }
    write_document(document, options.output)
    sys.stdout.write(table(document) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
