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


def edge_loss(logits: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy of the edges whose ``carried`` is known, mean over them, times the weight of the batch. ``logits``: [e]."""
    known = batch.carried >= 0
    if not bool(known.any()):
        return logits.sum() * 0.0
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits[known], batch.carried[known])
    return entropy * batch.weight.sum()
