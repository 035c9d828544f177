"""The streaming daemon, assembled and run until a signal comes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace

import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from aiops import __version__
from aiops.api.app import create_app
from aiops.api.services import Health, Protection, Services, VersionInfo
from aiops.contracts import Clock
from aiops.domain.analysis import Analysis
from aiops.domain.occurrences import Incident
from aiops.domain.progress import Watch, unwatched
from aiops.errors import AiopsError, StoreUnavailable
from aiops.packages import check_package_is_ours
from aiops.settings import Settings
from aiops.store.memory import MemoryGraphStore
from aiops.wiring.access import Access, audit_health, open_access
from aiops.wiring.analysis import load_catalogue, load_corrector, load_mapping, load_reloading_rules
from aiops.wiring.answers import DocumentRenderers
from aiops.wiring.api import limits_of, site_services
from aiops.wiring.config import DaemonConfig
from aiops.wiring.delivery_ports import JournalPort
from aiops.wiring.http_listener import HttpListener
from aiops.wiring.http_server import hosts_allowed
from aiops.wiring.journals import Connect, OpenJournal, open_journal, shipped_topics
from aiops.wiring.loaded import keep_loaded
from aiops.wiring.service_manager import ServiceManager
from aiops.wiring.sources import make_sources
from aiops.wiring.stores import Stores, SystemClock, open_stores
from ingest.config import IngestConfig
from ingest.counters import IngestMetrics, Reading, Taken
from ingest.daemon import Processing, Receiving, run_daemon
from ingest.daemon import totals as sum_up
from ingest.daemon_metrics import DaemonMetrics, HeldReading, ReceiveCounters, sum_readings
from ingest.journal.envelopes import unpack
from ingest.journal.seams import Partition
from ingest.processor import Pace, Processor
from ingest.record_keys import LOGS
from ingest.recorder import Recorder
from ingest.retention import GraphRetention
from ingest.shipped import shipped_processor
from ingest.sources.inbox import Inbox, Source
from ingest.topology.documents import topology_document
from ingest.topology.netbox import read_netbox
from ingest.worker import IngestWorker
from rules.reload import ReloadingRuleEngine


@dataclass(slots=True)
class Site:
    """What a role has open. ``worker``, ``stores`` and ``processing``: roles that process; ``receiving``: roles that receive."""

    config: IngestConfig
    settings: Settings
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    stores: Stores | None = None
    worker: IngestWorker | None = None
    receiving: Receiving | None = None
    processing: list[Processing] = field(default_factory=list)
    http: HttpListener | None = None
    retention: GraphRetention | None = None
    losses: Callable[[], Mapping[str, int]] = lambda: {}
    rules: ReloadingRuleEngine | None = None
    seen: Reading = field(default_factory=lambda: Reading({}, {}, 0, 0, 0))
    held: Mapping[str, int] = field(default_factory=dict)

    def observe(self) -> None:
        """What worker and stores hold. In the processor's thread, so that who asks for metrics waits for no store."""
        if self.worker is not None and self.stores is not None:
            self.seen = self.worker.reading()
            self.held = held_by(self.seen, self.stores)


def run_ingest(whole: DaemonConfig, *, announce: Callable[[str], None]) -> None:
    """Run until SIGINT or SIGTERM, then drain; SIGHUP takes up changed mappings and rules."""
    check_package_is_ours("rules")
    stop, changed = threading.Event(), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    signal.signal(signal.SIGHUP, lambda *_: changed.set())
    manager = ServiceManager(os.environ)
    with open_daemon(whole) as site:
        keep_loaded()
        if site.receiving is None and site.http is not None:
            site.http.start(Inbox())
        said = _listening(site)

        def ready() -> None:
            if site.http is not None:
                announce("http " + ":".join(map(str, site.http.address)))
            announce(said())
            manager.ready(said())

        def tick() -> None:
            manager.alive()
            if changed.is_set():
                changed.clear()
                manager.reloading()
                reload(site)
                manager.ready(said())

        try:
            run_daemon(
                site.receiving,
                site.processing,
                stop=stop,
                drain_s=site.config.intervals.drain,
                retention=site.retention,
                ready=ready,
                tick=tick,
                stopping=manager.stopping,
            )
        except OSError as error:
            hint = "is the port taken?"
            raise StoreUnavailable(f"a source cannot listen: {error.strerror}", hint=hint) from error
        for source, taken in sorted(totals(site).items()):
            announce(
                f"{source}: {taken.received} received = {taken.stored} stored"
                f" + {taken.rejected} rejected + {taken.dropped} dropped"
            )


