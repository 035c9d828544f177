"""Trains the network on labelled candidate tables, lets a gate decide how far it may correct, and writes the model.

Listwise softmax loss on s = prior + bound * tanh(g / bound); early stopping on cases of its own. The bound that ships is the
largest at which cases that neither training nor stopping has seen are ranked better than by the prior alone, and at which
no set of real cases, where such sets are given, has fewer right answers than by the prior alone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from aiops.domain.candidates import CandidateTable, RuleOutcome
from aiops.errors import ModelError
from graph_models.encoding import EncodedGraph, encode, feature_schema, schema_hash
from graph_models.export import export_onnx
from graph_models.network import RootCauseGAT, bounded
from graph_models.registry import FORMAT, Manifest, file_sha256, write_manifest


@dataclass(frozen=True, slots=True)
class LabelledTable:
    """One training case: ``truth`` are the rows of the table that are right answers."""

    table: CandidateTable
    rules: RuleOutcome
    truth: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Everything that training depends on; written to the manifest."""

    seed: int = 7
    hidden: int = 32
    heads: int = 4
    layers: int = 2
    dropout: float = 0.1
    learning_rate: float = 3e-3
    weight_decay: float = 1e-4
    epochs: int = 60
    patience: int = 8
    batch: int = 32
    gradient_norm: float = 1.0
    sharpness: float = 8.0  # softmax temperature: scores lie in [0, 1 + bound]
    bounds: tuple[float, ...] = (0.0, 0.05, 0.1, 0.2, 0.4)


@dataclass(frozen=True, slots=True)
class Epoch:
    """A point of the training curve. ``loss`` per case; ``ac1`` on the stopping cases at the largest bound."""

    number: int
    loss: float
    stop_loss: float
    ac1: float


@dataclass(frozen=True, slots=True)
class _Batch:
    x: Tensor
    edge_index: Tensor
    edge_attr: Tensor
    prior: Tensor
    owner: Tensor  # int64 [n]: which case a row belongs to
    truth: Tensor  # bool [n]
    group: Tensor  # int64 [n]: the row that stands for this one in the ranking
    cases: int


