"""Every benchmark on cases runs on a handful of small ones and says what it did."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aiops.errors import CaseError
from aiops.evaluation.perturbations import PERTURBATIONS
from aiops.reasoning.calibration import parse_calibration
from benchmarks import accuracy, calibration, robustness
from tests.unit.evaluation.test_calibration_fit import crowd

CASES = Path(__file__).parents[2] / "golden" / "cases"


def run(main: Any, tmp_path: Path, *more: str) -> dict[str, Any]:
    out, cases = tmp_path / "out.json", tmp_path / "cases"
    if not cases.exists():
        shutil.copytree(CASES, cases / "mini", ignore=shutil.ignore_patterns("no-evidence", "*.py"))
    assert main(["--cases", str(cases), "--cache", str(tmp_path / "cache"), "-o", str(out), *more]) == 0
    found: dict[str, Any] = json.loads(out.read_text())
    assert {"commit", "machine", "seed", "protocol"} <= set(found)
    return found


def test_accuracy_shows_every_scorer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = run(accuracy.main, tmp_path, "--no-peers", "--most", "4")
    pooled = found["pooled"]
    assert pooled["n"] == 4
    assert {"ac1", "ac3", "ac5", "avg5", "mrr", "ac1_ci95", "kind_acc", "ms_p50", "ms_p95", "ece"} <= set(
        pooled
    )
    assert set(pooled["baselines"]) <= set(found["scorers"])
    assert pooled["ac1"] > pooled["baselines"]["random"]["ac1"]
    assert "AC@1" in capsys.readouterr().out


def test_the_second_run_takes_everything_from_the_cache(tmp_path: Path) -> None:
    first = run(accuracy.main, tmp_path, "--no-peers", "--quick")
    kept = sorted((tmp_path / "cache").rglob("*.npz"))
    assert len(kept) == first["pooled"]["n"] == 6
    before = [file.stat().st_mtime_ns for file in kept]
    again = run(accuracy.main, tmp_path, "--no-peers", "--quick")
    assert again["pooled"] == first["pooled"]
    assert [file.stat().st_mtime_ns for file in kept] == before


def test_damage_is_measured_beside_the_whole(tmp_path: Path) -> None:
    found = run(robustness.main, tmp_path, "--most", "3")
    assert list(found["damage"]) == list(PERTURBATIONS)
    assert found["damage"]["as recorded"]["difference"]["mean"] == 0.0
    assert all(set(one["scorers"]) == set(robustness.SHOWN) for one in found["damage"].values())


def test_calibration_writes_a_map_that_reads_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [SimpleNamespace(judged=one) for one in crowd(200, seed=9)]
    monkeypatch.setattr(calibration, "examined_cases", lambda *_, **__: [(None, one) for one in cases])
    file = tmp_path / "map.json"
    found = run(calibration.main, tmp_path, "--map", str(file))
    made = parse_calibration(file.read_bytes())
    assert made.incidents == found["cases"] == 200
    assert (made.error, made.error_left_out) == (found["folds"]["ece"], found["left_out"]["ece"])
    assert set(found["left_out_sets"]) == {"set-0", "set-1", "set-2"}
    assert found["inconclusive"]["right_answers_lost"] == 0


def test_a_handful_of_cases_makes_no_map(tmp_path: Path) -> None:
    file = tmp_path / "map.json"
    with pytest.raises(CaseError, match="too few to calibrate"):
        run(calibration.main, tmp_path, "--map", str(file))
    assert not file.exists()