@contextmanager
def open_daemon(whole: DaemonConfig, clock: Clock | None = None) -> Iterator[Site]:
    """Everything that the role needs, opened and not started; closed on leaving. Raises :class:`AiopsError`."""
    time = clock or SystemClock()
    config = whole.config
    listen = _listens_on(config)
    settings = whole.settings.model_copy(update={"host": listen[0]}) if listen else whole.settings
    site = Site(config, settings)
    with ExitStack() as stack:
        if config.role != "receive":
            site.stores = open_stores(settings, time, settings.tenant)
            stack.callback(site.stores.close)
        access = stack.enter_context(open_access(settings, time, settings.tenant))
        journal = open_journal(config, settings, access.letters)
        stack.callback(journal.close)
        site.losses = journal.losses
        if site.stores is not None:
            mapping = load_mapping(settings)
            catalogue = load_catalogue(settings)
            site.worker = IngestWorker(
                site.stores.graph, site.stores.signals, mapping, journal.letters, time, catalogue=catalogue
            )
        if config.role != "process":
            site.receiving = _receiving(site, journal)
        if site.worker is not None:
            site.processing = _processing(site, journal, site.worker, time)
            stack.callback(_close_consumers, site)
            site.retention = _retention(site, site.stores, time)
        if listen is not None:
            site.http = HttpListener(_app(site, access, time), listen, settings)
            stack.callback(site.http.stop)
        if site.receiving is not None and site.http is not None:
            sources = [site.http, *site.receiving.sources]
            site.receiving = replace(site.receiving, sources=sources)
        _measure(site)
        yield site


def _listens_on(config: IngestConfig) -> tuple[str, int] | None:
    """Where HTTP is served; a process that only processes takes no deliveries."""
    if config.role == "process":
        return config.metrics_listen
    return config.sources.http.listen if config.sources.http is not None else None


def _receiving(site: Site, journal: OpenJournal) -> Receiving:
    inbox, counters = Inbox(site.config.limits.inbox), ReceiveCounters()
    recorder = Recorder(inbox, journal.journal, journal.cut, journal.letters, counters)
    return Receiving(make_sources(site.config, site.settings), inbox, recorder, journal.journal, counters)


def _processing(site: Site, journal: OpenJournal, worker: IngestWorker, clock: Clock) -> list[Processing]:
    """One for the journal, and one for each cluster whose topics others fill."""
    intervals = site.config.intervals
    pace = Pace(
        snapshot_s=intervals.snapshot,
        maintain_s=intervals.maintain,
        drain_s=intervals.drain,
        retry_max_s=intervals.retry_max,
        poll_bytes=site.config.limits.poll,
    )

    def make(
        kind: type[Processor],
        connect: Connect,
        observe: Callable[[], None],
        wants_snapshot: Callable[[], bool] = lambda: False,
    ) -> Processing:
        stop = threading.Event()
        processor = kind(
            worker,
            journal.snapshots,
            unpack,
            clock=clock,
            stop=stop,
            pace=pace,
            observe=observe,
            wants_snapshot=wants_snapshot,
        )
        consumer = connect(processor.assigned, processor.revoked)
        processor.attach(consumer)
        return Processing(processor, consumer, stop)

    made = [make(Processor, journal.consumer, site.observe, journal.wants_snapshot)]
    for given in site.config.sources.kafka:
        made.append(make(shipped_processor(given.name), shipped_topics(given), lambda: None))
    return made


def _retention(site: Site, stores: Stores | None, clock: Clock) -> GraphRetention | None:
    """Of all processes, the one that has the first partition of the lines prunes."""
    if stores is None:
        return None
    first, processor = Partition(LOGS, 0), site.processing[0].processor
    keep_s = site.config.retention.graph
    return GraphRetention(stores.graph, clock, keep_s, ours=lambda: processor.holds(first))


def _close_consumers(site: Site) -> None:
    for one in site.processing:
        with suppress(AiopsError):  # a broker that is away notices by itself
            one.consumer.close()


