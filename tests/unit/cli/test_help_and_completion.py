"""Every command explains itself with an example, and shells complete them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from aiops.cli.app import app
from tests.support.command_tree import Leaf, leaves
from tests.unit.cli.conftest import Ask

ROOT = Path(__file__).parents[3]
LEAVES = leaves(app)


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.name)
def test_every_command_has_a_text_and_an_example_of_itself(leaf: Leaf) -> None:
    assert leaf.text.endswith((".", "`", ")"))
    assert leaf.example
    words = shlex.split(re.split(r" [|<>] ", leaf.example)[0])
    assert " ".join(words).startswith(f"aiops {leaf.name}")
    given = {word.split("=")[0] for word in words if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", word)}
    assert given <= set(leaf.options)
    assert all(option.help for option in leaf.parameters if option.is_option)


@pytest.mark.parametrize(
    "leaf", [leaf for leaf in LEAVES if "--server" in leaf.options], ids=lambda leaf: leaf.name
)
def test_commands_that_speak_to_a_server_take_the_same_options(leaf: Leaf) -> None:
    assert {"--server", "--ca-file", "--profile"} <= set(leaf.options)
    if leaf.name != "mcp":  # which has no output of its own
        assert {"--output", "-o"} <= set(leaf.options)
    if leaf.name not in ("version", "mcp"):
        assert {"--token", "--quiet"} <= set(leaf.options)


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """An environment with ``aiops`` on the path and a home of its own."""
    program = tmp_path / "bin" / "aiops"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m aiops "$@"\n')
    program.chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HOME": str(home),
        "SHELL": "/bin/bash",
        "PATH": f"{program.parent}:{os.environ['PATH']}",
    }


def bash(script: str, environment: dict[str, str]) -> list[str]:
    done = subprocess.run(
        ["bash", "-euc", script], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_bash_completes_after_the_installation(shell: dict[str, str]) -> None:
    script = """
    aiops --install-completion >/dev/null
    source ~/.bash_completions/aiops.sh
    try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _aiops_completion aiops; echo "${COMPREPLY[*]}"; }
    try aiops inci
    try aiops incidents li
    try aiops incidents list --stat
    try aiops incidents list --status ''
    complete -p aiops
    """
    commands, leaf, option, values, registered = bash(script, shell)
    assert commands == "incidents"
    assert leaf.split() == ["list"]
    assert option.split() == ["--status"]
    assert "acknowledged" in values.split()
    assert registered.endswith("-F _aiops_completion aiops")


def test_zsh_is_given_a_script_that_asks_us(shell: dict[str, str]) -> None:
    script = [line for line in bash("_AIOPS_COMPLETE=source_zsh aiops", shell) if line]
    assert script[0] == "#compdef aiops"
    assert any("_AIOPS_COMPLETE=complete_zsh aiops" in line for line in script)
    (found,) = [
        line
        for line in bash('_TYPER_COMPLETE_ARGS="aiops inci" _AIOPS_COMPLETE=complete_zsh aiops', shell)
        if line
    ]
    assert '"incidents":"List, show and work on incidents."' in found


def test_colour_goes_to_nobody_who_did_not_ask(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in ask("rules", "list").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in ask("rules", "list").out
