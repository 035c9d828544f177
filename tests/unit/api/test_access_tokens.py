"""Tokens: tenants, rates, their last use, older files, and many at once."""

from __future__ import annotations

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from aiops.api.access import tokens as tokens_module
from aiops.api.access.rates import MAX_COUNTERS, Rates, _Counters
from aiops.api.access.sqlite_file import SqliteFile
from aiops.api.access.tokens import SqliteTokenStore
from aiops.api.app import create_app
from aiops.errors import StoreUnavailable
from tests.support.api_client import ApiClient
from tests.support.api_fakes import ADMIN, START, FakeClock, FakeSite, fake_site

ASKED: dict[str, Any] = {"name": "p", "scopes": ["ingest:write"]}
#: The schema of the first releases, as it lies on disks.
FIRST_SCHEMA = """CREATE TABLE token (
  prefix TEXT PRIMARY KEY, name TEXT NOT NULL, scopes TEXT NOT NULL, salt BLOB NOT NULL, hash BLOB NOT NULL,
  created_at TEXT NOT NULL, expires_at TEXT, revoked_at TEXT)"""


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_file_of_the_first_release_is_brought_up_and_a_newer_one_is_refused(tmp_path: Path) -> None:
    clock, path = FakeClock(), tmp_path / "tokens.sqlite"
    new = SqliteTokenStore(tmp_path / "new.sqlite", clock, cost=16).open()
    record, token = new.issue("old", ["ingest:write"], START + timedelta(days=1))
    new.close()
    db = sqlite3.connect(path)
    db.execute(FIRST_SCHEMA)
    db.execute("ATTACH ? AS new", (str(tmp_path / "new.sqlite"),))
    columns = "prefix, name, scopes, salt, hash, created_at, expires_at, revoked_at"
    db.execute(f"INSERT INTO token SELECT {columns} FROM new.token")
    db.commit()
    db.close()
    store = SqliteTokenStore(path, clock, cost=16).open()
    assert store.verify(token) == record
    assert store.records("default")[0].last_used_at == START
    store.close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreUnavailable, match="version 99"):
        SqliteTokenStore(path, clock, cost=16).open()


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        SqliteFile(path, "file", ["CREATE TABLE a (b)", "CREATE TABLE a (b)"]).open()
    file = SqliteFile(path, "file", ["CREATE TABLE a (b)"])
    file.open()
    assert file.execute("PRAGMA user_version") == [(1,)]
    with pytest.raises(StoreUnavailable):
        _half_done(file)
    assert file.execute("SELECT * FROM a") == []
    file.close()


def _half_done(file: SqliteFile) -> None:
    with file.transaction():
        file.execute("INSERT INTO a VALUES (1)")
        file.execute("INSERT INTO nothing VALUES (1)")


def test_the_last_use_is_kept_to_a_minute(site: FakeSite) -> None:
    record, token = site.tokens.issue("p", ["ingest:write"], None)

    def last_used() -> object:
        return {one.prefix: one.last_used_at for one in site.tokens.records()}[record.prefix]

    assert last_used() is None
    site.tokens.verify(f"{token[:-4]}AAAA")
    assert last_used() is None
    for seconds, expected in ((0, 0), (30, 0), (30, 60), (59, 60)):
        site.clock.advance(seconds=seconds)
        site.tokens.verify(token)
        assert last_used() == START + timedelta(seconds=expected)


def test_admins_of_a_tenant_see_and_make_tokens_of_their_own_only(client: ApiClient, site: FakeSite) -> None:
    made = client.post("/api/v1/tokens", json={**ASKED, "scopes": ["admin"], "tenant": "blue"})
    assert (made.status_code, made.json()["tenant"], made.json()["created_by"]) == (201, "blue", "first")
    assert {item["tenant"] for item in client.get("/api/v1/tokens").json()["items"]} == {"default"}
    assert [item["prefix"] for item in client.get("/api/v1/tokens?tenant=blue").json()["items"]] == [
        made.json()["prefix"]
    ]
    both = create_app(replace(site.services, registry=CollectorRegistry()), tenants=_Everyone(site))
    blue = ApiClient(both, made.json()["token"])
    own = blue.post("/api/v1/tokens", json=ASKED).json()
    assert (own["tenant"], own["created_by"]) == ("blue", made.json()["prefix"])
    assert {item["tenant"] for item in blue.get("/api/v1/tokens").json()["items"]} == {"blue"}
    for refused in (
        blue.post("/api/v1/tokens", json={**ASKED, "tenant": "default"}),
        blue.get("/api/v1/tokens?tenant=default"),
        blue.delete("/api/v1/tokens/first?tenant=default"),
    ):
        assert refused.status_code == 403
    assert blue.delete("/api/v1/tokens/first").status_code == 404
    assert client.delete(f"/api/v1/tokens/{own['prefix']}").status_code == 404
    assert client.delete(f"/api/v1/tokens/{own['prefix']}?tenant=blue").status_code == 204
    assert site.tokens.verify(ADMIN) is not None
    assert site.tokens.verify(own["token"]) is None
    for name in ("", "A", "-a", "a/b", "..", "a" * 33, "a\n"):
        assert client.post("/api/v1/tokens", json={**ASKED, "tenant": name}).status_code == 422, name
    with pytest.raises(ValueError, match="tenant"):
        site.tokens.issue("p", ["admin"], None, tenant="../up")
    blue.close()
    both.state.desks.close()


