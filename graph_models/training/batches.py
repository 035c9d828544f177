"""Labelled tables as arrays, and several of them as one batch of tensors: a graph whose parts are not connected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from graph_models.encoding import EncodedGraph, Int64, encode
from graph_models.training.settings import LabelledTable
from graph_models.variants import Variant, vary_graph


@dataclass(frozen=True, slots=True)
class Example:
    """One case as arrays. ``truth``: row numbers. ``group``: int64 [n], the row that stands for each in the ranking."""

    graph: EncodedGraph
    truth: tuple[int, ...]
    group: Int64
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Batch:
    """n rows of several cases. ``owner``: int64 [n], which case a row belongs to. ``truth``: bool [n]. ``weight``: [cases]."""

    x: Tensor
    edge_index: Tensor
    edge_attr: Tensor
    prior: Tensor
    owner: Tensor
    truth: Tensor
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
            case.weight,
        )
        for case in cases
    ]


def join(examples: Sequence[Example]) -> Batch:
    """One batch out of at least one case."""
    graphs = [example.graph for example in examples]
    sizes = [len(graph.prior) for graph in graphs]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    truth = np.zeros(sum(sizes), dtype=bool)
    for start, example in zip(starts, examples, strict=True):
        truth[start + np.asarray(example.truth, dtype=np.int64)] = True
    edges = [graph.edge_index + start for graph, start in zip(graphs, starts, strict=True)]
    return Batch(
        x=torch.from_numpy(np.concatenate([graph.x for graph in graphs])),
        edge_index=torch.from_numpy(np.concatenate(edges, axis=1)),
        edge_attr=torch.from_numpy(np.concatenate([graph.edge_attr for graph in graphs])),
        prior=torch.from_numpy(np.concatenate([graph.prior for graph in graphs])),
        owner=torch.from_numpy(np.repeat(np.arange(len(examples)), sizes)),
        truth=torch.from_numpy(truth),
        weight=torch.tensor([example.weight for example in examples], dtype=torch.float32),
    )


def in_batches(examples: Sequence[Example], size: int) -> Iterator[list[Example]]:
    """``size`` cases at a time, in their order."""
    for start in range(0, len(examples), size):
        yield list(examples[start : start + size])
