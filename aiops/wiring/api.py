"""The HTTP surface, assembled and served."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from aiops import __version__
from aiops.api.access.idempotency import SqliteIdempotency
from aiops.api.access.tokens import SqliteTokenStore
from aiops.api.app import create_app
from aiops.api.services import ApiLimits, Health, IngestPort, Services, SourceReading, VersionInfo
from aiops.contracts import Clock, Corrector
from aiops.domain.analysis import Analysis
from aiops.domain.occurrences import Incident
from aiops.errors import AiopsError, ConfigError, StoreUnavailable
from aiops.packages import check_package_is_ours
from aiops.pipeline import Assumption, Pipeline
from aiops.reasoning.documents import analysis_document
from aiops.reasoning.rendering import render_markdown, render_text
from aiops.settings import Settings
from aiops.wiring.analysis import (
    load_catalogue,
    load_corrector,
    load_mapping,
    load_reloading_rules,
    make_pipeline,
)
from aiops.wiring.delivery_ports import WorkerPort
from aiops.wiring.loaded import keep_loaded
from aiops.wiring.site_rules import SiteRules
from aiops.wiring.stores import (
    ANSWERS_FILE,
    TOKEN_FILE,
    Stores,
    SystemClock,
    make_data_directory,
    open_dead_letters,
    open_stores,
)
from ingest.counters import IngestMetrics, Reading
from ingest.dead_letters import DeadLetterFile
from ingest.topology.documents import topology_document
from ingest.topology.netbox import read_netbox
from ingest.worker import IngestWorker
from rules.reload import ReloadingRuleEngine

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class PipelineAnalyze:
    """The API's :class:`aiops.api.services.Analyze`."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def __call__(
        self,
        incident: Incident,
        *,
        healthy: frozenset[str] = frozenset(),
        failed: frozenset[str] = frozenset(),
        stage: Callable[[str], None] | None = None,
    ) -> Analysis:
        return self._pipeline.analyze(incident, assume=Assumption(healthy=healthy, failed=failed))


class DocumentRenderers:
    """The API's :class:`aiops.api.services.Renderers`."""

    def document(self, analysis: Analysis) -> Mapping[str, object]:
        return analysis_document(analysis)

    def markdown(self, document: Mapping[str, object]) -> str:
        return render_markdown(dict(document))

    def text(self, document: Mapping[str, object]) -> str:
        return render_text(dict(document))


