"""Trains the network on labelled candidate tables, lets the gate decide how far it may correct, and writes the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch

from graph_models.encoding import feature_schema
from graph_models.network import RootCauseGAT
from graph_models.registry import Manifest
from graph_models.training.batches import Example, make_examples
from graph_models.training.edges import edge_gains
from graph_models.training.fitting import Checkpoints, fit_network
from graph_models.training.gate import Judged, decide
from graph_models.training.judging import raw_scores
from graph_models.training.mixture import Source, balance, describe_data, real_systems, without
from graph_models.training.pretext import pretrain
from graph_models.training.processes import fit_in_processes
from graph_models.training.settings import FEWEST_CASES, Epoch, LabelledTable, TrainingSettings, check_cases
from graph_models.training.writing import write_model
from graph_models.variants import vary_architecture

#: Shares of the cases that train and that stop; the rest is for the gate.
TRAIN_SHARE, STOP_SHARE = 0.7, 0.15


@dataclass(frozen=True, slots=True)
class Running:
    """How training runs, which does not change what comes out: ``on_epoch`` is told each epoch of the network that ships,
    ``on_fold`` each system that was left out; ``processes`` share every batch."""

    on_epoch: Callable[[Epoch], None] = lambda _: None
    on_fold: Callable[[], None] = lambda: None
    checkpoints: Checkpoints | None = None
    processes: int = 1


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted network, how it came to be, and the cases it has not seen."""

    network: RootCauseGAT
    curve: tuple[Epoch, ...]
    held_out: tuple[Example, ...]
    sizes: tuple[int, int, int]
    pretext: tuple[float, ...] = ()


def fit(cases: Sequence[LabelledTable], settings: TrainingSettings, running: Running | None = None) -> Fitted:
    """Train on 70% of each system's ``cases``, stop on 15%, keep 15%. Writes nothing but checkpoints.

    Raises :class:`aiops.errors.ModelError` where there are too few cases, a case has no truth, or features differ.
    """
    check_cases(cases)
    how = running or Running()
    torch.manual_seed(settings.seed)
    examples = make_examples(balance(cases), settings.variant)
    parts = [[examples[i] for i in part] for part in split(cases, settings.seed)]
    node_features, edge_features = feature_schema(cases[0].table)
    network = RootCauseGAT(
        len(node_features), len(edge_features), vary_architecture(settings.architecture, settings.variant)
    )
    kinds = [place for place, name in enumerate(edge_features) if name.startswith(("kind:", "along"))]
    pretext = pretrain(network, parts[0], settings, kinds)
    if how.processes > 1:
        curve = fit_in_processes(
            network, parts[0], parts[1], settings, how.on_epoch, checkpoints=how.checkpoints, processes=how.processes
        )  # fmt: skip
    else:
        curve = fit_network(network, parts[0], parts[1], settings, how.on_epoch, checkpoints=how.checkpoints)
    sizes = (len(parts[0]), len(parts[1]), len(parts[2]))
    return Fitted(network, tuple(curve), tuple(parts[2]), sizes, tuple(pretext))


def split(cases: Sequence[LabelledTable], seed: int) -> tuple[list[int], list[int], list[int]]:
    """Numbers of the cases that train, stop and are kept, each system divided alike."""
    rng = np.random.default_rng(seed)
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for system in sorted({case.system for case in cases}):
        own = [number for number, case in enumerate(cases) if case.system == system]
        order = [own[int(i)] for i in rng.permutation(len(own))]
        first, second = int(len(own) * TRAIN_SHARE), int(len(own) * (TRAIN_SHARE + STOP_SHARE))
        for part, found in zip(parts, (order[:first], order[first:second], order[second:]), strict=True):
            part += found
    return parts


def train(
    cases: Sequence[LabelledTable],
    out: Path,
    settings: TrainingSettings,
    *,
    version: str,
    gate_sets: Mapping[str, Sequence[LabelledTable]] = MappingProxyType({}),
    sources: Mapping[str, Source] = MappingProxyType({}),
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    running: Running | None = None,
) -> Manifest:
    """Fit, gate, and write the model to ``out``; raises as :func:`fit` does.

    The gate looks at the cases kept, at every real system that was trained on (by a network trained anew without it), and
    at ``gate_sets``, which must not be among ``cases``. ``sources``: what the cases of a system are, for the manifest.
    """
    how = running or Running(on_epoch=on_epoch)
    for found in gate_sets.values():
        check_cases([*cases[:FEWEST_CASES], *found])
    fitted = fit(cases, settings, how)
    judged = _judged(fitted.network, fitted.held_out, settings)
    real = {
        name: _judged(fitted.network, make_examples(found, settings.variant), settings)
        for name, found in gate_sets.items()
    }
    for system in real_systems(cases):
        rest = without(cases, system)
        if len(rest) >= FEWEST_CASES:
            network = fit(rest, settings, Running(processes=how.processes)).network
            own = make_examples([case for case in cases if case.system == system], settings.variant)
            real[system] = replace(_judged(network, own, settings), fold=True)
            how.on_fold()
    gate = decide(judged, real, settings.bounds, settings.seed)
    train_size, stop_size, gate_size = fitted.sizes
    known: dict[str, object] = {
        "train": train_size, "stop": stop_size, "gate": gate_size, "data": describe_data(cases, sources),
        "pretext": list(fitted.pretext),
    }  # fmt: skip
    return write_model(
        out, fitted.network, settings, version=version, schema=feature_schema(cases[0].table), curve=fitted.curve,
        gate=gate, training=known,
    )  # fmt: skip


def _judged(network: RootCauseGAT, examples: Sequence[Example], settings: TrainingSettings) -> Judged:
    raw = raw_scores(network, examples)
    if settings.variant == "shuffled_edges":  # the guesses would be made on ends that are not the edges'
        return Judged(examples, raw)
    return Judged(examples, raw, edge_gains=edge_gains(network, examples))
