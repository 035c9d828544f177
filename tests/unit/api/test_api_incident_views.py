"""Incidents found, and seen from one side: list, timeline, graph, similar; what a reader has already is not sent again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api_client import ApiClient
from tests.support.api_fakes import FakeSite

INCIDENTS = "/api/v1/incidents"
ALERTS = [{"labels": {"alertname": "Down", "host": "db-3"}, "startsAt": "2026-11-22T09:58:00Z"}]


def post(client: ApiClient, **more: Any) -> dict[str, Any]:
    body = {"title": "Checkout fails", "affected": [{"ref": "cart"}], **more}
    answer = client.post(INCIDENTS, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def titles(client: ApiClient, query: str) -> list[str]:
    answer = client.get(f"{INCIDENTS}?{query}")
    assert answer.status_code == 200, answer.text
    return [item["title"] for item in answer.json()["items"]]


def test_incidents_are_found_by_everything_that_the_list_shows(client: ApiClient, site: FakeSite) -> None:
    post(client, title="a", labels={"team": "shop", "tier": "1"}, started_at="2026-11-22T08:00:00Z")
    post(client, title="b", affected=[{"ref": "db-3"}], severity="critical", labels={"team": "data"})
    post(client, title="c", affected=[{"ref": "edge-1"}], alerts=ALERTS, analyze=False, severity="minor")
    c = client.get(f"{INCIDENTS}?q=c&entity=edge-1").json()["items"][0]
    client.post(f"{INCIDENTS}/{c['id']}/ack")
    found = {
        "q=b": ["b"],
        "status=open": ["b", "a"],
        "status=acknowledged&status=resolved": ["c"],
        "severity=page&severity=minor": ["b", "c"],
        "label=team=shop&label=tier=1": ["a"],
        "label=team=shop&label=tier=2": [],
        "entity=db-3.example.net": ["b", "c"],
        "cause_entity=cart": ["a"],
        "min_confidence=0.8": ["b", "a"],
        "min_confidence=0.81": [],
        "sort=severity": ["c", "a", "b"],
        "sort=-alerts&limit=1": ["c"],
        "sort=started_at": ["a", "c", "b"],
        "since=2026-11-22T09:00:00Z": ["b", "c"],
    }
    assert {query: titles(client, query) for query in found} == found
    page = client.get(f"{INCIDENTS}?sort=severity&limit=2")
    assert (page.json()["total"], len(page.json()["items"])) == (3, 2)
    following = client.get(page.headers["link"].split(">")[0].lstrip("<"))
    assert [item["title"] for item in following.json()["items"]] == ["b"]
    other_query = client.get(f"{INCIDENTS}?limit=2&cursor={page.json()['next_cursor']}")
    assert other_query.json()["errors"][0]["parameter"] == "cursor"
    site.clock.advance(minutes=2)
    row = client.get(f"{INCIDENTS}?q=a").json()["items"][0]
    assert row["cause"] == {"entity": "service:shop/cart", "kind": "down", "confidence": 0.8}
    assert (row["verdict"], row["analysis"], row["age_s"], row["owner"]) == ("likely", 1, 7320.0, "")


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("label=team", "label"),
        ("sort=title", "sort"),
        ("min_confidence=2", "min_confidence"),
        ("severity=meh", "severity"),
        ("status=open&status=shut", "status"),
    ],
)
def test_each_wrong_filter_is_named(client: ApiClient, query: str, name: str) -> None:
    answer = client.get(f"{INCIDENTS}?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, name)


def test_what_a_reader_has_is_not_sent_again(client: ApiClient, site: FakeSite) -> None:
    base = f"{INCIDENTS}/{post(client)['id']}"
    views = ("/alerts", "/timeline", "/graph", "/graph?format=dot", "/similar", "/activities")
    for path in (INCIDENTS, base, f"{base}/analyses/1", *(f"{base}{view}" for view in views)):
        first = client.get(path)
        site.clock.advance(minutes=1)
        again = client.get(path, headers={"If-None-Match": f'"x", {first.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert "x-content-type-options" in again.headers
    tag = client.get(base).headers["etag"]
    client.post(f"{base}/analyses", json={})
    newer = client.get(base, headers={"If-None-Match": tag})
    assert (newer.status_code, newer.json()["analysis"]["number"]) == (200, 2)
    assert client.patch(base, json={"owner": "ann"}, headers={"If-Match": tag}).status_code == 200
    assert client.patch(base, json={"owner": "bob"}, headers={"If-Match": tag}).status_code == 412
    assert client.get(base, headers={"If-None-Match": tag}).json()["owner"] == "ann"


def test_the_timeline_has_alerts_and_what_was_done(client: ApiClient, site: FakeSite) -> None:
    base = f"{INCIDENTS}/{post(client, alerts=ALERTS)['id']}"
    site.clock.advance(minutes=1)
    client.post(f"{base}/ack", json={"comment": "on it"})
    told = client.get(f"{base}/timeline").json()
    assert (told["analysis"], told["truncated"]) == (1, False)
    assert [(item["at"], item["lane"]) for item in told["items"]] == [
        ("2026-11-22T09:58:00Z", "alert"),
        ("2026-11-22T10:00:00Z", "detection"),
        ("2026-11-22T10:00:00Z", "state"),
        ("2026-11-22T10:01:00Z", "state"),
    ]
    assert told["items"][0]["entity"] == "host:db-3"
    assert told["items"][3]["text"] == "acknowledged by bootstrap: on it"
    short = client.get(f"{base}/timeline?limit=2").json()
    assert (len(short["items"]), short["truncated"]) == (2, True)
    assert client.get(f"{INCIDENTS}/none/timeline").status_code == 404


def test_the_graph_is_given_in_every_format(client: ApiClient) -> None:
    base = f"{INCIDENTS}/{post(client, alerts=ALERTS)['id']}"
    drawn = client.get(f"{base}/graph").json()
    health = {item["data"]["id"]: item["data"]["health"] for item in drawn["elements"]["nodes"]}
    assert health == {"service:shop/cart": "symptom", "host:db-3": "cause"}
    assert [item["data"]["kind"] for item in drawn["elements"]["edges"]] == ["RUNS_ON"]
    assert drawn["data"]["analysis"] == 1
    types = {
        "graphml": "application/graphml+xml",
        "dot": "text/vnd.graphviz; charset=utf-8",
        "netjson": "application/json",
    }
    for name, content_type in types.items():
        answer = client.get(f"{base}/graph?format={name}&analysis=1")
        assert (answer.status_code, answer.headers["content-type"]) == (200, content_type)
        assert b"host:db-3" in answer.content
    assert client.get(f"{base}/graph?limit=1").json()["data"]["truncated"] is True
    assert client.get(f"{base}/graph?analysis=2").status_code == 404
    assert client.get(f"{base}/graph?format=svg").status_code == 422


def test_similar_incidents_and_analyses_are_listed(client: ApiClient) -> None:
    first = post(client, analyze=False)
    base = f"{INCIDENTS}/{first['id']}"
    nothing = {"incident_id": first["id"], "analysis": None, "items": []}
    assert client.get(f"{base}/similar").json() == nothing
    assert client.get(f"{base}/analyses").json() == {"items": [], "next_cursor": None}
    client.post(f"{base}/analyses", json={})
    assert client.get(f"{base}/similar").json()["analysis"] == 1
    (head,) = client.get(f"{base}/analyses").json()["items"]
    assert client.get(head["href"]).json()["number"] == 1


def test_a_typo_beside_a_good_name_is_seen(client: ApiClient) -> None:
    body = {"affected": [{"ref": "cart"}, {"ref": "db-33"}, {"match": {"host": "edge-11"}}]}
    document = post(client, **body)
    assert document["affected"] == ["service:shop/cart"]
    wrong = {item["pointer"]: item["nearest"] for item in document["unresolved"]}
    assert wrong.keys() == {"/affected/1/ref", "/affected/2/match"}
    assert "db-3" in wrong["/affected/1/ref"]
    assert "edge-1" in wrong["/affected/2/match"]
