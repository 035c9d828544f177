"""The listwise loss: -log of the softmax mass on the right answers of each case."""

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
