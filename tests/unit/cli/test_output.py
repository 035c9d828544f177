from __future__ import annotations

import json

import pytest
import yaml

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


def test_yaml_takes_what_json_takes(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_yaml({"b": (1, 2), "a": "ü"})
    assert yaml.safe_load(capfdbinary.readouterr().out) == {"a": "ü", "b": [1, 2]}
