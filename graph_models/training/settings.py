"""What training is given and what it tells. Knows no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from aiops.domain.candidates import CandidateTable, RuleOutcome
from aiops.errors import ModelError
from graph_models.architecture import Architecture
from graph_models.encoding import feature_schema
from graph_models.variants import Variant

FEWEST_CASES = 20
PRETEXT_TASKS = ("masked", "transe")


@dataclass(frozen=True, slots=True)
class LabelledTable:
    """One training case: ``truth`` are the rows of the table that are right answers. ``weight``: how much it counts in
    the loss. ``system``: which system it is from; cases of one system are split alike between training and stopping.
    ``carried``: numbers of the table's edges along which failure went; None where nobody knows."""

    table: CandidateTable
    rules: RuleOutcome
    truth: tuple[int, ...]
    weight: float = 1.0
    system: str = ""
    carried: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Everything that training depends on; written to the manifest.

    ``sharpness``: softmax temperature, as scores lie in [0, 1 + bound]. ``bounds``: how far the network may be let to correct;
    it is trained at the largest. ``edge_share``: weight of the edges' loss beside the candidates'.
    ``restraint``: weight of the mean square of corrections in units of the bound: what need not be corrected is left alone.
    ``pretext``: tasks without labels that are trained on first, ``pretext_epochs`` times over.
    """

    seed: int = 7
    variant: Variant = "gat"
    architecture: Architecture = field(default_factory=Architecture)
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    epochs: int = 60
    patience: int = 8
    batch: int = 32
    gradient_norm: float = 1.0
    sharpness: float = 25.0
    restraint: float = 1.0
    edge_share: float = 0.2
    bounds: tuple[float, ...] = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
    pretext: tuple[str, ...] = ()
    pretext_epochs: int = 5

    def __post_init__(self) -> None:
        if unknown := set(self.pretext).difference(PRETEXT_TASKS):
            raise ModelError(
                f"unknown pretext task {min(unknown)!r}", hint=f"there are: {', '.join(PRETEXT_TASKS)}"
            )


@dataclass(frozen=True, slots=True)
class Epoch:
    """A point of the training curve. ``loss`` per case; ``ac1`` on the stopping cases at the largest bound."""

    number: int
    loss: float
    stop_loss: float
    ac1: float


def check_cases(cases: Sequence[LabelledTable]) -> None:
    """Raises :class:`ModelError` on too few cases, a case without truth, or features that differ between cases."""
    if len(cases) < FEWEST_CASES:
        raise ModelError(
            f"{len(cases)} labelled cases are too few", hint=f"training needs at least {FEWEST_CASES}"
        )
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
