"""What the memory of a site makes of a table: one row a candidate, columns that the site's head reads.

Three blocks, each as it is, as its share of the case, and beyond the mean of the siblings: sums of surprise and ratio over
all tokens; the same by family of token; and the weight of every token of the vocabulary. Last, how often the entity was the
cause before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aiops.domain.batches import FloatArray
from aiops.domain.candidates import CandidateTable
from graph_models.encoding import EncodedGraph
from graph_models.site.memory import SiteMemory, forget, standing_rows

#: Families of tokens, first fit wins; what fits none is the last.
FAMILIES: tuple[str, ...] = (
    *(
        "own|cpu",
        "own|memory",
        "own|network",
        "own|disk",
        "own|log",
        "own|latency",
        "own|errors",
        "own|traffic",
    ),
    *("own|saturation", "own|availability", "own|state", "out|", "in|", "loop|", "own|"),
)


def family(token: str) -> int:
    """Index of the family of ``token``."""
    return next(place for place, start in enumerate(FAMILIES) if token.startswith(start))


def head_columns(
    memory: SiteMemory, table: CandidateTable, graph: EncodedGraph, *, remembered: Sequence[int] | None = None
) -> FloatArray:
    """What a head reads, float64 [n, c]: what the network reads of a candidate, then :func:`site_columns`."""
    own = site_columns(memory, table, remembered=remembered)
    return np.concatenate([graph.x.astype(np.float64), own], axis=1)


def site_columns(
    memory: SiteMemory, table: CandidateTable, *, remembered: Sequence[int] | None = None
) -> FloatArray:
    """float64 [n, 3 (3 + 2 families + vocabulary) + 1]; members of one group share their values.

    ``remembered``: the right answers of this table if it is part of the memory; it is then forgotten first, so that a head
    is trained on what it will see of new incidents.
    """
    if remembered is not None:
        memory = forget(memory, table, remembered)
    standing = standing_rows(table)
    place = {row: number for number, row in enumerate(standing)}
    known = {token: number for number, token in enumerate(memory.vocabulary)}
    surprise, ratio = (np.zeros((len(standing), len(FAMILIES))) for _ in range(2))
    positive, guilt = np.zeros((len(standing), 1)), np.zeros((len(standing), 1))
    words = np.zeros((len(standing), len(known)))
    for number, row in enumerate(standing):
        entity = table.entities[row]
        guilt[number] = memory.guilt(entity)
        for token in table.tokens[row] if table.tokens else ():
            unusual, telling = memory.surprise(entity, token.name)
            surprise[number, family(token.name)] += unusual
            ratio[number, family(token.name)] += telling
            positive[number] += max(telling, 0.0)
            if token.name in known:
                words[number, known[token.name]] = token.weight
    sums = np.concatenate(
        [surprise.sum(axis=1, keepdims=True), ratio.sum(axis=1, keepdims=True), positive], axis=1
    )
    siblings = [
        [place[other] for other in table.siblings[row] if other in place] if table.siblings else []
        for row in standing
    ]
    blocks = [_three_ways(block, siblings) for block in (sums, surprise, ratio, words)]
    columns = np.concatenate([*blocks, guilt], axis=1)
    rows = np.array([place[int(row)] for row in table.group], dtype=np.int64)
    return np.asarray(columns[rows]) if len(rows) else columns[:0]


def _three_ways(value: FloatArray, siblings: Sequence[Sequence[int]]) -> FloatArray:
    """[n, 3 c]: as it is, as share of the case, beyond the siblings' mean."""
    total = np.abs(value).sum(axis=0)
    beyond = value.copy()
    for row, others in enumerate(siblings):
        if others:
            beyond[row] = value[row] - value[list(others)].mean(axis=0)
    return np.concatenate([value, value / np.maximum(total, 1e-9), beyond], axis=1)
