"""What is done to incidents through HTTP: acknowledged, merged, split, given alerts, judged; repeats, races, what is told."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from aiops.api.routes import incident_lifecycle
from aiops.errors import StoreUnavailable
from tests.support.api_client import ApiClient
from tests.support.api_fakes import FakeSite

INCIDENTS = "/api/v1/incidents"
ALERTS = [
    {"labels": {"alertname": "Down", "host": "db-3"}, "startsAt": "2026-11-22T09:58:00Z"},
    {"labels": {"alertname": "Slow", "service": "cart"}, "startsAt": "2026-11-22T09:59:00Z"},
]


def post(client: ApiClient, **more: Any) -> dict[str, Any]:
    body = {"title": "Checkout fails", "affected": [{"ref": "cart"}], "analyze": False, **more}
    answer = client.post(INCIDENTS, json=body)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def activities(client: ApiClient, incident_id: str) -> list[dict[str, Any]]:
    return client.get(f"{INCIDENTS}/{incident_id}/activities").json()["items"]


def kinds(client: ApiClient, incident_id: str) -> list[str]:
    return [item["kind"] for item in activities(client, incident_id)]


def alert_ids(client: ApiClient, incident_id: str) -> list[str]:
    return [item["id"] for item in client.get(f"{INCIDENTS}/{incident_id}/alerts").json()["items"]]


def test_a_posted_incident_holds_its_alerts_and_a_repeat_doubles_nothing(client: ApiClient) -> None:
    ticket = {"source": "desk", "external_id": "INC-9", "alerts": ALERTS}
    first = post(client, **ticket)
    assert len(alert_ids(client, first["id"])) == 2
    assert kinds(client, first["id"]) == ["created"]
    assert activities(client, first["id"])[0]["details"] == {"alerts": "2"}
    again = post(client, **ticket)
    assert again["id"] == first["id"]
    assert kinds(client, first["id"]) == ["created"]
    more = [*ALERTS, {"labels": {"alertname": "Hot", "device": "edge-1"}}]
    worse = post(client, **{**ticket, "title": "Worse", "alerts": more})
    assert worse["affected"] == ["device:edge-1", "host:db-3", "service:shop/cart"]
    assert kinds(client, first["id"]) == ["created", "updated", "alerts_added"]
    assert len(alert_ids(client, first["id"])) == 3
    row = client.get(INCIDENTS).json()["items"][0]
    assert (row["alerts"], row["alerts_open"], row["entities"]) == (3, 3, 3)


def test_acknowledge_resolve_reopen_comment(client: ApiClient, site: FakeSite) -> None:
    base = f"{INCIDENTS}/{post(client)['id']}"
    acknowledged = client.post(f"{base}/ack")
    assert acknowledged.status_code == 200
    assert (acknowledged.json()["status"], acknowledged.json()["owner"]) == ("acknowledged", "bootstrap")
    assert client.post(f"{base}/ack").json() == acknowledged.json()
    handed = client.post(f"{base}/ack", json={"owner": "ann", "comment": "hers"})
    assert handed.json()["owner"] == "ann"
    site.clock.advance(minutes=4)
    resolved = client.post(f"{base}/resolve", json={"comment": "done", "resolution": "optic replaced"})
    assert (resolved.json()["status"], resolved.json()["ended_at"]) == ("resolved", "2026-11-22T10:04:00Z")
    (told,) = client.get(f"{base}/feedback").json()["items"]
    assert (told["verdict"], told["resolution"]) == ("unknown", "optic replaced")
    refused = client.post(f"{base}/ack")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:aiops:problem:conflict")
    assert "reopen it first" in refused.json()["detail"]
    assert client.post(f"{base}/reopen").json()["ended_at"] is None
    assert client.post(f"{base}/comment", json={"comment": "power is back"}).status_code == 200
    assert client.post(f"{base}/comment", json={"comment": ""}).status_code == 422
    told = activities(client, base.rsplit("/", 1)[1])
    assert [item["kind"] for item in told] == [
        *("created", "acknowledged", "commented", "updated", "resolved", "feedback", "reopened", "commented"),
    ]
    assert [item["number"] for item in told] == list(range(1, 9))
    assert told[-1]["text"] == "power is back"
    assert client.get(f"{base}/activities?limit=3").json()["next_cursor"] == "3"
    assert client.post(f"{INCIDENTS}/none/ack").status_code == 404


def test_a_merge_moves_alerts_and_points_there(client: ApiClient) -> None:
    into, other = post(client), post(client, title="DB", alerts=ALERTS)
    tag = client.get(f"{INCIDENTS}/{into['id']}").headers["etag"]
    wrong = client.post(f"{INCIDENTS}/{into['id']}/merge", json={"incidents": [other["id"][:-1] + "!"]})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["pointer"] == "/incidents/0"
    assert other["id"] in wrong.json()["errors"][0]["nearest"]
    merged = client.post(
        f"{INCIDENTS}/{into['id']}/merge", json={"incidents": [other["id"]]}, headers={"If-Match": tag}
    )
    assert merged.status_code == 200
    assert merged.json()["affected"] == ["host:db-3", "service:shop/cart"]
    assert merged.json()["analysis"]["number"] == 1
    assert len(alert_ids(client, into["id"])) == 2
    gone = client.get(f"{INCIDENTS}/{other['id']}").json()
    assert (gone["status"], gone["merged_into"]) == ("resolved", into["id"])
    assert alert_ids(client, other["id"]) == []
    for verb in ("ack", "reopen"):
        refused = client.post(f"{INCIDENTS}/{other['id']}/{verb}")
        assert refused.status_code == 409
        assert into["id"] in refused.json()["detail"]
    assert client.post(f"{INCIDENTS}/{into['id']}/merge", json={"incidents": [into["id"]]}).status_code == 422
    stale = client.post(
        f"{INCIDENTS}/{into['id']}/merge", json={"incidents": [other["id"]]}, headers={"If-Match": tag}
    )
    assert stale.status_code == 412


def test_a_split_makes_another_incident(client: ApiClient) -> None:
    base = f"{INCIDENTS}/{post(client, alerts=ALERTS)['id']}"
    down, slow = client.get(f"{base}/alerts").json()["items"]
    wrong = client.post(f"{base}/split", json={"alerts": [down["id"], "alarm-x"]})
    assert [item["pointer"] for item in wrong.json()["errors"]] == ["/alerts/1"]
    answer = client.post(f"{base}/split", json={"alerts": [down["id"]]})
    assert answer.status_code == 201
    new = answer.json()
    assert answer.headers["location"] == f"{INCIDENTS}/{new['id']}"
    assert (new["title"], new["affected"], new["status"]) == ("Down on host:db-3", ["host:db-3"], "open")
    assert new["analysis"]["number"] == 1
    assert client.get(base).json()["affected"] == ["service:shop/cart"]
    assert client.get(f"{base}/analyses").json()["items"][0]["number"] == 1
    all_of_it = client.post(f"{base}/split", json={"alerts": [slow["id"]]})
    assert (all_of_it.status_code, "leave one behind" in all_of_it.json()["detail"]) == (409, True)


def test_what_was_recorded_and_not_answered_is_answered_to_the_repeat(
    client: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill between the two: the answer under the key was never kept."""
    whole, other = post(client, alerts=ALERTS)["id"], post(client, title="DB")["id"]
    base = f"{INCIDENTS}/{whole}"
    down = client.get(f"{base}/alerts").json()["items"][0]["id"]
    wishes = (("split", {"alerts": [down]}), ("merge", {"incidents": [other]}))
    for number, (verb, body) in enumerate(wishes):
        key = {"Idempotency-Key": f"cut-off-{number}"}
        with monkeypatch.context() as patch:
            patch.setattr(incident_lifecycle, "whole_document", _cut_off)
            with pytest.raises(_CutOff):
                client.post(f"{base}/{verb}", json=body, headers=key)
        told = client.get(f"{base}/activities").json()["items"]
        repeated = client.post(f"{base}/{verb}", json=body, headers=key)
        assert repeated.status_code in (200, 201), repeated.text
        after = client.get(f"{base}/activities").json()["items"]
        assert [one for one in after if one["kind"] != "analyzed"] == [
            one for one in told if one["kind"] != "analyzed"
        ]
        assert client.post(f"{base}/{verb}", json=body, headers=key).json() == repeated.json()
    listed = client.get(f"{INCIDENTS}?limit=10").json()["items"]
    assert sorted(item["title"] for item in listed) == ["Checkout fails", "Down on host:db-3"]


