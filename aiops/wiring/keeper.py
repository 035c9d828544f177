"""The keeper of each tenant's incidents, in a thread of its own, and its policy."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import cast

import orjson
import structlog
from pydantic import TypeAdapter, ValidationError
from ulid import ULID

from aiops.api.boundary import ApiMetrics
from aiops.api.filing import file_analysis, resource
from aiops.api.services import Services
from aiops.domain.analysis import Analysis
from aiops.domain.occurrences import Incident
from aiops.errors import AiopsError, ConfigError
from aiops.lifecycle.keeper import Keeper, Records
from aiops.lifecycle.marks import Answer, Reading
from aiops.lifecycle.policy import GroupingPolicy
from aiops.settings import Settings
from aiops.wiring.answers import PipelineAnalyze
from aiops.wiring.readings import analyse_taking_notes
from aiops.wiring.tenants import Stop, TenantSite
from ingest.topology.located_yaml import Located, load_yaml

IDLE_S = 0.25
#: How long a thread that computes may keep the others from answering requests (CPython's own default is 5 ms).
SWITCH_S = 0.0002
#: A keeper that has read everything rests this many times as long as its step took, at most REST_MAX_S: requests come first, and
#: what comes meanwhile is placed at once instead of bit by bit.
REST, REST_MAX_S = 8.0, 2.0
#: After an error: so long before the next try, and at most.
RETRY_S = 0.5
RETRY_MAX_S = 10.0
#: A step that takes longer when the process ends is left where it is: what it records, it records whole.
STOP_S = 5.0
_KNOWN = frozenset(one.name for one in fields(GroupingPolicy))
_log = structlog.get_logger("aiops.keeper")


def load_policy(settings: Settings, tenant: str) -> GroupingPolicy:
    """The tenant's policy: the file's ``default``, and what it says of the tenant above that. Raises :class:`ConfigError`."""
    path = settings.grouping
    if path is None:
        return GroupingPolicy()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}", hint="check AIOPS_GROUPING") from error
    parts = load_yaml(text, str(path)).fields(frozenset({"default", "tenants"}))
    tenants = parts["tenants"].members() if "tenants" in parts else {}
    values: dict[str, object] = {}
    for part in (parts.get("default"), tenants.get(tenant)):
        values |= {} if part is None else {name: _plain(one) for name, one in part.fields(_KNOWN).items()}
    try:
        return TypeAdapter(GroupingPolicy).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(place) for place in first["loc"])
        raise ConfigError(
            f"{path}: {name}: {first['msg']}", hint="docs/incidents.md lists the policy"
        ) from error


def _plain(one: Located) -> object:
    return [_plain(item) for item in one.value] if isinstance(one.value, list) else one.value


class Analyst:
    """Analyses an incident and keeps the answer, unless it was made from the same inputs as the newest one that is kept."""

    def __init__(self, services: Services, metrics: ApiMetrics) -> None:
        self._services = services
        self._metrics = metrics

    def __call__(self, incident: Incident) -> Answer:
        try:
            return self._analysed(incident)
        except Exception:
            self._metrics.analysis_failed("keeper")
            raise

    def _analysed(self, incident: Incident) -> Answer:
        started = time.perf_counter()
        services = self._services
        analysis, reading = self._read(incident)
        rendered = services.renderers.document(analysis)
        took_s = time.perf_counter() - started
        self._metrics.analysed("keeper", analysis, took_s)
        if self._is_known(incident.id, rendered):
            return Answer(False, reading)
        now = services.clock.now()
        document = resource(incident.id, rendered, at=now, took_s=took_s)
        file_analysis(services.incidents, analysis, document, now)
        services.streams.ring()
        return Answer(True, reading)

    def _read(self, incident: Incident) -> tuple[Analysis, Reading | None]:
        """With what was read, where it is known how the analysis reads."""
        analyze = self._services.analyze
        if not isinstance(analyze, PipelineAnalyze):
            return analyze(incident), None
        return analyse_taking_notes(lambda: analyze.pipeline, incident)

    def _is_known(self, incident_id: str, rendered: Mapping[str, object]) -> bool:
        kept = self._services.incidents.analysis(incident_id)
        if kept is None:
            return False
        before = orjson.loads(kept[1])
        now = orjson.loads(orjson.dumps(rendered))
        return all(before.get(name) == now.get(name) for name in ("engine", "verdict", "causes", "gaps"))


def make_keeper(
    settings: Settings,
    site: TenantSite,
    metrics: ApiMetrics,
    *,
    holder: str,
    executor: ThreadPoolExecutor | None = None,
) -> Keeper | None:
    """A tenant's keeper, to be stepped by whoever asked for it; None: its policy switches grouping off."""
    policy = load_policy(settings, site.tenant)
    if not policy.enabled:
        return None
    store = cast("Records", site.stores.graph)  # every graph store is the whole database
    ring = site.services.streams.ring
    analyse = site.services.analyze
    near = analyse.pipeline.graph if isinstance(analyse, PipelineAnalyze) else None
    return Keeper(
        store, Analyst(site.services, metrics), policy, holder, executor=executor, told=ring, topology=near
    )


@dataclass(slots=True)
class _Loop:
    """Steps a keeper until it is told to stop."""

    keeper: Keeper
    services: Services
    stop: threading.Event

    def run(self) -> None:
        wait_s = RETRY_S
        while not self.stop.is_set():
            begun_s = time.monotonic()
            try:
                more = self.keeper.step(self.services.clock.now())
                wait_s = RETRY_S
            except AiopsError as error:
                _log.warning("incidents cannot be kept now; trying again", error=str(error), wait_s=wait_s)
                more, wait_s = False, min(wait_s * 2, RETRY_MAX_S)
            except Exception:  # noqa: BLE001 - the thread's boundary: a defect must not end the keeping of incidents
                _log.exception("a defect in keeping incidents; trying again", wait_s=wait_s)
                more, wait_s = False, min(wait_s * 2, RETRY_MAX_S)
            if not more:
                rest_s = min(REST_MAX_S, REST * (time.monotonic() - begun_s))
                self.stop.wait(max(IDLE_S, rest_s) if wait_s == RETRY_S else wait_s)
        try:
            self.keeper.release(self.services.clock.now())
        except AiopsError as error:
            _log.warning("the lease runs out by itself", error=str(error))


def start_keeper(settings: Settings, site: TenantSite, metrics: ApiMetrics) -> Stop:
    """Keep the incidents of ``site`` in a thread until what is returned is called."""
    holder = f"{socket.gethostname()}/{os.getpid()}/{ULID()}"
    executor = ThreadPoolExecutor(1, thread_name_prefix=f"keeper-analysis-{site.tenant}")
    keeper = make_keeper(settings, site, metrics, holder=holder, executor=executor)
    if keeper is None:
        executor.shutdown()
        return lambda: None
    sys.setswitchinterval(SWITCH_S)
    stop = threading.Event()
    loop = _Loop(keeper, site.services, stop)
    thread = threading.Thread(target=loop.run, name=f"keeper-{site.tenant}", daemon=True)
    thread.start()

    def end() -> None:
        stop.set()
        thread.join(STOP_S)
        if thread.is_alive():
            _log.warning("the keeper is cut short; whoever comes next begins where it recorded last")
        executor.shutdown(wait=not thread.is_alive(), cancel_futures=True)

    return end
