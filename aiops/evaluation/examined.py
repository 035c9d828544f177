"""A labelled case after everything that costs time: candidate table, rules, answers. Kept on disk, so that learners,
seeds and protocols run on the same features without reading a case again."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import orjson
from pydantic import TypeAdapter

from aiops.domain.candidates import CandidateTable, RuleOutcome
from aiops.evaluation.bench import Answer
from aiops.evaluation.calibration import Judged
from aiops.evaluation.labels import Label

_ARRAYS = ("features", "prior", "edges", "edge_features", "group")


@dataclass(frozen=True, slots=True)
class Examined:
    """``answers`` and ``milliseconds`` by name of the scorer; ``answers`` of those that learn nothing. ``judged``: what the
    product said before calibration."""

    data_set: str
    name: str
    system: str
    at_s: float
    label: Label
    table: CandidateTable
    rules: RuleOutcome
    judged: Judged
    answers: Mapping[str, Answer]
    milliseconds: Mapping[str, float]

    def truth(self) -> tuple[int, ...]:
        """Rows of the table that are right answers."""
        wanted = {entity for entity, _ in self.label.causes}
        return tuple(row for row, entity in enumerate(self.table.entities) if entity in wanted)


def remembered(folder: Path | None, key: str, make: Callable[[], Examined]) -> Examined:
    """The examined case under ``key`` in ``folder``, made and written there first if it is not; without a folder, made."""
    if folder is None:
        return make()
    file = folder / f"{key}.npz"
    if file.is_file():
        return load(file)
    found = make()
    file.parent.mkdir(parents=True, exist_ok=True)
    save(found, file)
    return found


def save(case: Examined, file: Path) -> None:
    """Arrays and one JSON document, nothing pickled; the file appears whole or not at all."""
    table = {name: value for name, value in _parts(case.table).items() if name not in _ARRAYS}
    document = {**_parts(case), "table": table}
    arrays = {name: getattr(case.table, name) for name in _ARRAYS}
    packed = orjson.dumps(document, default=_plain)
    unfinished = file.with_suffix(f".{os.getpid()}.part")  # runs may share a cache
    with unfinished.open("wb") as stream:
        np.savez_compressed(stream, **arrays, document=np.frombuffer(packed, dtype=np.uint8))
    unfinished.replace(file)


def load(file: Path) -> Examined:
    """What :func:`save` wrote."""
    with np.load(file, allow_pickle=False) as stored:
        document: dict[str, Any] = orjson.loads(stored["document"].tobytes())
        table: dict[str, Any] = {name: stored[name] for name in _ARRAYS}
    hints = get_type_hints(CandidateTable)
    for name, value in document.pop("table").items():
        table[name] = TypeAdapter(hints[name]).validate_python(value)
    hints = get_type_hints(Examined)
    rest = {name: TypeAdapter(hints[name]).validate_python(value) for name, value in document.items()}
    return Examined(table=CandidateTable(**table), **rest)


def _parts(value: Any) -> dict[str, Any]:
    return {one.name: getattr(value, one.name) for one in fields(value)}


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"no JSON for {type(value).__name__}")
