"""Reasoning paths: ways for a failure to travel from a candidate to where it hurts.

Two steps, so that the cost stays bounded. :func:`reach` goes breadth first against the direction of failure from all
symptoms at once, as array arithmetic, and gives for every entity how plausibly it reaches each symptom.
:func:`find_paths` then walks forward from one candidate with a beam that this result guides, and returns the paths.

A leg is one hop between entities that speak, plus up to ``silent_hops`` hops across entities that do not; a path has at
most ``depth`` legs, so a silent middle does not cut a chain, and a path has at most depth x (1 + silent_hops) hops.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from aiops.domain.analysis import Hop, ReasoningPath
from aiops.domain.batches import FloatArray, IntArray
from aiops.reasoning.spread import Arrow, FailureGraph, Sighting


@dataclass(frozen=True, slots=True)
class PathBounds:
    """Bounds of the search. ``beam``: partial paths kept a step. ``symptoms``: entities searched for, at most."""

    depth: int = 3
    silent_hops: int = 2
    beam: int = 8
    symptoms: int = 200

    @property
    def hops(self) -> int:
        return self.depth * (1 + self.silent_hops)


def reach(graph: FailureGraph, targets: Sequence[str], bounds: PathBounds | None = None) -> FloatArray:
    """Best log plausibility (a sum over hops, <= 0; -inf where there is no way) from each entity to each target.

    Returns float64 [len(targets), n]. Targets that the graph does not hold give a row of -inf.
    """
    limits = bounds or PathBounds()
    best = np.full(
        (len(graph.entities), len(targets)), -np.inf
    )  # an entity's row is what one hop reads and writes
    for column, target in enumerate(targets):
        if target in graph.index:
            best[graph.index[target], column] = 0.0
    if not len(graph.source):
        return np.ascontiguousarray(best.T)
    everything = _hop(graph, np.arange(len(graph.source)))
    across_silence = _hop(graph, np.flatnonzero(graph.silent[graph.target]))
    for _ in range(limits.depth):
        _relax(best, everything)
        for _ in range(limits.silent_hops):
            _relax(best, across_silence)
    return np.ascontiguousarray(best.T)


@dataclass(frozen=True, slots=True)
class _Hop:
    """Arrows of one hop. ``heads``: int64 [h], entities that arrows leave from, the arrows of ``heads[i]`` begin at
    ``starts[i]``; ``target``: int64 [m]; ``log_weight``: float64 [m, 1]."""

    heads: IntArray
    starts: IntArray
    target: IntArray
    log_weight: FloatArray


def _hop(graph: FailureGraph, chosen: IntArray) -> _Hop:
    """The ``chosen`` arrows; all are sorted by source."""
    heads, starts = np.unique(graph.source[chosen], return_index=True)
    return _Hop(heads, starts, graph.target[chosen], graph.log_weight[chosen, np.newaxis])


def _relax(best: FloatArray, hop: _Hop) -> None:
    """One hop against the direction of failure; ``best``: float64 [n, targets], changed in place."""
    if len(hop.heads):
        extended = np.maximum.reduceat(best[hop.target] + hop.log_weight, hop.starts, axis=0)
        best[hop.heads] = np.maximum(best[hop.heads], extended)


class _Partial(NamedTuple):
    """A way so far: the one without its last arrow, and that arrow."""

    before: _Partial | None
    arrow: Arrow | None
    at: str
    log_weight: float
    promise: float  # of the whole path if it goes on as well as it can
    legs: int
    silent_run: int

    def arrows(self) -> list[Arrow]:
        """First to last."""
        found: list[Arrow] = []
        here: _Partial | None = self
        while here is not None and here.arrow is not None:
            found.append(here.arrow)
            here = here.before
        return found[::-1]


def find_paths(
    graph: FailureGraph,
    sighting: Sighting,
    cause: str,
    symptom: str,
    guide: FloatArray,
    *,
    keep: int = 3,
    bounds: PathBounds | None = None,
) -> tuple[ReasoningPath, ...]:
    """The best simple paths from ``cause`` to ``symptom``, best first (then by entity ids); empty if they are the same.

    ``guide``: the row of :func:`reach` for ``symptom``, float64 [n].
    """
    limits = bounds or PathBounds()
    if cause == symptom or cause not in graph.index or not np.isfinite(guide[graph.index[cause]]):
        return ()
    beam = [_Partial(None, None, cause, 0.0, 0.0, 0, 0)]
    finished: list[_Partial] = []
    for _ in range(limits.hops):
        grown = [longer for partial in beam for longer in _extend(graph, partial, guide, limits)]
        finished.extend(partial for partial in grown if partial.at == symptom)
        going_on = (partial for partial in grown if partial.at != symptom)
        beam = heapq.nsmallest(limits.beam, going_on, key=lambda partial: -partial.promise)
        if not beam or len(finished) >= keep:
            break
    found = [_reasoning_path(partial, sighting) for partial in finished]
    found.sort(key=lambda path: (-path.plausibility, len(path.hops), path.entities()))
    return tuple(found[:keep])


def _extend(
    graph: FailureGraph, partial: _Partial, guide: FloatArray, limits: PathBounds
) -> Iterator[_Partial]:
    """Partial paths one hop longer, in order of entity id; equal promise keeps that order, so ties are settled."""
    seen = {partial.at, *(arrow.cause for arrow in partial.arrows())}
    for arrow in graph.out.get(partial.at, ()):
        if arrow.effect in seen:
            continue
        position = graph.index[arrow.effect]
        rest = float(guide[position])
        if rest == -math.inf:
            continue
        free = rest < 0.0 and partial.silent_run < limits.silent_hops and bool(graph.silent[position])
        legs = partial.legs if free else partial.legs + 1
        if legs <= limits.depth:
            log_weight = partial.log_weight + arrow.log_weight
            yield _Partial(
                partial,
                arrow,
                arrow.effect,
                log_weight,
                log_weight + rest,
                legs,
                partial.silent_run + 1 if free else 0,
            )


def _reasoning_path(partial: _Partial, sighting: Sighting) -> ReasoningPath:
    hops = []
    for arrow in partial.arrows():
        for cause, effect, relation in arrow.via:
            cause_s, effect_s = sighting.onset_s.get(cause), sighting.onset_s.get(effect)
            known = cause_s is not None and effect_s is not None
            hops.append(
                Hop(
                    cause_id=cause,
                    effect_id=effect,
                    relation=relation.kind,
                    observed=known,
                    lag_s=round(effect_s - cause_s, 3)
                    if cause_s is not None and effect_s is not None
                    else None,
                    provenance=relation.provenance,
                    confidence=relation.confidence,
                    last_seen=relation.last_seen,
                )
            )
    return ReasoningPath(tuple(hops), round(partial.log_weight / len(hops), 6))
