"""The network itself. Torch is imported here, in :mod:`graph_models.blocks`, :mod:`graph_models.training` and
:mod:`graph_models.export`."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import torch
from torch import Tensor, nn

from graph_models.architecture import Architecture
from graph_models.blocks import LearnedNeighbours, PairNorm, TextAttention
from graph_models.encoding import TEXT_WIDTH

with warnings.catch_warnings():
    # torch_geometric still scripts a class at import, which torch has deprecated; nothing of ours uses it.
    warnings.simplefilter("ignore", FutureWarning)
    from torch_geometric.nn import GATv2Conv


class Seen(NamedTuple):
    """What the network reads; see :class:`graph_models.encoding.EncodedGraph` for the shapes. ``owner``: int64 [n], the case
    of each row; None where all are of one case."""

    x: Tensor
    edge_index: Tensor
    edge_attr: Tensor
    text: Tensor
    text_of: Tensor
    text_weight: Tensor
    owner: Tensor | None = None


class Layer(nn.Module):
    r"""A round of messages with a residual; what an edge says goes along with what its sender says.

    .. math:: h'_i = \mathrm{ELU}\Big(\mathrm{norm}\big(h_i + \big\Vert_k \sum_{j \to i} \alpha^k_{ij} W_k h_j
              + \sum_{j \to i} \bar\alpha_{ij} M e_{ij} \big)\Big)
    """

    def __init__(self, edge_features: int, architecture: Architecture) -> None:
        super().__init__()
        hidden, heads = architecture.hidden, architecture.heads
        self.convolution = GATv2Conv(
            hidden, hidden // heads, heads=heads, edge_dim=edge_features, add_self_loops=False
        )
        if architecture.uniform:
            self.convolution.att.data.zero_()
            self.convolution.att.requires_grad_(False)
        self.tell = nn.Linear(edge_features, hidden, bias=False)
        self.pair_norm = PairNorm() if architecture.pair_norm else None
        self.layer_norm = None if architecture.pair_norm else nn.LayerNorm(hidden)
        self.dropout = nn.Dropout(architecture.dropout)

    def forward(self, hidden: Tensor, seen: Seen) -> tuple[Tensor, Tensor]:
        messages, (_, weights) = self.convolution(
            hidden, seen.edge_index, seen.edge_attr, return_attention_weights=True
        )
        attention = weights.mean(dim=1)
        told = torch.zeros_like(hidden).index_add(
            0, seen.edge_index[1], attention.unsqueeze(1) * self.tell(seen.edge_attr)
        )
        mixed = hidden + self.dropout(messages + told)
        if self.pair_norm is not None:
            mixed = self.pair_norm(mixed, seen.owner)
        elif self.layer_norm is not None:
            mixed = self.layer_norm(mixed)
        return torch.nn.functional.elu(mixed), attention


class RootCauseGAT(nn.Module):
    r"""GATv2 over the candidate subgraph (Brody, Alon, Yahav: How Attentive are Graph Attention Networks?, ICLR 2022).

    .. math::
        h^0 = \mathrm{text}(\mathrm{ELU}(W x)), \quad h^{l+1} = \mathrm{layer}(h^l), \quad
        \alpha^k_{ij} \propto \exp\big(a_k^\top \mathrm{LeakyReLU}(W_s h_j + W_t h_i + W_e e_{ij})\big), \quad
        g_i = v^\top \mathrm{ELU}(V [h^L_i, h^0_i]), \quad
        q_{ij} = u^\top \mathrm{ELU}(Q [h^L_j, h^L_i, e_{ij}])

    Returns ``g`` float32 [n] (unbounded; the scorer bounds it), ``attention`` float32 [e], the last layer's mean over heads,
    and ``q`` float32 [e], how likely failure went along an edge (a logit). A node without incoming edges keeps its residual.
    """

    def __init__(self, node_features: int, edge_features: int, architecture: Architecture) -> None:
        super().__init__()
        hidden = architecture.hidden
        if hidden % architecture.heads:
            raise ValueError(f"hidden ({hidden}) must be a multiple of heads ({architecture.heads})")
        self.architecture = architecture
        self.enter = nn.Linear(node_features, hidden)
        self.read = TextAttention(hidden, TEXT_WIDTH) if architecture.text else None
        neighbours = architecture.learned_neighbours
        self.alike = LearnedNeighbours(hidden, neighbours) if neighbours else None
        self.layers = nn.ModuleList(Layer(edge_features, architecture) for _ in range(architecture.layers))
        self.leave = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.ELU(), nn.Linear(hidden, 1))
        self.judge_edge = nn.Sequential(
            nn.Linear(2 * hidden + edge_features, hidden), nn.ELU(), nn.Linear(hidden, 1)
        )

    def embed(self, seen: Seen) -> tuple[Tensor, Tensor, Tensor]:
        """h^0 and h^L, float32 [n, hidden], and the last layer's attention."""
        first = torch.nn.functional.elu(self.enter(seen.x))
        if self.read is not None:
            first = self.read(first, seen.text, seen.text_of, seen.text_weight)
        hidden = first if self.alike is None else self.alike(first, seen.owner)
        attention = torch.zeros(seen.edge_attr.shape[0], dtype=seen.x.dtype)
        for layer in self.layers:
            hidden, attention = layer(hidden, seen)
        return first, hidden, attention

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_attr: Tensor,
        text: Tensor,
        text_of: Tensor,
        text_weight: Tensor,
        owner: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        first, hidden, attention = self.embed(
            Seen(x, edge_index, edge_attr, text, text_of, text_weight, owner)
        )
        score: Tensor = self.leave(torch.cat([hidden, first], dim=1)).squeeze(1)
        ends = torch.cat([hidden[edge_index[0]], hidden[edge_index[1]], edge_attr], dim=1)
        return score, attention, self.judge_edge(ends).squeeze(1)


def bounded(prior: Tensor, raw: Tensor, bound: float) -> Tensor:
    """s = prior + bound * tanh(raw / bound); with bound 0 the prior alone. Shapes: all [n]."""
    return prior if bound == 0.0 else prior + bound * torch.tanh(raw / bound)
