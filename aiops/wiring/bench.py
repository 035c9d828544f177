"""The bench on the whole product: cases examined once, with every scorer that learns nothing; ``aiops bench`` and
``benchmarks/`` both stand on this."""

from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from aiops import __version__
from aiops.evaluation.baselines import largest_deviation, most_alarms, random_ranking
from aiops.evaluation.bench import Answer, Baseline, Scored, answer_of, evaluate
from aiops.evaluation.calibration import Judged
from aiops.evaluation.cases import CaseFolder, find_cases
from aiops.evaluation.examined import Examined, remembered
from aiops.evaluation.labels import Label, read_label
from aiops.evaluation.perturbations import Perturbation, unchanged
from aiops.evaluation.scorers import (
    prior_and_rules,
    random_walk,
    rank_rows,
    ranked_correlation,
)
from aiops.reasoning.diagnosis import Diagnosis, Matter, ReasoningWeights, diagnose
from aiops.reasoning.verdict import is_thin
from aiops.reasoning.what_if import Assumption
from aiops.settings import Settings
from aiops.wiring.analysis import CaseAnalyzer, subgraph_of
from ingest.sources.case_folder import Case, read_case

#: Names of scorers in every document, and what they are.
SCORERS: Mapping[str, str] = {
    "random": "candidates in an order drawn by seed",
    "alert_count": "entities by number of alerts",
    "largest_robust_z": "entities by the largest robust z of their metrics",
    "ranked_correlation": "rank correlation with the symptom's series, among what can reach it",
    "random_walk": "personalised PageRank over evidence, against the spread of failure",
    "prior": "the unlearned prior alone",
    "prior_rules": "prior + rules, no paths, no network",
    "product_no_model": "prior, rules and paths, no network",
    "product": "the whole product with the network that ships",
}
#: Those that ``aiops bench`` shows beside the product.
SHOWN = ("random", "alert_count", "largest_robust_z", "ranked_correlation", "random_walk", "prior")

#: A scorer of somebody else: entities of a case, best first.
Peer = Callable[[Case], Sequence[str]]
Done = TypeVar("Done")

_DEPENDS_ON = (
    "ingest",
    "rules",
    "graph_models",
    "aiops/domain",
    "aiops/reasoning",
    "aiops/evaluation",
    "aiops/wiring",
)
_CODE = (".py", ".yaml", ".json", ".onnx")


class Examiner:
    """Runs everything that learns nothing on a case, once. ``peers``: scorers of others, beside ours. Not ``calibrated``: the
    product's confidence stays raw, for whoever makes the map."""

    def __init__(
        self,
        settings: Settings,
        *,
        seed: int,
        peers: Mapping[str, Peer] | None = None,
        calibrated: bool = True,
    ) -> None:
        self.product = CaseAnalyzer(settings, calibrated=calibrated)
        self._seed, self._peers = seed, dict(peers or {})
        self._plain = replace(
            self.product.pipeline, corrector=None, weights=ReasoningWeights()
        )  # without network and map

    def examine(self, folder: CaseFolder, change: Perturbation = unchanged) -> Examined:
        """Everything later steps need of a labelled case, after ``change``. Raises what the product raises."""
        label, clock = read_label(folder.path), _Clock()
        case = change(clock("read", lambda: read_case(folder.path)))
        analysis = clock("product", lambda: self.product.analyze(case))
        clock.milliseconds["product"] += clock.milliseconds.pop("read")
        matter = self._plain.gather(case.incident, subgraph_of(case), case.observations, Assumption(), [])
        plain = clock("product_no_model", lambda: diagnose(matter, self._plain.weights))
        answers = {"product": answer_of(analysis), "product_no_model": Answer(_entities(plain))}
        for name, rank in self._scorers(folder, case, matter).items():
            answers[name] = Answer(tuple(clock(name, rank)))
        return Examined(
            data_set=folder.data_set,
            name=folder.name,
            system=case.system,
            at_s=case.incident.started_at.timestamp(),
            label=label,
            table=matter.table,
            rules=matter.rules,
            judged=self._judge(folder, case, label, matter),
            answers=answers,
            milliseconds=clock.milliseconds,
        )

    def _judge(self, folder: CaseFolder, case: Case, label: Label, matter: Matter) -> Judged:
        """The product's answer, network included, before calibration."""
        corrector, weights = self.product.pipeline.corrector, self._plain.weights
        if corrector is not None and matter.table.entities:
            matter = replace(matter, correction=corrector.correct(matter.table, matter.rules))
        found = diagnose(matter, weights)
        wanted = {entity for entity, _ in label.causes}
        first = found.findings[0] if found.findings else None
        return Judged(
            data_set=folder.data_set,
            system=case.system,
            at_s=case.incident.started_at.timestamp(),
            raw=tuple(one.raw for one in found.findings),
            right=tuple(one.entity.id in wanted for one in found.findings),
            candidates=tuple(one.entity for one in found.candidates),
            totals=tuple(one.total for one in found.candidates),
            truths=frozenset(one.entity for one in found.candidates if one.entity in wanted),
            thin=first is not None and is_thin(first.ranked, first.evidence, weights.verdict),
        )

    def _scorers(
        self, folder: CaseFolder, case: Case, matter: Matter
    ) -> dict[str, Callable[[], Sequence[str]]]:
        table, items, incident = matter.table, matter.evidence.items, matter.incident
        series, alarms = matter.seen.window.series, matter.seen.alarms
        chance = self._seed + zlib.crc32(folder.name.encode())
        return {
            "random": lambda: random_ranking([one.id for one in case.delta.entities], seed=chance),
            "alert_count": lambda: most_alarms(alarms),
            "largest_robust_z": lambda: largest_deviation(items),
            "ranked_correlation": lambda: ranked_correlation(incident, matter.subgraph, series),
            "random_walk": lambda: random_walk(matter.subgraph, items),
            "prior": lambda: rank_rows(table, table.prior, above=0.0),
            "prior_rules": lambda: rank_rows(table, prior_and_rules(table, matter.rules), above=0.0),
            **{name: partial(peer, case) for name, peer in self._peers.items()},
        }


