"""Nothing is asked of the outside: no socket connects to anything but loopback, and no name is looked up."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aiops.cli.app import app
from tests.support.http_site import alert, http_site, ranked, site_settings, topology

CASES = Path(__file__).parents[1] / "golden" / "cases"


def outside(address: object) -> bool:
    """Whether an address is beyond this machine; a path of a local socket is not."""
    if not isinstance(address, tuple):
        return False
    try:
        return not ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        return str(address[0]) != "localhost"


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every attempt to reach the outside, each refused."""
    tried: list[object] = []

    class Watched(socket.socket):
        def connect(self, address: Any) -> None:
            self._look(address)
            super().connect(address)

        def connect_ex(self, address: Any) -> int:
            self._look(address)
            return super().connect_ex(address)

        def _look(self, address: object) -> None:
            if outside(address):
                tried.append(address)
                raise ConnectionRefusedError(f"the outside is out of bounds: {address}")

    real = socket.getaddrinfo

    def look_up(host: Any, *arguments: Any, **more: Any) -> Any:
        if outside((host or "127.0.0.1",)):
            tried.append(host)
            raise socket.gaierror(f"the outside is out of bounds: {host}")
        return real(host, *arguments, **more)

    monkeypatch.setattr(socket, "socket", Watched)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return tried


def test_the_watch_sees_what_it_is_there_for(attempts: list[object]) -> None:
    with socket.socket() as sock, pytest.raises(ConnectionRefusedError, match="out of bounds"):
        sock.connect(("192.0.2.1", 80))
    with pytest.raises(socket.gaierror, match="out of bounds"):
        socket.getaddrinfo("outside.invalid", 443)
    assert attempts == [("192.0.2.1", 80), "outside.invalid"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("demo", "--no-model", "-o", "json"),
        ("analyze", "--case", str(CASES / "late-parent"), "--no-model"),
        ("doctor", "--port", "0"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_no_command_reaches_outside(
    attempts: list[object], arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIOPS_DATA", str(tmp_path))
    monkeypatch.setenv("AIOPS_MODEL_ENABLED", "false")
    result = CliRunner().invoke(app, list(arguments))
    assert (result.exit_code, attempts) == (0, []), result.output


def test_no_incident_reaches_outside(attempts: list[object], tmp_path: Path) -> None:
    with http_site(site_settings(tmp_path)) as site:
        site.learn(topology(["host:web-1 DEPENDS_ON device:core"]))
        given = alert("device:core", 0, runbook_url="http://runbooks.test/core")
        site.alerts(given, alert("host:web-1", 4, "Unreachable"))
        links = [{"rel": "ticket", "href": "https://tickets.test/7"}]
        assert ranked(site.analysis("host:web-1", links=links))[0] == "device:core"
    assert attempts == []
