"""The streaming daemon, assembled and run until a signal comes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import uvicorn

from aiops.errors import ConfigError, StoreUnavailable
from aiops.settings import Settings
from aiops.wiring.api import Site, bind, open_site
from aiops.wiring.loaded import keep_loaded
from aiops.wiring.stores import SystemClock
from ingest.daemon import run_daemon
from ingest.sources.inbox import Inbox, Source
from ingest.sources.scrape import Scraper, ScrapeTarget
from ingest.sources.syslog_tcp import SyslogTcp
from ingest.sources.syslog_udp import SyslogUdp


@dataclass(frozen=True, slots=True)
class DaemonPlan:
    """What the daemon listens to: ``ADDRESS:PORT`` for the listeners, ``JOB=URL`` for each scrape."""

    syslog_udp: str | None = None
    syslog_tcp: str | None = None
    http: str | None = None
    scrape: tuple[str, ...] = ()
    scrape_interval_s: float = 15.0


def split_address(text: str, option: str) -> tuple[str, int]:
    """``127.0.0.1:5514``, ``[::1]:5514`` or ``:5514`` (loopback). Raises :class:`ConfigError` naming the option."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"{option} {text!r} is no ADDRESS:PORT", hint="for example 127.0.0.1:5514")
    return host.strip("[]") or "127.0.0.1", int(port)


def scrape_target(text: str, interval_s: float) -> ScrapeTarget:
    """``node=http://10.0.0.1:9100/metrics``. Raises :class:`ConfigError`."""
    job, equals, url = text.partition("=")
    parts = urlsplit(url)
    if not equals or not job or parts.scheme not in ("http", "https") or not parts.netloc:
        raise ConfigError(
            f"--scrape {text!r} is no JOB=URL", hint="for example node=http://10.0.0.1:9100/metrics"
        )
    return ScrapeTarget(url=url, job=job, interval_s=interval_s, timeout_s=min(10.0, interval_s))


def make_sources(plan: DaemonPlan) -> list[Source]:
    """The sources of a plan, not started yet."""
    sources: list[Source] = []
    if plan.syslog_udp:
        sources.append(SyslogUdp(*split_address(plan.syslog_udp, "--syslog-udp")))
    if plan.syslog_tcp:
        sources.append(SyslogTcp(*split_address(plan.syslog_tcp, "--syslog-tcp")))
    if plan.scrape:
        sources.append(Scraper([scrape_target(text, plan.scrape_interval_s) for text in plan.scrape]))
    return sources


def run_ingest(settings: Settings, plan: DaemonPlan, *, announce: Callable[[str], None]) -> None:
    """Run until SIGINT or SIGTERM; then sources stop, and what they brought is stored."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    sources, inbox = make_sources(plan), Inbox()
    if plan.http is not None:
        settings = settings.model_copy(update={"host": split_address(plan.http, "--http")[0]})
    with open_site(settings, queue_bytes=lambda: inbox.size_bytes) as site:
        keep_loaded()
        with _http(site, plan.http, announce):
            try:
                run_daemon(
                    sources,
                    site.worker,
                    clock=SystemClock(),
                    stop=stop,
                    inbox=inbox,
                    ready=lambda: announce(_listening(sources, settings)),
                )
            except OSError as error:
                raise StoreUnavailable(
                    f"a source cannot listen: {error.strerror}", hint="is the port taken?"
                ) from error
        for source, taken in sorted(site.worker.counters().items()):
            announce(
                f"{source}: {taken.received} received = {taken.stored} stored"
                f" + {taken.rejected} rejected + {taken.dropped} dropped"
            )


def _listening(sources: list[Source], settings: Settings) -> str:
    places = [
        f"{source.name} {':'.join(map(str, source.address))}"
        for source in sources
        if hasattr(source, "address")
    ]
    return f"aiops ingests {', '.join(places) or 'scrapes'} into {settings.store} at {settings.data}"


@contextmanager
def _http(site: Site, address: str | None, announce: Callable[[str], None]) -> Iterator[None]:
    """The HTTP surface beside the sources, over the same worker, where ``address`` is given."""
    if address is None:
        yield
        return
    listener = bind(*split_address(address, "--http"))
    announce("http " + ":".join(str(part) for part in listener.getsockname()[:2]))
    server = uvicorn.Server(uvicorn.Config(site.app, log_level="warning", server_header=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="http", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=15.0)