class _Clock:
    """Runs and keeps wall milliseconds by name."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}

    def __call__(self, name: str, work: Callable[[], Done]) -> Done:
        began = time.perf_counter()
        done = work()
        self.milliseconds[name] = round((time.perf_counter() - began) * 1000.0, 2)
        return done


def _entities(diagnosis: Diagnosis) -> tuple[str, ...]:
    return tuple(one.entity.id for one in diagnosis.findings)


def fingerprint(*more: str) -> str:
    """SHA-256 over everything that an examined case depends on, so that nothing stale is ever taken from a cache."""
    digest = hashlib.sha256("\n".join((__version__, *more)).encode())
    root = Path(__file__).resolve().parents[2]
    for part in _DEPENDS_ON:
        for file in sorted(root.joinpath(part).rglob("*")):
            if file.is_file() and file.suffix in _CODE:
                digest.update(str(file.relative_to(root)).encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def examine_cases(
    examiner: Examiner,
    cases: Iterable[CaseFolder],
    *,
    cache: Path | None,
    change: Perturbation = unchanged,
    key: str = "",
    on_case: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[CaseFolder, Examined]]:
    """Each labelled case, examined or taken from ``cache``. A case that the product cannot read raises."""
    for folder in cases:
        if folder.labelled:
            name = f"{key}/{folder.data_set}/{folder.name}"
            yield folder, remembered(cache, name, lambda folder=folder: examiner.examine(folder, change))  # type: ignore[misc]
            on_case(folder.name)


def bench_cases(
    settings: Settings,
    root: Path,
    *,
    seed: int,
    only: Sequence[str] = (),
    on_progress: Callable[[float], None] = lambda _: None,
) -> dict[str, Any]:
    """Score every labelled case below ``root`` (of the data sets ``only``, where any are named).

    ``on_progress`` is told the share done, 0 to 1.
    """
    cases = [case for case in find_cases(root) if not only or case.data_set in only]
    done = count(1)
    return bench_with(
        Examiner(settings, seed=seed),
        cases,
        seed=seed,
        on_case=lambda _: on_progress(next(done) / len(cases)),
    )


def bench_with(
    examiner: Examiner,
    cases: Iterable[CaseFolder],
    *,
    seed: int,
    cache: Path | None = None,
    key: str = "",
    shown: Sequence[str] = SHOWN,
    commit: str = "unknown",
    on_case: Callable[[Scored], None] = lambda _: None,
) -> dict[str, Any]:
    """The bench of ``aiops bench`` and ``benchmarks.accuracy``: the product, beside the scorers ``shown``."""

    @lru_cache(maxsize=1)
    def examined(case: CaseFolder) -> Examined:
        return remembered(cache, f"{key}/{case.data_set}/{case.name}", lambda: examiner.examine(case))

    def product(case: CaseFolder) -> Answer:
        found = examined(case)
        return replace(found.answers["product"], milliseconds=found.milliseconds["product"])

    def beside(name: str) -> Baseline:
        return lambda case: examined(case).answers[name].ranked

    analyzer = examiner.product
    return evaluate(
        cases,
        product,
        seed=seed,
        baselines={name: beside(name) for name in shown},
        engine={
            "version": __version__,
            "rules": analyzer.rules,
            "model": analyzer.model,
            "calibration": analyzer.calibration,
        },
        commit=commit,
        on_case=on_case,
    )