class _Everyone:
    """Serves every tenant with the same things."""

    def __init__(self, site: FakeSite) -> None:
        self._services = site.services

    def services(self, tenant: str) -> Any:
        return replace(self._services, tenant=tenant)


def test_who_may_change_what_all_tenants_share(site: FakeSite) -> None:
    app = create_app(site.services, tenants=_Everyone(site))
    blue = ApiClient(app, site.token("admin", tenant="blue"))
    answer = blue.ask("PUT", "/api/v1/rules", content=b"x", headers={"Content-Type": "application/yaml"})
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:aiops:problem:forbidden")
    assert "all tenants" in answer.json()["detail"]
    blue.close()
    app.state.desks.close()


def test_a_token_has_a_rate_and_is_told_where_it_stands(client: ApiClient, site: FakeSite) -> None:
    scopes = ["topology:read", "ingest:write"]
    asked = {**ASKED, "scopes": scopes, "rate_per_minute": 3}
    token = client.post("/api/v1/tokens", json=asked).json()["token"]
    other = bearer(site.token("topology:read"))
    for remaining in (2, 1, 0):
        answer = client.get("/api/v1/stats", headers=bearer(token))
        assert answer.status_code == 200
        assert answer.headers["ratelimit-remaining"] == str(remaining)
        assert answer.headers["ratelimit"] == f'"token";r={remaining};t=60'
        site.clock.advance(seconds=0)
    assert answer.headers["ratelimit-policy"] == '"token";q=3;w=60'
    site.clock.advance(seconds=20)
    refused = client.get("/api/v1/stats", headers=bearer(token))
    assert (refused.status_code, refused.json()["type"]) == (429, "urn:aiops:problem:rate-limited")
    assert (refused.headers["retry-after"], refused.headers["ratelimit-reset"]) == ("40", "40")
    assert client.get("/api/v1/stats", headers=other).status_code == 200
    for route in ("/api/v2/alerts", "/api/v1/write"):
        theirs = client.post(route, headers=bearer(token), content=b"[]")
        assert (theirs.status_code, theirs.headers["retry-after"]) == (503, "40")
        assert "ratelimit" not in theirs.headers
    site.clock.advance(seconds=40)
    assert client.get("/api/v1/stats", headers=bearer(token)).status_code == 200
    assert "ratelimit" not in client.get("/api/v1/stats", headers=other).headers


def test_the_default_rate_is_a_tokens_without_one_of_its_own() -> None:
    rates = Rates(FakeClock(), default=1)
    assert [rates.take("a", None), rates.take("a", None)][1].allowed is False  # type: ignore[union-attr]
    assert rates.take("b", 5).remaining == 4  # type: ignore[union-attr]
    assert Rates(FakeClock()).take("a", None) is None
    counters = _Counters(FakeClock())
    for number in range(MAX_COUNTERS + 5):
        counters.incr(str(number), 60)
    assert (counters.get("0"), counters.get(str(MAX_COUNTERS)), counters.reset()) == (0, 1, MAX_COUNTERS)
    assert counters.check()


def test_many_tokens_made_at_once_are_all_there(tmp_path: Path) -> None:
    clock = FakeClock()
    stores = [SqliteTokenStore(tmp_path / "tokens.sqlite", clock, cost=16).open() for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: stores[n % 2].issue(str(n), ["admin"], None), range(40)))
    assert [record.prefix for record in stores[0].records()] == sorted(record.prefix for record, _ in made)
    for record, token in made:
        assert stores[1].verify(token) == record
    for store in stores:
        store.close()


