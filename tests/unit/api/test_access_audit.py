"""The audit log: what is in it, what never is, its bounds, many at once, restarts."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from aiops.api.access import audit as audit_module
from aiops.api.access.audit import AuditEntry, AuditQuery, Kind, SqliteAudit
from aiops.api.app import create_app
from aiops.errors import StoreUnavailable
from tests.support.api_client import ApiClient
from tests.support.api_fakes import START, FakeClock, FakeSite


def entry(kind: Kind = "write", **more: Any) -> AuditEntry:
    return AuditEntry(kind, START, "POST", "/x", 200, **more)


def test_a_write_is_kept_with_who_what_and_whom_it_was_about(client: ApiClient, site: FakeSite) -> None:
    posted = {"title": "a secret title", "affected": [{"ref": "service:shop/cart"}], "analyze": False}
    made = client.post("/api/v1/incidents", json=posted, headers={"X-Request-ID": "req-1"})
    client.patch(f"/api/v1/incidents/{made.json()['id']}", json={"status": "acknowledged"})
    client.get("/api/v1/incidents?q=private")
    patched, created = site.audit.entries(AuditQuery())
    assert (created.kind, created.method, created.route) == ("write", "POST", "/api/v1/incidents")
    assert (created.status, created.ids, created.request_id) == (201, (made.json()["id"],), "req-1")
    assert (created.tenant, created.token, created.actor) == ("default", "first", "bootstrap")
    assert (created.at, created.peer) == (START, "127.0.0.1")
    assert (patched.route, patched.ids) == ("/api/v1/incidents/{incident_id}", (made.json()["id"],))
    kept = repr(site.audit.entries(AuditQuery()))
    assert all(text not in kept for text in ("secret", site.admin.split("_")[2], "private"))
    client.post("/api/v1/incidents", json={})
    assert site.audit.entries(AuditQuery(limit=1))[0].reason == "invalid-request"


def test_deliveries_and_refusals_of_a_minute_are_counted_together(client: ApiClient, site: FakeSite) -> None:
    for _ in range(5):
        client.post("/api/v2/alerts", json=[])
        client.get("/api/v1/stats", headers={"Authorization": "Bearer aiops_abcdef_" + "x" * 20})
    site.clock.advance(minutes=1)
    client.post("/api/v2/alerts", json=[])
    found = [(one.kind, one.token, one.times) for one in site.audit.entries(AuditQuery())]
    assert found == [("delivery", "first", 1), ("refused", "abcdef", 5), ("delivery", "first", 5)]


def test_the_log_is_read_by_administrators_in_pages(client: ApiClient, site: FakeSite) -> None:
    for number in range(5):
        client.post("/api/v1/tokens", json={"name": f"n{number}", "scopes": ["ingest:write"]})
    client.get("/api/v1/stats", headers={"Authorization": "Bearer x"})
    site.clock.advance(hours=1)
    client.delete("/api/v1/tokens/none")
    first = client.get("/api/v1/audit?limit=3").json()
    assert [(item["method"], item["status"]) for item in first["items"]] == [
        ("DELETE", 404),
        ("GET", 401),
        ("POST", 201),
    ]
    rest = client.get(f"/api/v1/audit?limit=10&cursor={first['next_cursor']}").json()
    assert (len(rest["items"]), rest["next_cursor"]) == (4, None)
    for query, count in (
        ("kind=refused", 1),
        ("method=DELETE", 1),
        ("status=201", 5),
        ("token=first", 6),
        ("route=/api/v1/tokens", 5),
        ("since=2026-11-22T10:30:00Z", 1),
        ("until=2026-11-22T10:30:00Z", 6),
        ("tenant=other", 0),
    ):
        assert len(client.get(f"/api/v1/audit?{query}").json()["items"]) == count, query
    for wrong in ("cursor=abc", "cursor=eA", "limit=0", "since=x", "kind=y", "tenant=A"):
        assert client.get(f"/api/v1/audit?{wrong}").status_code == 422, wrong


def test_without_a_log_there_is_none(site: FakeSite) -> None:
    app = create_app(replace(site.services, audit=None, registry=CollectorRegistry()))
    client = ApiClient(app, site.admin)
    assert client.get("/api/v1/audit").status_code == 404
    client.close()
    app.state.desks.close()


def test_a_log_that_cannot_be_written_is_said_and_stops_nobody(client: ApiClient, site: FakeSite) -> None:
    site.audit._file.execute("PRAGMA query_only = ON")
    assert client.delete("/api/v1/tokens/none").status_code == 404
    assert "cannot be used" in site.audit.problem
    site.audit._file.execute("PRAGMA query_only = OFF")
    assert client.delete("/api/v1/tokens/none").status_code == 404
    assert site.audit.problem == ""
    assert len(site.audit.entries(AuditQuery())) == 1


def test_each_kind_has_its_share_of_the_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_module, "TRIM_EVERY", 10)
    audit = SqliteAudit(tmp_path / "audit.sqlite", FakeClock(), max_bytes=10_000).open()
    audit.note(entry(actor="the first")).result(10)
    for number in range(300):
        audit.note(entry("refused", peer=str(number))).result(10)
    kept = audit.entries(AuditQuery(kind="refused", limit=500))
    assert 5 < len(kept) < 30
    assert kept[0].peer == "299"
    assert audit.entries(AuditQuery(kind="write"))[0].actor == "the first"
    audit.close()


def test_old_entries_go(tmp_path: Path) -> None:
    clock, path = FakeClock(), tmp_path / "audit.sqlite"
    audit = SqliteAudit(path, clock, max_age_s=3600).open()
    audit.note(entry()).result(10)
    audit.close()
    clock.advance(minutes=59)
    audit = SqliteAudit(path, clock, max_age_s=3600).open()
    assert len(audit.entries(AuditQuery())) == 1
    audit.close()
    clock.advance(minutes=2)
    audit = SqliteAudit(path, clock, max_age_s=3600).open()
    assert audit.entries(AuditQuery()) == ()
    audit.close()


def test_many_entries_at_once_are_all_there_in_order(tmp_path: Path) -> None:
    path, clock = tmp_path / "audit.sqlite", FakeClock()
    audits = [SqliteAudit(path, clock).open() for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: audits[n % 2].note(entry(actor=str(n))).result(30), range(400)))
    found = audits[0].entries(AuditQuery(limit=500))
    assert sorted(int(one.actor) for one in found) == list(range(400))
    assert [one.number for one in found] == sorted((one.number for one in found), reverse=True)
    for audit in audits:
        audit.close()
    with pytest.raises(StoreUnavailable):
        audits[0].note(entry()).result(1)
    assert path.stat().st_mode & 0o077 == 0


def test_hostile_texts_are_cut_and_kept_as_text(tmp_path: Path) -> None:
    audit = SqliteAudit(tmp_path / "audit.sqlite", FakeClock()).open()
    ids = tuple("x" * 500 for _ in range(100))
    audit.note(entry(actor="a" * 1000, reason="'); DROP TABLE entry; --", ids=ids)).result(10)
    (found,) = audit.entries(AuditQuery())
    assert (len(found.actor), len(found.ids), len(found.ids[0])) == (200, 64, 200)
    assert found.reason.startswith("');")
    audit.close()
    assert sqlite3.connect(tmp_path / "audit.sqlite").execute("SELECT count(*) FROM entry").fetchone() == (1,)


def test_whoever_does_not_wait_for_its_entry_stops_nobody(tmp_path: Path) -> None:
    trail = SqliteAudit(tmp_path / "audit.sqlite", FakeClock()).open()
    gone = [trail.note(entry(ids=(f"I{number}",))) for number in range(200)]
    left = [future.cancel() for future in gone]
    assert any(left)
    trail.note(entry(ids=("last",))).result(timeout=30)
    assert len(trail.entries(AuditQuery(limit=500))) == 201
    trail.close()
