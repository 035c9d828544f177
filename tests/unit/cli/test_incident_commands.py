"""``aiops incidents``: the whole life of an incident from the command line, against a served site."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from tests.support.http_site import alert as an_alert
from tests.support.http_site import stamp
from tests.unit.cli.conftest import Ask

DAYS = itertools.count(1)


@pytest.fixture
def incident(there: Ask, tmp_path: Path) -> str:
    """A new one with two alerts, half a day away from all others at least."""
    began_s = -86_400.0 * (3 * next(DAYS) + 0.5)
    document = {
        "source": "desk", "external_id": f"L-{began_s}", "title": "Shop is away", "started_at": stamp(began_s),
        "alerts": [an_alert("host:h1", began_s - 20, name="HostDown"), an_alert("service:shop", began_s, name="Slow")],
    }  # fmt: skip
    file = tmp_path / "incident.json"
    file.write_text(json.dumps(document))
    said = there("analyze", "-f", str(file), "-o", "json")
    assert said.code == 0, said.err
    return str(json.loads(said.out)["incident_id"])


def one(there: Ask, *words: str) -> dict[str, object]:
    said = there("incidents", *words, "-o", "json")
    assert said.code == 0, said.err
    document = json.loads(said.out)
    return dict(document[0] if isinstance(document, list) else document)


def test_from_acknowledged_to_resolved_and_back(there: Ask, incident: str) -> None:
    assert one(there, "ack", incident, "--owner", "ada", "-m", "mine")["owner"] == "ada"
    assert one(there, "comment", incident, "technician is on site")["status"] == "acknowledged"
    assert one(there, "resolve", incident, "--resolution", "cable replaced")["status"] == "resolved"
    refused = there("incidents", "ack", incident)
    assert refused.code == 1
    assert refused.err.count("\n") == 1
    assert one(there, "reopen", incident)["status"] == "open"
    kinds = [row["kind"] for row in json.loads(there("incidents", "activities", incident, "-o", "json").out)]
    for kind in ("created", "acknowledged", "commented", "resolved", "reopened"):
        assert kind in kinds
    assert "technician is on site" in there("incidents", "activities", incident).out


def test_lists_are_filtered_and_name_the_likely_cause(there: Ask, incident: str) -> None:
    table = there("incidents", "list", "--limit", "500").out
    assert incident in table
    assert "host:h1" in table
    found = json.loads(
        there(
            "incidents", "list", "--cause", "h1", "--text", "Shop is", "--sort", "started_at", "-o", "json"
        ).out
    )
    assert incident in {row["id"] for row in found}
    assert there("incidents", "list", "--status", "resolved", "--status", "open").code == 0
    assert there("incidents", "list", "--cause", "h2").code == 3


def test_views(there: Ask, incident: str) -> None:
    names = {row["name"] for row in json.loads(there("incidents", "alerts", incident, "-o", "json").out)}
    assert {"HostDown", "Slow"} <= names
    moments = json.loads(there("incidents", "timeline", incident, "-o", "json").out)
    assert any("HostDown" in moment["text"] for moment in moments)
    assert there("incidents", "similar", incident).code == 0
    assert there("incidents", "graph", incident).out.startswith("digraph")
    assert "<graphml" in there("incidents", "graph", incident, "--format", "graphml").out
    drawn = json.loads(there("incidents", "graph", incident, "--format", "cytoscape").out)
    assert "host:h1" in {node["data"]["id"] for node in drawn["elements"]["nodes"]}


def test_feedback_is_kept(there: Ask, incident: str) -> None:
    kept = one(
        there,
        "feedback",
        incident,
        "correct",
        "--cause",
        "h1",
        "--kind",
        "crash",
        "--causal",
        "h1",
        "-m",
        "seen",
    )
    assert kept["verdict"] == "correct"
    assert kept["root_cause"] == {"entity": "host:h1", "kind": "crash"}
    wrong = there("incidents", "feedback", incident, "wrong", "--cause", "host:h2")
    assert wrong.code == 1
    assert "host:h1" in wrong.err
    assert there("incidents", "feedback", incident, "perhaps").code == 2


def test_one_incident_becomes_two_and_one_again(there: Ask, incident: str) -> None:
    rows = json.loads(there("incidents", "alerts", incident, "-o", "json").out)
    (slow,) = [row["id"] for row in rows if row["name"] == "Slow"]
    apart = one(there, "split", incident, slow, "--title", "Only slow")
    assert (apart["title"], apart["id"] != incident) == ("Only slow", True)
    assert len(json.loads(there("incidents", "alerts", incident, "-o", "json").out)) == 1
    assert one(there, "merge", incident, str(apart["id"]))["id"] == incident
    assert one(there, "show", str(apart["id"]))["merged_into"] == incident
    assert len(json.loads(there("incidents", "alerts", incident, "-o", "json").out)) == 2


def test_what_happens_is_watched(there: Ask, incident: str) -> None:
    one(there, "ack", incident, "--owner", "ada")
    said = there("incidents", "watch", incident, "--after", "0", "--count", "2")
    assert said.code == 0
    first, second = said.out.splitlines()
    assert f"{incident} created" in first
    assert incident in second
    rows = [
        json.loads(line)
        for line in there("incidents", "watch", "--after", "0", "--count", "3", "-o", "json").out.splitlines()
    ]
    assert [int(row["id"]) for row in rows] == [1, 2, 3]
    assert there("incidents", "watch", "none", "--count", "1").code == 3


def test_an_id_is_given_by_how_it_begins_and_the_newest_is_explained(there: Ask, incident: str) -> None:
    active = there(
        "incidents", "list", "--status", "open", "--status", "acknowledged", "--limit", "1", "-o", "json"
    )
    newest = json.loads(active.out)[0]["id"]
    assert json.loads(there("incidents", "show", incident[:25].lower(), "-o", "json").out)["id"] == incident
    none = there("incidents", "show", "7ZZZ")
    assert (none.code, "aiops incidents list" in none.err) == (3, True)
    assert json.loads(there("explain", "-o", "json").out)["id"] == newest
    assert "HOW SURE" in there("explain", incident).out
