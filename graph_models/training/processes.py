"""Data-parallel training: several processes of one machine share every batch, over gloo."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from torch.multiprocessing import get_context
from torch.multiprocessing.spawn import spawn

from graph_models.network import RootCauseGAT
from graph_models.training.batches import Example
from graph_models.training.fitting import Checkpoints, Place, fit_network
from graph_models.training.settings import Epoch, TrainingSettings
from graph_models.training.state import copy_weights

_WEIGHTS = "fitted.safetensors"
_POLL_S = 0.2


def fit_in_processes(
    network: RootCauseGAT,
    training: Sequence[Example],
    stopping: Sequence[Example],
    settings: TrainingSettings,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    *,
    processes: int,
    checkpoints: Checkpoints | None = None,
) -> list[Epoch]:
    """As :func:`graph_models.training.fitting.fit_network`, with every batch divided among ``processes``.

    Up to rounding (and dropout, whose noise is each process's own) the weights are those of one process.
    """
    context = get_context("spawn")
    told: Any = context.SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="aiops-train-") as name:
        shared = Path(name)
        arguments = (processes, shared, network, training, stopping, settings, checkpoints, told)
        running: Any = spawn(_work, args=arguments, nprocs=processes, join=False)  # type: ignore[no-untyped-call]
        curve: list[Epoch] = []
        done = False
        while not done:
            done = running.join(timeout=_POLL_S)
            while not told.empty():
                epoch = told.get()
                if isinstance(epoch, Epoch):
                    on_epoch(epoch)
                else:
                    curve = epoch
        network.load_state_dict(load_file(str(shared / _WEIGHTS)))
    network.eval()
    return curve


def _work(
    rank: int,
    processes: int,
    shared: Path,
    network: RootCauseGAT,
    training: Sequence[Example],
    stopping: Sequence[Example],
    settings: TrainingSettings,
    checkpoints: Checkpoints | None,
    told: Any,
) -> None:
    torch.set_num_threads(1)
    network = copy.deepcopy(network)  # tensors arrive in memory that all processes share
    dist.init_process_group(
        "gloo", init_method=f"file://{shared / 'meeting'}", rank=rank, world_size=processes
    )
    try:
        tell = told.put if rank == 0 else lambda _: None
        place = Place(rank, processes)
        curve = fit_network(network, training, stopping, settings, tell, checkpoints=checkpoints, place=place)
        if rank == 0:
            save_file(copy_weights(network), str(shared / _WEIGHTS))
            told.put(curve)
    finally:
        dist.destroy_process_group()
