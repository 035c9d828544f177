"""The training curve as TensorBoard event files, for those who have the tensorboard package."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aiops.errors import ModelError
from graph_models.training.settings import Epoch


@contextmanager
def tensorboard(folder: Path) -> Iterator[Callable[[Epoch], None]]:
    """Gives a function that writes an epoch down. Raises :class:`ModelError` where the package is missing."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ModelError(
            "TensorBoard event files need the tensorboard package", hint="pip install 'kg-aiops[train]'"
        ) from error
    with SummaryWriter(str(folder)) as writer:

        def write(epoch: Epoch) -> None:
            for name in ("loss", "stop_loss", "ac1"):
                writer.add_scalar(name, getattr(epoch, name), epoch.number)

        yield write
