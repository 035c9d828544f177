"""Labelled tables as arrays, and several of them as one batch of tensors: a graph whose parts are not connected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from graph_models.encoding import EncodedGraph, Float32, Int64, encode
from graph_models.network import Seen
from graph_models.training.settings import LabelledTable
from graph_models.variants import Variant, vary_graph


@dataclass(frozen=True, slots=True)
class Example:
    """One case as arrays. ``truth``: row numbers. ``group``: int64 [n], the row that stands for each in the ranking.
    ``carried``: float32 [2 m], 1 where failure went along an edge, 0 where it did not, -1 where nobody knows."""

    graph: EncodedGraph
    truth: tuple[int, ...]
    group: Int64
    carried: Float32
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Batch:
    """n rows of several cases. ``seen.owner``: which case a row belongs to. ``truth``: bool [n]. ``carried``: float32 [e].
    ``weight``: float32 [cases]."""

    seen: Seen
    owner: Tensor
    prior: Tensor
    truth: Tensor
    carried: Tensor
    weight: Tensor

    @property
    def cases(self) -> int:
        return len(self.weight)


def make_examples(cases: Sequence[LabelledTable], variant: Variant = "gat") -> list[Example]:
    """Every case as the network, or a variant of it, sees it."""
    return [
        Example(
            vary_graph(encode(case.table, case.rules), variant),
            case.truth,
            case.table.group.astype(np.int64),
            _carried(case),
            case.weight,
        )
        for case in cases
    ]


def _carried(case: LabelledTable) -> Float32:
    """Where a label does not say how failure went, it is only known to leave the cause and not to enter it."""
    cause, effect = case.table.edges
    found = np.full(2 * len(cause), -1.0, dtype=np.float32)
    if case.carried is not None:
        found[: len(cause)] = np.isin(np.arange(len(cause)), case.carried)
        return found
    right = np.zeros(len(case.table.entities), dtype=bool)
    right[list(case.truth)] = True
    found[: len(cause)][right[cause] & ~right[effect]] = 1.0
    found[: len(cause)][right[effect] & ~right[cause]] = 0.0
    return found


def join(examples: Sequence[Example]) -> Batch:
    """One batch out of at least one case."""
    graphs = [example.graph for example in examples]
    sizes = [len(graph.prior) for graph in graphs]
    starts, texts = _starts(sizes), _starts([len(graph.text) for graph in graphs])
    truth = np.zeros(sum(sizes), dtype=bool)
    for start, example in zip(starts, examples, strict=True):
        truth[start + np.asarray(example.truth, dtype=np.int64)] = True
    edges = [graph.edge_index + start for graph, start in zip(graphs, starts, strict=True)]
    text_of = [graph.text_of + start for graph, start in zip(graphs, texts, strict=True)]
    owner = torch.from_numpy(np.repeat(np.arange(len(examples)), sizes))
    seen = Seen(
        x=torch.from_numpy(np.concatenate([graph.x for graph in graphs])),
        edge_index=torch.from_numpy(np.concatenate(edges, axis=1)),
        edge_attr=torch.from_numpy(np.concatenate([graph.edge_attr for graph in graphs])),
        text=torch.from_numpy(np.concatenate([graph.text for graph in graphs])),
        text_of=torch.from_numpy(np.concatenate(text_of)),
        text_weight=torch.from_numpy(np.concatenate([graph.text_weight for graph in graphs])),
        owner=owner,
    )
    return Batch(
        seen=seen,
        owner=owner,
        prior=torch.from_numpy(np.concatenate([graph.prior for graph in graphs])),
        truth=torch.from_numpy(truth),
        carried=torch.from_numpy(np.concatenate([example.carried for example in examples])),
        weight=torch.tensor([example.weight for example in examples], dtype=torch.float32),
    )


def _starts(sizes: Sequence[int]) -> Int64:
    return np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)


def in_batches(examples: Sequence[Example], size: int) -> Iterator[list[Example]]:
    """``size`` cases at a time, in their order."""
    for start in range(0, len(examples), size):
        yield list(examples[start : start + size])
