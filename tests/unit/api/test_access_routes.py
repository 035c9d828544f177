"""Every route of the OpenAPI document without, with a wrong, an expired, a revoked, a foreign and a too narrow token."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from fastapi import FastAPI
from starlette.types import Message

from aiops.api.access.audit import AuditQuery
from aiops.api.access.tokens import SCOPES
from aiops.api.app import create_app
from aiops.api.guard import GuardedRoute
from tests.support.api_fakes import START, FakeSite, fake_site
from tests.support.operations import Operation, operations_of

#: All that is answered without a token. Whoever adds to it says why in docs/access.md.
PUBLIC = frozenset({"/healthz", "/readyz", "/-/healthy", "/-/ready", "/metrics", "/version"})


def _operations() -> tuple[Operation, ...]:
    made = fake_site()
    found = operations_of(create_app(made.services).openapi())
    made.close()
    return found


OPERATIONS = _operations()
GUARDED = [operation for operation in OPERATIONS if operation.scope is not None]


def test_what_is_public_is_a_list() -> None:
    assert {operation.path for operation in OPERATIONS if operation.scope is None} == PUBLIC


def test_every_route_says_who_may_use_it(site: FakeSite) -> None:
    app = create_app(site.services)
    for route in app.routes:
        path = getattr(route, "path", "")
        assert isinstance(route, GuardedRoute) or path == "/openapi.json", path
    with pytest.raises(AssertionError, match="must say which scope"):
        GuardedRoute("/new", lambda: None, methods=["GET"])
    assert {operation.scope for operation in GUARDED} <= set(SCOPES)


def ask(
    app: FastAPI, method: str, path: str, headers: Mapping[str, str], query: str = ""
) -> tuple[int, bytes, int]:
    """Status, body, and how often the application asked for what was sent; after that the client is gone."""
    sent: list[Message] = []
    asked = 0

    async def receive() -> Message:
        nonlocal asked
        asked += 1
        if asked == 1:
            return {"type": "http.request", "body": b"{", "more_body": False}
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    given = {"host": "localhost", "content-type": "application/json", **headers}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "scheme": "http",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in given.items()],
        "client": ("192.0.2.7", 4711),
        "server": ("127.0.0.1", 80),
    }
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent), asked


def held(site: FakeSite) -> tuple[object, ...]:
    """All that a request could change."""
    tokens = tuple(replace(record, last_used_at=None) for record in site.tokens.records())
    ingest = (tuple(site.ingest.writes), tuple(site.ingest.changes), len(site.analyze.calls))
    hooks = (site.webhooks.store.endpoints(), site.webhooks.store.deliveries(limit=500))
    cases = (site.graph.incidents(), site.graph.activities(), site.graph.feedback())
    return (dict(site.graph.counts()), *cases, site.graph.export(), tokens, ingest, hooks)


def refusals(site: FakeSite, scope: str) -> dict[str, tuple[dict[str, str], int]]:
    """Headers and the status that they must get."""
    others = [other for other in SCOPES if other not in (scope, "admin")]
    expired = site.token(scope, expires_at=START + timedelta(hours=1))
    revoked, exact = site.token(scope), site.token(scope)
    site.tokens.revoke(revoked.split("_")[1])
    site.clock.advance(hours=2)

    def bearer(token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    def basic(text: bytes) -> dict[str, str]:
        return {"Authorization": f"Basic {base64.b64encode(text).decode()}"}

    return {
        "none": ({}, 401),
        "wrong secret": (bearer(f"{exact[:-4]}AAAA"), 401),
        "unknown prefix": (bearer("aiops_0000000000_" + "x" * 40), 401),
        "no token's form": (bearer("aiops_x"), 401),
        "empty": ({"Authorization": ""}, 401),
        "no credentials": ({"Authorization": "Bearer "}, 401),
        "other scheme": ({"Authorization": f"Digest {exact}"}, 401),
        "no base64": ({"Authorization": "Basic ***"}, 401),
        "no password": (basic(exact.encode()), 401),
        "no UTF-8": (basic(b"\xff:\xfe"), 401),
        "bytes": ({"Authorization": "Bearer \xff\xfe"}, 401),
        "too long": (bearer("aiops_" + "x" * 600), 401),
        "expired": (bearer(expired), 401),
        "revoked": (bearer(revoked), 401),
        "revoked, Basic": (basic(f"x:{revoked}".encode()), 401),
        "too narrow": (bearer(site.token(*others)), 403),
        "too narrow, Basic": (basic(f"x:{site.token(*others)}".encode()), 403),
        "foreign tenant": (bearer(site.token("admin", tenant="elsewhere")), 403),
        "twice": ({"Authorization": f"Bearer {exact}, Bearer {exact}"}, 401),
    }


@pytest.mark.parametrize("operation", GUARDED, ids=lambda operation: operation.name)
def test_a_refused_request_reads_and_changes_nothing_and_is_audited(operation: Operation) -> None:
    site = fake_site()
    app = create_app(site.services)
    assert operation.scope is not None
    cases = refusals(site, operation.scope)
    before = held(site)
    for name, (headers, status) in cases.items():
        tenant = {401: "", 403: "elsewhere" if name == "foreign tenant" else "default"}[status]
        query = AuditQuery(
            kind="refused",
            method=operation.method,
            route=operation.path,
            status=status,
            tenants=(tenant,),
            limit=500,
        )
        noted = sum(entry.times for entry in site.audit.entries(query))
        got, body, asked = ask(app, operation.method, operation.at({}).partition("?")[0], headers)
        assert (got, asked) == (status, 0), name
        problem = json.loads(body)
        assert problem["type"] == f"urn:aiops:problem:{'unauthorized' if status == 401 else 'forbidden'}"
        entries = site.audit.entries(query)
        assert sum(entry.times for entry in entries) == noted + 1, name
        assert {entry.peer for entry in entries} == {"192.0.2.7"}
    assert held(site) == before
    shown = "".join(map(repr, site.audit.entries(AuditQuery(limit=500))))
    for headers, _ in cases.values():
        credentials = headers.get("Authorization", "").rpartition(" ")[2]
        assert len(credentials) < 20 or credentials[-20:] not in shown
    app.state.desks.close()
    site.close()


@pytest.mark.parametrize("operation", GUARDED, ids=lambda operation: operation.name)
def test_the_scope_that_is_documented_is_the_one_that_is_needed(operation: Operation) -> None:
    site = fake_site()
    app = create_app(site.services)
    assert operation.scope is not None
    exact = {"Authorization": f"Bearer {site.token(operation.scope)}"}
    path = operation.at({}).partition("?")[0]
    assert ask(app, operation.method, path, exact)[0] not in (401, 403)
    app.state.desks.close()
    site.close()


def test_a_token_in_the_address_is_none(site: FakeSite) -> None:
    app = create_app(site.services)
    for name in ("token", "access_token", "api_key"):
        assert ask(app, "GET", "/api/v1/stats", {}, f"{name}={site.admin}")[0] == 401
    app.state.desks.close()
