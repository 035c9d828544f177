"""Accuracy on labelled failures: ``python -m benchmarks.accuracy --cases DIR``.

For every data set AC@1, AC@3, AC@5, Avg@5 and MRR with a 95 % bootstrap interval of AC@1, beside everything that learns
nothing: chance, number of alerts, largest robust z, BARO and NSigma, ranked correlation, a random walk, the prior alone,
prior and rules, and the product without its network. The same code as ``aiops bench``, with peers' packages beside it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from aiops.evaluation.bench import Scored
from aiops.wiring import load
from aiops.wiring.bench import SCORERS, SHOWN, Examiner, bench_with
from benchmarks.cases import SEED, cache_key, case_arguments, chosen_cases, progress, root_of
from benchmarks.peers import DESCRIBED, PEERS
from benchmarks.report import commit, machine


def table(document: Mapping[str, object]) -> str:
    """The figures as a text table, one line a data set."""
    lines = [
        f"{'set':<22}{'n':>4} {'AC@1':>6} {'95% interval':>14} {'AC@3':>6} {'AC@5':>6} {'Avg@5':>6} {'MRR':>6}"
    ]
    sets = document["sets"]
    assert isinstance(sets, dict)
    for name, row in [*sets.items(), ("pooled", document["pooled"])]:
        low, high = row["ac1_ci95"]
        lines.append(
            f"{name:<22}{row['n']:>4} {row['ac1']:>6.3f} {low:>7.3f}-{high:.3f} {row['ac3']:>6.3f} "
            f"{row['ac5']:>6.3f} {row['avg5']:>6.3f} {row['mrr']:>6.3f}"
        )
        for peer, values in row["baselines"].items():
            lines.append(
                f"  {peer:<20}     {values['ac1']:>6.3f} {'':>14} {values['ac3']:>6.3f} {'':>6} {values['avg5']:>6.3f}"
            )
    return "\n".join(lines)


def write_document(document: Mapping[str, object], output: Path | None) -> None:
    """``document`` as JSON to ``output``, if there is one."""
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(document, indent=1) + "\n")


def main(argv: Sequence[str] | None = None) -> int:
    arguments = case_arguments(__doc__ or "")
    arguments.add_argument(
        "--no-peers", action="store_true", help="without BARO and NSigma, which take longest"
    )
    options = arguments.parse_args(argv)
    peers = {} if options.no_peers else PEERS

    def report(one: Scored) -> None:
        progress(f"{one.case.name}: {one.rank or '-'}{f' ({one.error})' if one.error else ''}")

    document = bench_with(
        Examiner(load(), seed=SEED, peers=peers),
        chosen_cases(root_of(options), only=options.only, quick=options.quick, most=options.most),
        seed=SEED,
        cache=options.cache,
        key=cache_key(*sorted(peers)),
        shown=(*SHOWN, "prior_rules", "product_no_model", *peers),
        commit=commit(),
        on_case=report,
    )
    document["protocol"] = (
        "development cases; nothing is fitted; entities are ranked at the time of detection"
    )
    document["scorers"] = {**SCORERS, **DESCRIBED}
    write_document({**document, "machine": machine()}, options.output)
    sys.stdout.write(table(document) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
