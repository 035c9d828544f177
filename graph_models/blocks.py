"""The parts of the network beside GATv2: PairNorm, the learned adjacency, and the attention over texts.

``owner``: int64 [n], which case a row belongs to where several are scored at once; None: all rows are of one case.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def mean_by_owner(values: Tensor, owner: Tensor | None) -> Tensor:
    """Mean over the rows of a case, [n, c], repeated for each of its rows."""
    if owner is None:
        return values.mean(dim=0, keepdim=True).expand_as(values)
    cases = int(owner.max()) + 1
    count = torch.zeros(cases).index_add(0, owner, torch.ones(len(owner)))
    total = torch.zeros(cases, values.shape[1]).index_add(0, owner, values)
    return (total / count.unsqueeze(1))[owner]


class PairNorm(nn.Module):
    r"""Keeps the mean distance between rows of a case the same from layer to layer (Zhao, Akoglu, ICLR 2020, eq. 10-11).

    .. math:: \tilde h_i = h_i - \bar h, \quad h'_i = \tilde h_i \,/\, \sqrt{\tfrac1n \sum_j \lVert \tilde h_j \rVert^2 / c}
    """

    def forward(self, values: Tensor, owner: Tensor | None) -> Tensor:
        centred = values - mean_by_owner(values, owner)
        size = mean_by_owner(centred.square().mean(dim=1, keepdim=True), owner)
        return centred / torch.sqrt(size + 1e-6)


class LearnedNeighbours(nn.Module):
    r"""Rows that are alike speak to each other, whatever the topology says.

    .. math:: A = \mathrm{softmax}(\mathrm{ReLU}(Z Z^\top)) \text{ over the } k \text{ largest of each row}, \quad
              h'_i = h_i + U (A h - h)_i

    Z = W h. The step is a Laplacian smoothing, and U starts at zero, so that at first nothing changes. Shapes: h [n, c].
    """

    def __init__(self, width: int, neighbours: int) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.liken = nn.Linear(width, width, bias=False)
        self.mix = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.mix.weight)

    def forward(self, hidden: Tensor, owner: Tensor | None) -> Tensor:
        if owner is None:
            smoothed = self._smooth(hidden)
        else:
            sizes = torch.bincount(owner).tolist()
            smoothed = torch.cat([self._smooth(part) for part in torch.split(hidden, sizes)])
        mixed: Tensor = hidden + self.mix(smoothed - hidden)
        return mixed

    def _smooth(self, hidden: Tensor) -> Tensor:
        like = self.liken(hidden)
        likeness = torch.relu(like @ like.T)
        # Padded with what is less than any, so that the k-th largest exists in a case of fewer rows too.
        padding = torch.full((likeness.shape[0], self.neighbours), -1.0)
        least = torch.cat([likeness, padding], dim=1).topk(self.neighbours, dim=1).values[:, -1:]
        kept = torch.where(likeness >= least, likeness, torch.full_like(likeness, -torch.inf))
        return torch.softmax(kept, dim=1) @ hidden


class TextAttention(nn.Module):
    r"""One cross-attention from a row to what its evidence says in words.

    .. math:: h'_i = h_i + W_o \sum_{k} \beta_{ik} w_{ik} W_v t_{ik}, \quad
              \beta_{i\cdot} = \mathrm{softmax}\big(0, \tfrac{1}{\sqrt c} (W_q h_i)^\top W_k t_{ik} \big)

    The 0 stands for saying nothing. W_o starts at zero, so that at first nothing changes. Shapes: ``hidden`` [n, c], ``text``
    [u + 1, t], ``text_of`` int64 [n, k], ``weight`` [n, k], 0 where there is no text.
    """

    def __init__(self, width: int, text_width: int) -> None:
        super().__init__()
        self.ask = nn.Linear(width, width)
        self.key = nn.Linear(text_width, width, bias=False)
        self.value = nn.Linear(text_width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.out.weight)
        self.scale = width**-0.5

    def forward(self, hidden: Tensor, text: Tensor, text_of: Tensor, weight: Tensor) -> Tensor:
        keys, values = self.key(text)[text_of], self.value(text)[text_of]
        fits = (keys * self.ask(hidden).unsqueeze(1)).sum(dim=2) * self.scale
        fits = torch.where(weight != 0, fits, torch.full_like(fits, -torch.inf))
        shares = torch.softmax(torch.cat([torch.zeros_like(fits[:, :1]), fits], dim=1), dim=1)[:, 1:]
        said = ((shares * weight).unsqueeze(2) * values).sum(dim=1)
        read: Tensor = hidden + self.out(said)
        return read
