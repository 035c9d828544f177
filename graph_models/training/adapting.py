r"""Adapts a model to one site: a memory of the site's labelled incidents, a head on it, and the network fine-tuned with them.

.. math:: s_i = \mathrm{prior}_i + b \tanh\big((\alpha g_i + h_i) / b\big)

``h`` is the site's head (:mod:`graph_models.site`), ``g`` the network, heard as far as the site's labels say: ``alpha`` is
learned from zero (as in ReZero, Bachlechner et al., UAI 2021), since what other systems taught may be wrong here. The loss of
the site's incidents is listwise; the network is held by replay (cases of other systems, in every batch) and by an anchor, lambda
times the squared distance to the weights it came with. ``b`` opens with the number of labels (:func:`bounds_for`), and a gate
decides: the model is asked about incidents that are later than all it has learned from, in several steps forward in time, and is
refused where it does not do better there than the model it came from.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from graph_models.network import RootCauseGAT
from graph_models.site.columns import head_columns
from graph_models.site.head import CLIP, SiteHead
from graph_models.site.memory import SiteMemory, remember
from graph_models.training.batches import Example, join, make_examples
from graph_models.training.judging import Floats, bounded_delta, rank_of_truth, raw_scores, score_tables
from graph_models.training.loss import listwise_loss
from graph_models.training.settings import LabelledTable
from graph_models.variants import Variant

FEWEST_LABELS = 10
#: From so many labels on, these bounds are tried.
_BOUNDS: tuple[tuple[int, tuple[float, ...]], ...] = (
    (10, (0.5, 1.0)),
    (50, (1.0, 3.0)),
)
#: Parts of the history, in order of time, after which the model is asked about what follows.
_STEPS = (0.4, 0.6, 0.8)
_SCALE_FLOOR = 0.05


@dataclass(frozen=True, slots=True)
class AdaptationSettings:
    """``members``: perceptrons of the head. ``restraint``: weight of the mean square of the corrections. ``replay``: cases of
    the replay a batch. ``anchor``: lambda. ``variant``: what the network is, and so what it sees of a case."""

    seed: int = 7
    members: int = 3
    hidden: int = 32
    dropout: float = 0.3
    input_dropout: float = 0.1
    epochs: int = 40
    batch: int = 16
    learning_rate: float = 2e-3
    network_rate: float = 3e-4
    weight_decay: float = 1e-2
    gradient_norm: float = 1.0
    sharpness: float = 8.0
    restraint: float = 2.0
    replay: int = 8
    replay_bound: float = 0.4
    variant: Variant = "gat"
    anchor: float = 1.0


@dataclass(frozen=True, slots=True)
class SiteModel:
    """What was learned of a site; ``network`` is the fine-tuned one."""

    memory: SiteMemory
    head: SiteHead
    network: RootCauseGAT
    bound: float
    variant: Variant = "gat"

    def deltas(self, cases: Sequence[LabelledTable]) -> list[Floats]:
        """The correction of every row, float64 [n] a case; incidents are taken as new."""
        examples = make_examples(cases, self.variant)
        return [
            bounded_delta(
                raw + self.head.score(head_columns(self.memory, case.table, example.graph)), self.bound
            )
            for case, example, raw in zip(cases, examples, raw_scores(self.network, examples), strict=True)
        ]


def bounds_for(labels: int) -> tuple[float, ...]:
    """The bounds that may be tried with so many labels; none below :data:`FEWEST_LABELS`."""
    fitting = [bounds for fewest, bounds in _BOUNDS if labels >= fewest]
    return fitting[-1] if fitting else ()


class _Head(nn.Module):
    """One perceptron; it starts at zero, so that the prior stands."""

    def __init__(self, width: int, settings: AdaptationSettings) -> None:
        super().__init__()
        self.drop_in = nn.Dropout(settings.input_dropout)
        self.hidden = nn.Linear(width, settings.hidden)
        self.drop = nn.Dropout(settings.dropout)
        self.out = nn.Linear(settings.hidden, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, z: Tensor) -> Tensor:
        found: Tensor = self.out(self.drop(nn.functional.elu(self.hidden(self.drop_in(z))))).squeeze(1)
        return found


def adapt(
    cases: Sequence[LabelledTable],
    network: RootCauseGAT,
    settings: AdaptationSettings,
    *,
    bound: float,
    replay: Sequence[LabelledTable] = (),
) -> SiteModel:
    """Learn from all of ``cases``; asks no gate."""
    memory = remember((case.table, case.truth) for case in cases)
    examples, rehearsed = make_examples(cases, settings.variant), make_examples(replay, settings.variant)
    columns = [
        head_columns(memory, case.table, example.graph, remembered=case.truth)
        for case, example in zip(cases, examples, strict=True)
    ]
    stacked = np.concatenate(columns)
    mean, scale = stacked.mean(axis=0), stacked.std(axis=0) + _SCALE_FLOOR
    z = [torch.from_numpy(np.clip((one - mean) / scale, -CLIP, CLIP).astype(np.float32)) for one in columns]
    tuned = copy.deepcopy(network)
    heads, heard = [], nn.Parameter(torch.zeros(()))
    for member in range(settings.members):
        torch.manual_seed(settings.seed * 1000 + member)
        head = _Head(stacked.shape[1], settings)
        learner = _Learner(head, tuned, network, bound, settings, heard, tunes=member == 0)
        learner.fit(examples, z, rehearsed, member)
        heads.append(head.eval())
    _speak(tuned, float(heard.detach()))
    return SiteModel(memory, _in_numpy(heads, mean, scale), tuned.eval(), bound, settings.variant)


@dataclass(slots=True)
class _Learner:
    """Fits one head; the network learns with the first (``tunes``) and is listened to by the others, as far as ``heard``."""

    head: _Head
    network: RootCauseGAT
    anchor: RootCauseGAT
    bound: float
    settings: AdaptationSettings
    heard: nn.Parameter
    tunes: bool

    def fit(
        self,
        examples: Sequence[Example],
        z: Sequence[Tensor],
        rehearsed: Sequence[Example],
        member: int,
    ) -> None:
        settings = self.settings
        groups = [{"params": list(self.head.parameters()), "lr": settings.learning_rate}]
        if self.tunes:
            groups.append({"params": list(self.network.parameters()), "lr": settings.network_rate})
            groups.append({"params": [self.heard], "lr": settings.learning_rate})
        optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
        rng = np.random.default_rng((settings.seed, member))
        for _ in range(settings.epochs):
            self.head.train()
            order = rng.permutation(len(examples))
            for start in range(0, len(order), settings.batch):
                part = [int(i) for i in order[start : start + settings.batch]]
                optimizer.zero_grad()
                loss = self._loss([examples[i] for i in part], torch.cat([z[i] for i in part]))
                if self.tunes:
                    loss = loss + self._held(rehearsed, rng)
                loss.backward()  # type: ignore[no-untyped-call]
                for group in groups:
                    torch.nn.utils.clip_grad_norm_(group["params"], settings.gradient_norm)  # type: ignore[arg-type]
                optimizer.step()

    def _loss(self, part: Sequence[Example], z: Tensor) -> Tensor:
        batch = join(part)
        self.network.train(self.tunes)
        with torch.set_grad_enabled(self.tunes):
            spoken = self.heard * self.network(*batch.seen)[0]
        raw = self.head(z) + spoken
        delta = self.bound * torch.tanh(raw / self.bound)
        loss = listwise_loss(batch.prior + delta, batch, self.settings.sharpness) / batch.weight.sum()
        return loss + self.settings.restraint * (delta**2).mean()

    def _held(self, rehearsed: Sequence[Example], rng: np.random.Generator) -> Tensor:
        """Replay and anchor."""
        pairs = zip(self.network.parameters(), self.anchor.parameters(), strict=True)
        held = torch.stack([((one - other.detach()) ** 2).sum() for one, other in pairs]).sum()
        loss = self.settings.anchor * held
        if rehearsed and self.settings.replay:
            chosen = rng.choice(len(rehearsed), size=min(self.settings.replay, len(rehearsed)), replace=False)
            batch = join([rehearsed[int(i)] for i in chosen])
            bound = self.settings.replay_bound
            scores = batch.prior + bound * torch.tanh(self.network(*batch.seen)[0] / bound)
            loss = loss + listwise_loss(scores, batch, self.settings.sharpness) / batch.weight.sum()
        return loss


@torch.no_grad()
def _speak(network: RootCauseGAT, share: float) -> None:
    """Make ``network`` say ``share`` of what it said."""
    last = network.leave[-1]
    assert isinstance(last, nn.Linear)
    last.weight.mul_(share)
    last.bias.mul_(share)


@torch.no_grad()
def _in_numpy(heads: Sequence[_Head], mean: Floats, scale: Floats) -> SiteHead:
    def stack(parts: Sequence[Tensor]) -> Floats:
        return np.stack([part.numpy() for part in parts]).astype(np.float64)

    return SiteHead(
        mean=mean,
        scale=scale,
        hidden=stack([head.hidden.weight for head in heads]),
        hidden_bias=stack([head.hidden.bias for head in heads]),
        out=stack([head.out.weight[0] for head in heads]),
        out_bias=stack([head.out.bias[0] for head in heads]),
    )


def places(cases: Sequence[LabelledTable], deltas: Sequence[Floats]) -> Floats:
    """The place of the right answer in every case, float64 [cases]."""
    return np.array(
        [
            rank_of_truth(case.table.prior + delta, case.truth, case.table.group.astype(np.int64))
            for case, delta in zip(cases, deltas, strict=True)
        ],
        dtype=np.float64,
    )


@dataclass(frozen=True, slots=True)
class Tried:
    """One bound on the incidents that were asked about: share first, mean reciprocal rank."""

    bound: float
    ac1: float
    mrr: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """``bound`` None: refused. ``base``: the model that the site came with, on the same ``asked`` incidents."""

    bound: float | None
    base: Tried
    tried: tuple[Tried, ...]
    asked: int


def ask_forward(
    cases: Sequence[LabelledTable],
    network: RootCauseGAT,
    settings: AdaptationSettings,
    *,
    base_bound: float,
    replay: Sequence[LabelledTable] = (),
    on_step: Callable[[], None] = lambda: None,
) -> Verdict:
    """The gate. ``cases`` in order of time: after each of a few steps the model is made from what came before and asked
    about what came until the next. It passes with the bound that puts most right answers first (then the better mean reciprocal
    rank, then the smaller bound), if it puts more there than the base, or as many with a better mean reciprocal rank."""
    ends = [max(1, round(len(cases) * step)) for step in _STEPS]
    bounds = bounds_for(len(cases))
    asked = list(cases[ends[0] :]) if bounds else []
    base = _tried(base_bound, asked, score_tables(network, asked, bound=base_bound, variant=settings.variant))
    found: dict[float, list[Floats]] = {bound: [] for bound in bounds}
    for start, end in zip(ends, [*ends[1:], len(cases)], strict=True):
        for bound in bounds:
            model = adapt(cases[:start], network, settings, bound=bound, replay=replay)
            found[bound] += model.deltas(cases[start:end])
            on_step()
    tried = tuple(_tried(bound, asked, deltas) for bound, deltas in found.items())
    best = max(tried, key=lambda one: (one.ac1, one.mrr, -one.bound), default=None)
    passed = best is not None and (best.ac1, best.mrr) > (base.ac1, base.mrr)
    return Verdict(best.bound if best is not None and passed else None, base, tried, len(asked))


def _tried(bound: float, cases: Sequence[LabelledTable], deltas: Sequence[Floats]) -> Tried:
    if not cases:
        return Tried(bound, 0.0, 0.0)
    found = places(cases, deltas)
    return Tried(bound, round(float((found == 1).mean()), 4), round(float((1.0 / found).mean()), 4))
