"""The HTTP surface, assembled and served."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, start_http_server

from aiops import __version__
from aiops.api.access.tokens import DEFAULT_TENANT
from aiops.api.app import create_app
from aiops.api.services import ApiLimits, Health, IngestPort, Protection, Services, SourceReading, VersionInfo
from aiops.contracts import Clock, Corrector
from aiops.errors import AiopsError, StoreUnavailable
from aiops.packages import check_package_is_ours
from aiops.reasoning.history import RememberedHistory
from aiops.settings import Settings
from aiops.web.pages import page_routes
from aiops.wiring.access import Access, audit_health, open_access
from aiops.wiring.analysis import (
    load_catalogue,
    load_corrector,
    load_mapping,
    load_reloading_rules,
    make_pipeline,
)
from aiops.wiring.answers import DocumentRenderers, PipelineAnalyze, PipelineInfer
from aiops.wiring.delivery_ports import WorkerPort
from aiops.wiring.http_server import bind, hosts_allowed, make_server, renew_certificate
from aiops.wiring.keeper import start_keeper
from aiops.wiring.loaded import keep_loaded
from aiops.wiring.rpc_server import serve_rpc
from aiops.wiring.site_metrics import Held, SiteMetrics
from aiops.wiring.site_rules import SiteRules
from aiops.wiring.stores import (
    Stores,
    SystemClock,
    open_dead_letters,
    open_stores,
)
from aiops.wiring.surroundings import surroundings
from aiops.wiring.tenants import TenantSite, TenantSites, sum_readings
from aiops.wiring.webhooks import SendWebhooks, open_webhooks
from ingest.counters import IngestMetrics, Reading
from ingest.topology.documents import topology_document
from ingest.topology.netbox import read_netbox
from ingest.worker import IngestWorker
from rules.reload import ReloadingRuleEngine


@dataclass(frozen=True, slots=True)
class Site:
    """An open process: the app, the rules, all tenants; ``worker`` and ``stores`` are the default tenant's."""

    app: FastAPI
    worker: IngestWorker
    stores: Stores
    rules: ReloadingRuleEngine
    tenants: TenantSites
    access: Access


@contextmanager
def open_site(settings: Settings, clock: Clock | None = None) -> Iterator[Site]:
    """Everything behind the HTTP surface, opened; closed on leaving. Raises :class:`AiopsError` on what is missing."""
    check_package_is_ours("rules")
    time = clock or SystemClock()
    rules, corrector = load_reloading_rules(settings), load_corrector(settings)
    registry = CollectorRegistry()
    with open_access(settings, time) as access:

        def open_one(tenant: str) -> TenantSite:
            return _open_tenant(settings, tenant, access, time, rules, corrector, registry)

        tenants = TenantSites(open_one, limit=settings.tenants_max)
        try:
            own = tenants.site(DEFAULT_TENANT)
            registry.register(
                IngestMetrics(lambda: sum_readings([site.worker.reading() for site in tenants.opened()]))
            )
            registry.register(
                SiteMetrics(
                    lambda: [
                        Held(site.tenant, site.stores.graph, site.stores.incidents)
                        for site in tenants.opened()
                    ],
                    time,
                )
            )
            app = create_app(own.services, tenants=tenants, pages=page_routes())
            try:
                yield Site(app, own.worker, own.stores, rules, tenants, access)
            finally:
                app.state.desks.close()
        finally:
            tenants.close()


def _open_tenant(
    settings: Settings,
    tenant: str,
    access: Access,
    clock: Clock,
    rules: ReloadingRuleEngine,
    corrector: Corrector | None,
    registry: CollectorRegistry,
) -> TenantSite:
    """Rules, model and what belongs to the process are shared; stores and dead letters are not."""
    with ExitStack() as stack:
        stores = open_stores(settings, clock, tenant)
        stack.callback(stores.close)
        letters = access.letters if tenant == DEFAULT_TENANT else open_dead_letters(settings, tenant)
        worker = IngestWorker(
            stores.graph,
            stores.signals,
            load_mapping(settings),
            letters,
            clock,
            catalogue=load_catalogue(settings),
        )
        port = WorkerPort(worker, clock)
        services = site_services(
            settings, stores, port, access, clock, rules, corrector, registry, tenant=tenant
        )
        webhooks = open_webhooks(settings, tenant, stores.incidents, clock)
        services = replace(services, sources=lambda: source_readings(worker.reading()), webhooks=webhooks)
        stack.pop_all()
        return TenantSite(tenant, stores, letters, worker, services)


