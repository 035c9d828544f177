"""Hostile bodies, bounds, headers, and errors of every kind: always a problem document, never a traceback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from aiops.api.app import create_app
from aiops.api.services import ApiLimits, Health
from aiops.errors import AiopsError, BackPressure, InputError, StoreConflict, StoreUnavailable
from aiops.telemetry import configure_logging
from tests.support.api_client import ApiClient, chunked
from tests.support.api_fakes import FakeSite, fake_site

JSON_ROUTES = (
    *("/api/v1/incidents", "/api/v1/topology:import", "/api/v1/entities:resolve", "/api/v1/changes"),
    *("/api/v1/ingest/alertmanager", "/api/v2/alerts", "/api/v1/tokens", "/api/v1/incidents/1/analyses"),
)
HOSTILE = {
    "truncated": b'{"title": "x", "affected": [{"ref": "ca',
    "empty": b"",
    "nested": b"[" * 90_000,
    "nested objects": b'{"a":' * 15_000 + b"1" + b"}" * 15_000,
    "no UTF-8": b'{"title": "\xff\xfe"}',
    "UTF-16": '{"title": "x"}'.encode("utf-16"),
    "NaN": b'{"title": NaN}',
    "infinity": b'{"title": -Infinity}',
    "huge number": b'{"title": 1' + b"0" * 5000 + b"}",
    "huge exponent": b'{"title": 1e999999}',
    "null byte": b'{"title": "a\x00b"}',
    "escaped null byte": b'{"title": "a\\u0000b"}',
    "lone surrogate": b'{"title": "\\ud800"}',
    "array": b"[1, 2]",
    "string": b'"x"',
    "null": b"null",
    "byte order mark": b'\xef\xbb\xbf{"title": "x"}',
    "same key twice": b'{"title": 1, "title": 2}',
}


def assert_problem(answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    """A problem document with all its members."""
    assert answer.status_code in statuses, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "instance", "errors", "request_id"} <= problem.keys()
    assert problem["status"] == answer.status_code
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    assert ".py" not in answer.text
    return problem


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bodies_are_refused_everywhere(client: ApiClient, name: str) -> None:
    for route in JSON_ROUTES:
        answer = client.post(route, content=HOSTILE[name], headers={"Content-Type": "application/json"})
        assert_problem(answer, 400, 404, 422)


def test_the_place_of_bad_json_is_named(client: ApiClient) -> None:
    answer = client.post(
        "/api/v1/incidents", content=b'{"title": NaN}', headers={"Content-Type": "application/json"}
    )
    assert assert_problem(answer, 400)["errors"][0]["offset"] == 10


@pytest.mark.parametrize("route", [*JSON_ROUTES, "/api/v1/write"])
def test_bodies_have_a_bound_by_claim_and_by_bytes(client: ApiClient, route: str) -> None:
    kind = "application/x-protobuf" if route.endswith("write") else "application/json"
    claimed = {"Content-Type": kind, "Content-Length": "100000000"}
    assert_problem(client.post(route, content=chunked([b"[]"]), headers=claimed), 413)
    parts = [b"[" + b" " * 60_000] * 4
    assert_problem(client.post(route, content=chunked(parts), headers={"Content-Type": kind}), 413)


@pytest.mark.parametrize("kind", ["text/plain", "", "application/jsonx", "multipart/form-data; boundary=x"])
def test_other_content_types_are_refused(client: ApiClient, kind: str) -> None:
    for route in (*JSON_ROUTES, "/api/v1/write"):
        answer = client.post(route, content=b"{}", headers={"Content-Type": kind})
        assert assert_problem(answer, 415)["type"] == "urn:aiops:problem:unsupported-media-type"
        assert answer.headers["accept"]


def test_unknown_paths_and_methods_are_problems(client: ApiClient) -> None:
    assert_problem(client.get("/api/v1/nothing"), 404)
    assert_problem(client.get("/api/v1/incidents/"), 404)
    assert assert_problem(client.ask("PUT", "/api/v1/incidents"), 405)["detail"] == "allowed here: GET, POST"
    assert client.ask("TRACE", "/api/v1/incidents/1").headers["allow"] == "GET, PATCH"
    assert assert_problem(client.get("/docs"), 404)["instance"] == "/docs"


def test_every_answer_is_hardened_and_carries_a_request_id(client: ApiClient) -> None:
    for path in ("/healthz", "/nothing", "/api/v1/stats"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert len(headers["x-request-id"]) == 26
    given = client.get("/nothing", headers={"X-Request-ID": "abc-1"})
    assert given.json()["request_id"] == "abc-1"
    assert client.get("/nothing", headers={"X-Request-ID": "a b\tc"}).json()["request_id"] != "a b\tc"


@pytest.mark.parametrize(
    ("failure", "ours", "theirs"),
    [
        (BackPressure("full", retry_after_s=7.2), 429, 503),
        (StoreUnavailable("db at secret://host"), 503, 503),
        (StoreConflict("clash"), 409, 409),
        (InputError("odd", hint="mend it"), 422, 422),
        (AiopsError("secret"), 500, 500),
        (RuntimeError("secret"), 500, 500),
        (TimeoutError("secret"), 500, 500),
    ],
)
def test_failures_behind_are_told_apart(
    client: ApiClient, site: FakeSite, failure: Exception, ours: int, theirs: int
) -> None:
    site.ingest.failure = failure
    topology = client.post("/api/v1/topology:import", json={})
    alerts = client.post("/api/v2/alerts", json=[])
    for answer, status in ((topology, ours), (alerts, theirs)):
        assert_problem(answer, status)
        assert "secret" not in answer.text
        assert ("retry-after" in answer.headers) == (status in (429, 503))
    if isinstance(failure, BackPressure):
        assert topology.headers["retry-after"] == "8"


def test_a_500_is_logged_under_its_request_id(
    client: ApiClient, site: FakeSite, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(json=True)  # anew: onto the standard error that is captured now
    site.ingest.failure = RuntimeError("what only the log may say")
    answer = client.post("/api/v2/alerts", json=[], headers={"X-Request-ID": "req-500"})
    assert_problem(answer, 500)
    printed = capsys.readouterr()
    logged = printed.out + printed.err
    assert "req-500" in logged
    assert "what only the log may say" in logged


@pytest.fixture
def hasty() -> Iterator[tuple[FakeSite, ApiClient, threading.Event]]:
    """A site with little patience, and an event that lets its slow health check go."""
    gate = threading.Event()

    def slow() -> Health:
        gate.wait(10)
        return Health(True)

    limits = ApiLimits(body_timeout_s=0.2, request_timeout_s=1.0, health_timeout_s=0.1, body_bytes=1000)
    site = fake_site(limits=limits, health={"slow": slow})
    app = create_app(site.services)
    client = ApiClient(app, site.admin)
    yield site, client, gate
    gate.set()
    client.close()
    app.state.desk.close()
    site.close()


def test_a_body_that_dribbles_is_cut_off(hasty: tuple[FakeSite, ApiClient, threading.Event]) -> None:
    _, client, _ = hasty
    dribble = chunked([b" "] * 50, pause_s=0.05)
    answer = client.post("/api/v2/alerts", content=dribble, headers={"Content-Type": "application/json"})
    assert assert_problem(answer, 408)["type"] == "urn:aiops:problem:body-timeout"


def test_a_slow_store_is_cut_off(hasty: tuple[FakeSite, ApiClient, threading.Event]) -> None:
    site, client, gate = hasty

    def slow(names: object) -> dict[str, tuple[str, ...]]:
        gate.wait(10)
        return {}

    site.graph.resolve = slow  # type: ignore[method-assign]
    answer = client.post("/api/v1/entities:resolve", json={"names": ["x"]})
    assert assert_problem(answer, 503)["type"] == "urn:aiops:problem:timeout"


def test_a_slow_health_check_is_not_ready(hasty: tuple[FakeSite, ApiClient, threading.Event]) -> None:
    _, client, _ = hasty
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["slow"] == {"ok": False, "detail": "no answer within 0.1 s"}
