"""``aiops demo`` and ``aiops analyze`` as a person runs them."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from aiops.cli.app import app
from aiops.wiring.recordings import scenarios


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_the_demo_prints_causes_path_lines_and_whether_it_was_right() -> None:
    code, out = run("demo", "--scenario", "database-stopped")
    assert code == 0
    for part in (
        "ROOT CAUSE",
        "CAUSAL CHAIN",
        "EVIDENCE",
        "received",
        "had been injected (database:orders) is ranked",
        "Replay ",
    ):
        assert part in out, part
    assert "database system is shut down" in out or "PostgresDown" in out


def test_the_demo_for_machines() -> None:
    code, out = run("demo", "--scenario", "database-stopped", "-o", "json")
    document = json.loads(out)
    assert code == 0
    assert set(document) == {"scenario", "expected", "rank", "seconds", "analysis"}
    assert (document["scenario"], document["expected"]) == ("database-stopped", "database:orders")
    assert document["analysis"]["verdict"] in ("confirmed", "likely")


@pytest.mark.parametrize("output", ["yaml", "markdown"])
def test_other_formats(output: str) -> None:
    code, out = run("demo", "--scenario", "bad-proxy-config", "-o", output)
    assert code == 0
    assert "service edge" in out


def test_the_list_names_what_ships() -> None:
    code, out = run("demo", "--list")
    assert code == 0
    assert out.split() == sorted(scenarios())
