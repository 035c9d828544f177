"""The losses: which candidate is right, and along which edges failure went."""

from __future__ import annotations

import torch
from torch import Tensor

from graph_models.training.batches import Batch


def listwise_loss(scores: Tensor, batch: Batch, sharpness: float) -> Tensor:
    """sum over cases of weight x -log( sum over truth of exp(sharpness s) / sum over all rows ). ``scores``: [n]; returns []."""
    sharp = scores * sharpness
    floor = torch.full((batch.cases,), -torch.inf)
    top = floor.scatter_reduce(0, batch.owner, sharp.detach(), "amax")
    mass = torch.exp(sharp - top[batch.owner])
    everyone = torch.zeros(batch.cases).index_add(0, batch.owner, mass)
    right = torch.zeros(batch.cases).index_add(0, batch.owner, mass * batch.truth)
    return ((torch.log(everyone) - torch.log(right + 1e-9)) * batch.weight).sum()


def correction_size(raw: Tensor, batch: Batch, bound: float) -> Tensor:
    """sum over cases of weight x mean over rows of tanh(raw / bound)^2. ``raw``: [n]; 0 at bound 0."""
    if bound == 0.0:
        return raw.sum() * 0.0
    size = torch.zeros(batch.cases).index_add(0, batch.owner, torch.tanh(raw / bound).square())
    return (size / torch.bincount(batch.owner, minlength=batch.cases) * batch.weight).sum()


def edge_loss(logits: Tensor, batch: Batch) -> Tensor:
    """sum over cases of weight x mean cross-entropy of the case's edges whose ``carried`` is known. ``logits``: [e]."""
    known = batch.carried >= 0
    owner = batch.owner[batch.seen.edge_index[0]][known]
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(
        logits[known], batch.carried[known], reduction="none"
    )
    count = torch.zeros(batch.cases).index_add(0, owner, torch.ones(len(owner)))
    total = torch.zeros(batch.cases).index_add(0, owner, entropy)
    return (total / count.clamp(min=1.0) * batch.weight).sum()
