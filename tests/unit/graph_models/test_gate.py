from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aiops.errors import ModelError
from graph_models.training import LabelledTable, Running, Source, TrainingSettings, train
from graph_models.training.batches import Example, make_examples
from graph_models.training.events import tensorboard
from graph_models.training.gate import Judged, decide, gain_interval
from graph_models.training.mixture import SIMULATED, balance, real_systems, without
from graph_models.training.run import split
from graph_models.training.settings import Epoch
from graph_models.variants import read_variant
from tests.support.tables import make_labelled

BOUNDS = (0.0, 0.1, 0.4)


def _judged(prior_right: int, network_right: int, count: int = 40, margin: float = 0.2) -> Judged:
    """``count`` cases of two rows: the prior prefers the right one in the first few, the network likewise, and where they
    disagree it takes a bound above ``margin`` to turn the order."""
    examples: list[Example] = []
    raw = []
    base = make_examples(make_labelled(1))[0]
    for number in range(count):
        prior = np.array([margin, 0.0] if number < prior_right else [0.0, margin], dtype=np.float32)
        graph = replace(base.graph, prior=prior)
        examples.append(replace(base, graph=graph, truth=(0,), group=np.arange(2)))
        raw.append(np.array([9.0, -9.0] if number < network_right else [-9.0, 9.0]))
    return Judged(examples, raw)


def test_the_bound_is_the_largest_that_gains_and_costs_no_set_anything() -> None:
    assert decide(_judged(20, 40), {}, BOUNDS, 1)["bound"] == 0.4
    assert decide(_judged(20, 40), {"one": _judged(20, 20)}, BOUNDS, 1)["bound"] == 0.4
    assert (
        decide(_judged(20, 40), {"one": _judged(20, 30), "two": _judged(20, 19)}, BOUNDS, 1)["bound"] == 0.0
    )


def test_a_smaller_bound_ships_where_a_larger_one_costs_right_answers() -> None:
    gate = decide(_judged(20, 40, margin=0.1), {"one": _judged(20, 10, margin=0.3)}, BOUNDS, 1)
    assert gate["bound"] == 0.1  # twice 0.1 turns a margin of 0.1 and leaves one of 0.3
    assert gate["real_cases"] == [40]


def test_a_gain_that_may_be_none_opens_nothing() -> None:
    assert decide(_judged(20, 20), {}, BOUNDS, 1)["bound"] == 0.0
    assert decide(_judged(20, 21), {}, BOUNDS, 1)["bound"] == 0.0


def test_the_interval_of_several_sets_is_that_of_the_mean_over_sets() -> None:
    draws = [np.zeros((50, 4), dtype=np.int64), np.zeros((50, 2), dtype=np.int64)]
    assert gain_interval([np.array([1.0, 0, 0, 0]), np.array([0.0, 5.0])], draws) == (0.5, 0.5)


def _mixture() -> list[LabelledTable]:
    cases = make_labelled(120)
    names = [SIMULATED] * 64 + ["alpha"] * 40 + ["beta"] * 16
    return [replace(case, system=name) for case, name in zip(cases, names, strict=True)]


def test_a_system_counts_by_the_root_of_its_size_and_is_divided_like_the_others() -> None:
    cases = _mixture()
    weights = {case.system: case.weight for case in balance(cases)}
    assert weights["beta"] / weights[SIMULATED] == pytest.approx(2.0)
    assert sum(case.weight for case in balance(cases)) == pytest.approx(120)
    parts = split(cases, 3)
    assert sorted(number for part in parts for number in part) == list(range(120))
    assert [sum(cases[i].system == "beta" for i in part) for part in parts] == [11, 2, 3]
    assert real_systems(cases) == ["alpha", "beta"]
    assert {case.system for case in without(cases, "alpha")} == {SIMULATED, "beta"}


def test_systems_trained_on_are_judged_by_networks_that_have_not_seen_them(tmp_path: Path) -> None:
    folds: list[int] = []
    settings = TrainingSettings(learning_rate=3e-3, epochs=10, batch=16)
    manifest = train(
        _mixture(), tmp_path / "model", settings, version="1", gate_sets={"gamma": make_labelled(9)},
        sources={"alpha": Source("labelled set", "MIT", "somebody"), SIMULATED: Source("simulated faults", "Apache-2.0")},
        running=Running(on_fold=lambda: folds.append(1)),
    )  # fmt: skip
    assert manifest.gate["real_cases"] == [40, 16, 9]
    assert manifest.gate["real_folds"] == [True, True, False]
    assert len(folds) == 2
    assert manifest.training["data"] == [
        {"kind": "labelled set", "licence": "MIT", "credit": "somebody", "cases": 40},
        {"kind": "tables", "licence": "unstated", "credit": "", "cases": 16},
        {"kind": "simulated faults", "licence": "Apache-2.0", "credit": "", "cases": 64},
    ]
    text = (tmp_path / "model" / "manifest.json").read_text()
    assert not any(name in text for name in ("alpha", "beta", "gamma"))
    assert json.loads(text)["bound"] == manifest.bound


def test_the_curve_is_written_as_events(tmp_path: Path) -> None:
    with tensorboard(tmp_path) as write:
        write(Epoch(1, 1.0, 2.0, 0.5))
    (events,) = tmp_path.glob("events.out.tfevents.*")
    assert b"stop_loss" in events.read_bytes()


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(ModelError, match="'cnn'"):
        read_variant("cnn")
