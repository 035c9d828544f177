"""The HTTP surface, assembled and served."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from aiops import __version__
from aiops.api.app import create_app
from aiops.api.idempotency import SqliteIdempotency
from aiops.api.services import ApiLimits, Health, IngestCounts, Services, VersionInfo
from aiops.api.tokens import SqliteTokenStore
from aiops.contracts import ApplyResult, Clock, Corrector
from aiops.domain.analysis import Analysis
from aiops.domain.occurrences import Change, Incident
from aiops.errors import AiopsError, ConfigError, StoreUnavailable
from aiops.packages import check_package_is_ours
from aiops.pipeline import Assumption, Pipeline
from aiops.reasoning.documents import analysis_document
from aiops.reasoning.rendering import render_markdown, render_text
from aiops.settings import Settings
from aiops.wiring.analysis import load_corrector, load_mapping, load_reloading_rules, make_pipeline
from aiops.wiring.loaded import keep_loaded
from aiops.wiring.stores import (
    ANSWERS_FILE,
    TOKEN_FILE,
    Stores,
    SystemClock,
    make_data_directory,
    open_dead_letters,
    open_stores,
)
from ingest.counters import IngestMetrics, Taken
from ingest.parsers.alertmanager import AlertBatch, parse_v2_alerts, parse_webhook
from ingest.parsers.remote_write import RemoteWriteDecoder
from ingest.topology.documents import topology_document
from ingest.worker import IngestWorker
from rules.reload import ReloadingRuleEngine

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class WorkerPort:
    """The API's :class:`aiops.api.services.IngestPort` over the ingest worker."""

    def __init__(self, worker: IngestWorker, clock: Clock) -> None:
        self._worker = worker
        self._clock = clock
        self._decoder = RemoteWriteDecoder()

    def take_remote_write(self, body: bytes, headers: Mapping[str, str]) -> IngestCounts:  # noqa: ARG002  1.0 needs none
        batch = self._decoder.decode(body, source="remote-write", received_at_s=self._now_s())
        return _counts(self._worker.take_samples(batch))

    def take_webhook(self, body: bytes) -> IngestCounts:
        return self._alerts(parse_webhook(body, received_at_s=self._now_s()), "alertmanager")

    def take_v2_alerts(self, body: bytes) -> IngestCounts:
        return self._alerts(parse_v2_alerts(body, received_at_s=self._now_s()), "alerts-v2")

    def take_topology(self, document: Mapping[str, object]) -> ApplyResult:
        applied = self._worker.take_topology(document, at=self._clock.now()).applied
        assert applied is not None  # a refused document raises
        return applied

    def take_changes(self, changes: Sequence[Change]) -> IngestCounts:
        return _counts(self._worker.take_changes(changes))

    def resolve_labels(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        return self._worker.candidates(labels)

    def _alerts(self, batch: AlertBatch, source: str) -> IngestCounts:
        taken = self._worker.take_alerts(batch, source=source)
        named = {self._worker.entity_of(alert.labels) for alert in batch.alerts}
        entities = tuple(sorted(name for name in named if name is not None))
        return _counts(
            taken, entities=entities, reasons=tuple(reject.reason for reject in batch.rejects[:10])
        )

    def _now_s(self) -> float:
        return self._clock.now().timestamp()


def _counts(taken: Taken, *, entities: tuple[str, ...] = (), reasons: tuple[str, ...] = ()) -> IngestCounts:
    return IngestCounts(taken.received, taken.stored, taken.rejected, taken.dropped, entities, reasons)


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


@contextmanager
def open_site(
    settings: Settings, clock: Clock | None = None, *, queue_bytes: Callable[[], int] = lambda: 0
) -> Iterator[Site]:
    """Everything behind the HTTP surface, opened; closed on leaving. ``queue_bytes`` is what waits before the worker.

    Raises :class:`AiopsError` on what is missing.
    """
    check_package_is_ours("rules")
    time = clock or SystemClock()
    rules, corrector = load_reloading_rules(settings), load_corrector(settings)
    stores = open_stores(settings, time)
    data = make_data_directory(settings)
    letters = open_dead_letters(settings)
    tokens, answers = (
        SqliteTokenStore(data / TOKEN_FILE, time).open(),
        SqliteIdempotency(data / ANSWERS_FILE, time).open(),
    )
    try:
        _prepare_access(settings, tokens)
        worker = IngestWorker(stores.graph, stores.signals, load_mapping(settings), letters, time)
        registry = CollectorRegistry()
        registry.register(IngestMetrics(lambda: worker.reading(queue_bytes=queue_bytes())))
        services = _services(settings, stores, worker, tokens, answers, time, rules, corrector, registry)
        yield Site(create_app(services), worker, stores, rules)
    finally:
        answers.close()
        tokens.close()
        letters.close()
        stores.close()


def _services(
    settings: Settings,
    stores: Stores,
    worker: IngestWorker,
    tokens: SqliteTokenStore,
    answers: SqliteIdempotency,
    clock: Clock,
    rules: ReloadingRuleEngine,
    corrector: Corrector | None,
    registry: CollectorRegistry,
) -> Services:
    pipeline = make_pipeline(settings, stores.graph, stores.signals, rules=rules, corrector=corrector)
    return Services(
        graph=stores.graph,
        incidents=stores.incidents,
        ingest=WorkerPort(worker, clock),
        analyze=PipelineAnalyze(pipeline),
        renderers=DocumentRenderers(),
        topology_document=topology_document,
        tokens=tokens,
        idempotency=answers,
        clock=clock,
        version=VersionInfo(
            __version__, rules=str(rules.version), model=corrector.model if corrector else None
        ),
        limits=ApiLimits(
            body_bytes=settings.max_body_bytes,
            analysis_workers=settings.analysis_workers,
            analysis_queue=settings.analysis_queue,
        ),
        health={"graph": lambda: _graph_health(stores), "signals": lambda: _signal_health(stores)},
        signal_stats=stores.signals.stats,
        registry=registry,
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
