"""Server-sent events over a real server: what happens is told while it happens, and nothing is missed by who comes again."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from aiops.api.app import create_app
from aiops.api.services import ApiLimits
from aiops.lifecycle import transitions
from tests.support.api_fakes import ADMIN, FakeSite, fake_site

INCIDENTS = "/api/v1/incidents"
CART = {"title": "Checkout fails", "affected": [{"ref": "cart"}]}
Event = dict[str, str]


@pytest.fixture
def site() -> Iterator[FakeSite]:
    made = fake_site(limits=ApiLimits(analysis_workers=1, listeners=2))
    yield made
    made.close()


@pytest.fixture
def running(site: FakeSite) -> Iterator[uvicorn.Server]:
    config = uvicorn.Config(create_app(site.services), host="127.0.0.1", port=0, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="uvicorn")
    thread.start()
    end = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < end, "uvicorn did not start"
        time.sleep(0.02)
    yield server
    site.services.streams.close()
    server.should_exit = True
    thread.join(30)
    assert not thread.is_alive()


@pytest.fixture
def web(running: uvicorn.Server) -> Iterator[httpx.Client]:
    port = running.servers[0].sockets[0].getsockname()[1]
    headers = {"Authorization": f"Bearer {ADMIN}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=20) as client:
        yield client


@contextmanager
def listening(web: httpx.Client, path: str, **headers: str) -> Iterator[Iterator[Event]]:
    """Events of a stream whose first frame has come."""
    with web.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = _events(answer.iter_lines())
        first = next(events)
        assert first.pop("id").isdigit()
        assert first == {"retry": "2000"}
        yield events


def _events(lines: Iterator[str]) -> Iterator[Event]:
    event: Event = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if not line and event:
            yield event
            event = {}
        elif name:
            event[name] = value


def until(events: Iterator[Event], kind: str) -> list[Event]:
    """Events up to the first of this kind."""
    found: list[Event] = []
    for event in events:
        found.append(event)
        if event.get("event") == kind:
            return found
    raise AssertionError(f"no {kind}: {found}")


def post(web: httpx.Client, **more: Any) -> str:
    answer = web.post(INCIDENTS, json={**CART, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_what_happens_is_told_while_it_happens(web: httpx.Client) -> None:
    with listening(web, f"{INCIDENTS}:events") as events:
        incident_id = post(web)
        told = until(events, "analyzed")
        kinds = [event["event"] for event in told]
        assert (kinds[0], kinds[-1]) == ("created", "analyzed")
        assert {"created", "progress", "analyzed"} == set(kinds)
        progress = json.loads(told[1]["data"])
        assert (progress["incident_id"], progress["stage"]) == (incident_id, "retrieved")
        assert "id" not in told[1]
        assert (told[0]["id"], json.loads(told[0]["data"])["number"]) == ("1", 1)
        web.post(f"{INCIDENTS}/{incident_id}/ack")
        (acknowledged,) = until(events, "acknowledged")
        assert json.loads(acknowledged["data"])["actor"] == "bootstrap"


def test_who_comes_again_misses_nothing(web: httpx.Client) -> None:
    first, other = post(web, analyze=False), post(web, analyze=False)
    base = f"{INCIDENTS}/{first}"
    web.post(f"{base}/ack")
    web.post(f"{INCIDENTS}/{other}/ack")
    web.post(f"{base}/comment", json={"comment": "line\nfeed"})
    with listening(web, f"{base}/events?after=0") as events:
        told = until(events, "commented")
    assert [event["id"] for event in told] == ["1", "3", "5"]
    assert json.loads(told[2]["data"])["text"] == "line\nfeed"
    with listening(web, f"{base}/events?after=0", **{"Last-Event-ID": "3"}) as events:
        assert [event["id"] for event in until(events, "commented")] == ["5"]
    with listening(web, f"{base}/events", **{"Last-Event-ID": "999"}) as events:
        web.post(f"{base}/resolve")
        assert [event["id"] for event in until(events, "resolved")] == ["6"]


def test_who_drops_before_the_first_event_misses_nothing(web: httpx.Client) -> None:
    place = f"{INCIDENTS}/{post(web, analyze=False)}"
    with web.stream("GET", f"{place}/events") as answer:
        first = next(_events(answer.iter_lines()))
    web.post(f"{place}/ack")
    with listening(web, f"{place}/events", **{"Last-Event-ID": first["id"]}) as events:
        assert [event["event"] for event in until(events, "acknowledged")] == ["acknowledged"]


def test_what_others_wrote_is_found_without_a_bell(web: httpx.Client, site: FakeSite) -> None:
    incident_id = post(web, analyze=False)
    with listening(web, f"{INCIDENTS}/{incident_id}/events") as events:
        incident = site.graph.incident(incident_id)
        assert incident is not None
        by = transitions.Author("aiops", site.clock.now())
        site.graph.record([transitions.comment(incident, "from elsewhere", by)])
        (told,) = until(events, "commented")
        assert json.loads(told["data"])["text"] == "from elsewhere"


def test_streams_are_bounded_and_end_with_the_process(web: httpx.Client, site: FakeSite) -> None:
    path = f"{INCIDENTS}:events"
    with listening(web, path) as first, listening(web, path) as second:
        full = web.get(path)
        assert (full.status_code, full.headers["retry-after"]) == (429, "10")
        site.services.streams.close()
        assert list(first) == []
        assert list(second) == []


def test_wrong_numbers_and_unknown_incidents_are_refused(web: httpx.Client) -> None:
    assert web.get(f"{INCIDENTS}/none/events").status_code == 404
    wrong = web.get(f"{INCIDENTS}:events", headers={"Last-Event-ID": "abc"})
    assert (wrong.status_code, wrong.json()["errors"][0]["parameter"]) == (422, "last-event-id")
    assert web.get(f"{INCIDENTS}:events?after=-1").status_code == 422
    assert web.get(f"{INCIDENTS}:events", headers={"Authorization": "Bearer x"}).status_code == 401
