"""``analyze``, ``bench`` and ``train`` on the golden cases, as a person or a script runs them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from aiops.cli.app import app
from aiops.errors import AiopsError

CASES = Path(__file__).parents[2] / "golden" / "cases"


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("output", ["table", "json", "yaml", "markdown"])
def test_one_case_in_every_format(output: str) -> None:
    code, out, _ = run("analyze", "--case", str(CASES / "late-parent"), "-o", output, "--no-model")
    assert code == 0
    label = json.loads((CASES / "late-parent" / "label.json").read_text())
    expected = label["root_causes"][0]["entity"]
    if output == "json":
        assert json.loads(out)["causes"][0]["entity"]["id"] == expected
    elif output == "yaml":
        assert yaml.safe_load(out)["causes"][0]["entity"]["id"] == expected
    else:
        assert expected.split(":")[1] in out


def test_an_unknown_format_is_a_usage_error() -> None:
    assert run("analyze", "--case", str(CASES / "late-parent"), "-o", "xml", "--no-model")[0] == 2


def test_no_evidence_is_exit_code_4() -> None:
    code, out, _ = run("analyze", "--case", str(CASES / "no-evidence"), "-o", "json", "--no-model")
    assert code == 4
    assert (json.loads(out)["verdict"], json.loads(out)["causes"]) == ("inconclusive", [])


def test_the_label_is_never_read(tmp_path: Path) -> None:
    shutil.copytree(CASES / "late-parent", tmp_path / "case")
    arguments = ("analyze", "--case", str(tmp_path / "case"), "-o", "json", "--no-model")
    with_label = run(*arguments)
    (tmp_path / "case" / "label.json").write_text("{ no json")
    assert run(*arguments) == with_label
    (tmp_path / "case" / "label.json").unlink()
    assert run(*arguments) == with_label


def test_many_cases_one_object_a_line_and_a_broken_one_in_its_place(tmp_path: Path) -> None:
    shutil.copytree(CASES / "late-parent", tmp_path / "set" / "a-good")
    shutil.copytree(CASES / "late-parent", tmp_path / "set" / "b-broken")
    shutil.copytree(CASES / "no-evidence", tmp_path / "set" / "c-quiet")
    (tmp_path / "set" / "b-broken" / "case.json").write_text('{"format": "rca-case/1"')
    code, out, _ = run("analyze", "--cases", str(tmp_path), "-o", "jsonl", "--no-model")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [row["case"] for row in rows] == ["a-good", "b-broken", "c-quiet"]
    assert all(row["seconds"] >= 0 for row in rows)
    assert rows[0]["analysis"]["verdict"] in ("confirmed", "likely")
    assert rows[1]["analysis"] is None
    assert "case.json" in rows[1]["error"]
    assert rows[2]["analysis"]["verdict"] == "inconclusive"


@pytest.mark.parametrize("output", ["table", "json", "yaml", "markdown"])
def test_bench_in_every_format(output: str, tmp_path: Path) -> None:
    for name in ("late-parent", "silent-hop"):
        shutil.copytree(CASES / name, tmp_path / "mini" / name)
    code, out, _ = run("bench", "--cases", str(tmp_path), "-o", output, "--no-model")
    assert code == 0
    assert "mini" in out
    if output in ("json", "yaml"):
        result = json.loads(out) if output == "json" else yaml.safe_load(out)
        assert set(result) >= {"sets", "pooled", "engine", "seed"}
        mini = result["sets"]["mini"]
        assert (mini["n"], mini["ac1"]) == (2, 1.0)
        assert set(mini["baselines"]) >= {"random", "alert_count", "largest_robust_z"}


def test_bench_of_a_set_that_is_not_there(tmp_path: Path) -> None:
    shutil.copytree(CASES / "late-parent", tmp_path / "mini" / "late-parent")
    assert run("bench", "--cases", str(tmp_path), "--only", "other", "--no-model")[0] == 3


@pytest.mark.timeout(300)
def test_a_small_training_writes_a_model_that_analyses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(CASES / "late-parent", tmp_path / "gate" / "mini" / "late-parent")
    shutil.copytree(CASES / "silent-hop", tmp_path / "gate" / "mini" / "silent-hop")
    model = tmp_path / "model"
    code, out, err = run(
        *("train", "--simulated", "24", "--epochs", "2", "--out", str(model)),
        *("--gate-cases", str(tmp_path / "gate"), "-o", "json"),
    )
    assert code == 0
    tried = json.loads(out)
    assert {"bound", "ac1", "gain_low", "gain_high"} <= set(tried[0])
    assert "bound that ships" in err
    assert (model / "manifest.json").is_file()
    monkeypatch.setenv("AIOPS_MODEL", str(model))
    code, out, _ = run("analyze", "--case", str(CASES / "late-parent"), "-o", "json")
    assert code == 0
    assert json.loads(out)["engine"]["model"]


def test_rules_are_tried_on_past_failures(tmp_path: Path) -> None:
    for name in ("busy-host", "late-parent"):
        shutil.copytree(CASES / name, tmp_path / "set" / name)
    code, out, _ = run("rules", "backtest", "--cases", str(tmp_path), "-o", "json")
    assert code == 0
    found = json.loads(out)
    assert found["cases"] == 2
    busy = next(row for row in found["rules"] if row["rule"] == "LNX-CPU-001")
    assert (busy["up"], busy["down"]) == (0, 0)  # of weight 0: it names the fault and moves nobody
    assert 0 < busy["on_cause"] <= busy["firings"]
    assert busy["rule"] not in found["silent"]
    code, out, err = run("rules", "backtest", "--cases", str(tmp_path))
    assert code == 0
    assert "LNX" in out
    assert "2 cases: the true cause is first in" in err


def test_a_training_on_labelled_cases_says_what_it_was_made_from(tmp_path: Path) -> None:
    model, cases = tmp_path / "model", tmp_path / "mini"
    for name in ("late-parent", "silent-hop", "busy-host"):
        shutil.copytree(CASES / name, cases / name)
    code, out, _ = run(
        *(
            "train",
            "--simulated",
            "24",
            "--epochs",
            "1",
            "--out",
            str(model),
            "-o",
            "json",
            "--variant",
            "mlp",
        ),
        *("--cases", f"CC-BY-4.0={cases}", "--credit", "Somebody", "--pretext", "masked"),
        *("--gate-cases", str(tmp_path), "--tensorboard", str(tmp_path / "events")),
    )
    assert code == 0
    manifest = json.loads((model / "manifest.json").read_text())
    assert manifest["name"] == "mlp"
    assert [(part["licence"], part["credit"]) for part in manifest["training"]["data"]] == [
        ("CC-BY-4.0", "Somebody"),
        ("Apache-2.0", ""),
    ]
    assert manifest["gate"]["real_folds"] == [
        True
    ]  # trained on, so not looked at a second time as a set of the gate
    assert len(json.loads(out)) == 6
    assert not (model / "checkpoint").exists()
    assert list((tmp_path / "events").iterdir())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--cases", "somewhere"), "no licence"),
        (("--cases", "MIT=nowhere"), "not a folder"),
        (("--credit", "Somebody"), "more --credit"),
        (("--variant", "cnn"), "gat"),
        (("--pretext", "rotate"), "masked"),
        (("--simulated", "20", "--epochs", "1", "--resume"), "no checkpoint to resume"),
    ],
)
def test_options_of_a_training_that_cannot_be(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    with pytest.raises(AiopsError) as refused:
        run("train", "--out", str(tmp_path / "model"), *options)
    assert words in f"{refused.value} {refused.value.hint}"
