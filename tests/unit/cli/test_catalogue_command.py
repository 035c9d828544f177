"""``aiops catalogue``: what a line is, said to a person."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from aiops.cli.app import app
from aiops.cli.output import EXIT_NOT_FOUND

DOWN = "<187>4711: bru-1: Nov 26 10:11:12.345: %LINK-3-UPDOWN: Interface Gi0/1/3, changed state to down"


def run(*arguments: str, stdin: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["catalogue", *arguments], input=stdin)
    return result.exit_code, result.stdout


def test_a_line_is_named_with_all_that_it_says() -> None:
    code, out = run("test", DOWN)
    told = json.loads(out)
    assert code == 0
    assert (told["message"], told["type"], told["tone"]) == ("cisco-link-updown", "link.down", "bad")
    assert told["about"] == "interface:bru-1/Gi0/1/3"
    assert told["states"] == ["oper_status = down"]
    assert told["relations"] == ["interface:bru-1/Gi0/1/3 PART_OF host:bru-1"]


def test_a_line_that_nobody_knows_is_no_success() -> None:
    code, out = run("test", "<13>Nov 26 10:00:00 h app: nothing known")
    assert (code, json.loads(out)["message"]) == (EXIT_NOT_FOUND, None)


def test_many_lines_come_from_standard_input_and_junk_is_told() -> None:
    code, out = run("test", "-", stdin=f"{DOWN}\njunk\n")
    known, junk = json.loads(out)
    assert code == 0
    assert known["type"] == "link.down"
    assert junk["fields"].startswith("no syslog: ")


def test_messages_and_types_are_listed_and_shown() -> None:
    code, out = run("list", "--event", "bfd", "--vendor", "juniper", "-o", "json")
    assert code == 0
    assert [row["id"] for row in json.loads(out)] == ["junos-bfd-session", "junos-bfd-transition"]
    assert json.loads(run("show", "junos-bfd-session")[1])["event"] == {
        "by": "state",
        "up": "bfd.session_up",
        "down": "bfd.session_down",
    }
    assert json.loads(run("show", "link.down")[1])["state"] == "oper_status = down"
    assert run("show", "nobody")[0] == EXIT_NOT_FOUND
    assert run("events", "-o", "markdown")[1].startswith("| type | tone |")
    assert {row["type"] for row in json.loads(run("events", "-o", "json")[1])} >= {"link.down", "oom.kill"}


def test_a_sites_directory_is_used_and_checked(tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text(
        "format: aiops-message/1\nid: ours\nvendor: us\nproduct: app\nsource: 'our own log'\n"
        "event: service.failed\ncontains: [gave up]\npattern: '(?P<service>\\S+) gave up'\n"
    )
    code, out = run("test", "<13>Nov 26 10:00:00 h app: billing gave up", "-c", str(tmp_path))
    assert (code, json.loads(out)["message"]) == (0, "ours")
    (tmp_path / "ours.yaml").write_text("format: aiops-message/1\n")
    result = CliRunner().invoke(app, ["catalogue", "list", "-c", str(tmp_path)])
    assert result.exit_code != 0
    assert "ours.yaml, line 1: the key" in str(result.exception)
