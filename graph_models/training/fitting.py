"""The loop: AdamW on the listwise loss, clipped gradients, stopped early on cases of its own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch

from graph_models.network import RootCauseGAT, bounded
from graph_models.training.batches import Batch, Example, in_batches, join
from graph_models.training.judging import ranks, raw_scores
from graph_models.training.loss import edge_loss, listwise_loss
from graph_models.training.settings import Epoch, TrainingSettings

#: An epoch has to be better than the best by this much to count.
_WORTH = 1e-4


def fit_network(
    network: RootCauseGAT,
    training: Sequence[Example],
    stopping: Sequence[Example],
    settings: TrainingSettings,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> list[Epoch]:
    """Fit ``network`` in place and leave it with the weights of its best epoch, in evaluation mode."""
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    best, best_epoch, curve = copy.deepcopy(network.state_dict()), Epoch(0, 0.0, float("inf"), 0.0), []
    for number in range(1, settings.epochs + 1):
        loss = _run_epoch(network, optimizer, training, settings, number)
        stop_loss, ac1 = judge(network, stopping, settings)
        curve.append(Epoch(number, loss, stop_loss, ac1))
        on_epoch(curve[-1])
        if stop_loss < best_epoch.stop_loss - _WORTH:
            best, best_epoch = copy.deepcopy(network.state_dict()), curve[-1]
        elif number - best_epoch.number >= settings.patience:
            break
    network.load_state_dict(best)
    network.eval()
    return curve


def _run_epoch(
    network: RootCauseGAT,
    optimizer: torch.optim.Optimizer,
    training: Sequence[Example],
    settings: TrainingSettings,
    number: int,
) -> float:
    """One pass in an order that depends on nothing but seed and number; returns the mean loss of a case."""
    network.train()
    order = np.random.default_rng((settings.seed, number)).permutation(len(training))
    total, weight = 0.0, sum(example.weight for example in training)
    for part in in_batches([training[int(i)] for i in order], settings.batch):
        batch = join(part)
        optimizer.zero_grad()
        loss = case_loss(network, batch, settings)
        (loss / batch.weight.sum()).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), settings.gradient_norm)
        optimizer.step()
        total += float(loss.detach())
    return total / weight


def case_loss(network: RootCauseGAT, batch: Batch, settings: TrainingSettings) -> torch.Tensor:
    """The loss of a batch, summed over its cases, at the largest bound."""
    raw, _, edges = network(*batch.seen)
    scores = bounded(batch.prior, raw, max(settings.bounds))
    return listwise_loss(scores, batch, settings.sharpness) + settings.edge_share * edge_loss(edges, batch)


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
