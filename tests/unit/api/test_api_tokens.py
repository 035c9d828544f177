"""Tokens: the store, and every route of the OpenAPI document without, with a wrong, an expired, a too narrow token."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path

import pytest

from aiops.api.access import tokens as tokens_module
from aiops.api.access.tokens import SCOPES, SqliteTokenStore
from aiops.api.app import create_app
from aiops.errors import ConfigError, StoreUnavailable
from tests.support.api_client import ApiClient
from tests.support.api_fakes import ADMIN, START, FakeClock, FakeSite, fake_site


def _operations() -> list[tuple[str, str, str | None]]:
    """(method, path, scope) of every operation; scope None: public."""
    made = fake_site()
    found = []
    for path, operations in create_app(made.services).openapi()["paths"].items():
        for method, operation in operations.items():
            security = operation["security"]
            found.append((method.upper(), path, security[0]["bearer"][0] if security else None))
    made.close()
    return sorted(found, key=str)


OPERATIONS = _operations()
GUARDED = [(method, path, scope) for method, path, scope in OPERATIONS if scope is not None]
PUBLIC = {path for _, path, scope in OPERATIONS if scope is None}


def test_only_operations_are_public() -> None:
    assert {"/healthz", "/readyz", "/-/healthy", "/-/ready", "/metrics", "/version"} == PUBLIC


def _concrete(path: str) -> str:
    for name in ("incident_id", "entity_id", "prefix", "number"):
        path = path.replace(f"{{{name}}}", "1")
    return path


@pytest.mark.parametrize(("method", "path", "scope"), GUARDED, ids=lambda value: str(value))
def test_every_guarded_route_refuses_before_it_reads(method: str, path: str, scope: str) -> None:
    site = fake_site()
    app = create_app(site.services)
    client = ApiClient(app)
    expiring = site.token(scope, expires_at=START + timedelta(hours=1))
    narrow = (
        site.token(*(other for other in SCOPES if other not in (scope, "admin")))
        if scope != "admin"
        else None
    )
    if scope == "admin":
        narrow = site.token(*(other for other in SCOPES if other != "admin"))
    revoked = site.token(scope)
    site.tokens.revoke(revoked.split("_")[1])
    exact = site.token(scope)
    site.clock.advance(hours=2)
    wrong = f"{exact[:-4]}AAAA"
    body = b"{" * 50
    cases = [(None, 401), (wrong, 401), (expiring, 401), (revoked, 401), ("aiops_x", 401), (narrow, 403)]
    for token, status in cases:
        headers = {
            "Content-Type": "application/json",
            **({"Authorization": f"Bearer {token}"} if token else {}),
        }
        answer = client.ask(method, _concrete(path), headers=headers, content=body)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
        assert ("www-authenticate" in answer.headers) == (status == 401)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {exact}"}
    accepted = client.ask(method, _concrete(path), headers=headers, content=body)
    assert accepted.status_code not in (401, 403)
    assert client.ask(method, f"{_concrete(path)}?token={exact}", content=body).status_code == 401
    client.close()
    app.state.desk.close()
    site.close()


def _basic(text: bytes) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(text).decode()}"}


def test_basic_takes_the_token_as_password(site: FakeSite) -> None:
    client = ApiClient(create_app(site.services))
    assert client.get("/api/v1/stats", headers=_basic(f"prometheus:{ADMIN}".encode())).status_code == 200
    for headers in (
        _basic(ADMIN.encode()),
        _basic(b"prometheus:"),
        _basic(b"\xff:\xff"),
        {"Authorization": "Basic ???"},
        {"Authorization": f"Digest {ADMIN}"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {'x' * 600}"},
    ):
        assert client.get("/api/v1/stats", headers=headers).status_code == 401
    client.close()


def test_tokens_are_made_listed_and_revoked(client: ApiClient) -> None:
    asked = {"name": "prometheus", "scopes": ["ingest:write"], "expires_at": "2026-12-01T00:00:00Z"}
    made = client.post("/api/v1/tokens", json=asked)
    token = made.json()["token"]
    assert (made.status_code, made.json()["scopes"]) == (201, ["ingest:write"])
    assert token.startswith(f"aiops_{made.json()['prefix']}_")
    with_it = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/v2/status", headers=with_it).status_code == 200
    assert client.get("/api/v1/stats", headers=with_it).json()["scope"] == "topology:read"
    listed = client.get("/api/v1/tokens")
    assert {item["name"] for item in listed.json()["items"]} == {"bootstrap", "prometheus"}
    assert token not in listed.text
    assert client.delete(made.headers["location"]).status_code == 204
    assert client.delete(made.headers["location"]).status_code == 204
    assert client.delete("/api/v1/tokens/none").status_code == 404
    assert client.get("/api/v2/status", headers=with_it).status_code == 401
    late = client.post("/api/v1/tokens", json={**asked, "expires_at": "2026-11-01T00:00:00Z"})
    assert late.json()["errors"][0]["pointer"] == "/expires_at"
    for wrong in ({"scopes": ["everything"]}, {"scopes": []}, {"name": ""}):
        assert client.post("/api/v1/tokens", json={**asked, **wrong}).status_code == 422


def test_the_file_holds_no_secret_and_survives(tmp_path: Path) -> None:
    clock, path = FakeClock(), tmp_path / "tokens.db"
    store = SqliteTokenStore(path, clock, cost=16).open()
    store.bootstrap(ADMIN)
    record, token = store.issue("p", ["ingest:write"], None)
    store.close()
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert token.split("_", 2)[2].encode() not in kept
    assert ADMIN.encode() not in kept
    assert path.stat().st_mode & 0o077 == 0
    again = SqliteTokenStore(path, clock, cost=16).open()
    assert again.verify(token) == record
    assert again.verify(ADMIN) is not None
    again.close()
    with pytest.raises(StoreUnavailable):
        again.verify(token)


def test_bootstrap_is_repeatable_and_a_new_one_ends_the_old() -> None:
    store = SqliteTokenStore(":memory:", FakeClock(), cost=16).open()
    first = store.bootstrap(ADMIN)
    assert store.bootstrap(ADMIN) == first
    assert store.bootstrap("any text will do").prefix == "bootstrap"
    assert store.verify(ADMIN) is None
    admin = store.verify("any text will do")
    assert admin is not None
    assert admin.allows("topology:write")
    assert store.bootstrap("another text") == store.verify("another text")
    assert store.verify("any text will do") is None
    for wrong in ("short", "x" * 600, "with\nnewline"):
        with pytest.raises(ConfigError):
            store.bootstrap(wrong)
    store.close()


def test_verified_tokens_cost_no_scrypt_again(monkeypatch: pytest.MonkeyPatch) -> None:
    spent: list[str] = []
    real = tokens_module._scrypt

    def counted(token: str, salt: bytes, cost: int) -> bytes:
        spent.append(token)
        return real(token, salt, cost)

    store = SqliteTokenStore(":memory:", FakeClock(), remembered=2, cost=16).open()
    _, token = store.issue("p", ["ingest:write"], None)
    monkeypatch.setattr(tokens_module, "_scrypt", counted)
    for _ in range(5):
        assert store.verify(token) is not None
        assert store.verify(f"{token[:-4]}AAAA") is None
        assert store.verify("aiops_0000000000_unknownprefixunknown") is None
    assert len(spent) == 2
    for tail in ("BBBB", "CCCC"):
        store.verify(token[:-4] + tail)
    store.verify(token)
    assert len(spent) == 5
    store.close()


def test_scopes_and_bounds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store = SqliteTokenStore(":memory:", FakeClock(), cost=16).open()
    for wrong in (["root"], []):
        with pytest.raises(ValueError, match="scopes"):
            store.issue("p", wrong, None)
    monkeypatch.setattr(tokens_module, "MAX_TOKENS", 0)
    with pytest.raises(StoreUnavailable):
        store.issue("p", ["admin"], None)
    assert store.revoke("none") is False
    assert store.verify("") is None
    store.close()
    with pytest.raises(StoreUnavailable):
        SqliteTokenStore(tmp_path / "no" / "such", FakeClock()).open()