def train(
    cases: Sequence[LabelledTable],
    out: Path,
    settings: TrainingSettings,
    *,
    version: str,
    gate_sets: Mapping[str, Sequence[LabelledTable]] = MappingProxyType({}),
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> Manifest:
    """Train on ``cases`` (70%), stop on 15%, gate on 15% and on ``gate_sets``, and write the model to ``out``.

    Raises :class:`ModelError` where there are fewer than 20 cases, a case has no truth, or features differ between cases.
    """
    _check(cases)
    for found in gate_sets.values():
        _check([*cases[:20], *found])
    torch.manual_seed(settings.seed)
    order = np.random.default_rng(settings.seed).permutation(len(cases))
    encoded = [encode(case.table, case.rules) for case in cases]
    first, second = int(len(cases) * 0.7), int(len(cases) * 0.85)
    parts = [[int(i) for i in part] for part in (order[:first], order[first:second], order[second:])]
    batches = [
        [_join(encoded, cases, part[i : i + settings.batch]) for i in range(0, len(part), settings.batch)]
        for part in parts
    ]
    node_features, edge_features = feature_schema(cases[0].table)
    network = RootCauseGAT(
        len(node_features), len(edge_features),
        hidden=settings.hidden, heads=settings.heads, layers=settings.layers, dropout=settings.dropout,
    )  # fmt: skip
    curve = _fit(network, batches[0], batches[1], settings, on_epoch)
    real = {
        name: [_join([encode(one.table, one.rules)], [one], [0]) for one in found]
        for name, found in gate_sets.items()
    }
    gate = _gate(network, batches[2], real, settings)
    return _write(
        network,
        out,
        settings,
        version,
        node_features,
        edge_features,
        curve,
        gate,
        [len(part) for part in parts],
    )


def _check(cases: Sequence[LabelledTable]) -> None:
    if len(cases) < 20:
        raise ModelError(f"{len(cases)} labelled cases are too few", hint="training needs at least 20")
    schema = feature_schema(cases[0].table)
    for number, case in enumerate(cases):
        if not case.truth:
            raise ModelError(
                f"case {number} has no truth among its candidates", hint="leave it out", case=number
            )
        if feature_schema(case.table) != schema:
            raise ModelError(
                f"case {number} has other features than case 0", hint="make all with one version", case=number
            )


def _join(encoded: Sequence[EncodedGraph], cases: Sequence[LabelledTable], part: Sequence[int]) -> _Batch:
    sizes = [len(encoded[i].prior) for i in part]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    truth = np.zeros(sum(sizes), dtype=bool)
    for start, i in zip(starts, part, strict=True):
        truth[start + np.asarray(cases[i].truth)] = True
    return _Batch(
        x=torch.from_numpy(np.concatenate([encoded[i].x for i in part])),
        edge_index=torch.from_numpy(
            np.concatenate(
                [encoded[i].edge_index + start for i, start in zip(part, starts, strict=True)], axis=1
            )
        ),
        edge_attr=torch.from_numpy(np.concatenate([encoded[i].edge_attr for i in part])),
        prior=torch.from_numpy(np.concatenate([encoded[i].prior for i in part])),
        owner=torch.from_numpy(np.repeat(np.arange(len(part)), sizes)),
        truth=torch.from_numpy(truth),
        group=torch.from_numpy(
            np.concatenate(
                [cases[i].table.group.astype(np.int64) + start for i, start in zip(part, starts, strict=True)]
            )
        ),
        cases=len(part),
    )


def _loss(scores: Tensor, batch: _Batch, sharpness: float) -> Tensor:
    """-log of the softmax mass on the true rows, summed over cases. ``scores``: [n]."""
    sharp = scores * sharpness
    floor = torch.full((batch.cases,), -torch.inf)
    top = floor.scatter_reduce(0, batch.owner, sharp.detach(), "amax")
    mass = torch.exp(sharp - top[batch.owner])
    everyone = torch.zeros(batch.cases).index_add(0, batch.owner, mass)
    right = torch.zeros(batch.cases).index_add(0, batch.owner, mass * batch.truth)
    return (torch.log(everyone) - torch.log(right + 1e-9)).sum()


def _fit(
    network: RootCauseGAT,
    training: Sequence[_Batch],
    stopping: Sequence[_Batch],
    settings: TrainingSettings,
    on_epoch: Callable[[Epoch], None],
) -> list[Epoch]:
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    bound = max(settings.bounds)
    best, best_loss, curve = copy.deepcopy(network.state_dict()), float("inf"), []
    for number in range(1, settings.epochs + 1):
        network.train()
        total = 0.0
        for index in torch.randperm(len(training)).tolist():
            batch = training[index]
            optimizer.zero_grad()
            raw, _ = network(batch.x, batch.edge_index, batch.edge_attr)
            loss = _loss(bounded(batch.prior, raw, bound), batch, settings.sharpness)
            (loss / batch.cases).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), settings.gradient_norm)
            optimizer.step()
            total += float(loss.detach())
        stop_loss, hits = _judge(network, stopping, bound, settings.sharpness)
        curve.append(
            Epoch(number, total / sum(batch.cases for batch in training), stop_loss, float(hits.mean()))
        )
        on_epoch(curve[-1])
        if stop_loss < best_loss - 1e-4:
            best, best_loss = copy.deepcopy(network.state_dict()), stop_loss
        elif number - min(curve, key=lambda epoch: epoch.stop_loss).number >= settings.patience:
            break
    network.load_state_dict(best)
    network.eval()
    return curve


