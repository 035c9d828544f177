"""A labelled case after everything that costs time: candidate table, rules, answers. Kept on disk, so that learners,
seeds and protocols run on the same features without reading a case again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from aiops.domain.candidates import CandidateTable, RuleFiring, RuleOutcome
from aiops.evaluation.bench import Answer
from aiops.evaluation.calibration import Judged
from aiops.evaluation.labels import Label

_ARRAYS = ("features", "prior", "edges", "edge_features", "group")


@dataclass(frozen=True, slots=True)
class Examined:
    """``answers`` and ``milliseconds`` by name of the scorer; ``answers`` of those that learn nothing. ``judged``: what the
    product said before calibration. ``rules`` without the actions that they propose."""

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
    document = {
        **{name: getattr(case, name) for name in ("data_set", "name", "system", "at_s")},
        "label": asdict(case.label),
        "entities": case.table.entities,
        "feature_names": case.table.feature_names,
        "edge_feature_names": case.table.edge_feature_names,
        "rules": {**asdict(case.rules), "firings": [_firing(one) for one in case.rules.firings]},
        "judged": {**asdict(case.judged), "truths": sorted(case.judged.truths)},
        "answers": {name: asdict(answer) for name, answer in case.answers.items()},
        "milliseconds": dict(case.milliseconds),
    }
    arrays = {name: getattr(case.table, name) for name in _ARRAYS}
    arrays["document"] = np.frombuffer(orjson.dumps(document), dtype=np.uint8)
    unfinished = file.with_suffix(".part")
    with unfinished.open("wb") as stream:
        np.savez_compressed(stream, **arrays)
    unfinished.replace(file)


def load(file: Path) -> Examined:
    """What :func:`save` wrote."""
    with np.load(file, allow_pickle=False) as stored:
        document: dict[str, Any] = orjson.loads(stored["document"].tobytes())
        arrays: dict[str, Any] = {name: stored[name] for name in _ARRAYS}
    names: dict[str, Any] = {
        key: tuple(document[key]) for key in ("entities", "feature_names", "edge_feature_names")
    }
    rules, label = document["rules"], document["label"]
    judged: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in document["judged"].items()
    }
    judged["truths"] = frozenset(judged["truths"])
    firings = tuple(
        RuleFiring(**{**one, "evidence": tuple(one["evidence"]), "trace": tuple(one["trace"])})
        for one in rules["firings"]
    )
    return Examined(
        data_set=document["data_set"],
        name=document["name"],
        system=document["system"],
        at_s=document["at_s"],
        label=Label(tuple((e, k) for e, k in label["causes"]), label["all_needed"], label["granularity"]),
        table=CandidateTable(**names, **arrays),
        rules=RuleOutcome(firings, rules["version"], tuple(rules["gaps"])),
        judged=Judged(**judged),
        answers={
            name: Answer(tuple(one["ranked"]), tuple(one["kinds"]), one["confidence"])
            for name, one in document["answers"].items()
        },
        milliseconds=document["milliseconds"],
    )


def _firing(one: RuleFiring) -> dict[str, object]:
    row = asdict(one)
    del row["actions"]
    return row
