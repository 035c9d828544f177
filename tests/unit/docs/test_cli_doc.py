"""docs/cli.md: its reference is that of the commands, what it says of doctor and of the file is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from aiops.cli import output
from aiops.cli.profiles import KEYS
from tests.support.command_reference import PAGE, with_reference

TEXT = PAGE.read_text("utf-8")


def test_the_reference_is_that_of_the_commands() -> None:
    """``python -m tests.support.command_reference`` makes it again."""
    assert with_reference(TEXT) == TEXT


def test_the_file_that_is_shown_is_one(tmp_path: Path) -> None:
    from aiops.cli.profiles import read_profiles

    (shown,) = re.findall(r"^```toml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    file = tmp_path / "config.toml"
    file.write_text(shown)
    profiles = read_profiles(file)
    assert profiles.chosen in profiles.profiles
    assert set(tomllib.loads(shown)["profiles"]) == {"prod", "lab"}
    assert all(f"`{key}`" in TEXT for key in KEYS)


def test_exit_codes_are_those_of_the_commands() -> None:
    listed = {int(code) for code in re.findall(r"^\| (\d) \|", TEXT, re.MULTILINE)}
    known = {value for name, value in vars(output).items() if name.startswith("EXIT_")}
    assert known <= listed
