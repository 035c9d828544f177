from __future__ import annotations

import json

import pytest
import yaml
from rich.console import Console

from aiops.cli.output import Output, write_rows, write_yaml

ROWS = [{"name": "a", "value": 0.5}, {"name": "b", "value": None}]


@pytest.mark.parametrize("output", list(Output))
def test_rows_in_every_format(output: Output, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_rows(ROWS, ["name", "value"], output)
    text = capfdbinary.readouterr().out.decode()
    if output is Output.JSON:
        assert json.loads(text) == ROWS
    elif output is Output.YAML:
        assert yaml.safe_load(text) == ROWS
    elif output is Output.MARKDOWN:
        assert text.splitlines() == ["| name | value |", "|---|---|", "| a | 0.500 |", "| b |  |"]
    else:
        assert "0.500" in text


def test_times_are_readable_in_a_table_and_whole_elsewhere(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    rows = [
        {
            "at": "2026-11-22T22:02:12.503999Z",
            "started_at": "2026-11-22T22:02:12.503999Z",
            "text": "at 2026-11-22T22:02:12Z",
        }
    ]
    write_rows(rows, ["at", "started_at", "text"], Output.TABLE)
    table = capfdbinary.readouterr().out.decode()
    assert "2026-11-22 22:02:12.503Z   2026-11-22 22:02:12Z   at 2026-11-22T22:02:12Z" in table
    write_rows(rows, ["at"], Output.MARKDOWN)
    assert "2026-11-22T22:02:12.503999Z" in capfdbinary.readouterr().out.decode()


def test_a_narrow_terminal_gets_the_columns_that_can_be_read(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {
            "id": "01M8E300XM3EHK514J47VQAEB9",
            "title": "a long title " * 5,
            "cause": "host:db-1",
            "owner": "somebody at night",
        }
    ]
    monkeypatch.setattr("aiops.cli.output.screen", lambda: Console(width=60, color_system=None))
    assert write_rows(rows, ["id", "title", "cause", "owner"], Output.TABLE) == ("owner",)
    text = capfdbinary.readouterr().out.decode()
    assert "01M8E300XM3EHK514J47VQAEB9" in text
    assert "host:db-1" in text
    assert max(map(len, text.splitlines())) <= 60
    monkeypatch.setattr("aiops.cli.output.screen", lambda: Console(width=90, color_system=None))
    assert write_rows(rows, ["id", "title", "cause", "owner"], Output.TABLE) == ()


def test_yaml_takes_what_json_takes(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_yaml({"b": (1, 2), "a": "ü"})
    assert yaml.safe_load(capfdbinary.readouterr().out) == {"a": "ü", "b": [1, 2]}