def test_a_token_that_is_revoked_while_it_is_used_is_refused_from_then_on(
    client: ApiClient, site: FakeSite
) -> None:
    record, token = site.tokens.issue("p", ["topology:read"], None)
    revoked = threading.Event()
    after: list[int] = []

    def use() -> list[int]:
        statuses: list[int] = []
        while len(after) < 5:
            sure = revoked.is_set()
            status = client.get("/api/v1/stats", headers=bearer(token)).status_code
            statuses.append(status)
            if sure:
                after.append(status)
        return statuses

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(use) for _ in range(3)]
        while client.get("/api/v1/stats", headers=bearer(token)).status_code != 200:
            pass
        assert client.delete(f"/api/v1/tokens/{record.prefix}").status_code == 204
        revoked.set()
        found = [one.result(60) for one in running]
    assert set(after) == {401}
    for statuses in found:
        assert statuses == sorted(statuses), "once refused, always refused"


def test_two_bootstraps_at_once_leave_one_administrator(tmp_path: Path) -> None:
    path, clock = tmp_path / "tokens.sqlite", FakeClock()
    stores = [SqliteTokenStore(path, clock, cost=16).open() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda store: store.bootstrap(ADMIN), stores))
    (record,) = stores[0].records()
    assert record.revoked_at is None
    assert all(store.verify(ADMIN) is not None for store in stores)
    for store in stores:
        store.close()


def test_a_file_that_cannot_be_written_refuses_nobody(tmp_path: Path) -> None:
    path, clock = tmp_path / "tokens.sqlite", FakeClock()
    store = SqliteTokenStore(path, clock, cost=16).open()
    _, token = store.issue("p", ["admin"], None)
    store._file.execute("PRAGMA query_only = ON")
    assert store.verify(token) is not None
    with pytest.raises(StoreUnavailable):
        store.issue("q", ["admin"], None)
    store.close()


def test_a_tenant_that_is_not_served_here_is_told_why() -> None:
    site = fake_site()
    app = create_app(site.services)
    client = ApiClient(app, site.token("admin", tenant="blue"))
    answer: httpx.Response = client.get("/api/v1/stats")
    assert (answer.status_code, answer.json()["detail"]) == (403, "tenant blue is not served here")
    client.close()
    app.state.desks.close()
    site.close()


def test_a_flood_of_wrong_tokens_takes_neither_all_threads_nor_known_tokens(
    site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(site.services)
    client = ApiClient(app, site.admin)
    assert client.get("/api/v1/stats").status_code == 200
    record, token = site.tokens.issue("p", ["topology:read"], None)
    gate = threading.Event()
    real = tokens_module._scrypt

    def slow(text: str, salt: bytes, cost: int) -> bytes:
        gate.wait(20)
        return real(text, salt, cost)

    monkeypatch.setattr(tokens_module, "_scrypt", slow)
    wrong = [f"{token[:-4]}{number:04d}" for number in range(60)]
    running = [client.start("GET", "/api/v1/stats", headers=bearer(text)) for text in wrong]
    end = time.monotonic() + 20
    while sum(one.done() for one in running) < len(running) - tokens_module.MAX_CHECKS:
        assert time.monotonic() < end
        time.sleep(0.01)
    at_once = {one.result().status_code for one in running if one.done()}
    assert client.get("/api/v1/stats").status_code == 200
    gate.set()
    statuses = [one.result(30).status_code for one in running]
    assert (statuses.count(401), statuses.count(429)) == (
        tokens_module.MAX_CHECKS,
        60 - tokens_module.MAX_CHECKS,
    )
    assert at_once == {429}
    assert client.get("/api/v1/stats", headers=bearer(token)).status_code == 200
    assert record.prefix in token
    client.close()
    app.state.desks.close()


def test_what_was_verified_before_is_known_without_waiting_and_nothing_else_is(tmp_path: Path) -> None:
    clock = FakeClock()
    store = SqliteTokenStore(tmp_path / "t.sqlite", clock, cost=16).open()
    record, token = store.issue("p", ["admin"], START + timedelta(hours=1))
    assert store.verified(token) is None
    assert store.verify(token) is not None
    known = store.verified(token)
    assert known is not None
    assert known.prefix == record.prefix
    assert store.verified(token + "x") is store.verified("") is None
    with store._file.transaction(), ThreadPoolExecutor(1) as other:
        assert other.submit(store.verified, token).result(5) is None
    clock.advance(minutes=2)  # its last use is to be written
    assert store.verified(token) is None
    assert store.verify(token) is not None
    assert store.verified(token) is not None
    store.revoke(record.prefix)
    assert store.verified(token) is None
    store.close()