class _CutOff(BaseException):
    """The process ends here."""


def _cut_off(*_: object) -> None:
    raise _CutOff


def test_alerts_come_go_and_change_their_incident(client: ApiClient) -> None:
    base = f"{INCIDENTS}/{post(client)['id']}"
    added = client.post(f"{base}/alerts", json={"alerts": ALERTS, "analyze": False})
    assert (added.status_code, added.json()["affected"]) == (200, ["host:db-3", "service:shop/cart"])
    ids = alert_ids(client, base.rsplit("/", 1)[1])
    assert len(ids) == 2
    other = f"{INCIDENTS}/{post(client)['id']}"
    taken = client.post(f"{other}/alerts", json={"ids": ids[:1]})
    assert taken.json()["analysis"]["number"] == 1
    assert alert_ids(client, base.rsplit("/", 1)[1]) == ids[1:]
    wrong = client.post(f"{other}/alerts", json={"ids": ["alarm-none"]})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/ids/0")
    assert client.post(f"{other}/alerts", json={}).status_code == 422
    removed = client.delete(f"{other}/alerts", params={"id": ids[0]})
    assert (removed.status_code, alert_ids(client, other.rsplit("/", 1)[1])) == (200, [])
    assert client.delete(f"{other}/alerts", params={"id": ids[0]}).json()["errors"][0]["parameter"] == "id"
    assert client.delete(f"{other}/alerts").status_code == 422
    first = client.get(f"{base}/alerts?limit=1").json()
    assert first["next_cursor"] is None
    assert client.get(f"{base}/alerts?cursor=none").status_code == 422


