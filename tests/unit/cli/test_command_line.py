"""The commands that need no store or only the embedded one, run as a person would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aiops import __version__
from aiops.cli.app import app, main

ROOT = Path(__file__).parents[3]
TOPOLOGY = {
    "source": "cmdb",
    "entities": [
        {"id": "service:shop", "kind": "Service", "name": "shop"},
        {"id": "host:h1", "kind": "Host", "name": "h1", "aliases": ["10.0.0.1"]},
    ],
    "relations": [{"from": "service:shop", "kind": "RUNS_ON", "to": "host:h1"}],
}


def run(*arguments: str, text: str | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments), input=text)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def run_main(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str]:
    """Through the boundary that turns our errors into a line."""
    monkeypatch.setattr("sys.argv", ["aiops", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0), capfd.readouterr().err


def test_version_and_help() -> None:
    assert run("--version")[1].strip() == f"aiops {__version__}"
    code, out, _ = run("--help")
    assert code == 0
    assert {
        "demo",
        "serve",
        "ingest",
        "analyze",
        "bench",
        "parse",
        "train",
        "doctor",
        "rules",
        "topology",
    } <= set(out.split())


def test_parse_syslog_gives_one_object_a_line() -> None:
    lines = (
        "<165>1 2026-11-22T10:00:00.5Z h1 app 7 ID - hello\nnothing\n<34>Oct 11 22:14:15 edge su: failed\n\n"
    )
    code, out, _ = run("parse", "syslog", text=lines)
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert len(rows) == 4
    assert rows[0] | {"vendor": None} == {
        "facility": 20, "severity": 5, "at": "2026-11-22T10:00:00.5Z", "host": "h1", "app": "app", "procid": "7",
        "msgid": "ID", "structured_data": None, "message": "hello", "vendor": None,
    }  # fmt: skip
    assert rows[2]["host"] == "edge"
    assert "reject" in rows[3]


def test_an_unknown_zone_is_a_usage_error() -> None:
    code, _, err = run("parse", "syslog", "--zone", "Mars/Base", text="")
    assert code == 2
    assert "Mars/Base" in err


def test_parse_metrics_keeps_what_is_good() -> None:
    code, out, _ = run("parse", "metrics", text='up{job="a"} 1\nbroken{\n# HELP up x\n')
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert (rows[0]["metric"], rows[0]["labels"], rows[0]["value"]) == ("up", {"job": "a"}, 1)
    assert "reject" in rows[1]
    assert "comment" in rows[2]


def test_templates_writes_one_id_a_line() -> None:
    code, out, _ = run("templates", text="user 17 logged in\nuser 18 logged in\ndisk sda is full\n")
    ids = out.split()
    assert code == 0
    assert ids[0] == ids[1] != ids[2]


def test_rules_are_listed_linted_and_tried() -> None:
    code, out, _ = run("rules", "list", "-o", "json")
    rules = json.loads(out)
    assert code == 0
    assert len(rules) >= 30
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert run("rules", "lint")[0] == 0
    code, out, _ = run("rules", "test", str(ROOT / "tests" / "golden" / "rules"), "-o", "json")
    results = json.loads(out)
    assert code == 0
    assert {row["result"] for row in results} == {"ok"}
    assert {row["rule"] for row in results} == {rule["id"] for rule in rules}


def test_a_broken_rule_pack_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    pack = tmp_path / "bad.yaml"
    pack.write_text("name: bad\nversion: 1\n")
    code, err = run_main(monkeypatch, capfd, "rules", "lint", str(pack))
    assert code == 1
    assert "bad.yaml" in err
    assert "Traceback" not in err


def test_topology_goes_in_and_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    file = tmp_path / "site.json"
    file.write_text(json.dumps(TOPOLOGY))
    assert run("topology", "lint", str(file))[0] == 0
    data = str(tmp_path / "data")
    code, out, _ = run("topology", "import", str(file), "--data", data)
    assert code == 0
    assert "3" in out
    document = json.loads(run("topology", "export", "--data", data)[1])
    assert {entity["id"] for entity in document["entities"]} == {"service:shop", "host:h1"}
    assert [(r["from"], r["kind"], r["to"]) for r in document["relations"]] == [
        ("service:shop", "RUNS_ON", "host:h1")
    ]
    assert "relations:" in run("topology", "export", "--data", data, "-o", "yaml")[1]
    file.write_text('{"source": "x", "relations": [{"from": "a:1", "kind": "CALLS", "to": "a:2"}]}')
    code, err = run_main(monkeypatch, capfd, "topology", "import", str(file), "--data", data)
    assert code == 1
    assert "/relations/0" in err
    file.write_text("{")
    assert "is no JSON" in run_main(monkeypatch, capfd, "topology", "lint", str(file))[1]
    assert "cannot read" in run_main(monkeypatch, capfd, "topology", "lint", str(tmp_path / "none.json"))[1]


def test_doctor_finds_nothing_wrong_with_a_new_site(tmp_path: Path) -> None:
    code, out, _ = run("doctor", "--data", str(tmp_path / "site"), "--port", "0", "-o", "json")
    rows = json.loads(out)
    assert [row for row in rows if row["result"] != "ok"] == []
    assert len(rows) >= 10
    assert code == 0


def test_doctor_names_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    taken = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setenv("AIOPS_SIGNALS_MAX_BYTES", str(2**60))
    monkeypatch.setenv("AIOPS_MODEL", str(tmp_path / "no-model"))
    monkeypatch.setenv("AIOPS_MAPPING", str(tmp_path / "no-mapping.yaml"))
    monkeypatch.setenv("AIOPS_RULES", json.dumps([str(tmp_path / "no-rules.yaml")]))
    monkeypatch.setenv("AIOPS_STORE", "neo4j")
    code, out, _ = run("doctor", "--data", str(tmp_path), "--port", str(taken.getsockname()[1]), "-o", "json")
    taken.close()
    failed = {row["check"]: row for row in json.loads(out) if row["result"] == "failed"}
    assert code == 1
    assert set(failed) == {"disk space", "graph store", "rule packs", "model", "mapping", "port"}
    assert "password" in failed["graph store"]["detail"]
    assert all(row["detail"] for row in failed.values())


def test_doctor_opens_an_existing_store_and_guards_the_open_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "site.json"
    file.write_text(json.dumps(TOPOLOGY))
    run("topology", "import", str(file), "--data", str(tmp_path))
    monkeypatch.setenv("AIOPS_HOST", "0.0.0.0")
    monkeypatch.setenv("AIOPS_MODEL_ENABLED", "false")
    rows = json.loads(run("doctor", "--data", str(tmp_path), "--port", "0", "-o", "json")[1])
    found = {row["check"]: row for row in rows}
    assert "2 entities" in found["graph store"]["detail"]
    assert found["access"]["result"] == "failed"
    assert found["model"]["detail"] == "switched off"


def test_doctor_says_when_the_directory_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = json.loads(run("doctor", "--data", "/proc/nowhere", "--port", "0", "-o", "json")[1])
    found = {row["check"]: row for row in rows}
    assert found["data directory"]["result"] == "failed"


def test_wrong_settings_are_a_usage_error(monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    monkeypatch.setenv("AIOPS_PORT", "eighty")
    code, err = run_main(monkeypatch, capfd, "doctor")
    assert code == 2
    assert "AIOPS_PORT" in err


def test_ingest_without_a_source_is_a_usage_error() -> None:
    code, _, err = run("ingest")
    assert code == 2
    assert "--syslog-udp" in err


@pytest.mark.parametrize(
    "arguments",
    [("analyze",), ("analyze", "--case", "a", "--cases", "b"), ("analyze", "--cases", "a", "-o", "yaml")],
)
def test_analyze_wants_one_of_case_and_cases(arguments: tuple[str, ...]) -> None:
    assert run(*arguments)[0] == 2


def test_what_is_not_there_is_exit_code_3(tmp_path: Path) -> None:
    assert run("analyze", "--case", str(tmp_path / "none"))[0] == 3
    assert run("analyze", "--cases", str(tmp_path))[0] == 3
    assert run("bench", "--cases", str(tmp_path))[0] == 3
    assert run("demo", "--scenario", "none")[0] == 3
