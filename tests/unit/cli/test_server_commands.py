"""Commands that speak to a server, against a served site."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.http_site import ADMIN, webhook
from tests.support.http_site import alert as an_alert
from tests.support.served_site import ServedSite
from tests.unit.cli.conftest import Ask

NUMBERS = itertools.count()
PACK = """
pack: {name: site-own, version: 1.0.0, description: Our own.}
rules:
  - id: SITE-001
    title: A full disk
    description: A line that says so.
    match:
      all:
        - evidence: {kind: log, as: line, text: {regex: 'no space left'}}
    then: {effect: support, weight: 0.5, kind: disk_full, category: failure, statement: '{entity} is full: "{line.text}"'}
"""


def posted(there: Ask, tmp_path: Path, **more: object) -> str:
    """The id of a new incident about the shop, an hour of its own away from the others."""
    number = next(NUMBERS)
    document = {
        "source": "desk", "external_id": f"INC-{number}", "title": f"Shop fails {number}",
        "started_at": f"2026-11-{1 + number:02}T10:00:00Z", "affected": [{"ref": "service:shop"}], **more,
    }  # fmt: skip
    file = tmp_path / "incident.json"
    file.write_text(json.dumps(document))
    said = there("analyze", "-f", str(file), "-o", "json")
    assert said.code in (0, 4), said.err
    return str(json.loads(said.out)["incident_id"])


def test_an_incident_is_analysed_shown_and_listed(there: Ask, tmp_path: Path) -> None:
    there(
        "alerts", "send", "HostDown", "host=h1", "severity=critical", "--start", "2026-11-21T09:59:00", "-q"
    )
    file = tmp_path / "incident.json"
    file.write_text(
        json.dumps({"title": "Shop", "started_at": "2026-11-21T10:00:00Z", "affected": [{"ref": "shop"}]})
    )
    first = there("analyze", "--file", str(file), "--output", "json")
    document = json.loads(first.out)
    assert first.code == 0
    assert document["causes"][0]["entity"]["id"] == "host:h1"
    incident = document["incident_id"]
    assert f"incident {incident}" in first.err
    assert (
        json.loads(there("incidents", "show", incident, "-o", "json").out)["analysis"]["id"] == document["id"]
    )
    shown = there("incidents", "show", incident)
    assert "HostDown" in shown.out
    assert shown.out.startswith("Shop (open, major, since 2026-11-21 10:00:00Z)")
    assert there("incidents", "show", incident, "-o", "markdown").out.startswith("## Shop")
    assert incident in there("incidents", "list", "--entity", "shop").out
    assert yaml.safe_load(there("incidents", "list", "-o", "yaml").out)[0]["id"]
    again = there("analyze", "--incident", incident, "-o", "yaml")
    assert yaml.safe_load(again.out)["id"] == document["id"]
    supposed = there("analyze", "--incident", incident, "--assume-healthy", "h1", "-o", "json")
    assert supposed.code == 4
    assert json.loads(supposed.out)["number"] is None
    assert json.loads(there("analyze", "--incident", incident, "--rerun", "-o", "json").out)["number"] == 2
    there("alerts", "send", "HostDown", "host=h1", "severity=critical", "--start", "2026-11-21T09:59:00",
          "--end", "2026-11-21T11:00:00")  # fmt: skip


def test_without_evidence_the_exit_code_is_4(there: Ask, tmp_path: Path) -> None:
    incident = posted(there, tmp_path)
    assert there("analyze", "--incident", incident).code == 4


def test_an_incident_from_standard_input(there: Ask) -> None:
    text = json.dumps(
        {"title": "From a pipe", "affected": [{"ref": "service:shop"}], "started_at": "2026-10-01T10:00:00Z"}
    )
    assert there("analyze", "-f", "-", text=text).code == 4
    assert "From a pipe" in there("incidents", "list", "-o", "json").out


def test_entities_are_found_by_any_name(there: Ask) -> None:
    assert json.loads(there("entities", "find", "h1", "-o", "json").out)[0]["id"] == "host:h1"
    assert json.loads(there("entities", "show", "10.0.0.1", "-o", "json").out)["id"] == "host:h1"
    assert "service:shop" in there("entities", "neighbors", "h1").out
    assert json.loads(there("entities", "impact", "h1", "-o", "json").out)["count"] == 1
    assert there("entities", "unmatched").code == 0
    assert there("entities", "alerts", "h1").code == 0
    assert there("entities", "resolve", "10.0.0.1").out.count("host:h1") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("show", "host:h2"),
        ("impact", "host:h2"),
        ("neighbors", "host:h2"),
        ("resolve", "host:h2"),
        ("find", "host:h2"),
    ],
)
def test_a_name_that_is_not_there_is_exit_code_3_with_the_nearest(there: Ask, words: tuple[str, ...]) -> None:
    said = there("entities", *words)
    assert said.code == 3
    assert "host:h1" in said.out + said.err


def test_a_topology_goes_in_is_compared_and_comes_out(there: Ask, tmp_path: Path) -> None:
    file = tmp_path / "site.json"
    document: dict[str, Any] = {
        "source": "diffed",
        "entities": [{"id": f"host:d{number}", "kind": "Host", "name": f"d{number}"} for number in (1, 2)],
        "relations": [{"from": "host:d1", "kind": "DEPENDS_ON", "to": "host:d2"}],
    }
    file.write_text(json.dumps(document))
    assert there("topology", "import", str(file)).code == 0

    def differs() -> list[tuple[str, str]]:
        """What the document has and the server has not, or otherwise; what only the server has is of other tests."""
        said = there("topology", "diff", str(file), "--exit-code", "-o", "json")
        rows = json.loads(said.out)
        assert said.code == (1 if rows else 0)
        return [(row["sign"], row["id"]) for row in rows if row["sign"] != "-"]

    assert differs() == []
    document["entities"][1]["labels"] = {"site": "fra1"}
    document["entities"].append({"id": "host:h7", "kind": "Host", "name": "h7"})
    file.write_text(json.dumps(document))
    assert differs() == [("~", "host:d2"), ("+", "host:h7")]
    assert there("topology", "import", "-", text=json.dumps(document)).code == 0
    assert differs() == []
    exported = json.loads(there("topology", "export").out)
    assert {"host:h7", "host:d2"} <= {one["id"] for one in exported["entities"]}
    said = there(
        "topology",
        "import",
        "-",
        text='{"source": "x", "relations": [{"from": "a:1", "kind": "CALLS", "to": "a:2"}]}',
    )
    assert said.code == 1
    assert "/relations/0" in said.err


def test_netbox_becomes_a_document_or_is_imported(there: Ask) -> None:
    place = {"id": 1, "name": "x"}
    switch = {"id": 1, "name": "sw-9", "role": {"name": "switch"}, "site": place}
    site = json.dumps({"devices": [switch], "sites": [place]})
    said = there("topology", "from-netbox", "-", "-q", text=site)
    assert "device:sw-9" in {one["id"] for one in json.loads(said.out)["entities"]}
    assert there("topology", "from-netbox", "-", "--import", text=site).code == 0
    assert there("entities", "show", "sw-9").code == 0


def test_alerts_are_sent_and_listed(there: Ask) -> None:
    sent = there(
        "alerts", "send", "DiskFull", "host=h1", "-a", "summary=no room", "--start", "2026-09-01T10:00:00Z"
    )
    assert "1 alert sent" in sent.err
    said = there(
        "alerts",
        "list",
        "--entity",
        "10.0.0.1",
        "--since",
        "2026-09-01",
        "--until",
        "2026-09-02",
        "-o",
        "json",
    )
    (found,) = [one for one in json.loads(said.out) if one["name"] == "DiskFull"]
    assert (found["entity"], found["message"]) == ("host:h1", "no room")
    hooked = json.dumps(webhook([an_alert("host:h1", -1e6, name="Hooked")]))
    assert "1 alert sent" in there("alerts", "send", "-f", "-", text=hooked).err
    assert there("alerts", "send", "host=h1").code == 2
    assert there("alerts", "send", "A", "nonsense").code == 2
    wrong = there("alerts", "send", "-f", "-", text='[{"alertname": "x"}]')
    assert wrong.code == 1
    assert "item 0 is no alert" in wrong.err


def test_changes_and_maintenance(there: Ask) -> None:
    change = there("changes", "add", "deploy-1", "shop 2.0", "--kind", "deploy", "-e", "shop", "-o", "json")
    assert json.loads(change.out)["stored"] == 1
    window = json.loads(there("maintenance", "add", "new disk", "-e", "h1", "--for", "2h", "-o", "json").out)
    assert (window["entities"], window["state"]) == (["host:h1"], "active")
    assert window["id"] in there("maintenance", "list", "--state", "active").out
    assert json.loads(there("maintenance", "end", window["id"], "-o", "json").out)["state"] == "over"
    assert there("maintenance", "add", "x", "-e", "h1").code == 2
    assert there("maintenance", "add", "x", "-e", "h1", "--for", "soon").code == 2


def test_a_token_is_made_used_and_revoked(there: Ask) -> None:
    made = there("token", "create", "sender-1", "--scope", "ingest:write", "--days", "1", "--quiet")
    token = made.out.strip()
    assert token.startswith("aiops_")
    assert there("token", "create", "x", "--scope", "ingest:writ").code == 2
    made = there(
        "token", "create", "other", "--scope", "admin", "--tenant", "apart", "--rate", "60", "-o", "json"
    )
    assert (json.loads(made.out)["tenant"], json.loads(made.out)["rate_per_minute"]) == ("apart", 60)
    assert (
        there("incidents", "list", "--token", json.loads(made.out)["token"], "-o", "json").out.strip() == "[]"
    )
    assert there("alerts", "send", "A", "host=h1", "--start", "2026-08-01", "--token", token).code == 0
    narrow = there("incidents", "list", "--token", token)
    assert narrow.code == 1
    assert "incidents:read" in narrow.err
    listed = json.loads(there("token", "list", "-o", "json").out)
    (prefix,) = [one["prefix"] for one in listed if one["name"] == "sender-1"]
    assert there("token", "revoke", prefix).code == 0
    assert "AIOPS_TOKEN" in there("alerts", "send", "A", "host=h1", "--token", token).err


def test_versions_of_both_sides(there: Ask, shop: ServedSite) -> None:
    both = json.loads(there("version", "-o", "json").out)
    assert both["server"]["address"] == shop.address
    assert both["client"]["version"] == both["server"]["version"]
    assert "server" not in json.loads(there("version", "--client", "-o", "json").out)


def test_an_option_wins_over_the_environment_and_that_over_the_file(
    ask: Ask, shop: ServedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "token"
    secret.write_text(ADMIN + "\n")
    file = tmp_path / "config" / "aiops" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(
        f'profile = "shop"\n[profiles.shop]\nserver = "{shop.address}"\ntoken_file = "{secret}"\noutput = "json"\n'
        '[profiles.away]\nserver = "http://127.0.0.1:9"\n'
    )
    assert json.loads(ask("entities", "show", "h1").out)["id"] == "host:h1"
    assert ask("entities", "show", "h1", "-o", "yaml").out.startswith("aliases:")
    assert "nobody answers at http://127.0.0.1:9" in ask("incidents", "list", "--profile", "away").err
    monkeypatch.setenv("AIOPS_SERVER", "http://127.0.0.1:9")
    assert "nobody answers" in ask("incidents", "list").err
    assert ask("incidents", "list", "--server", shop.address).code == 0
    monkeypatch.setenv("AIOPS_TOKEN", "aiops_wrong")
    assert ask("incidents", "list", "--server", shop.address).code == 1
    assert ask("incidents", "list", "--server", shop.address, "--token", ADMIN).code == 0
    monkeypatch.setenv("AIOPS_TOKEN_FILE", str(tmp_path / "none"))
    monkeypatch.delenv("AIOPS_TOKEN")
    missing = ask("incidents", "list", "--server", shop.address)
    assert missing.code == 2
    assert "AIOPS_TOKEN_FILE" in missing.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("profile = 3", "profile"),
        ('[profiles.a]\nserve = "x"', "did you mean server?"),
        ('profile = "prd"\n[profiles.prod]\n', "did you mean prod?"),
        ("[profiles.a]\nserver = 3\nprofile='a'", "server must be text"),
        ("what", "cannot read"),
    ],
)
def test_a_wrong_file_is_a_usage_error_that_says_where(
    ask: Ask, tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "config" / "aiops" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    answer = ask("incidents", "list")
    assert answer.code == 2
    assert said in answer.err
    assert str(file) in answer.err


def test_errors_are_one_line(there: Ask) -> None:
    for words in (
        ("incidents", "show", "none"),
        ("topology", "import", "nowhere.json"),
        ("incidents", "list", "--token", "x"),
    ):
        said = there(*words)
        assert said.code in (1, 3)
        assert said.err.count("\n") == 1
        assert said.err.startswith("aiops: ")
    assert there("incidents", "show", "none").code == 3
    assert "Did you mean 'incidents'?" in there("incidnts", "list").err
    assert there("incidnts", "list").code == 2


def test_quiet_leaves_only_results(there: Ask) -> None:
    assert there("alerts", "send", "A", "host=h1", "--start", "2026-07-01", "-q").err == ""


def test_what_was_recorded_is_replayed(there: Ask, tmp_path: Path) -> None:
    file = tmp_path / "deliveries.jsonl"
    rows = [webhook([an_alert("host:h1", -2e6 + n / 5, name=f"Replayed{n}")]) for n in range(3)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = there("replay", str(file), "--speed", "10x", "-o", "json")
    assert json.loads(said.out) == {"webhook": 3}
    listed = there(
        "alerts", "list", "--entity", "h1", "--since", "2026-10-01", "--until", "2026-11-01", "-o", "json"
    )
    assert {"Replayed0", "Replayed1", "Replayed2"} <= {one["name"] for one in json.loads(listed.out)}
    assert there("replay", str(file), "--speed", "fast").code == 2
    assert there("replay", str(tmp_path / "none")).code == 1
    assert there("replay", str(tmp_path)).code == 1
    (tmp_path / "case.json").write_text("{}")
    (tmp_path / "topology.json").write_text("{}")
    broken = there("replay", str(tmp_path))
    assert (broken.code, broken.err.count("\n")) == (1, 1)
    assert "detected_at" in broken.err


def test_webhooks_are_made_tried_and_removed(there: Ask) -> None:
    nobody = "https://127.0.0.1:9/hook"
    made = there("webhooks", "add", nobody, "--event", "incident.analyzed", "-o", "json")
    assert made.code == 0, made.err
    webhook = json.loads(made.out)
    assert webhook["secret"]
    assert "not shown again" in made.err
    assert "secret" not in json.loads(there("webhooks", "show", webhook["id"], "-o", "json").out)
    assert webhook["id"] in there("webhooks", "list").out
    tried = there("webhooks", "test", webhook["id"], "-o", "json")
    assert tried.code == 1
    assert json.loads(tried.out)["error"]
    assert json.loads(there("webhooks", "disable", webhook["id"], "-o", "json").out)["enabled"] is False
    assert json.loads(there("webhooks", "enable", webhook["id"], "-o", "json").out)["enabled"] is True
    assert there("webhooks", "deliveries", webhook["id"], "--state", "pending").code == 0
    assert there("webhooks", "dead-letters").code == 0
    assert there("webhooks", "retry", "none").code == 3
    assert there("webhooks", "remove", webhook["id"]).code == 0
    assert there("webhooks", "show", webhook["id"]).code == 3


def test_a_pack_is_pushed_pulled_and_removed(there: Ask) -> None:
    pushed = there("rules", "push", "-", text=PACK)
    assert pushed.code == 0, pushed.err
    assert "site-own" in there("rules", "in-use").out
    assert there("rules", "pull", "site-own").out.strip() == PACK.strip()
    assert there("rules", "remove", "site-own").code == 0
    assert there("rules", "pull", "site-own").code == 3
    refused = there("rules", "push", "-", text="name: broken\n")
    assert refused.code == 1
    assert refused.err.count("\n") == 1


def test_what_comes_in_and_who_did_what(there: Ask) -> None:
    assert there("alerts", "send", "Odd", "host=h1", "--start", "2026-08-01").code == 0
    assert "alert" in there("sources").out
    for number in range(5):
        assert there("token", "create", f"made-{number}", "--scope", "ingest:write", "--quiet").code == 0
    rows = json.loads(there("audit", "--limit", "5", "-o", "json").out)
    assert len(rows) == 5
    assert there("audit", "--kind", "refused").code == 0


def test_rules_are_tried_on_what_the_server_has_seen(there: Ask, tmp_path: Path) -> None:
    incident = posted(there, tmp_path)
    assert there("incidents", "feedback", incident, "correct", "--cause", "host:h1").code == 0
    assert there("incidents", "resolve", incident, "--resolution", "disk replaced").code == 0
    bare = there("rules", "backtest")
    assert bare.code == 0, bare.err
    assert incident in bare.out
    assert "without any rule" in bare.err
    tried = json.loads(there("rules", "backtest", "-", "-o", "json", text=PACK).out)
    assert [item["cause"] for item in tried["items"] if item["incident_id"] == incident] == ["host:h1"]
    assert yaml.safe_load(there("rules", "backtest", "-", "-o", "yaml", text=PACK).out) == tried
    marked = there("rules", "backtest", "-", "-o", "markdown", "--exit-code", text=PACK)
    assert marked.out.startswith("| incident | cause | rank now | rank with this pack |")
    assert marked.code == (1 if tried["worse"] else 0)
    assert there("rules", "backtest", "-", text="pack: [").code == 1
    assert there("rules", "backtest", "a.yaml", "b.yaml").code == 2
    assert there("rules", "backtest", "--only", "x").code == 2