def test_each_post_is_repeated_safely_under_a_key(client: ApiClient) -> None:
    incident = post(client, alerts=ALERTS)
    base, key = f"{INCIDENTS}/{incident['id']}", {"Idempotency-Key": "k"}
    split = {"alerts": alert_ids(client, incident["id"])[:1], "analyze": False}
    asked = {
        "ack": {"owner": "ann"},
        "comment": {"comment": "once"},
        "split": split,
        "feedback": {"verdict": "correct"},
        "analyses": {},
    }
    for verb, body in asked.items():
        first = client.post(f"{base}/{verb}", json=body, headers=key)
        again = client.post(f"{base}/{verb}", json=body, headers=key)
        assert first.status_code in (200, 201), first.text
        assert (again.content, again.status_code) == (first.content, first.status_code)
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers.get("etag") == first.headers.get("etag")
    other = client.post(f"{base}/comment", json={"comment": "twice"}, headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "urn:aiops:problem:key-reused")
    assert kinds(client, incident["id"]) == [
        *("created", "acknowledged", "commented", "split", "feedback", "analyzed")
    ]
    assert client.get(INCIDENTS).json()["total"] == 2


def test_many_writers_lose_nothing(client: ApiClient) -> None:
    base = f"{INCIDENTS}/{post(client)['id']}"

    def write(number: int) -> int:
        if number % 2:
            return client.post(f"{base}/comment", json={"comment": str(number)}).status_code
        return client.patch(base, json={"title": f"t{number}"}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(write, range(24))) == {200}
    told = activities(client, base.rsplit("/", 1)[1])
    assert sorted(item["text"] for item in told if item["kind"] == "commented") == sorted(
        str(number) for number in range(1, 24, 2)
    )
    assert len([item for item in told if item["kind"] == "updated"]) == 12


def test_feedback_is_checked_kept_and_told(client: ApiClient) -> None:
    incident = post(client, alerts=ALERTS, analyze=True)
    base, alert = f"{INCIDENTS}/{incident['id']}", alert_ids(client, incident["id"])[0]
    given = {
        "verdict": "wrong",
        "labels": {"causal": ["db-3", alert], "non_causal": ["cart"]},
        "root_cause": {"entity": "db-3.example.net", "kind": "disk_full"},
        "comment": "the disk was full",
        "resolution": "old logs deleted",
    }
    answer = client.post(f"{base}/feedback", json=given)
    assert answer.status_code == 201
    kept = answer.json()
    assert kept["analysis"] == 1
    assert kept["labels"] == {"causal": ["host:db-3", alert], "non_causal": ["service:shop/cart"]}
    assert kept["root_cause"] == {"entity": "host:db-3", "kind": "disk_full"}
    assert client.get(f"{base}/feedback").json()["items"] == [kept]
    assert kinds(client, incident["id"])[-1] == "feedback"
    wrong = {
        "/root_cause/entity": {"root_cause": {"entity": "db-33"}},
        "/labels/causal/1": {"labels": {"causal": ["cart", "gateway"]}},
        "/analysis": {"analysis": 2},
        "/labels/non_causal": {"labels": {"causal": ["cart"], "non_causal": ["service:shop/cart"]}},
        "/verdict": {"verdict": "perhaps"},
    }
    for pointer, change in wrong.items():
        refused = client.post(f"{base}/feedback", json={**given, **change})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == pointer
    assert (
        "db-3"
        in client.post(f"{base}/feedback", json={**given, **wrong["/root_cause/entity"]}).json()["nearest"][
            "db-33"
        ]
    )
    assert client.post(f"{INCIDENTS}/none/feedback", json=given).status_code == 404