@dataclass(frozen=True, slots=True)
class Site:
    """An open process: the app, and the worker, stores and rules behind it."""

    app: FastAPI
    worker: IngestWorker
    stores: Stores
    rules: ReloadingRuleEngine


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask, what was answered, and what could not be used: files that every HTTP surface has."""

    tokens: SqliteTokenStore
    answers: SqliteIdempotency
    letters: DeadLetterFile


@contextmanager
def open_access(settings: Settings, clock: Clock) -> Iterator[Access]:
    """Opened, and closed on leaving. Raises :class:`AiopsError`, also where nobody could hold a token beyond loopback."""
    data = make_data_directory(settings)
    letters = open_dead_letters(settings)
    tokens, answers = (
        SqliteTokenStore(data / TOKEN_FILE, clock).open(),
        SqliteIdempotency(data / ANSWERS_FILE, clock).open(),
    )
    try:
        _prepare_access(settings, tokens)
        yield Access(tokens, answers, letters)
    finally:
        answers.close()
        tokens.close()
        letters.close()


@contextmanager
def open_site(settings: Settings, clock: Clock | None = None) -> Iterator[Site]:
    """Everything behind the HTTP surface, opened; closed on leaving. Raises :class:`AiopsError` on what is missing."""
    check_package_is_ours("rules")
    time = clock or SystemClock()
    rules, corrector = load_reloading_rules(settings), load_corrector(settings)
    stores = open_stores(settings, time)
    try:
        with open_access(settings, time) as access:
            worker = IngestWorker(
                stores.graph,
                stores.signals,
                load_mapping(settings),
                access.letters,
                time,
                catalogue=load_catalogue(settings),
            )
            registry = CollectorRegistry()
            registry.register(IngestMetrics(worker.reading))
            port = WorkerPort(worker, time)
            services = site_services(settings, stores, port, access, time, rules, corrector, registry)
            services = replace(services, sources=lambda: source_readings(worker.reading()))
            yield Site(create_app(services), worker, stores, rules)
    finally:
        stores.close()


def site_services(
    settings: Settings,
    stores: Stores,
    port: IngestPort,
    access: Access,
    clock: Clock,
    rules: ReloadingRuleEngine,
    corrector: Corrector | None,
    registry: CollectorRegistry,
) -> Services:
    """What the whole API stands on."""
    pipeline = make_pipeline(settings, stores.graph, stores.signals, rules=rules, corrector=corrector)
    return Services(
        graph=stores.graph,
        incidents=stores.incidents,
        ingest=port,
        analyze=PipelineAnalyze(pipeline),
        renderers=DocumentRenderers(),
        topology_document=topology_document,
        read_netbox=read_netbox,
        tokens=access.tokens,
        idempotency=access.answers,
        clock=clock,
        version=VersionInfo(
            __version__, rules=str(rules.version), model=corrector.model if corrector else None
        ),
        limits=limits_of(settings),
        rules=SiteRules(rules, settings, pipeline, None, clock),
        health={"graph": lambda: _graph_health(stores), "signals": lambda: _signal_health(stores)},
        signal_stats=stores.signals.stats,
        registry=registry,
    )


def source_readings(reading: Reading) -> tuple[SourceReading, ...]:
    """What came from each source, by name."""
    reasons: dict[str, dict[str, int]] = {}
    for (source, reason), count in reading.reject_reasons.items():
        reasons.setdefault(source, {})[reason] = count
    return tuple(
        SourceReading(
            name,
            reading.last_seen.get(name),
            *(taken.received, taken.stored, taken.rejected, taken.dropped),
            reasons.get(name, {}),
        )
        for name, taken in sorted(reading.sources.items())
    )


def limits_of(settings: Settings) -> ApiLimits:
    return ApiLimits(
        body_bytes=settings.max_body_bytes,
        analysis_workers=settings.analysis_workers,
        analysis_queue=settings.analysis_queue,
    )


def _graph_health(stores: Stores) -> Health:
    try:
        counts = stores.graph.counts()
    except AiopsError as error:
        return Health(False, error.message)
    return Health(True, f"{sum(n for name, n in counts.items() if name.startswith('entity:'))} entities")


def _signal_health(stores: Stores) -> Health:
    try:
        return Health(True, f"{stores.signals.stats().get('series', 0)} series")
    except AiopsError as error:
        return Health(False, error.message)


def _prepare_access(settings: Settings, tokens: SqliteTokenStore) -> None:
    """Refuse to listen beyond loopback where nobody could hold a token."""
    first = settings.secret("bootstrap_token")
    if first is not None:
        tokens.bootstrap(first)
    elif settings.host not in LOOPBACK and not any(record.revoked_at is None for record in tokens.records()):
        raise ConfigError(
            f"refusing to listen on {settings.host} while no token exists",
            hint="set AIOPS_BOOTSTRAP_TOKEN_FILE, or bind to 127.0.0.1",
        )


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises :class:`StoreUnavailable` naming the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StoreUnavailable(
            f"cannot listen on {host}:{port}: {error.strerror}", hint="take another with --port"
        ) from error
    return listener


def run_api(settings: Settings, *, announce: Callable[[str], None]) -> None:
    """Serve until a signal comes; requests that are running are answered first."""
    with open_site(settings) as site:
        listener = bind(settings.host, settings.port)
        host, port = listener.getsockname()[:2]
        config = uvicorn.Config(
            site.app, log_level="warning", server_header=False, timeout_graceful_shutdown=10
        )
        server = uvicorn.Server(config)
        for number in (signal.SIGINT, signal.SIGTERM):
            # The server raises the signal that ended it once more; then it has been obeyed already.
            signal.signal(number, lambda *_: setattr(server, "should_exit", True))
        signal.signal(
            signal.SIGHUP, lambda *_: threading.Thread(target=site.rules.reload, daemon=True).start()
        )
        keep_loaded()
        announce(f"aiops serves http://{host}:{port} (store {settings.store}, data {settings.data})")
        if settings.secret("bootstrap_token") is None and not site.app.state.services.tokens.records():
            announce(
                "no token exists: set AIOPS_BOOTSTRAP_TOKEN or _FILE to make the first one; every route but health wants one"
            )
        server.run(sockets=[listener])
