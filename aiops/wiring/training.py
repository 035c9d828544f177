"""Training: simulated faults, recorded outages and labelled case folders as tables, then the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from aiops.errors import ModelError
from aiops.evaluation.cases import find_cases
from aiops.settings import Settings
from aiops.wiring.tables import Tabulator
from graph_models.registry import Manifest
from graph_models.simulation.telemetry import simulate_case
from graph_models.training import Epoch, LabelledTable, Running, Source, TrainingSettings, train
from graph_models.training.events import tensorboard
from graph_models.training.fitting import Checkpoints
from graph_models.training.mixture import SIMULATED

#: Recordings whose name ends so are never trained on.
HELD_OUT = "-b"
OWN = "own recordings"
_OURS = "Apache-2.0"


@dataclass(frozen=True, slots=True)
class Mixture:
    """What is trained on. ``folders``: a folder of labelled cases each, with the licence that lets it in and whom to
    credit. ``recordings``: folders with recorded outages below them. ``gate``: labelled cases that only the gate
    sees; those that are trained on are left out of it."""

    simulated: int
    folders: Mapping[Path, Source] = field(default_factory=dict)
    recordings: Sequence[Path] = ()
    gate: Path | None = None


@dataclass(frozen=True, slots=True)
class Watching:
    """Who is told how far it is: each table made, each epoch, each system left out in turn."""

    on_case: Callable[[], None] = lambda: None
    on_epoch: Callable[[Epoch], None] = lambda _: None
    on_fold: Callable[[], None] = lambda: None


def training_recordings(roots: Sequence[Path]) -> list[Path]:
    """Recorded outages below ``roots`` that may be trained on, without the held-out ones. Raises :class:`ModelError`."""
    found = {
        path.parent.name: path.parent for root in roots for path in sorted(root.glob("*/recording.json"))
    }
    if roots and not found:
        raise ModelError(
            f"{roots[0]}: no recording below it", hint="a recording is a folder with recording.json"
        )
    return [folder for name, folder in sorted(found.items()) if not name.endswith(HELD_OUT)]


def make_tables(
    tabulator: Tabulator, mixture: Mixture, seed: int, on_case: Callable[[], None]
) -> tuple[list[LabelledTable], dict[str, Source]]:
    """The training cases and what each system of them is; cases whose truth is no candidate are left out."""
    sources = {SIMULATED: Source("simulated faults", _OURS), OWN: Source("own recordings", _OURS)}
    tables = []

    def everything() -> Iterator[LabelledTable]:
        for number in range(mixture.simulated):
            yield tabulator.simulated(simulate_case(seed * 1_000_000 + number)).labelled(SIMULATED)
        for folder in training_recordings(mixture.recordings):
            yield tabulator.recording(folder).labelled(OWN)
        for root, source in mixture.folders.items():
            sources[root.resolve().name] = source
            yield from _folders(tabulator, root)

    for table in everything():
        on_case()
        if table.truth:
            tables.append(table)
    return tables, sources


def _folders(
    tabulator: Tabulator, root: Path, skip: frozenset[Path] = frozenset()
) -> Iterator[LabelledTable]:
    for case in find_cases(root):
        if case.labelled and case.path.resolve().parent not in skip:
            yield tabulator.folder(case.path).labelled(case.data_set)


def gate_tables(tabulator: Tabulator, mixture: Mixture) -> dict[str, list[LabelledTable]]:
    """Cases that only the gate sees, by data set."""
    sets: dict[str, list[LabelledTable]] = {}
    trained = frozenset(root.resolve() for root in mixture.folders)
    if mixture.gate is not None:
        for table in _folders(tabulator, mixture.gate, trained):
            if table.truth:
                sets.setdefault(table.system, []).append(table)
    return sets


def train_model(
    settings: Settings,
    out: Path,
    mixture: Mixture,
    chosen: TrainingSettings,
    *,
    version: str,
    processes: int = 1,
    resume: bool = False,
    events: Path | None = None,
    watching: Watching | None = None,
) -> Manifest:
    """Make the tables, train, gate, write to ``out``. The same options and the same version of the code give the same
    weights. A checkpoint stands in ``out``/checkpoint until the model is written. Raises :class:`ModelError`.
    """
    told, tabulator = watching or Watching(), Tabulator(settings)
    for root in mixture.folders:
        if not root.is_dir():
            raise ModelError(f"{root}: not a folder", hint="name a folder with case folders below it")
    tables, sources = make_tables(tabulator, mixture, chosen.seed, told.on_case)
    gate = gate_tables(tabulator, mixture)
    checkpoints = Checkpoints(out / "checkpoint", resume)
    with ExitStack() as stack:
        write = stack.enter_context(tensorboard(events)) if events is not None else None

        def on_epoch(epoch: Epoch) -> None:
            told.on_epoch(epoch)
            if write is not None:
                write(epoch)

        manifest = train(
            tables, out, chosen, version=version, gate_sets=gate, sources=sources,
            running=Running(on_epoch, told.on_fold, checkpoints, processes),
        )  # fmt: skip
    checkpoints.remove()
    return manifest