def test_another_first_cause_and_a_failure_are_told(client: ApiClient, site: FakeSite) -> None:
    incident = post(client, analyze=True)
    base = f"{INCIDENTS}/{incident['id']}"
    client.post(f"{base}/alerts", json={"alerts": [{"labels": {"alertname": "Hot", "device": "edge-1"}}]})
    told = activities(client, incident["id"])
    assert [item["kind"] for item in told] == ["created", "analyzed", "alerts_added", "analyzed", "rerooted"]
    assert told[-1]["details"] == {"analysis": "2", "entity": "device:edge-1", "from": "service:shop/cart"}
    assert told[1]["details"]["verdict"] == "likely"
    heads = client.get(f"{base}/analyses").json()["items"]
    assert [(head["number"], head["cause"]["entity"]) for head in heads] == [
        (2, "device:edge-1"),
        (1, "service:shop/cart"),
    ]
    for failure, text in (
        (ZeroDivisionError("secret"), "see our log under the incident's id"),
        (StoreUnavailable("secret"), "a store cannot be reached now"),
    ):
        site.analyze.failure = failure
        client.post(f"{base}/analyses", json={})
        last = activities(client, incident["id"])[-1]
        assert (last["kind"], last["text"]) == ("analysis_failed", text)
    site.analyze.failure = None
    before = len(told)
    assert client.post(f"{base}/analyses", json={"assume": {"healthy": ["cart"]}}).status_code == 200
    assert len(activities(client, incident["id"])) == before + 2


def test_a_what_if_tells_what_it_changes(client: ApiClient) -> None:
    incident = post(client, analyze=True)
    answer = client.post(f"{INCIDENTS}/{incident['id']}/analyses", json={"assume": {"healthy": ["cart"]}})
    difference = answer.json()["difference"]
    assert difference["before"]["cause"] == {"entity": "service:shop/cart", "kind": "down", "confidence": 0.8}
    assert (difference["before"]["number"], difference["after"]["number"]) == (1, None)
    assert (difference["after"]["cause"], difference["rerooted"]) == (None, True)
    first = post(client, title="never analysed")
    alone = client.post(f"{INCIDENTS}/{first['id']}/analyses", json={"assume": {"failed": ["db-3"]}})
    assert alone.json()["difference"]["before"] is None


def test_a_full_queue_refuses_before_anything_is_changed(client: ApiClient, site: FakeSite) -> None:
    incident = post(client, alerts=ALERTS)
    base = f"{INCIDENTS}/{incident['id']}"
    site.analyze.gate = threading.Event()
    for _ in range(2):
        assert client.post(f"{base}/analyses?wait=0s", json={}).status_code == 202
    full = client.post(f"{base}/split", json={"alerts": alert_ids(client, incident["id"])[:1]})
    assert full.status_code == 429
    assert kinds(client, incident["id"]) == ["created"]
    site.analyze.gate.set()


@pytest.mark.parametrize("verb", ["ack", "resolve", "reopen"])
def test_a_body_that_is_there_is_read_strictly(client: ApiClient, verb: str) -> None:
    base = f"{INCIDENTS}/{post(client)['id']}"
    assert client.post(f"{base}/{verb}", json={"colour": "red"}).json()["errors"][0]["pointer"] == "/colour"
    typed = {"Content-Type": "text/plain"}
    assert client.post(f"{base}/{verb}", content=b"x", headers=typed).status_code == 415


def test_a_comment_that_was_recorded_and_not_answered_is_not_made_twice(
    client: ApiClient, site: FakeSite
) -> None:
    posted = client.post("/api/v1/incidents", json={"title": "Checkout fails", "affected": [{"ref": "cart"}]})
    base = posted.headers["location"]
    key = {"Idempotency-Key": "said-once"}
    for path, body in (("comment", {"comment": "power is back"}), ("resolve", {"resolution": "new fuse"})):
        assert client.post(f"{base}/{path}", json=body, headers=key).status_code == 200
        site.clock.advance(hours=25)  # the answer is forgotten, as after a kill before it was kept
        again = client.post(f"{base}/{path}", json=body, headers=key)
        assert again.status_code == 200
        assert "idempotency-replayed" not in again.headers
    told = [one["text"] for one in client.get(f"{base}/activities").json()["items"]]
    assert told.count("power is back") == 1
    assert len(client.get(f"{base}/feedback").json()["items"]) == 1
    assert client.post(f"{base}/comment", json={"comment": "power is back"}).status_code == 200
    assert len(client.get(f"{base}/activities").json()["items"]) == len(told) + 1
