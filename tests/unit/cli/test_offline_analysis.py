"""``aiops analyze`` from files alone, and replay's pacing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aiops.cli.alert_documents import incident_of, read_alerts
from aiops.cli.recorded_deliveries import read_recorded
from aiops.cli.replay import send
from aiops.client import Client
from aiops.errors import InputError
from tests.support.http_site import ADMIN, webhook
from tests.support.http_site import alert as an_alert
from tests.support.served_site import ServedSite
from tests.unit.cli.conftest import TOPOLOGY, Ask

ROOT = Path(__file__).parents[3]


@pytest.fixture
def site(tmp_path: Path) -> str:
    file = tmp_path / "site.json"
    file.write_text(json.dumps(TOPOLOGY))
    return str(file)


def test_alerts_and_a_topology_are_enough(ask: Ask, site: str) -> None:
    alerts = json.dumps(
        webhook([an_alert({"host": "10.0.0.1"}, 0, name="HostDown"), an_alert("service:shop", 10)])
    )
    said = ask("analyze", "--alerts", "-", "--topology", site, "-o", "json", "--no-model", text=alerts)
    document = json.loads(said.out)
    assert said.code == 0
    assert document["causes"][0]["entity"]["id"] == "host:h1"
    short = ask("analyze", "--alerts", "-", "-t", site, "--no-model", text=alerts).out
    explained = ask("analyze", "--alerts", "-", "-t", site, "--explain", "--no-model", text=alerts).out
    assert "HostDown" in short
    assert "HOW SURE" in explained
    assert "HOW SURE" not in short
    assert len(explained) > len(short)


def test_an_incident_with_alerts_beside_it(ask: Ask, site: str, tmp_path: Path) -> None:
    alerts = tmp_path / "am.json"
    alerts.write_text(json.dumps([an_alert("host:h1", -30, name="HostDown")]))
    incident = json.dumps(
        {"title": "Shop", "started_at": "2026-11-22T10:00:00Z", "affected": [{"ref": "shop"}]}
    )
    said = ask(
        "analyze", "-f", "-", "--alerts", str(alerts), "-t", site, "-o", "json", "--no-model", text=incident
    )
    assert json.loads(said.out)["causes"][0]["entity"]["id"] == "host:h1"
    quiet = ask("analyze", "-f", "-", "-t", site, "--no-model", text=incident)
    assert quiet.code == 4
    unknown = ask(
        "analyze", "-f", "-", "-t", site, "--no-model", text=incident.replace('"shop"', '"service:shpo"')
    )
    assert unknown.code == 1
    assert "did you mean" in unknown.err
    assert "shop" in unknown.err


@pytest.mark.parametrize(
    "words",
    [
        ("--incident", "x", "--topology", "t.json"), ("--rerun", "-f", "x"), ("--file", "a", "--incident", "b"),
        ("--alerts", "a", "--incident", "b"), ("-f", "a", "-t", "b", "-o", "what"),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together(ask: Ask, words: tuple[str, ...]) -> None:
    assert ask("analyze", *words).code == 2


def test_alerts_are_read_in_every_shape() -> None:
    firing = an_alert("host:h1", 0, name="A", severity="minor")
    one, path = json.dumps(firing), Path("x")
    for text in (json.dumps(webhook([firing])), f"[{one}]", one, f"{one}\n[{one}]"):
        found = read_alerts(text.encode(), path)
        assert [each["labels"] for each in found] == [firing["labels"]] * len(found)
        assert "endsAt" not in found[0]
    listed = {**firing, "endsAt": "2026-11-22T10:05:00Z", "status": {"state": "active"}, "fingerprint": "1"}
    assert "endsAt" not in read_alerts(json.dumps([listed]).encode(), path)[0]
    resolved = {**firing, "endsAt": "2026-11-22T10:05:00Z", "status": "resolved"}
    assert read_alerts(json.dumps(resolved).encode(), path)[0]["endsAt"] == "2026-11-22T10:05:00Z"
    with pytest.raises(InputError, match="x line 2 is no JSON"):
        read_alerts(b'{"labels": {}}\nwhat', path)


def test_an_incident_is_named_after_its_alerts() -> None:
    named = (("A", "minor"), ("B", "critical"), ("C", "info"), ("D", "x"))
    alerts = [an_alert("host:h1", 0, name=name, severity=severity) for name, severity in named]
    made = incident_of(alerts)
    assert (made["title"], made["severity"]) == ("4 alerts: A, B, C and 1 more", "critical")
    assert incident_of(alerts[:1])["title"] == "A"
    with pytest.raises(InputError, match="no alert"):
        incident_of([])
    with pytest.raises(InputError, match="1000"):
        incident_of(alerts * 300)


def test_an_alert_without_a_label_is_no_alert(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "site.json").write_text(json.dumps(TOPOLOGY))
    said = ask("analyze", "--alerts", "-", "--topology", str(tmp_path / "site.json"), text='[{"labels": {}}]')
    assert (said.code, said.out) == (1, "")
    assert "item 0 is no alert: it has no labels" in said.err


def test_a_replay_keeps_its_pace(shop: ServedSite, tmp_path: Path) -> None:
    file = tmp_path / "deliveries.jsonl"
    file.write_text(
        "".join(json.dumps(an_alert("host:h1", -3e6 + 60 * n, name=f"P{n}")) + "\n" for n in range(4))
    )
    recorded = read_recorded(file)
    assert recorded.span_s == 180.0
    passed = [0.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        passed[0] += seconds

    with Client(shop.address, ADMIN) as client:
        send(client, recorded, 10.0, lambda _: None, clock=lambda: passed[0], sleep=sleep)
        assert slept == [6.0, 6.0, 6.0]
        send(client, recorded, 0.0, lambda _: None, clock=lambda: passed[0], sleep=sleep)
    assert len(slept) == 3


def test_a_recording_becomes_deliveries_in_order() -> None:
    recorded = read_recorded(ROOT / "aiops" / "scenarios" / "database-stopped")
    assert [one.what for one in recorded.first] == ["topology", "change"]
    assert recorded.incident is not None
    flow = list(recorded.flow)
    assert {one.what for one in flow} == {"lines", "samples", "webhook"}
    assert [one.at_s for one in flow] == sorted(one.at_s for one in flow)
    assert 0 < flow[-1].at_s - flow[0].at_s <= recorded.span_s + 60
