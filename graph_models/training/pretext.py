"""Pretext tasks: what the tables teach without a label, before training on labels.

``masked``: 15% of the features are hidden, and the network says them from what is left and from the neighbours. ``transe``: an
edge moves a candidate's vector by the vector of its relation kind (Bordes et al., NIPS 2013), so that
||h_cause + r - h_effect|| is smaller than for another candidate of the case in the place of the effect.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from graph_models.network import RootCauseGAT
from graph_models.training.batches import Batch, Example, in_batches, join
from graph_models.training.settings import TrainingSettings

_HIDDEN_SHARE = 0.15
_MARGIN = 1.0


class _Heads(nn.Module):
    """What the tasks need beside the network; thrown away afterwards."""

    def __init__(self, node_features: int, edge_features: int, hidden: int) -> None:
        super().__init__()
        self.say = nn.Linear(hidden, node_features)
        self.move = nn.Linear(edge_features, hidden, bias=False)


def pretrain(
    network: RootCauseGAT, examples: Sequence[Example], settings: TrainingSettings, kinds: Sequence[int]
) -> list[float]:
    """Train in place on the tasks of ``settings.pretext``; ``kinds``: numbers of the edge features that are relation kinds.

    Returns the mean loss of every pass, which the manifest keeps.
    """
    if not settings.pretext:
        return []
    torch.manual_seed(settings.seed)
    graph = examples[0].graph
    heads = _Heads(graph.x.shape[1], len(kinds), network.architecture.hidden)
    learning = [w for part in (network, heads) for w in part.parameters() if w.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    network.train()
    losses = []
    for number in range(1, settings.pretext_epochs + 1):
        order = np.random.default_rng((settings.seed, number)).permutation(len(examples))
        torch.manual_seed(zlib.crc32(f"pretext/{settings.seed}/{number}".encode()))
        total, parts = 0.0, list(in_batches([examples[int(i)] for i in order], settings.batch))
        for part in parts:
            optimizer.zero_grad()
            loss = _loss(network, heads, join(part), settings, kinds)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(learning, settings.gradient_norm)
            optimizer.step()
            total += float(loss.detach())
        losses.append(total / len(parts))
    return losses


def _loss(
    network: RootCauseGAT, heads: _Heads, batch: Batch, settings: TrainingSettings, kinds: Sequence[int]
) -> Tensor:
    seen = batch.seen
    hide = torch.rand_like(seen.x) < _HIDDEN_SHARE
    if "masked" not in settings.pretext:
        hide = torch.zeros_like(hide)
    _, hidden, _ = network.embed(seen._replace(x=seen.x.masked_fill(hide, 0.0)))
    loss = torch.zeros(())
    if "masked" in settings.pretext:
        loss = loss + (heads.say(hidden) - seen.x)[hide].square().mean()
    if "transe" in settings.pretext:
        loss = loss + _translation_loss(heads, nn.functional.normalize(hidden, dim=1), batch, kinds)
    return loss


def _translation_loss(heads: _Heads, vectors: Tensor, batch: Batch, kinds: Sequence[int]) -> Tensor:
    """Margin loss over the edges along the spread of failure."""
    along = batch.seen.edge_attr[:, -1] > 0
    cause, effect = batch.seen.edge_index[:, along]
    if not len(cause):
        return vectors.sum() * 0.0
    sizes = torch.bincount(batch.owner)
    starts = torch.cumsum(sizes, 0) - sizes
    of = batch.owner[cause]
    other = starts[of] + (torch.rand(len(of)) * sizes[of]).long()
    moved = vectors[cause] + heads.move(batch.seen.edge_attr[along][:, list(kinds)])
    near, far = (moved - vectors[effect]).norm(dim=1), (moved - vectors[other]).norm(dim=1)
    return torch.relu(_MARGIN + near - far).mean()
