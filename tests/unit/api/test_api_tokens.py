"""Tokens: their store, and the routes that administer them."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from aiops.api.access import tokens as tokens_module
from aiops.api.access.tokens import SqliteTokenStore
from aiops.api.app import create_app
from aiops.errors import ConfigError, StoreUnavailable
from tests.support.api_client import ApiClient
from tests.support.api_fakes import ADMIN, FakeClock, FakeSite


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
