"""``aiops bench``: the whole product on labelled cases, beside the baselines that need no package of their own."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from aiops import __version__
from aiops.domain.graph import Subgraph
from aiops.evaluation.baselines import largest_deviation, most_alarms, random_ranking
from aiops.evaluation.bench import Answer, Baseline, answer_of, evaluate
from aiops.evaluation.cases import CaseFolder, find_cases
from aiops.settings import Settings
from aiops.wiring.analysis import CaseAnalyzer, make_extractor
from ingest.sources.case_folder import Case, read_case


def bench_cases(settings: Settings, root: Path, *, seed: int, only: Sequence[str] = ()) -> dict[str, Any]:
    """Score every labelled case below ``root`` (of the data sets ``only``, where any are named)."""
    read = lru_cache(maxsize=2)(read_case)
    analyzer = CaseAnalyzer(settings)

    def answer(case: CaseFolder) -> Answer:
        return answer_of(analyzer.analyze(read(case.path)))

    cases = [case for case in find_cases(root) if not only or case.data_set in only]
    return evaluate(
        cases,
        answer,
        seed=seed,
        baselines=_baselines(read, seed),
        engine={"version": __version__, "rules": analyzer.rules, "model": analyzer.model},
    )


def _baselines(read: Callable[[Path], Case], seed: int) -> dict[str, Baseline]:
    extractor = make_extractor()

    def by_chance(case: CaseFolder) -> Sequence[str]:
        entities = [entity.id for entity in read(case.path).delta.entities]
        return random_ranking(entities, seed=seed + zlib.crc32(case.name.encode()))

    def by_alarms(case: CaseFolder) -> Sequence[str]:
        return most_alarms(read(case.path).observations.alarms)

    def by_deviation(case: CaseFolder) -> Sequence[str]:
        found = read(case.path)
        subgraph = Subgraph(found.incident.started_at, found.delta.entities, found.delta.relations)
        return largest_deviation(extractor.extract(found.incident, subgraph, found.observations).items)

    return {"random": by_chance, "alert_count": by_alarms, "largest_robust_z": by_deviation}
