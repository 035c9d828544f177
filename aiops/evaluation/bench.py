"""The bench: analyse every labelled case, score it, and put it beside baselines, in the stable shape that others read."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aiops.domain.analysis import Analysis
from aiops.domain.fault_kinds import normalise_kind
from aiops.errors import AiopsError
from aiops.evaluation.cases import CaseFolder
from aiops.evaluation.labels import Label, read_label
from aiops.evaluation.metrics import bootstrap_interval, calibration_error, measures

Baseline = Callable[[CaseFolder], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody says of a case: entities, best first, with their kinds; ``confidence`` in the first, if any.
    ``milliseconds``: how long that took, where it was not made just now."""

    ranked: tuple[str, ...]
    kinds: tuple[str | None, ...] = ()
    confidence: float | None = None
    milliseconds: float | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """One case with its answer's place. ``error``: why there is no answer."""

    case: CaseFolder
    rank: int | None
    kind_right: bool | None
    confidence: float | None
    milliseconds: float
    error: str | None = None


def answer_of(analysis: Analysis) -> Answer:
    """The ranked entities of an analysis."""
    return Answer(
        ranked=tuple(cause.entity.id for cause in analysis.causes),
        kinds=tuple(cause.kind for cause in analysis.causes),
        confidence=analysis.causes[0].confidence if analysis.causes else None,
    )


def evaluate(
    cases: Iterable[CaseFolder],
    analyze: Callable[[CaseFolder], Answer],
    *,
    seed: int,
    baselines: Mapping[str, Baseline] | None = None,
    engine: Mapping[str, object] | None = None,
    commit: str = "unknown",
    on_case: Callable[[Scored], None] = lambda _scored: None,
) -> dict[str, object]:
    """Score ``analyze`` and the baselines on every labelled case.

    An analysis that fails with one of our errors is a miss and is counted under ``failed``. Returns ``sets``, ``pooled``,
    ``engine``, ``commit``, ``seed``; latencies are wall milliseconds of ``analyze``, reading the case included.
    """
    scored: dict[str, list[Scored]] = defaultdict(list)
    peers: dict[str, dict[str, list[int | None]]] = defaultdict(lambda: defaultdict(list))
    for case in cases:
        if not case.labelled:
            continue
        label = read_label(case.path)
        one = _score(case, label, analyze)
        scored[case.data_set].append(one)
        on_case(one)
        for name, rank in (baselines or {}).items():
            peers[case.data_set][name].append(label.rank_in(tuple(rank(case))))
    everything = [one for name in sorted(scored) for one in scored[name]]
    pooled_peers: dict[str, list[int | None]] = defaultdict(list)
    for name in sorted(peers):
        for peer, ranks in peers[name].items():
            pooled_peers[peer].extend(ranks)
    pooled = _summary(everything, pooled_peers, seed)
    certain = [one for one in everything if one.confidence is not None]
    pooled["ece"] = round(
        calibration_error([one.confidence or 0.0 for one in certain], [one.rank == 1 for one in certain]), 4
    )
    return {
        "sets": {name: _summary(scored[name], peers[name], seed) for name in sorted(scored)},
        "pooled": pooled,
        "engine": dict(engine or {}),
        "commit": commit,
        "seed": seed,
    }


def _score(case: CaseFolder, label: Label, analyze: Callable[[CaseFolder], Answer]) -> Scored:
    began = time.perf_counter()
    try:
        answer, error = analyze(case), None
    except AiopsError as exc:
        answer, error = Answer(()), str(exc)
    milliseconds = answer.milliseconds
    if milliseconds is None:
        milliseconds = (time.perf_counter() - began) * 1000.0
    kind_right = None
    if label.kinds:
        kind_right = label.rank_in(answer.ranked) == 1 and _is_kind(answer.kinds[:1], label.kinds)
    return Scored(case, label.rank_in(answer.ranked), kind_right, answer.confidence, milliseconds, error)


def _is_kind(said: Sequence[str | None], right: Iterable[str]) -> bool:
    """Whether a kind was said and is one of ``right``; hyphens, spaces, underscores and case make no difference."""
    wanted = {normalise_kind(kind) for kind in right}
    return any(kind is not None and normalise_kind(kind) in wanted for kind in said)


def _summary(
    scored: Sequence[Scored], peers: Mapping[str, Sequence[int | None]], seed: int
) -> dict[str, object]:
    ranks = [one.rank for one in scored]
    low, high = bootstrap_interval([float(rank == 1) for rank in ranks], seed=seed)
    kinds = [one.kind_right for one in scored if one.kind_right is not None]
    times = [one.milliseconds for one in scored] or [0.0]
    return {
        "n": len(scored),
        **measures(ranks),
        "ac1_ci95": [round(low, 4), round(high, 4)],
        "kind_acc": round(float(np.mean(kinds)), 4) if kinds else None,
        "ms_p50": round(float(np.quantile(times, 0.5)), 1),
        "ms_p95": round(float(np.quantile(times, 0.95)), 1),
        "failed": sum(one.error is not None for one in scored),
        "baselines": {
            name: {key: value for key, value in measures(places).items() if key in ("ac1", "ac3", "avg5")}
            for name, places in sorted(peers.items())
        },
    }
