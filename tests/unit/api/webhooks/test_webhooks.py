"""Webhooks from the activities to a real receiver: signed, tried again, given up, never doubled under another id."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from prometheus_client import CollectorRegistry
from standardwebhooks import Webhook

from aiops.api.webhooks import store as store_module
from aiops.api.webhooks.administration import Webhooks
from aiops.api.webhooks.destinations import Destinations
from aiops.api.webhooks.endpoints import BACKOFF_S, EVENTS, Delivery
from aiops.api.webhooks.posting import Outcome, Poster
from aiops.api.webhooks.sender import SenderParts, WebhookMetrics, WebhookSender, judged
from aiops.api.webhooks.store import GIVEN_UP, SqliteWebhooks, WebhookBounds
from aiops.domain.incident_records import ACTIVITY_KINDS, Activity, IncidentChange
from aiops.domain.occurrences import Incident
from aiops.store.memory import MemoryGraphStore
from tests.support.api_client import ApiClient
from tests.support.api_fakes import START, FakeClock, FakeSite
from tests.support.webhook_receiver import Received, Receiver, receiver

ANYWHERE = Destinations(allow_http=True, allow_private=True)


class Hooks:
    """The webhooks of a store, and a sender whose rounds a test makes."""

    def __init__(self, path: Path | str = ":memory:", *, bounds: WebhookBounds | None = None) -> None:
        self.clock = FakeClock()
        self.cases = MemoryGraphStore()
        self.store = SqliteWebhooks(path, bounds).open()
        self.registry = CollectorRegistry()
        self.metrics = WebhookMetrics(self.registry)
        self.webhooks = Webhooks("default", self.store, ANYWHERE, Poster(ANYWHERE), self.cases, self.clock)
        self.sender = self.sender_of("one")

    def sender_of(self, holder: str) -> WebhookSender:
        parts = SenderParts(
            "default", self.cases, self.store, self.webhooks.poster, self.clock, self.metrics, holder
        )
        return WebhookSender(parts)

    def make(self, url: str, **more: Any) -> Any:
        given = {"events": (), "format": "standard", "description": "", "created_by": "t", **more}
        return self.webhooks.make(url, **given)

    def happens(self, kind: str = "created", name: str = "i1", **details: str) -> None:
        incident = Incident(id=name, title="Orders fail", started_at=START, severity="major")
        activity = Activity(name, kind, self.clock.now(), "desk", details=details)
        self.cases.record([IncidentChange(incident, (activity,))])

    def counted(self, result: str) -> float:
        found = self.registry.get_sample_value("aiops_webhook_deliveries_total", {"result": result})
        assert found is not None
        return found


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    made = Hooks()
    yield made
    made.store.close()


@pytest.fixture
def target() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def verified(one: Received, secret: str) -> dict[str, Any]:
    """As a receiver does it, but for the age of the time."""
    headers = {**one.headers}
    signed = Webhook(secret).sign(
        headers["webhook-id"],
        START.replace(tzinfo=None)
        + timedelta(seconds=int(headers["webhook-timestamp"]) - int(START.timestamp())),
        one.body.decode(),
    )
    assert signed in headers["webhook-signature"].split(" ")
    return dict(json.loads(one.body))


def test_what_happens_is_told_in_order_and_signed(hooks: Hooks, target: Receiver) -> None:
    hooks.happens("created", "before")
    made = hooks.make(target.url)
    hooks.happens("created")
    hooks.happens("acknowledged")
    hooks.sender.round()
    hooks.sender.round()
    first, second = target.received
    document = verified(first, made.secret)
    assert (document["type"], document["timestamp"]) == ("incident.created", "2026-11-22T10:00:00Z")
    assert document["data"]["incident"]["title"] == "Orders fail"
    assert document["data"]["activity"]["actor"] == "desk"
    assert verified(second, made.secret)["type"] == "incident.acknowledged"
    assert first.headers["content-type"] == "application/json"
    assert first.headers["user-agent"].startswith("aiops/")
    assert first.headers["webhook-id"].startswith("msg_")
    assert hooks.counted("delivered") == 2


def test_an_analysis_is_told_with_its_first_causes(hooks: Hooks, target: Receiver) -> None:
    hooks.make(target.url)
    hooks.happens()
    causes = [
        {"rank": n, "entity": {"id": f"host:{n}"}, "confidence": 0.9, "evidence": ["e"]} for n in range(5)
    ]
    document = json.dumps({"verdict": "likely", "summary": "s", "causes": causes}).encode()
    number = hooks.cases.put_analysis_with(
        "i1", document, at=START, causes=[], verdict="likely", cause_kind=None,
        activities=[Activity("i1", "analyzed", START, "aiops")],
    )  # fmt: skip
    hooks.sender.round()
    told = json.loads(target.received[-1].body)
    assert told["type"] == "incident.analyzed"
    assert (told["data"]["analysis"]["number"], told["data"]["analysis"]["verdict"]) == (number, "likely")
    assert [cause["entity"]["id"] for cause in told["data"]["analysis"]["causes"]] == [
        "host:0",
        "host:1",
        "host:2",
    ]
    assert "evidence" not in target.received[-1].body.decode()


def test_cloudevents_by_choice(hooks: Hooks, target: Receiver) -> None:
    made = hooks.make(target.url, format="cloudevents", events=("incident.resolved",))
    hooks.happens("created")
    hooks.happens("resolved")
    hooks.sender.round()
    (one,) = target.received
    document = verified(one, made.secret)
    assert one.headers["content-type"] == "application/cloudevents+json"
    assert document["id"] == one.headers["webhook-id"]
    assert {name: document[name] for name in ("specversion", "source", "type", "subject", "time")} == {
        "specversion": "1.0",
        "source": "urn:aiops:tenant:default",
        "type": "incident.resolved",
        "subject": "i1",
        "time": "2026-11-22T10:00:00Z",
    }
    assert document["datacontenttype"] == "application/json"


def test_a_failure_is_tried_again_with_the_same_id_and_body(hooks: Hooks, target: Receiver) -> None:
    target.answers = [(500, {}), (302, {"Location": "http://127.0.0.1:1/"}), (204, {})]
    hooks.make(target.url)
    hooks.happens()
    hooks.happens("resolved")
    hooks.sender.round()
    assert len(target.received) == 1, "the second waits until the first is tried again"
    waiting = hooks.store.deliveries(limit=10)
    assert sorted(one.attempts for one in waiting) == [0, 1]
    assert hooks.registry.get_sample_value("aiops_webhook_pending", {"tenant": "default"}) == 2
    hooks.clock.advance(seconds=5.6)
    hooks.sender.round()
    hooks.clock.advance(seconds=34)
    hooks.sender.round()
    first = [one for one in target.received if b"incident.created" in one.body]
    assert len(first) == 3
    assert len({(one.headers["webhook-id"], one.body) for one in first}) == 1
    assert {one.state for one in hooks.store.deliveries(limit=10)} == {"delivered"}
    assert (hooks.counted("failed"), hooks.counted("delivered")) == (2, 2)


def test_it_is_given_up_within_a_day_and_can_be_tried_again(hooks: Hooks, target: Receiver) -> None:
    target.answers = [(503, {})]
    hooks.make(target.url)
    hooks.happens()
    for _ in range(len(BACKOFF_S) + 3):
        hooks.sender.round()
        hooks.clock.advance(hours=9)
    assert len(target.received) == len(BACKOFF_S) + 1
    (dead,) = hooks.store.deliveries(state="dead", limit=10)
    assert (dead.status, dead.error) == (503, "the receiver refused it: 503")
    assert sum(BACKOFF_S) * 1.1 < 26.5 * 3600
    assert hooks.counted("dead") == 1
    target.answers = [(204, {})]
    assert hooks.store.again(dead.id, at=hooks.clock.now()) is not None
    assert hooks.store.again(dead.id, at=hooks.clock.now()) is None
    hooks.sender.round()
    assert target.received[-1].headers["webhook-id"] == dead.id
    assert hooks.store.deliveries(state="dead", limit=10) == ()


def test_410_ends_it(hooks: Hooks, target: Receiver) -> None:
    target.answers = [(410, {})]
    made = hooks.make(target.url)
    hooks.happens()
    hooks.happens("resolved")
    hooks.sender.round()
    hooks.happens("reopened")
    hooks.clock.advance(hours=1)
    hooks.sender.round()
    assert len(target.received) == 1
    endpoint = hooks.store.endpoint(made.id)
    assert endpoint is not None
    assert "410" in endpoint.disabled
    assert {one.state for one in hooks.store.deliveries(limit=10)} == {"dead"}
    target.answers = [(204, {})]
    hooks.webhooks.change(endpoint, enabled=True)
    hooks.happens("acknowledged")
    hooks.sender.round()
    assert [json.loads(one.body)["type"] for one in target.received[1:]] == ["incident.acknowledged"]


def test_the_pause_is_the_same_for_the_same_seed_and_as_long_as_the_receiver_asks() -> None:
    delivery = Delivery("msg_1", "e", 1, "incident.created", b"{}", START)
    refused = Outcome(500, "no")
    one, same, other = (judged(delivery, refused, START, seed=seed).next_at for seed in (1, 1, 2))
    assert one == same != other
    for attempts, pause_s in enumerate(BACKOFF_S):
        after = judged(replace(delivery, attempts=attempts), refused, START, seed=3)
        assert after.next_at is not None
        assert 0.9 * pause_s <= (after.next_at - START).total_seconds() <= 1.1 * pause_s
    patient = judged(delivery, Outcome(429, "later", 600.0), START, seed=1).next_at
    assert patient == START + timedelta(seconds=600)
    assert judged(replace(delivery, attempts=len(BACKOFF_S)), refused, START, seed=1).state == "dead"


def test_a_retry_after_is_read_and_bounded(hooks: Hooks, target: Receiver) -> None:
    target.answers = [(429, {"Retry-After": "120"}), (503, {"Retry-After": "999999"}), (204, {})]
    hooks.make(target.url)
    hooks.happens()
    for expected_s in (120, 3600):
        hooks.sender.round()
        (waiting,) = hooks.store.deliveries(limit=10)
        assert waiting.next_at == hooks.clock.now() + timedelta(seconds=expected_s)
        hooks.clock.advance(seconds=expected_s)
    hooks.sender.round()
    assert hooks.store.deliveries(limit=10)[0].state == "delivered"


def test_a_kill_anywhere_loses_none_and_tells_twice_only_under_one_id(
    tmp_path: Path, target: Receiver
) -> None:
    path = tmp_path / "webhooks.sqlite"
    hooks = Hooks(path)
    hooks.make(target.url)
    for kind in ("created", "acknowledged", "resolved"):
        hooks.happens(kind)
    hooks.sender._due()  # taken, and killed before anything was sent
    hooks.store.close()
    again = Hooks(path)
    again.cases, again.store = hooks.cases, again.store
    again.webhooks = replace(again.webhooks, cases=hooks.cases)
    again.clock.advance(minutes=5)
    sender = again.sender_of("two")
    ended = again.store.ended
    again.store.ended = lambda delivery: None  # type: ignore[method-assign]  # sent, and killed before it was noted
    sender.round()
    again.store.ended = ended  # type: ignore[method-assign]
    sender.round()
    told = [(json.loads(one.body)["type"], one.headers["webhook-id"]) for one in target.received]
    assert [name for name, _ in told] == [
        f"incident.{kind}" for kind in ("created", "acknowledged", "resolved")
    ] * 2
    assert len(set(told)) == 3
    sender.round()
    assert len(target.received) == 6
    again.store.close()


def test_only_the_one_with_the_lease_sends(hooks: Hooks, target: Receiver) -> None:
    other = hooks.sender_of("two")
    hooks.make(target.url)
    hooks.happens()
    hooks.sender.round()
    hooks.happens("resolved")
    other.round()
    assert len(target.received) == 1
    hooks.clock.advance(minutes=2)
    other.round()
    assert len(target.received) == 2


def test_without_webhooks_nothing_is_read(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_asked: object) -> tuple[Activity, ...]:
        raise AssertionError("read for nobody")

    monkeypatch.setattr(hooks.cases, "activities", refuse)
    monkeypatch.setattr(hooks.cases, "lease", refuse)
    hooks.happens()
    hooks.sender.round()


def test_a_slow_receiver_holds_up_no_other(hooks: Hooks) -> None:
    with receiver() as slow, receiver() as quick:
        slow.gate = threading.Event()
        hooks.make(slow.url)
        hooks.make(quick.url)
        hooks.happens()
        hooks.sender.start()
        quick.wait_for(1)
        hooks.happens("resolved")
        quick.wait_for(2)
        assert len(slow.received) == 1
        slow.gate.set()
        slow.wait_for(2)
        hooks.sender.stop()


def test_waiting_and_kept_deliveries_are_bounded() -> None:
    hooks = Hooks(bounds=WebhookBounds(endpoints=2, pending=3, kept=2))
    hooks.make("http://127.0.0.1:1/")
    for _ in range(6):
        hooks.happens("commented")
    hooks.sender._due()
    waiting = hooks.store.deliveries(state="pending", limit=10)
    assert sorted(one.number for one in waiting) == [4, 5, 6]
    assert {one.error for one in hooks.store.deliveries(state="dead", limit=10)} == {GIVEN_UP}
    assert hooks.counted("dead") == 3
    endpoint = hooks.store.endpoints()[0]
    for _ in range(4):
        hooks.webhooks.try_out(endpoint)
    assert len(hooks.store.deliveries(state="dead", limit=10)) == 2
    hooks.make("http://127.0.0.1:1/")
    with pytest.raises(Exception, match="AIOPS_WEBHOOKS_MAX"):
        hooks.make("http://127.0.0.1:1/")
    hooks.store.close()


def test_tls_is_checked_against_the_name_though_the_address_is_pinned(hooks: Hooks) -> None:
    ca = trustme.CA()
    trust = httpx.create_ssl_context(trust_env=False)
    ca.configure_trust(trust)
    hooks.webhooks = replace(hooks.webhooks, poster=Poster(Destinations(allow_private=True), trust=trust))
    with receiver(ca, "localhost") as good, receiver(ca, "other.example") as wrong:
        tried = hooks.webhooks.try_out(hooks.make(good.url))
        assert (tried.state, tried.status) == ("delivered", 204)
        assert good.received[0].headers["host"] == good.url.split("/")[2]
        renamed = wrong.url.replace("other.example", "localhost")
        assert "certificate" in hooks.webhooks.try_out(hooks.make(renamed)).error.lower()
        hooks.webhooks = replace(hooks.webhooks, poster=Poster(Destinations(allow_private=True)))
        assert "certificate" in hooks.webhooks.try_out(hooks.make(good.url)).error.lower()
        hooks.webhooks = replace(hooks.webhooks, poster=Poster(Destinations()))
        assert "no public address" in hooks.webhooks.try_out(hooks.store.endpoints()[0]).error
        assert len(good.received) == 1
        assert wrong.received == []


def test_every_activity_has_an_event_in_the_contract() -> None:
    from typing import get_args

    from aiops.api.schemas.webhooks import Event

    assert set(get_args(Event)) == set(EVENTS) == {f"incident.{kind}" for kind in ACTIVITY_KINDS}


def test_the_routes(client: ApiClient, site: FakeSite, target: Receiver) -> None:
    asked = {"url": target.url, "events": ["incident.created"], "description": "chat"}
    made = client.post("/api/v1/webhooks", json=asked)
    assert (made.status_code, made.json()["enabled"]) == (201, True)
    secret, place = made.json()["secret"], made.headers["location"]
    assert secret.startswith("whsec_")
    assert secret not in client.get("/api/v1/webhooks").text + client.get(place).text
    tried = client.post(f"{place}/test").json()
    assert (tried["type"], tried["state"], tried["status"]) == ("webhook.test", "delivered", 204)
    verified(target.received[0], secret)
    changed = client.patch(place, json={"rotate_secret": True, "events": []}).json()
    assert (changed["events"], changed["secret"] != secret) == ([], True)
    client.post(f"{place}/test")
    for each in (secret, changed["secret"]):
        verified(target.received[1], each)
    site.clock.advance(hours=25)
    client.post(f"{place}/test")
    with pytest.raises(AssertionError):
        verified(target.received[2], secret)
    target.answers = [(500, {})]
    dead = client.post(f"{place}/test").json()
    assert (dead["state"], dead["status"]) == ("dead", 500)
    assert client.get("/api/v1/webhooks:dead-letters").json()["items"] == [dead]
    again = client.post(f"/api/v1/webhooks:dead-letters/{dead['id']}:retry")
    assert (again.status_code, again.json()["state"]) == (202, "pending")
    assert client.post(f"/api/v1/webhooks:dead-letters/{dead['id']}:retry").status_code == 404
    first = client.get(f"{place}/deliveries?limit=3").json()
    rest = client.get(f"{place}/deliveries?limit=3&cursor={first['next_cursor']}").json()
    assert (len(first["items"]), len(rest["items"]), rest["next_cursor"]) == (3, 1, None)
    assert (
        client.patch(place, json={"enabled": False}).json()["disabled_reason"]
        == "disabled by an administrator"
    )
    assert len(client.get(f"{place}/deliveries?state=dead").json()["items"]) == 1
    assert client.delete(place).status_code == 204
    for method, path in (
        ("GET", place),
        ("DELETE", place),
        ("POST", f"{place}/test"),
        ("GET", f"{place}/deliveries"),
    ):
        assert client.ask(method, path).status_code == 404
    for wrong in ({"url": "ftp://x"}, {"url": "http://u:p@x/"}, {"events": ["incident.gone"]}, {"more": 1}):
        refused = client.post("/api/v1/webhooks", json={**asked, **wrong})
        assert (refused.status_code, bool(refused.json()["errors"])) == (422, True)


def test_webhooks_made_at_once_stay_within_the_bound(client: ApiClient) -> None:
    running = [
        client.start("POST", "/api/v1/webhooks", json={"url": "https://a.example/"}) for _ in range(60)
    ]
    statuses = [one.result(60).status_code for one in running]
    assert (statuses.count(201), statuses.count(503)) == (50, 10)
    assert len(client.get("/api/v1/webhooks").json()["items"]) == 50


def test_the_file_is_its_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "webhooks.sqlite"
    SqliteWebhooks(path).open().close()
    assert path.stat().st_mode & 0o077 == 0
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA user_version").fetchone() == (len(store_module._STEPS),)
    database.close()
