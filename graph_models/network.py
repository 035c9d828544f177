"""The network itself. Torch is imported here, in :mod:`graph_models.training` and in :mod:`graph_models.export`."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from graph_models.architecture import Architecture

with warnings.catch_warnings():
    # torch_geometric still scripts a class at import, which torch has deprecated; nothing of ours uses it.
    warnings.simplefilter("ignore", FutureWarning)
    from torch_geometric.nn import GATv2Conv


class RootCauseGAT(nn.Module):
    r"""GATv2 over the candidate subgraph (Brody, Alon, Yahav: How Attentive are Graph Attention Networks?, ICLR 2022).

    .. math::
        h^0 = \mathrm{ELU}(W x), \quad
        h^{l+1}_i = \mathrm{ELU}\Big(\mathrm{LN}\big(h^l_i + \big\Vert_k \sum_{j \to i} \alpha^k_{ij} W_k h^l_j\big)\Big), \quad
        \alpha^k_{ij} \propto \exp\big(a_k^\top \mathrm{LeakyReLU}(W_s h_j + W_t h_i + W_e e_{ij})\big), \quad
        g_i = v^\top \mathrm{ELU}(V [h^L_i, h^0_i])

    Shapes: ``x`` float32 [n, node_features], ``edge_index`` int64 [2, e], ``edge_attr`` float32 [e, edge_features];
    returns ``g`` float32 [n] (unbounded; the scorer bounds it) and ``attention`` float32 [e], the last layer's mean over
    heads. A node without incoming edges keeps its residual.
    """

    def __init__(
        self,
        node_features: int,
        edge_features: int,
        architecture: Architecture,
    ) -> None:
        super().__init__()
        hidden, heads = architecture.hidden, architecture.heads
        if hidden % heads:
            raise ValueError(f"hidden ({hidden}) must be a multiple of heads ({heads})")
        self.architecture = architecture
        self.enter = nn.Linear(node_features, hidden)
        self.convolutions = nn.ModuleList(
            GATv2Conv(hidden, hidden // heads, heads=heads, edge_dim=edge_features, add_self_loops=False)
            for _ in range(architecture.layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) for _ in range(architecture.layers))
        self.dropout = nn.Dropout(architecture.dropout)
        if architecture.uniform:
            for convolution in self.convolutions:
                weights = convolution.get_parameter("att")
                weights.data.zero_()
                weights.requires_grad_(False)
        self.leave = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.ELU(), nn.Linear(hidden, 1))

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> tuple[Tensor, Tensor]:
        first = torch.nn.functional.elu(self.enter(x))
        hidden = first
        attention = torch.zeros(edge_attr.shape[0], dtype=x.dtype)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            messages, (_, weights) = convolution(hidden, edge_index, edge_attr, return_attention_weights=True)
            hidden = torch.nn.functional.elu(norm(hidden + self.dropout(messages)))
            attention = weights.mean(dim=1)
        score: Tensor = self.leave(torch.cat([hidden, first], dim=1)).squeeze(1)
        return score, attention


def bounded(prior: Tensor, raw: Tensor, bound: float) -> Tensor:
    """s = prior + bound * tanh(raw / bound); with bound 0 the prior alone. Shapes: all [n]."""
    return prior if bound == 0.0 else prior + bound * torch.tanh(raw / bound)