@torch.no_grad()
def _judge(
    network: RootCauseGAT, batches: Sequence[_Batch], bound: float, sharpness: float
) -> tuple[float, np.ndarray]:
    """Mean loss, and per case whether a true candidate is first after merging by group (ties count as a miss)."""
    network.eval()
    total, hits = 0.0, []
    for batch in batches:
        raw, _ = network(batch.x, batch.edge_index, batch.edge_attr)
        scores = bounded(batch.prior, raw, bound)
        total += float(_loss(scores, batch, sharpness))
        merged = torch.full_like(scores, -torch.inf).scatter_reduce(0, batch.group, scores, "amax")
        right = torch.zeros_like(batch.truth).index_put((batch.group[batch.truth],), torch.tensor(True))
        for case in range(batch.cases):
            rows = batch.owner == case
            best, other = merged[rows & right], merged[rows & ~right]
            hits.append(bool(not len(other) or best.max() > other.max()))
    return total / len(hits), np.asarray(hits, dtype=np.float64)


def _gate(
    network: RootCauseGAT,
    batches: Sequence[_Batch],
    real: Mapping[str, Sequence[_Batch]],
    settings: TrainingSettings,
) -> dict[str, object]:
    """The largest bound whose gain over the prior has a 95% paired bootstrap interval that does not reach below zero, and
    that costs no real set a right answer."""
    _, base = _judge(network, batches, 0.0, settings.sharpness)
    before = {name: _judge(network, found, 0.0, settings.sharpness)[1] for name, found in real.items()}
    rng = np.random.default_rng(settings.seed)
    draws = rng.integers(0, len(base), size=(2000, len(base)))
    chosen, rows = 0.0, []
    for bound in sorted(settings.bounds):
        _, hits = _judge(network, batches, bound, settings.sharpness)
        low, high = (float(value) for value in np.quantile((hits - base)[draws].mean(axis=1), (0.025, 0.975)))
        after = {name: _judge(network, found, bound, settings.sharpness)[1] for name, found in real.items()}
        row: dict[str, object] = {
            "bound": bound,
            "ac1": float(hits.mean()),
            "gain_low": low,
            "gain_high": high,
        }
        row["real"] = [float(found.mean()) for _, found in sorted(after.items())]  # names of sets do not ship
        rows.append(row)
        if low >= 0.0 and all(after[name].sum() >= before[name].sum() for name in real):
            chosen = bound
    return {
        "bound": chosen,
        "prior_ac1": float(base.mean()),
        "cases": len(base),
        "real_cases": [len(found) for _, found in sorted(real.items())],
        "tried": rows,
    }


def _write(
    network: RootCauseGAT,
    out: Path,
    settings: TrainingSettings,
    version: str,
    node_features: tuple[str, ...],
    edge_features: tuple[str, ...],
    curve: Sequence[Epoch],
    gate: dict[str, object],
    sizes: Sequence[int],
) -> Manifest:
    out.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: value.contiguous() for name, value in network.state_dict().items()},
        str(out / "weights.safetensors"),
    )
    export_onnx(network, out / "model.onnx", len(node_features), len(edge_features))
    lines = [
        "epoch,loss,stop_loss,ac1",
        *(f"{e.number},{e.loss:.6f},{e.stop_loss:.6f},{e.ac1:.4f}" for e in curve),
    ]
    (out / "curve.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    manifest = Manifest(
        name="gat",
        version=version,
        format=FORMAT,
        node_features=node_features,
        edge_features=edge_features,
        schema_sha256=schema_hash(node_features, edge_features),
        bound=float(str(gate["bound"])),
        architecture={
            "hidden": settings.hidden,
            "heads": settings.heads,
            "layers": settings.layers,
            "dropout": settings.dropout,
        },
        training={
            "settings": asdict(settings),
            "train": sizes[0],
            "stop": sizes[1],
            "gate": sizes[2],
            "epochs": len(curve),
        },
        gate=gate,
        files={name: file_sha256(out / name) for name in ("model.onnx", "weights.safetensors", "curve.csv")},
    )
    write_manifest(out, manifest)
    return manifest
