"""Incidents through HTTP: posting, repeats, dead ends, paging, status, analyses in every face."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from aiops.errors import ModelError, StoreUnavailable
from tests.support.api_client import ApiClient
from tests.support.api_fakes import FakeSite

CART = {"title": "Checkout fails", "affected": [{"ref": "cart"}]}


def post(client: ApiClient, body: dict[str, Any] = CART, **arguments: Any) -> dict[str, Any]:
    answer = client.post("/api/v1/incidents", json=body, **arguments)
    assert answer.status_code in (200, 201, 202), answer.text
    return answer.json()


def test_an_incident_is_answered_with_its_analysis(client: ApiClient, site: FakeSite) -> None:
    body = {
        **CART,
        "severity": "disaster",
        "started_at": "2026-11-22T09:00:00+01:00",
        "labels": {"team": "payments"},
        "window": {"before": "1h30m", "after": "90s"},
        "links": [{"rel": "ticket", "href": "https://tickets.example.net/1"}],
    }
    answer = client.post("/api/v1/incidents?wait=10s", json=body)
    assert answer.status_code == 201
    document = answer.json()
    assert answer.headers["location"] == f"/api/v1/incidents/{document['id']}"
    assert document["severity"] == "critical"
    assert document["started_at"] == "2026-11-22T08:00:00Z"
    assert document["source"] == "bootstrap"
    assert document["affected"] == ["service:shop/cart"]
    assert document["window"] == {"before_s": 5400.0, "after_s": 90.0}
    assert document["labels"] == {"team": "payments", "link:ticket": "https://tickets.example.net/1"}
    assert document["analysis_status"] == "done"
    assert document["analysis"]["number"] == 1
    assert document["analysis"]["verdict"] == "likely"
    read = client.get(answer.headers["location"]).json()
    assert read["analysis"] == document["analysis"]
    assert site.analyze.calls[0][0].affected == ("service:shop/cart",)


def test_the_same_ticket_again_updates_and_keeps_id_and_status(client: ApiClient) -> None:
    ticket = {**CART, "source": "desk", "external_id": "INC1"}
    first = client.post("/api/v1/incidents", json=ticket)
    incident_id = first.json()["id"]
    client.patch(f"/api/v1/incidents/{incident_id}", json={"status": "acknowledged"})
    again = client.post("/api/v1/incidents", json={**ticket, "title": "Worse"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == incident_id
    assert (again.json()["title"], again.json()["status"]) == ("Worse", "acknowledged")
    assert again.json()["analysis"]["number"] == 2
    assert len(client.get("/api/v1/incidents").json()["items"]) == 1


def test_an_idempotency_key_replays_refuses_and_waits(client: ApiClient, site: FakeSite) -> None:
    key = {"Idempotency-Key": "k1"}
    first = client.post("/api/v1/incidents", json=CART, headers=key)
    again = client.post("/api/v1/incidents", json=CART, headers=key)
    assert again.content == first.content
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    other = client.post("/api/v1/incidents", json={**CART, "title": "Other"}, headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "urn:aiops:problem:key-reused")
    site.clock.advance(hours=25)
    late = client.post("/api/v1/incidents", json={**CART, "title": "Other"}, headers=key)
    assert late.status_code == 201
    site.analyze.gate = threading.Event()
    running = client.start("POST", "/api/v1/incidents", json=CART, headers={"Idempotency-Key": "k2"})
    wait_until(lambda: len(site.analyze.calls) == 3)
    beside = client.post("/api/v1/incidents", json=CART, headers={"Idempotency-Key": "k2"})
    site.analyze.gate.set()
    assert (beside.status_code, beside.json()["type"]) == (409, "urn:aiops:problem:key-in-use")
    assert running.result(10).status_code == 201


def test_a_refused_request_leaves_its_key_free(client: ApiClient) -> None:
    key = {"Idempotency-Key": "k1"}
    lost = {**CART, "affected": [{"ref": "carts"}]}
    assert client.post("/api/v1/incidents", json=lost, headers=key).status_code == 422
    assert client.post("/api/v1/incidents", json=CART, headers=key).status_code == 201


def test_a_dead_end_names_what_is_near_and_stores_nothing(client: ApiClient) -> None:
    body = {"title": "x", "affected": [{"ref": "edge-11"}, {"match": {"host": "db-33"}}, {"ref": "gateway"}]}
    answer = client.post("/api/v1/incidents", json=body)
    problem = answer.json()
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == "urn:aiops:problem:nothing-resolved"
    assert [item["pointer"] for item in problem["errors"]] == [
        "/affected/0/ref",
        "/affected/1/match",
        "/affected/2/ref",
    ]
    assert "device:edge-1, device:edge-2" in problem["errors"][2]["detail"]
    assert "edge-1" in problem["nearest"]["edge-11"]
    assert "db-3" in problem["nearest"]["db-33"]
    assert client.get("/api/v1/incidents").json()["items"] == []


@pytest.mark.parametrize("body", [{"title": "x"}, {"title": "x", "labels": {"team": "none"}}])
def test_an_incident_about_nothing_is_refused(client: ApiClient, body: dict[str, Any]) -> None:
    answer = client.post("/api/v1/incidents", json=body)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:aiops:problem:nothing-resolved")


def test_labels_and_alerts_resolve_too(client: ApiClient, site: FakeSite) -> None:
    by_labels = post(client, {"title": "x", "labels": {"host": "db-3", "team": "data"}})
    assert by_labels["affected"] == ["host:db-3"]
    alerts = [
        {"labels": {"alertname": "Down", "device": "edge-1"}, "startsAt": "2026-11-22T09:58:00Z"},
        {"labels": {"alertname": "Lost", "host": "nobody-knows"}},
    ]
    by_alerts = post(client, {"title": "x", "alerts": alerts})
    assert by_alerts["started_at"] == "2026-11-22T09:58:00Z"
    assert "device:edge-1" in by_alerts["affected"]
    assert len(by_alerts["affected"]) == 2
    assert site.graph.counts()["alarm"] == 2
    assert site.analyze.calls[-1][0].symptoms[0].entity == "device:edge-1"


def test_what_is_ambiguous_is_said_beside_what_was_found(client: ApiClient) -> None:
    body = {"title": "x", "affected": [{"ref": "cart"}, {"ref": "gateway"}]}
    document = post(client, body)
    assert document["affected"] == ["service:shop/cart"]
    assert [item["pointer"] for item in document["unresolved"]] == ["/affected/1/ref"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"colour": "red"}, "/colour"),
        ({"title": 5}, "/title"),
        ({"title": ""}, "/title"),
        ({"title": "a\0b"}, "/title"),
        ({"severity": "meh"}, "/severity"),
        ({"started_at": "yesterday"}, "/started_at"),
        ({"started_at": "2026-11-22T10:00:00"}, "/started_at"),
        ({"started_at": 1795384129}, "/started_at"),
        ({"started_at": "0001-01-01T00:00:00Z"}, "/started_at"),
        ({"ended_at": "2026-11-22T09:00:00Z"}, "/ended_at"),
        ({"window": {"before": "soon"}}, "/window/before"),
        ({"window": {"before": "8d"}}, "/window/before"),
        ({"affected": [{"ref": "cart", "match": {"a": "b"}}]}, "/affected/0"),
        ({"affected": [{}]}, "/affected/0"),
        ({"affected": [{"ref": "cart"}, {"match": {"a/b~c": 1}}]}, "/affected/1/match/a~1b~0c"),
        ({"alerts": [{"labels": {}}]}, "/alerts/0/labels"),
        ({"analyze": "yes"}, "/analyze"),
        ({"links": [{"rel": "x", "href": "javascript:alert(1)"}]}, "/links/0/href"),
    ],
)
def test_each_wrong_member_is_pointed_at(client: ApiClient, change: dict[str, Any], pointer: str) -> None:
    answer = client.post("/api/v1/incidents", json={**CART, **change})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_an_analysis_that_takes_long_goes_on(client: ApiClient, site: FakeSite) -> None:
    site.analyze.gate = threading.Event()
    answer = client.post("/api/v1/incidents?wait=0s", json=CART)
    assert (answer.status_code, answer.headers["retry-after"]) == (202, "1")
    assert answer.json()["analysis_status"] == "running"
    assert client.get(answer.headers["location"]).json()["analysis_status"] == "running"
    rerun = client.post(
        f"{answer.headers['location']}/analyses", json={}, headers={"Prefer": "respond-async"}
    )
    assert rerun.status_code == 202
    site.analyze.gate.set()
    wait_until(lambda: client.get(answer.headers["location"]).json()["analysis_status"] == "done")


def test_a_full_queue_pushes_back_before_anything_is_stored(client: ApiClient, site: FakeSite) -> None:
    site.analyze.gate = threading.Event()
    for _ in range(2):
        assert client.post("/api/v1/incidents?wait=0s", json=CART).status_code == 202
    full = client.post("/api/v1/incidents?wait=0s", json=CART)
    assert (full.status_code, full.headers["retry-after"]) == (429, "2")
    assert len(client.get("/api/v1/incidents").json()["items"]) == 2
    assert client.post("/api/v1/incidents", json={**CART, "analyze": False}).status_code == 201
    site.analyze.gate.set()
    wait_until(lambda: client.post("/api/v1/incidents", json=CART).status_code == 201)


def test_refused_incidents_take_no_place_in_the_queue(client: ApiClient) -> None:
    for _ in range(5):
        assert client.post("/api/v1/incidents", json={"title": "x"}).status_code == 422
    assert client.post("/api/v1/incidents", json=CART).status_code == 201


def test_a_failed_analysis_is_no_ranking(client: ApiClient, site: FakeSite) -> None:
    site.analyze.failure = ZeroDivisionError("secret detail")
    document = post(client)
    assert (document["analysis_status"], document["analysis"]) == ("failed", None)
    base = f"/api/v1/incidents/{document['id']}"
    assert client.get(base).json()["analysis_status"] == "failed"
    for failure, status in (
        (ZeroDivisionError("secret detail"), 500),
        (ModelError("secret detail"), 500),
        (StoreUnavailable("secret detail"), 503),
    ):
        site.analyze.failure = failure
        answer = client.post(f"{base}/analyses", json={})
        assert answer.status_code == status
        assert "secret" not in answer.text
    site.analyze.failure = None
    assert client.post(f"{base}/analyses", json={}).status_code == 201
    assert client.get(base).json()["analysis_status"] == "done"


def test_analyses_are_numbered_and_have_four_faces(client: ApiClient) -> None:
    base = f"/api/v1/incidents/{post(client)['id']}"
    second = client.post(f"{base}/analyses", json={})
    assert (second.status_code, second.headers["location"]) == (201, f"{base}/analyses/2")
    assert client.get(f"{base}/analyses/2").json() == second.json()
    assert client.get(f"{base}/analyses/latest").json()["number"] == 2
    assert client.get(f"{base}/analyses/1").json()["number"] == 1
    assert client.get(f"{base}/analyses/3").status_code == 404
    assert client.get("/api/v1/incidents/none/analyses/1").status_code == 404
    assert client.get(f"{base}/analyses/zero").status_code == 422
    faces = {
        "text/markdown": "text/markdown; charset=utf-8",
        "text/plain;q=0.5, text/markdown;q=0.9": "text/markdown; charset=utf-8",
        "text/*": "text/plain; charset=utf-8",
        "text/html, */*;q=0.1": "text/html; charset=utf-8",
        "image/png, */*;q=0.1": "application/json",
        "application/json;q=x, text/plain": "text/plain; charset=utf-8",
    }
    for accept, given in faces.items():
        assert client.get(f"{base}/analyses/1", headers={"Accept": accept}).headers["content-type"] == given
    assert client.get(f"{base}/analyses/1", headers={"Accept": "image/png"}).status_code == 406
    text = client.get(f"{base}/analyses/1?format=text", headers={"Accept": "application/json"})
    assert text.text == "likely: service:shop/cart is the cause\n"
    page = client.get(f"{base}/analyses/1?format=html")
    assert page.headers["content-security-policy"] == "default-src 'none'", (
        "the face's own policy, not the API's"
    )


def test_a_what_if_is_answered_and_not_kept(client: ApiClient) -> None:
    base = f"/api/v1/incidents/{post(client)['id']}"
    answer = client.post(f"{base}/analyses", json={"assume": {"healthy": ["cart"]}})
    assert (answer.status_code, answer.json()["number"]) == (200, None)
    assert answer.json()["verdict"] == "inconclusive"
    assert answer.json()["assume"] == {"healthy": ["service:shop/cart"], "failed": []}
    assert client.get(base).json()["analysis"]["verdict"] == "likely"
    wrong = client.post(f"{base}/analyses", json={"assume": {"healthy": ["gateway", "carts"]}})
    assert wrong.status_code == 422
    assert [item["pointer"] for item in wrong.json()["errors"]] == ["/assume/healthy/0", "/assume/healthy/1"]
    both = client.post(f"{base}/analyses", json={"assume": {"healthy": ["cart"], "failed": ["cart"]}})
    assert both.json()["errors"][0]["pointer"] == "/assume/failed"
    assert client.post("/api/v1/incidents/none/analyses", json={}).status_code == 404


def test_status_changes_with_entity_tags(client: ApiClient, site: FakeSite) -> None:
    base = f"/api/v1/incidents/{post(client)['id']}"
    tag = client.get(base).headers["etag"]
    done = client.patch(base, json={"status": "acknowledged"}, headers={"If-Match": tag})
    assert (done.status_code, done.json()["status"]) == (200, "acknowledged")
    stale = client.patch(base, json={"status": "resolved"}, headers={"If-Match": tag})
    assert (stale.status_code, stale.headers["etag"]) == (412, f'{done.headers["etag"].split(".")[0]}"')
    site.clock.advance(minutes=5)
    resolved = client.patch(
        base, json={"status": "resolved"}, headers={"If-Match": f'"x", {stale.headers["etag"]}'}
    )
    assert resolved.json()["ended_at"] == "2026-11-22T10:05:00Z"
    reopened = client.patch(
        base,
        json={"status": "open", "title": "New", "severity": "page"},
        headers={"If-Match": "*", "Content-Type": "application/merge-patch+json"},
    )
    assert reopened.json()["ended_at"] is None
    assert (reopened.json()["title"], reopened.json()["severity"]) == ("New", "critical")
    assert client.patch(base, json={}).headers["etag"] == reopened.headers["etag"]
    assert client.patch(base, json={"id": "x"}).status_code == 422
    assert client.patch("/api/v1/incidents/none", json={}).status_code == 404


def test_incidents_are_paged_and_filtered(client: ApiClient) -> None:
    for hour in range(6):
        ref = "cart" if hour % 2 else "host:db-3"
        post(
            client,
            {
                "title": f"h{hour}",
                "affected": [{"ref": ref}],
                "started_at": f"2026-11-22T0{hour}:00:00Z",
                "severity": "major" if hour < 3 else "minor",
                "analyze": False,
            },
        )
    first = client.get("/api/v1/incidents?limit=4")
    assert [item["title"] for item in first.json()["items"]] == ["h5", "h4", "h3", "h2"]
    following = first.headers["link"].split(">")[0].lstrip("<")
    second = client.get(following)
    assert [item["title"] for item in second.json()["items"]] == ["h1", "h0"]
    assert (second.json()["next_cursor"], "link" in second.headers) == (None, False)
    titles = {
        "entity=service:shop/cart": ["h5", "h3", "h1"],
        "severity=high": ["h2", "h1", "h0"],
        "since=2026-11-22T02:00:00Z&until=2026-11-22T04:00:00Z": ["h3", "h2"],
        "status=resolved": [],
        "source=bootstrap&limit=1": ["h5"],
        "source=elsewhere": [],
    }
    for query, expected in titles.items():
        assert [
            item["title"] for item in client.get(f"/api/v1/incidents?{query}").json()["items"]
        ] == expected
    by_entity = client.get("/api/v1/incidents?entity=service:shop/cart&limit=2")
    assert [
        item["title"]
        for item in client.get(by_entity.headers["link"].split(">")[0].lstrip("<")).json()["items"]
    ] == ["h1"]


@pytest.mark.parametrize(
    "query", ["cursor=%21", "cursor=bm9uZQ", "limit=0", "limit=501", "limit=x", "since=now", "status=shut"]
)
def test_wrong_parameters_are_named(client: ApiClient, query: str) -> None:
    answer = client.get(f"/api/v1/incidents?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == query.split("=")[0]


def wait_until(holds: Any, limit_s: float = 10.0) -> None:
    """Fails after ``limit_s``."""
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, "did not come true in time"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("path", "parameter", "nearest"),
    [
        ("/api/v1/incidents?statuss=open", "statuss", ["status"]),
        ("/api/v1/incidents?foo=1", "foo", []),
        ("/api/v1/entities?Kind=Host", "Kind", ["kind"]),
    ],
)
def test_a_filter_that_nobody_reads_is_refused(
    client: ApiClient, path: str, parameter: str, nearest: list[str]
) -> None:
    answer = client.get(path)
    assert answer.status_code == 422
    (item,) = answer.json()["errors"]
    assert (item["parameter"], item["nearest"]) == (parameter, nearest)


def test_what_was_meant_is_said_in_our_words(client: ApiClient) -> None:
    body = {
        **CART,
        "afected": [],
        "window": {"bfore": "5m", "after": "5 min"},
        "links": [{"rel": "x", "href": "https://a.test", "herf": ""}],
        "started_at": "yesterday",
    }
    found = {one["pointer"]: one for one in client.post("/api/v1/incidents", json=body).json()["errors"]}
    assert found["/afected"]["nearest"] == ["affected"]
    assert found["/window/bfore"]["detail"] == "no such member: did you mean before?"
    assert found["/links/0/herf"]["nearest"] == ["href"]
    assert found["/window/after"]["detail"] == "expected a duration like 15m, 1h30m or 90s"
    assert found["/started_at"]["detail"].startswith("expected a time with its offset")
    assert client.patch(f"/api/v1/incidents/{post(client)['id']}", json={"status": "resolve"}).json()[
        "errors"
    ][0]["nearest"] == ["resolved"]
    told = client.get("/api/v1/incidents?since=2026-11-22T10:00:00+01:00").json()["errors"][0]["detail"]
    assert told.endswith("in a URL + is written %2B")


def test_to_wait_is_said_in_seconds_too_and_a_rerun_needs_no_body(client: ApiClient) -> None:
    assert client.post("/api/v1/incidents?wait=0", json=CART).status_code in (201, 202)
    given = client.post("/api/v1/incidents?wait=10", json={**CART, "severity": "P2"})
    assert (given.status_code, given.json()["severity"]) == (201, "major")
    again = client.post(f"/api/v1/incidents/{given.json()['id']}/analyses")
    assert (again.status_code, again.json()["number"]) == (201, 2)
