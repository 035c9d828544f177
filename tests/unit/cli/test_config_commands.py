"""``aiops config``: problems one a line with exit code 2; what is in force without secrets; an example that can be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from aiops.cli.app import app

RUNNER = CliRunner()


def run(*arguments: str) -> tuple[int, str]:
    done = RUNNER.invoke(app, ["config", *arguments])
    return done.exit_code, done.output


def test_problems_are_lines_and_the_exit_code_is_two(tmp_path: Path) -> None:
    file = tmp_path / "aiops.yaml"
    file.write_text("sources:\n  syslog_udp:\n    - lisen: 127.0.0.1:1\nlimits:\n  inbox: 64\n")
    code, text = run("check", "-c", str(file))
    assert code == 2
    assert text.splitlines() == [
        f"{file}:3: sources.syslog_udp[0].lisen: unknown key; did you mean listen?",
        f"{file}:5: limits.inbox: expected a size with its unit, write 64B for bytes",
    ]


def test_files_that_are_not_there_are_problems_unless_they_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "aiops.yaml"
    file.write_text(f"mapping: {tmp_path}/none.yaml\n")
    assert run("check", "-c", str(file)) == (
        2,
        f"{file}:1: mapping: {tmp_path}/none.yaml: there is no such file\n",
    )
    assert run("check", "-c", str(file), "--skip-files") == (0, f"{file}: ok\n")


def test_what_is_in_force_is_shown_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "aiops.yaml"
    file.write_text("journal: {kafka: {sasl: {username: u}}}\n")
    monkeypatch.setenv("AIOPS_JOURNAL_KAFKA_SASL_PASSWORD", "hunter2")
    monkeypatch.setenv("AIOPS_NEO4J_PASSWORD", "hunter3")
    monkeypatch.setenv("AIOPS_JOURNAL_SPOOL_MAX_SIZE", "2GiB")
    code, text = run("show", "-c", str(file))
    assert code == 0
    assert "hunter" not in text
    shown = yaml.safe_load(text)
    assert shown["journal"]["spool"]["max_size"] == "2GiB"
    assert shown["journal"]["kafka"]["sasl"]["username"] == "u"
    assert shown["store"]["kind"] == "sqlite"


def test_the_example_passes_its_own_check(tmp_path: Path) -> None:
    code, text = run("example")
    assert code == 0
    file = tmp_path / "aiops.yaml"
    file.write_text(text)
    assert run("check", "-c", str(file), "--skip-files") == (0, f"{file}: ok\n")


def test_the_connection_is_told_with_who_said_so_and_without_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("AIOPS_TOKEN", "aiops_ab12_thisisthesecret")
    monkeypatch.delenv("AIOPS_SERVER", raising=False)
    code, text = run("connection", "--server", "http://127.0.0.1:9", "-o", "json")
    rows = {row["what"]: row for row in json.loads(text)}
    assert code == 0
    assert (rows["server"]["value"], rows["server"]["from"]) == ("http://127.0.0.1:9", "--server")
    assert (rows["token"]["value"], rows["token"]["from"]) == ("aiops_ab12_...", "AIOPS_TOKEN")
    monkeypatch.setenv("AIOPS_TOKEN", "thisisthesecret")
    assert "thisisthesecret" not in run("connection")[1]


@pytest.mark.parametrize("output", ["json", "yaml", "markdown", "table"])
def test_every_output_of_a_check(tmp_path: Path, output: str) -> None:
    file = tmp_path / "aiops.yaml"
    file.write_text("jurnal: 1\n")
    code, text = run("check", "-c", str(file), "-o", output)
    assert code == 2
    assert "jurnal" in text
