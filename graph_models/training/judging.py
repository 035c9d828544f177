"""What the network says of cases, and at which place the right answers then stand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from graph_models.network import RootCauseGAT
from graph_models.training.batches import Example, in_batches, join, make_examples
from graph_models.training.settings import LabelledTable
from graph_models.variants import Variant

Floats = npt.NDArray[np.float64]
_AT_ONCE = 32


@torch.no_grad()
def raw_scores(network: RootCauseGAT, examples: Sequence[Example]) -> list[Floats]:
    """g of every row, float64 [n] a case, unbounded."""
    network.eval()
    found: list[Floats] = []
    for part in in_batches(examples, _AT_ONCE):
        raw = network(*join(part).seen)[0].numpy().astype(np.float64)
        ends = np.cumsum([len(example.group) for example in part])
        found += np.split(raw, ends[:-1])
    return found


def score_tables(
    network: RootCauseGAT, cases: Sequence[LabelledTable], *, bound: float, variant: Variant = "gat"
) -> list[Floats]:
    """The correction of every row, float64 [n] a case in [-bound, bound], by the network in this process."""
    return [bounded_delta(raw, bound) for raw in raw_scores(network, make_examples(cases, variant))]


def bounded_delta(raw: Floats, bound: float) -> Floats:
    """bound x tanh(raw / bound); 0 at bound 0."""
    return np.asarray(bound * np.tanh(raw / bound)) if bound > 0 else np.zeros_like(raw)


def rank_of_truth(scores: Floats, truth: Sequence[int], group: npt.NDArray[np.int64]) -> int:
    """Place of the best right answer after merging by group, counted from 1; a tie counts against it."""
    merged = np.full(len(scores), -np.inf)
    np.maximum.at(merged, group, scores)
    standing = np.zeros(len(scores), dtype=bool)
    standing[group] = True
    right = np.zeros(len(scores), dtype=bool)
    right[group[list(truth)]] = True
    return 1 + int(np.count_nonzero(merged[standing & ~right] >= merged[standing & right].max()))


def ranks(examples: Sequence[Example], raw: Sequence[Floats], bound: float) -> npt.NDArray[np.int64]:
    """The place of the right answer in every case when the network may correct by ``bound``, int64 [cases]."""
    return np.array(
        [
            rank_of_truth(
                example.graph.prior.astype(np.float64) + bounded_delta(one, bound),
                example.truth,
                example.group,
            )
            for example, one in zip(examples, raw, strict=True)
        ],
        dtype=np.int64,
    )
