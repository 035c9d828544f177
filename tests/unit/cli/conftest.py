"""The command line as a person at a terminal has it, and a served site to speak to."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from aiops.cli.app import main
from aiops.client import Client
from tests.support.http_site import ADMIN
from tests.support.served_site import ServedSite, served_site

TOPOLOGY = {
    "source": "cmdb",
    "entities": [
        {"id": "service:shop", "kind": "Service", "name": "shop"},
        {"id": "host:h1", "kind": "Host", "name": "h1", "aliases": ["10.0.0.1"]},
    ],
    "relations": [{"from": "service:shop", "kind": "RUNS_ON", "to": "host:h1"}],
}


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


Ask = Callable[..., Said]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Ask:
    """``ask("incidents", "list")``: through ``main``, without anybody's configuration."""
    for name in ("AIOPS_SERVER", "AIOPS_TOKEN", "AIOPS_TOKEN_FILE", "AIOPS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def asked(*arguments: str, text: str = "") -> Said:
        monkeypatch.setattr(sys, "argv", ["aiops", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))
        capfd.readouterr()
        code = 0
        try:
            main()
        except SystemExit as left:
            code = int(left.code or 0)
        said = capfd.readouterr()
        return Said(code, said.out, said.err)

    return asked


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedSite]:
    """A served site with the little topology above."""
    with served_site(tmp_path_factory.mktemp("shop"), webhooks_allow_private=True) as site:
        with Client(site.address, ADMIN) as client:
            client.import_topology(TOPOLOGY)
        yield site


@pytest.fixture
def there(ask: Ask, shop: ServedSite, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """``ask`` with the served site and the administrator's token in the environment."""
    monkeypatch.setenv("AIOPS_SERVER", shop.address)
    monkeypatch.setenv("AIOPS_TOKEN", ADMIN)
    return ask
