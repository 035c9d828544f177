"""``aiops train --adapt`` and ``--model-dir``, as an engineer with labelled incidents runs them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aiops.cli.adapt import EXIT_REFUSED
from aiops.cli.app import app
from aiops.errors import InputError, ModelError
from graph_models.registry import packaged_model, read_manifest

CASES = Path(__file__).parents[2] / "golden" / "cases"
LABELLED = ("busy-host", "late-parent", "silent-hop", "slow-bottom", "shared-cause")


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def make_site(root: Path, copies: int) -> Path:
    for number in range(copies):
        for name in LABELLED:
            shutil.copytree(CASES / name, root / f"{name}-{number}")
    return root


def test_fewer_than_ten_labels_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="10 are needed"):
        run("train", "--adapt", str(make_site(tmp_path / "site", 1)), "--out", str(tmp_path / "m"))
    assert not (tmp_path / "m").exists()


def test_base_goes_with_adapt_only(tmp_path: Path) -> None:
    assert run("train", "--base", str(tmp_path), "--out", str(tmp_path / "m"))[0] == 2


def test_a_site_is_learned_or_refused_and_what_was_learned_is_served(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", 2)
    code, out, err = run("train", "--adapt", str(site), "--out", str(tmp_path / "m"), "-o", "json")
    rows = json.loads(out)
    assert [row["model"] for row in rows] == ["as it came", "adapted", "adapted"]
    better = max((row["ac1"], row["mrr"]) for row in rows[1:]) > (rows[0]["ac1"], rows[0]["mrr"])
    assert code == (0 if better else EXIT_REFUSED), err
    assert (tmp_path / "m" / "manifest.json").exists() == better
    if not better:
        assert "refused" in err
        return
    manifest = read_manifest(tmp_path / "m")
    assert manifest.site["base"] == read_manifest(packaged_model()).describe()
    code, out, _ = run(
        "analyze", "--case", str(CASES / "late-parent"), "-o", "json", "--model-dir", str(tmp_path / "m")
    )
    assert code == 0
    assert json.loads(out)["engine"]["model"] == manifest.describe()


def test_a_model_folder_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model manifest"):
        run("analyze", "--case", str(CASES / "late-parent"), "--model-dir", str(tmp_path))


@pytest.mark.parametrize("option", ["--adapt", "--base"])
def test_the_help_names_the_options(option: str) -> None:
    assert option in run("train", "--help")[1]
