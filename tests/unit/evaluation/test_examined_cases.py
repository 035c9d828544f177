"""A case is examined once: what comes back from disk is what went there."""

from __future__ import annotations

import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from aiops.evaluation.cases import CaseFolder, find_cases
from aiops.evaluation.examined import Examined, load, remembered, save
from aiops.evaluation.perturbations import without_relations
from aiops.settings import load_settings
from aiops.wiring.bench import SCORERS, SHOWN, Examiner, bench_with, examine_cases, fingerprint

CASES = Path(__file__).parents[2] / "golden" / "cases"


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    peers = {"by_name": lambda case: sorted(entity.id for entity in case.delta.entities)}
    return Examiner(load_settings(model_enabled=False), seed=3, peers=peers)


@pytest.fixture
def folder(tmp_path: Path) -> CaseFolder:
    shutil.copytree(CASES / "late-parent", tmp_path / "cases" / "mini" / "late-parent")
    return find_cases(tmp_path / "cases")[0]


def same(one: Examined, other: Examined) -> bool:
    pairs = [(getattr(one.table, f.name), getattr(other.table, f.name)) for f in fields(one.table)]
    tables = all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in pairs)
    rest = [
        getattr(one, f.name) == getattr(other, f.name)
        for f in fields(one)
        if f.name not in ("table", "rules")
    ]
    firings = [(f.rule, f.entity, f.weight, f.evidence) for f in one.rules.firings]
    return (
        tables
        and all(rest)
        and firings == [(f.rule, f.entity, f.weight, f.evidence) for f in other.rules.firings]
    )


def test_what_is_kept_is_what_was_examined(examiner: Examiner, folder: CaseFolder, tmp_path: Path) -> None:
    found = examiner.examine(folder)
    save(found, tmp_path / "one.npz")
    assert same(load(tmp_path / "one.npz"), found)
    assert set(found.answers) == {*SCORERS, "by_name"}
    assert set(found.milliseconds) == set(found.answers)
    assert found.truth()
    assert found.label.rank_in(found.answers["product"].ranked) == 1
    assert found.judged.right[0]
    assert found.judged.truths
    assert len(found.judged.raw) == len(found.judged.right)


def test_a_case_is_examined_once(examiner: Examiner, folder: CaseFolder, tmp_path: Path) -> None:
    def never() -> Examined:
        raise AssertionError("it was there already")

    made = remembered(tmp_path / "cache", "k/mini/c", lambda: examiner.examine(folder))
    assert same(remembered(tmp_path / "cache", "k/mini/c", never), made)
    again = list(examine_cases(examiner, [folder], cache=tmp_path / "cache", key="x"))
    assert [case for case, _ in again] == [folder]
    with pytest.raises(AssertionError):
        remembered(None, "k/mini/c", never)


def test_damage_is_done_before_anything_is_looked_at(examiner: Examiner, folder: CaseFolder) -> None:
    whole, cut = examiner.examine(folder), examiner.examine(folder, without_relations)
    assert whole.table.edges.shape[1] > cut.table.edges.shape[1] == 0


def test_the_key_of_the_cache_follows_what_was_asked() -> None:
    assert fingerprint("a") == fingerprint("a") != fingerprint("b")


def test_the_bench_shows_the_scorers_that_are_asked_for(examiner: Examiner, folder: CaseFolder) -> None:
    document = bench_with(examiner, [folder], seed=1, shown=(*SHOWN, "by_name"))
    mini = document["sets"]["mini"]
    assert set(mini["baselines"]) == {*SHOWN, "by_name"}
    assert mini["ms_p50"] > 0
    assert "labelled incidents" in document["engine"]["calibration"]
