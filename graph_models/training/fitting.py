"""The loop: AdamW on the losses, clipped gradients, stopped early on cases of its own; alone or one of several processes."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from graph_models.network import RootCauseGAT, bounded
from graph_models.training.batches import Batch, Example, in_batches, join
from graph_models.training.judging import ranks, raw_scores
from graph_models.training.loss import correction_size, edge_loss, listwise_loss
from graph_models.training.settings import Epoch, TrainingSettings
from graph_models.training.state import (
    TrainingState,
    begin,
    copy_weights,
    fingerprint,
    load_checkpoint,
    save_checkpoint,
)

#: An epoch has to be better than the best by this much to count.
_WORTH = 1e-4


@dataclass(frozen=True, slots=True)
class Place:
    """This process among those that share the work: every batch is divided, gradients are summed over all."""

    rank: int = 0
    of: int = 1


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Where a checkpoint is written after every epoch, and whether to go on from the one that is there."""

    folder: Path
    resume: bool = False

    def remove(self) -> None:
        """Once the model is written nobody needs it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def fit_network(
    network: RootCauseGAT,
    training: Sequence[Example],
    stopping: Sequence[Example],
    settings: TrainingSettings,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    *,
    checkpoints: Checkpoints | None = None,
    place: Place | None = None,
) -> list[Epoch]:
    """Fit ``network`` in place and leave it with the weights of its best epoch, in evaluation mode."""
    own = place or Place()
    state = begin(network, settings)
    made_of = fingerprint(settings, training, stopping) if checkpoints is not None else ""
    if checkpoints is not None and checkpoints.resume:
        load_checkpoint(checkpoints.folder, state, made_of)
    while not state.is_over(settings):
        epoch = _next_epoch(state, training, stopping, settings, own)
        on_epoch(epoch)
        if checkpoints is not None and own.rank == 0:
            save_checkpoint(checkpoints.folder, state, made_of)
    network.load_state_dict(state.best)
    network.eval()
    return state.curve


def _next_epoch(
    state: TrainingState,
    training: Sequence[Example],
    stopping: Sequence[Example],
    settings: TrainingSettings,
    place: Place,
) -> Epoch:
    number = len(state.curve) + 1
    loss = _run_epoch(state, training, settings, number, place)
    stop_loss, ac1 = judge(state.network, stopping, settings)
    epoch = Epoch(number, loss, stop_loss, ac1)
    state.curve.append(epoch)
    if stop_loss < state.best_epoch.stop_loss - _WORTH:
        state.best, state.best_epoch = copy_weights(state.network), epoch
    return epoch


def _run_epoch(
    state: TrainingState,
    training: Sequence[Example],
    settings: TrainingSettings,
    number: int,
    place: Place,
) -> float:
    """One pass in an order that depends on nothing but seed and number; returns the mean loss of a case."""
    state.network.train()
    order = np.random.default_rng((settings.seed, number)).permutation(len(training))
    torch.manual_seed(zlib.crc32(f"{settings.seed}/{number}/{place.rank}".encode()))  # for dropout
    total = torch.zeros(1)
    for part in in_batches([training[int(i)] for i in order], settings.batch):
        state.optimizer.zero_grad()
        own = part[place.rank :: place.of]
        if own:
            loss = case_loss(state.network, join(own), settings)
            (loss / sum(example.weight for example in part)).backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        _sum_gradients(state.network, place)
        torch.nn.utils.clip_grad_norm_(state.network.parameters(), settings.gradient_norm)
        state.optimizer.step()
    if place.of > 1:
        dist.all_reduce(total)
    return float(total) / sum(example.weight for example in training)


def _sum_gradients(network: RootCauseGAT, place: Place) -> None:
    """Every process steps by the gradient of the whole batch, so that all keep the same weights."""
    if place.of == 1:
        return
    learning = [weight for weight in network.parameters() if weight.requires_grad]
    flat = torch.cat(
        [(torch.zeros_like(one) if one.grad is None else one.grad).flatten() for one in learning]
    )
    dist.all_reduce(flat)
    start = 0
    for one in learning:
        one.grad = flat[start : start + one.numel()].view_as(one).clone()
        start += one.numel()


def case_loss(network: RootCauseGAT, batch: Batch, settings: TrainingSettings) -> torch.Tensor:
    """The loss of a batch, summed over its cases, at the largest bound."""
    raw, _, edges = network(*batch.seen)
    bound = max(settings.bounds)
    scores = bounded(batch.prior, raw, bound)
    loss = listwise_loss(scores, batch, settings.sharpness)
    return (
        loss
        + settings.restraint * correction_size(raw, batch, bound)
        + settings.edge_share * edge_loss(edges, batch)
    )


@torch.no_grad()
def judge(
    network: RootCauseGAT, examples: Sequence[Example], settings: TrainingSettings
) -> tuple[float, float]:
    """Mean loss of a case and AC@1, at the largest bound."""
    network.eval()
    batches = [join(part) for part in in_batches(examples, settings.batch)]
    total = sum(float(case_loss(network, batch, settings)) for batch in batches)
    places = ranks(examples, raw_scores(network, examples), max(settings.bounds))
    return total / sum(example.weight for example in examples), float((places == 1).mean())
