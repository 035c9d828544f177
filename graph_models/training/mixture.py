"""Several systems in one training: how much each counts, and which are left out in turn to see what the rest teaches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from graph_models.training.settings import LabelledTable

SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class Source:
    """What a system's cases are and whether they may enter weights that ship. ``licence``: an SPDX id, or in words.
    ``credit``: whom the licence asks to name."""

    kind: Literal["simulated faults", "own recordings", "labelled set"]
    licence: str
    credit: str = ""


def balance(cases: Sequence[LabelledTable]) -> list[LabelledTable]:
    """A system counts by the root of its number of cases, so that a large one does not drown the others; mean weight 1."""
    sizes = Counter(case.system for case in cases)
    weights = [case.weight / sizes[case.system] ** 0.5 for case in cases]
    mean = sum(weights) / len(weights)
    return [replace(case, weight=weight / mean) for case, weight in zip(cases, weights, strict=True)]


def real_systems(cases: Sequence[LabelledTable]) -> list[str]:
    """Systems that are not simulated, sorted."""
    return sorted({case.system for case in cases} - {SIMULATED, ""})


def without(cases: Sequence[LabelledTable], system: str) -> list[LabelledTable]:
    """A fold: all cases but those of one system."""
    return [case for case in cases if case.system != system]


def describe_data(
    cases: Sequence[LabelledTable], sources: Mapping[str, Source]
) -> list[dict[str, str | int]]:
    """What was trained on, for the manifest: kinds, licences and counts, no names of systems."""
    sizes = Counter(case.system for case in cases)
    return [
        {**asdict(sources[system]), "cases": sizes[system]}
        if system in sources
        else {"kind": "tables", "licence": "unstated", "credit": "", "cases": sizes[system]}
        for system in sorted(sizes)
    ]