def _app(site: Site, access: Access, clock: Clock) -> FastAPI:
    """The deliveries, or the whole API where the configuration wants it."""
    http = site.config.sources.http
    port = JournalPort(
        site.receiving.recorder if site.receiving is not None else None,
        clock,
        append_timeout_s=site.config.journal.append_timeout,
        worker=site.worker,
    )
    if http is not None and http.api and site.stores is not None:
        site.rules, corrector = load_reloading_rules(site.settings), load_corrector(site.settings)
        services = site_services(
            *(site.settings, site.stores, port, access, clock, site.rules, corrector, site.registry),
            tenant=site.settings.tenant,
        )
        return create_app(services)
    nothing = MemoryGraphStore()  # names in changes are resolved where they are processed
    services = Services(
        graph=nothing,
        incidents=nothing,
        ingest=port,
        analyze=_refuse_to_analyze,
        renderers=DocumentRenderers(),
        topology_document=topology_document,
        read_netbox=read_netbox,
        tokens=access.tokens,
        idempotency=access.answers,
        clock=clock,
        version=VersionInfo(__version__),
        limits=limits_of(site.settings),
        health={"journal": lambda: _journal_health(site), "audit": lambda: audit_health(access)},
        registry=site.registry,
        tenant=site.settings.tenant,
        protection=Protection(hosts_allowed(site.settings)),
        audit=access.audit,
        rates=access.rates,
    )
    return create_app(services, surface="deliveries" if site.receiving is not None else "operations")


def _refuse_to_analyze(
    incident: Incident,
    *,
    healthy: frozenset[str] = frozenset(),
    failed: frozenset[str] = frozenset(),
    watch: Watch = unwatched,  # noqa: ARG001  (the port's)
) -> Analysis:
    what = f"{incident.id}, {len(healthy)} healthy, {len(failed)} failed"
    raise StoreUnavailable(f"no analysis of {what} here", hint="ask aiops serve")


def _journal_health(site: Site) -> Health:
    """Well as long as it takes what comes; where it does not, senders are told 503."""
    if site.receiving is None:
        return Health(True, "processes its journal")
    reading = site.receiving.reading()
    if reading.inbox_bytes >= site.config.limits.inbox:
        return Health(False, "the inbox is full")
    problem = site.receiving.recorder.problem
    return Health(not problem, problem or f"{reading.journal_bytes} bytes wait to be processed")


def _measure(site: Site) -> None:
    """Registers our own metrics."""
    receiving, processing = site.receiving, site.processing
    site.registry.register(IngestMetrics(lambda: _ingest_reading(site)))
    site.registry.register(
        DaemonMetrics(
            receiver=receiving.reading if receiving is not None else None,
            processor=(lambda: sum_readings([one.processor.reading() for one in processing]))
            if processing
            else None,
            held=lambda: HeldReading(site.held, resident_bytes(), site.losses()),
            retention=site.retention.reading if site.retention is not None else None,
        )
    )


def _ingest_reading(site: Site) -> Reading:
    queue = site.receiving.inbox.size_bytes if site.receiving is not None else 0
    return replace(site.seen, sources=totals(site), queue_bytes=queue)


def totals(site: Site) -> Mapping[str, Taken]:
    """What became of everything that came to this process, by source."""
    return sum_up(site.worker.counters() if site.worker is not None else {}, site.receiving)


def held_by(reading: Reading, stores: Stores) -> dict[str, int]:
    """What is kept in memory and on disk, by name."""
    stored = stores.signals.stats()
    return {
        "relations": reading.relations,
        "templates": reading.templates,
        "watched_series": reading.watched_series,
        "series": stored.get("series", 0),
        "signal_bytes": stored.get("bytes", 0),
    }


def resident_bytes() -> int:
    """VmRSS of this process; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123  read anew at each scrape
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def reload(site: Site) -> None:
    """Take up changed mappings and rules; what cannot be used is logged, and the old stays in force."""
    log = structlog.get_logger("aiops.ingest")
    if site.rules is not None:
        refused = site.rules.reload()
        log.info("rules reloaded", refused=refused)
    if site.worker is not None:
        try:
            site.worker.use_mapping(load_mapping(site.settings), load_catalogue(site.settings))
        except AiopsError as error:
            log.error("the changed mapping or catalogue is refused, the old ones stay", reason=str(error))
        else:
            log.info("mapping and catalogue reloaded")


def _listening(site: Site) -> Callable[[], str]:
    def said() -> str:
        sources: list[Source] = list(site.receiving.sources) if site.receiving is not None else []
        places = [f"{one.name} {_place(one)}".strip() for one in sources if one is not site.http]
        into = (
            f"into {site.settings.store} at {site.settings.data}"
            if site.stores is not None
            else "into the journal"
        )
        what = ", ".join(places) or ("http" if site.http is not None else "its journal")
        return f"aiops ingests {what} {into}"

    return said


def _place(source: Source) -> str:
    address = getattr(source, "address", None)
    return ":".join(map(str, address)) if address is not None else ""
