"""How far a training has come, and its checkpoints: weights as safetensors, the rest as JSON, nothing that could be code.

All chance of an epoch follows from seed, number of the epoch and process, so a checkpoint holds no random state, and a training
that is resumed ends with the weights of one that never stopped.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from aiops.errors import ModelError
from graph_models.network import RootCauseGAT
from graph_models.training.batches import Example
from graph_models.training.settings import Epoch, TrainingSettings

_BEFORE = Epoch(0, 0.0, float("inf"), 0.0)
_STATE, _WEIGHTS, _BEST, _OPTIMIZER = "state.json", "weights", "best", "optimizer"


@dataclass(slots=True)
class TrainingState:
    """The network as it is, what moves it, the weights of its best epoch, and all epochs so far."""

    network: RootCauseGAT
    optimizer: torch.optim.AdamW
    best: dict[str, Tensor]
    best_epoch: Epoch = _BEFORE
    curve: list[Epoch] = field(default_factory=list)

    def is_over(self, settings: TrainingSettings) -> bool:
        """Whether nothing got better for ``patience`` epochs, or all epochs are done."""
        done = len(self.curve)
        return done >= settings.epochs or done - self.best_epoch.number >= settings.patience


def begin(network: RootCauseGAT, settings: TrainingSettings) -> TrainingState:
    """The state before the first epoch."""
    learning = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    return TrainingState(network, optimizer, copy_weights(network))


def copy_weights(network: RootCauseGAT) -> dict[str, Tensor]:
    return {name: value.detach().clone().contiguous() for name, value in network.state_dict().items()}


def fingerprint(settings: TrainingSettings, *parts: Sequence[Example]) -> str:
    """SHA-256 over the cases and all settings but the number of epochs, which may be raised on resuming."""
    digest = hashlib.sha256(repr(replace(settings, epochs=0)).encode())
    for part in parts:
        digest.update(b"part")
        for example in part:
            graph = example.graph
            digest.update(repr((example.truth, example.weight, graph.x.shape)).encode())
            for array in (graph.x, graph.edge_index, graph.edge_attr, graph.text_weight, example.carried):
                digest.update(array.tobytes())
    return digest.hexdigest()


def save_checkpoint(folder: Path, state: TrainingState, made_of: str) -> None:
    """Write to a folder beside ``folder`` and put it in its place, so that a crash leaves the one or the other."""
    new, old = folder.with_name(f"{folder.name}.new"), folder.with_name(f"{folder.name}.old")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    save_file(copy_weights(state.network), str(new / f"{_WEIGHTS}.safetensors"))
    save_file(state.best, str(new / f"{_BEST}.safetensors"))
    moments = {
        f"{position}.{key}": torch.as_tensor(value).contiguous()
        for position, entry in state.optimizer.state_dict()["state"].items()
        for key, value in entry.items()
    }
    save_file(moments, str(new / f"{_OPTIMIZER}.safetensors"))
    document = {
        "made_of": made_of,
        "best": state.best_epoch.number,
        "curve": [asdict(epoch) for epoch in state.curve],
    }
    (new / _STATE).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def load_checkpoint(folder: Path, state: TrainingState, made_of: str) -> None:
    """Bring ``state`` to where the checkpoint was. Raises :class:`ModelError` if it is damaged or of another training."""
    try:
        document = json.loads((folder / _STATE).read_text(encoding="utf-8"))
        curve = [Epoch(**epoch) for epoch in document["curve"]]
        if document["made_of"] != made_of:
            raise ModelError(
                f"{folder}: the checkpoint is of other cases or settings",
                hint="resume with the options it was begun with, or begin anew without --resume",
            )
        state.network.load_state_dict(load_file(str(folder / f"{_WEIGHTS}.safetensors")))
        state.best = load_file(str(folder / f"{_BEST}.safetensors"))
        moments = load_file(str(folder / f"{_OPTIMIZER}.safetensors"))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"{folder}: no checkpoint to resume: {error}",
            hint="begin anew without --resume",
            file=str(folder),
        ) from error
    entries: dict[int, dict[str, Tensor]] = {}
    for name, value in moments.items():
        position, _, key = name.partition(".")
        entries.setdefault(int(position), {})[key] = value
    state.optimizer.load_state_dict(
        {"state": entries, "param_groups": state.optimizer.state_dict()["param_groups"]}
    )
    state.curve = curve
    state.best_epoch = next((epoch for epoch in curve if epoch.number == document["best"]), _BEFORE)
