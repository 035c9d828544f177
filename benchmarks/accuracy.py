"""Accuracy on labelled failures: ``python -m benchmarks.accuracy --cases DIR``.

For every data set AC@1, AC@3, AC@5, Avg@5 and MRR with a 95 % bootstrap interval of AC@1, beside chance, the number of
alarms, the largest robust z, and BARO and NSigma by their authors' own package where there are metrics. The baselines
rank entities by name of the entity alone; BARO and NSigma are told the time of detection less the lead, as we are.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from aiops.contracts import Observations
from aiops.domain.graph import Subgraph
from aiops.evaluation.baselines import largest_deviation, most_alarms, random_ranking
from aiops.evaluation.bench import Answer, Scored, answer_of, evaluate
from aiops.evaluation.cases import CaseFolder, find_cases
from benchmarks.report import commit, machine, parser
from ingest.evidence.extractor import LEAD_S, RobustExtractor
from ingest.sources.case_folder import Case, read_case

SEED = 7
QUICK_CASES = 6
DEFAULT_CASES = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "cases"


@lru_cache(maxsize=2)
def _case(path: Path) -> Case:
    return read_case(path)


def prior_answer(case: CaseFolder) -> Answer:
    """Evidence and the unlearned prior alone: no rules, no network, no ranking on top."""
    from aiops.reasoning.prior import UnlearnedPrior

    read = _case(case.path)
    subgraph = Subgraph(read.incident.started_at, read.delta.entities, read.delta.relations)
    evidence = RobustExtractor().extract(read.incident, subgraph, read.observations)
    table = UnlearnedPrior().score(read.incident, subgraph, evidence, read.observations)
    rows = sorted({int(row) for row in table.group}, key=lambda row: (-table.prior[row], table.entities[row]))
    return Answer(tuple(table.entities[row] for row in rows if table.prior[row] > 0))


def pipeline_answer(model: bool) -> Callable[[CaseFolder], Answer]:
    """The whole product, as ``aiops analyze --case`` runs it."""
    from aiops.wiring.analysis import case_pipeline

    analyze = case_pipeline(model=model)
    return lambda case: answer_of(analyze(_case(case.path)))


def _by_chance(case: CaseFolder) -> Sequence[str]:
    seed = SEED + zlib.crc32(case.name.encode())
    return random_ranking([entity.id for entity in _case(case.path).delta.entities], seed=seed)


def _by_alarms(case: CaseFolder) -> Sequence[str]:
    return most_alarms(_case(case.path).observations.alarms)


def _by_deviation(case: CaseFolder) -> Sequence[str]:
    read = _case(case.path)
    subgraph = Subgraph(read.incident.started_at, read.delta.entities, read.delta.relations)
    return largest_deviation(RobustExtractor().extract(read.incident, subgraph, read.observations).items)


def _frame(seen: Observations) -> object:
    """All series of entities as columns of one frame on a common grid, forward filled."""
    import pandas as pd

    columns = {
        f"{one.entity}\t{one.metric}": pd.Series(one.value, index=one.at_s.astype(np.int64))
        .groupby(level=0)
        .last()
        for one in seen.window.series
        if one.peer is None and len(one.value) > 1
    }
    frame = pd.DataFrame(columns).sort_index().ffill().bfill()
    frame.insert(0, "time", frame.index)
    return frame


def _by_package(method: str) -> Callable[[CaseFolder], Sequence[str]]:
    """BARO's robust scorer or NSigma: metrics in their order, each entity at its first metric."""

    def rank(case: CaseFolder) -> Sequence[str]:
        from baro import root_cause_analysis

        read = _case(case.path)
        if not read.observations.window.series:
            return ()
        at = int(read.incident.started_at.timestamp() - LEAD_S)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = getattr(root_cause_analysis, method)(_frame(read.observations), at)
            except IndexError:
                return ()  # the package cannot rank a case that lacks samples on either side: a miss of its own
        return tuple(dict.fromkeys(str(name).partition("\t")[0] for name in found["ranks"]))

    return rank


BASELINES: Mapping[str, Callable[[CaseFolder], Sequence[str]]] = {
    "random": _by_chance,
    "alarm count": _by_alarms,
    "largest robust z": _by_deviation,
    "BARO": _by_package("robust_scorer"),
}
#: Costs as much again as BARO and says nearly the same; with ``--all-baselines``.
MORE_BASELINES: Mapping[str, Callable[[CaseFolder], Sequence[str]]] = {"NSigma": _by_package("nsigma")}


def chosen_cases(root: Path, *, only: str | None, quick: bool) -> list[CaseFolder]:
    """Labelled cases below ``root``; with ``quick`` the first few of each set."""
    taken: dict[str, int] = {}
    chosen = []
    for case in find_cases(root):
        if (only and only not in case.data_set) or not case.labelled:
            continue
        taken[case.data_set] = taken.get(case.data_set, 0) + 1
        if not quick or taken[case.data_set] <= QUICK_CASES:
            chosen.append(case)
    return chosen


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


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(__doc__ or "")
    arguments.add_argument("--cases", type=Path, help="folder with case folders below it")
    arguments.add_argument("--method", choices=("pipeline", "rules", "prior"), default="pipeline")
    arguments.add_argument("--no-baselines", action="store_true")
    arguments.add_argument("--all-baselines", action="store_true")
    options = arguments.parse_args(argv)
    shared = os.environ.get("AIOPS_SHARED_DATA")
    root = options.cases or (Path(shared) / "cases" if shared else DEFAULT_CASES)
    analyze = prior_answer if options.method == "prior" else pipeline_answer(options.method == "pipeline")

    def report(one: Scored) -> None:
        sys.stderr.write(f"{one.case.name}: {one.rank or '-'}{f' ({one.error})' if one.error else ''}\n")

    document = evaluate(
        chosen_cases(root, only=options.only, quick=options.quick),
        analyze,
        seed=SEED,
        baselines={
            **({} if options.no_baselines else BASELINES),
            **(MORE_BASELINES if options.all_baselines else {}),
        },
        engine={"method": options.method},
        commit=commit(),
        on_case=report if sys.stderr.isatty() else lambda _one: None,
    )
    text = json.dumps({**document, "machine": machine()}, indent=1) + "\n"
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text)
    sys.stdout.write(table(document) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
