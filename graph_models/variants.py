"""The network with something taken away, for ablations: what the learner without it reaches is what it is worth.

Each is trained, evaluated and could be served like the network itself; which one it was stands in the manifest.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from aiops.errors import ModelError
from graph_models.architecture import Architecture
from graph_models.encoding import EncodedGraph

#: gat: nothing taken away. mlp: no messages. shuffled_edges: as many edges, between other candidates.
#: uniform_attention: all messages into a node count the same. no_edge_features: edges that say nothing but that they are.
Variant = Literal["gat", "mlp", "shuffled_edges", "uniform_attention", "no_edge_features"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)


def read_variant(name: str) -> Variant:
    """Raises :class:`ModelError` on a name that is none."""
    for variant in VARIANTS:
        if variant == name:
            return variant
    raise ModelError(f"unknown variant {name!r}", hint=f"there are: {', '.join(VARIANTS)}")


def vary_architecture(architecture: Architecture, variant: Variant) -> Architecture:
    """The architecture of a variant: the perceptron has no layers of messages, uniform attention no weights."""
    if variant == "mlp":
        return replace(architecture, layers=0)
    return replace(architecture, uniform=True) if variant == "uniform_attention" else architecture


def vary_graph(graph: EncodedGraph, variant: Variant) -> EncodedGraph:
    """What a variant sees of a case. Shapes stay; the same case is shuffled the same way each time."""
    if variant == "no_edge_features":
        return replace(graph, edge_attr=np.zeros_like(graph.edge_attr))
    if variant != "shuffled_edges":
        return graph
    n, m = len(graph.prior), graph.edge_index.shape[1] // 2
    names = np.random.default_rng((n, m)).permutation(n)
    forward = names[graph.edge_index[:, :m]]
    return replace(graph, edge_index=np.concatenate([forward, forward[::-1]], axis=1))
