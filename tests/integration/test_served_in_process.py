"""``run_api`` and ``run_ingest`` in this process: they own the main thread and its signals, as in production."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from aiops.errors import ConfigError, StoreUnavailable
from aiops.settings import Settings, load_settings
from aiops.wiring.api import open_site, run_api
from aiops.wiring.config import DaemonConfig
from aiops.wiring.daemon import run_ingest
from aiops.wiring.daemon_options import Options, address
from aiops.wiring.http_server import bind
from aiops.wiring.sources import make_sources
from ingest.config_file import parse_config
from tests.support.http_site import ADMIN, site_settings
from tests.support.processes import exposition


def daemon(settings: Settings, options: Options) -> DaemonConfig:
    return DaemonConfig(parse_config("", "", {}, options.values()), settings)


HEADERS = {"Authorization": f"Bearer {ADMIN}"}


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


class Conversation:
    """Runs ``talk`` in a thread once something was announced, then ends the server with SIGTERM."""

    def __init__(self, word: str, talk: Callable[[str], None]) -> None:
        self.said: list[str] = []
        self._word = word
        self._talk = talk
        self._begun = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def announce(self, text: str) -> None:
        self.said.append(text)
        if self._word in text:
            self._begun.set()

    def _run(self) -> None:
        try:
            assert self._begun.wait(60), self.said
            self._talk("\n".join(self.said))
        except BaseException as error:  # noqa: BLE001  handed to the test's own thread by close()
            self._failure = error
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    def close(self) -> None:
        self._begun.set()
        self._thread.join(60)
        if self._failure is not None:
            raise self._failure


def converse(
    word: str, talk: Callable[[str], None], serve: Callable[[Callable[[str], None]], None]
) -> list[str]:
    signal.signal(signal.SIGTERM, lambda *_: None)
    conversation = Conversation(word, talk)
    try:
        serve(conversation.announce)
    finally:
        conversation.close()
    return conversation.said


def test_the_api_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    answers: list[int] = []

    def talk(said: str) -> None:
        address = said.split()[2]
        with httpx.Client(base_url=address, trust_env=False, timeout=30.0) as client:
            answers.extend(
                client.get(path).status_code for path in ("/readyz", "/healthz", "/api/v1/incidents")
            )
            answers.append(client.get("/api/v1/incidents", headers=HEADERS).status_code)

    settings = site_settings(tmp_path, port=0)
    said = converse("serves", talk, lambda announce: run_api(settings, announce=announce))
    assert answers == [200, 200, 401, 200]
    assert len(said) == 1


def test_a_server_without_a_token_says_how_to_make_one(tmp_path: Path) -> None:
    settings = load_settings(data=tmp_path, port=0, model_enabled=False)
    said = converse("no token exists", lambda _: None, lambda announce: run_api(settings, announce=announce))
    assert "AIOPS_BOOTSTRAP_TOKEN" in said[1]


def test_a_server_without_a_token_does_not_leave_loopback(tmp_path: Path) -> None:
    settings = load_settings(data=tmp_path, host="0.0.0.0", model_enabled=False)
    with pytest.raises(ConfigError, match="refusing to listen"), open_site(settings):
        pass
    inside = daemon(load_settings(data=tmp_path, model_enabled=False), Options(http="0.0.0.0:0"))
    with pytest.raises(ConfigError, match="refusing to listen"):
        run_ingest(inside, announce=lambda _: None)


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with socket.socket() as second, pytest.raises(OSError, match="in use"):
            second.bind(("127.0.0.1", port))
        with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{port}"):
            bind("127.0.0.1", port)
        taken = daemon(site_settings(tmp_path), Options(syslog_tcp=f"127.0.0.1:{port}"))
        with pytest.raises(StoreUnavailable, match="cannot listen"):
            run_ingest(taken, announce=lambda _: None)


def test_the_daemon_takes_what_comes_and_says_its_sums(tmp_path: Path) -> None:
    def talk(said: str) -> None:
        udp = int(said.split("syslog-udp 127.0.0.1:")[1].split(",")[0])
        web = said.split("http ")[1].split()[0]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for number in range(3):
                sock.sendto(f"<11>Nov 22 10:00:0{number} web-1 app: failed".encode(), ("127.0.0.1", udp))
        with httpx.Client(base_url=f"http://{web}", trust_env=False, timeout=30.0, headers=HEADERS) as client:
            deadline = time.monotonic() + 40
            while True:
                held = client.get("/api/v1/stats").json()["signals"]
                if held["logs"] == 3 and held["samples"] >= 2:
                    break
                assert time.monotonic() < deadline, held
                time.sleep(0.1)
            own = client.get("/metrics").text
        assert "aiops_ingest" in own

    with exposition("up_since 1\nload 0.5\n") as target:
        options = Options(None, "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", (f"app={target}",), 1.0)
        whole = daemon(site_settings(tmp_path), options)
        said = converse("ingests", talk, lambda announce: run_ingest(whole, announce=announce))
    assert "syslog-udp: 3 received = 3 stored + 0 rejected + 0 dropped" in said
    assert any(line.startswith("scrape: ") for line in said)


@pytest.mark.parametrize(
    "text", ["5514", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000", "127.0.0.1:\u0665"]
)
def test_an_address_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match="--syslog-udp"):
        address(text, "--syslog-udp")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127.0.0.1:5514", "127.0.0.1:5514"), ("[::1]:514", "[::1]:514"), (":0", "127.0.0.1:0")],
)
def test_addresses(text: str, expected: str) -> None:
    assert address(text, "--http") == expected


@pytest.mark.parametrize(
    "text", ["http://h:1/metrics", "job=", "=http://h/", "job=ftp://h/", "job=http:///x"]
)
def test_a_scrape_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match="--scrape"):
        Options(scrape=(text,)).values()


def test_a_plan_makes_only_what_it_names() -> None:
    assert named(Options()) == []
    plan = Options(syslog_udp="127.0.0.1:0", scrape=("a=http://127.0.0.1:1/metrics",))
    assert named(plan) == ["syslog-udp", "scrape"]


def named(options: Options) -> list[str]:
    whole = daemon(load_settings(), options)
    return [source.name for source in make_sources(whole.config, whole.settings)]
