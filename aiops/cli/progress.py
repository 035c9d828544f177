"""Progress on standard error: only for a person at a terminal, never into a pipe, never with ``--quiet``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def share_done(text: str, *, quiet: bool = False) -> Iterator[Callable[[float], None]]:
    """A bar, and the function that is told the share done, 0 to 1."""
    console = Console(stderr=True)
    shown = not quiet and sys.stderr.isatty() and console.is_terminal
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not shown) as progress:
        task = progress.add_task(text, total=1.0)
        yield lambda share: progress.update(task, completed=share)