def site_services(
    settings: Settings,
    stores: Stores,
    port: IngestPort,
    access: Access,
    clock: Clock,
    rules: ReloadingRuleEngine,
    corrector: Corrector | None,
    registry: CollectorRegistry,
    *,
    tenant: str = DEFAULT_TENANT,
) -> Services:
    """What the whole API stands on, for one tenant."""
    pipeline = make_pipeline(
        settings,
        surroundings(settings, stores.graph),
        stores.signals,
        rules=rules,
        corrector=corrector,
        history=RememberedHistory(stores.incidents),
    )
    return Services(
        graph=stores.graph,
        incidents=stores.incidents,
        ingest=port,
        analyze=PipelineAnalyze(pipeline),
        infer=PipelineInfer(pipeline),
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
        rules=SiteRules(rules, settings, pipeline, stores.incidents, clock),
        health={
            "graph": lambda: _graph_health(stores),
            "signals": lambda: _signal_health(stores),
            "audit": lambda: audit_health(access),
        },
        signal_stats=stores.signals.stats,
        registry=registry,
        tenant=tenant,
        protection=Protection(hosts_allowed(settings), metrics=settings.metrics_port is None),
        audit=access.audit,
        rates=access.rates,
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


def run_api(settings: Settings, *, announce: Callable[[str], None], fd: int | None = None) -> None:
    """Serve until a signal comes; requests that are running are answered first. ``fd``: of a socket that is bound already."""
    with ExitStack() as stack:
        site = stack.enter_context(open_site(settings))
        listener = bind(settings.host, settings.port) if fd is None else socket.socket(fileno=fd)
        host, port = listener.getsockname()[:2]
        server = make_server(site.app, settings)
        for number in (signal.SIGINT, signal.SIGTERM):
            # The server raises the signal that ended it once more; then it has been obeyed already.
            signal.signal(number, lambda *_: setattr(server, "should_exit", True))

        def take_up() -> None:
            site.rules.reload()
            renew_certificate(server, settings)

        signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=take_up, daemon=True).start())
        site.tenants.attach(lambda tenant: start_keeper(settings, tenant, site.app.state.metrics))
        records = site.access.tokens.records()
        site.tenants.open_all(sorted({record.tenant for record in records if record.revoked_at is None}))
        site.tenants.attach(SendWebhooks(site.app.state.services.registry))
        if settings.metrics_port is not None:
            place = stack.enter_context(serve_metrics(settings, site.app.state.services.registry))
            announce(f"metrics at {place}")
        if settings.grpc_port is not None:
            announce(f"gRPC at {stack.enter_context(serve_rpc(settings, site.app))}")
        keep_loaded()
        scheme = "http" if settings.tls_cert is None else "https"
        announce(f"aiops serves {scheme}://{host}:{port} (store {settings.store}, data {settings.data})")
        if settings.secret("bootstrap_token") is None and not records:
            announce(
                "no token exists: set AIOPS_BOOTSTRAP_TOKEN or _FILE to make the first one; every route but health wants one"
            )
        server.run(sockets=[listener])


@contextmanager
def serve_metrics(settings: Settings, registry: CollectorRegistry) -> Iterator[str]:
    """``/metrics`` at an address of its own, which is given. Raises :class:`StoreUnavailable` where it is taken."""
    assert settings.metrics_port is not None
    try:
        server, thread = start_http_server(settings.metrics_port, settings.metrics_host, registry)
    except OSError as error:
        raise StoreUnavailable(
            f"cannot listen on {settings.metrics_host}:{settings.metrics_port}: {error.strerror}",
            hint="take another AIOPS_METRICS_PORT",
        ) from error
    try:
        host, port = server.server_address[:2]
        yield f"http://{host!s}:{port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
