"""Where analyses are run: a bounded queue before a few threads, never the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import orjson
import structlog

from aiops.api.boundary import ApiMetrics
from aiops.api.filing import Document, file_analysis, resource
from aiops.api.incident_changes import change_incident
from aiops.api.places import Places
from aiops.api.problems import Problem, problem_of
from aiops.api.services import Services
from aiops.domain.occurrences import Incident
from aiops.domain.progress import Progress, Watch, unwatched
from aiops.errors import AiopsError
from aiops.lifecycle.transitions import Author, analysis_failed

MAX_FAILURES = 1000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """``status``: done, running or failed. ``document``: with its number, where it is done."""

    status: str
    document: Document | None = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Assumed:
    """Ids of what is to be taken as healthy or failed; nothing: no what-if."""

    healthy: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()

    def document(self) -> dict[str, object]:
        """The member ``assume`` of an analysis, absent where nothing is assumed."""
        if not self.healthy and not self.failed:
            return {}
        return {"assume": {"healthy": sorted(self.healthy), "failed": sorted(self.failed)}}


NOTHING_ASSUMED = Assumed()


class AnalysisDesk:
    """Takes analyses as long as there are ``places`` and runs ``limits.analysis_workers`` at once, of one tenant."""

    def __init__(self, services: Services, metrics: ApiMetrics, places: Places) -> None:
        self._services = services
        self._metrics = metrics
        self._places = places
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.RLock()
        self._running: dict[str, int] = {}
        self._failed: OrderedDict[str, None] = OrderedDict()

    def reserve(self) -> None:
        """Take a place in the queue before anything is written. Raises :class:`BackPressure` when it is full.

        Every place taken is given back by :meth:`run` or :meth:`release`.
        """
        self._places.take(self._services.tenant)
        self._metrics.waiting.inc()

    def release(self) -> None:
        self._places.give_back(self._services.tenant)
        self._metrics.waiting.dec()

    def status_of(self, incident_id: str) -> str | None:
        """``running`` or ``failed``; None where neither is known of its newest analysis."""
        with self._lock:
            if self._running.get(incident_id):
                return "running"
            return "failed" if incident_id in self._failed else None

    async def run(
        self,
        incident: Incident,
        *,
        wait_s: float,
        assumed: Assumed = NOTHING_ASSUMED,
        keep: bool = True,
        watch: Watch = unwatched,
    ) -> Outcome:
        """Analyse in a place taken before, waiting at most ``wait_s`` for the result; the work goes on afterwards.

        ``keep``: store the analysis; otherwise its number is None. ``watch`` is told how far it is.
        """
        future = self._submit(incident, assumed, keep, watch)
        waiter = asyncio.wrap_future(future)
        waiter.add_done_callback(lambda done: done.cancelled() or done.exception())  # seen, whoever waits
        done, _ = await asyncio.wait({waiter}, timeout=wait_s)
        if not done:
            return Outcome("running")
        error = waiter.exception()
        return Outcome("failed", error=error) if error is not None else Outcome("done", waiter.result())

    def close(self) -> None:
        """Wait for what is running; what has not begun is dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _submit(self, incident: Incident, assumed: Assumed, keep: bool, watch: Watch) -> Future[Document]:
        with self._lock:
            if self._pool is None:
                workers = self._services.limits.analysis_workers
                self._pool = ThreadPoolExecutor(workers, thread_name_prefix="analysis")
            self._running[incident.id] = self._running.get(incident.id, 0) + 1
            try:
                future = self._pool.submit(self._analyse, incident, assumed, keep, watch)
            except RuntimeError:
                self._leave(incident.id)
                self.release()
                raise
        future.add_done_callback(lambda ended: self._ended(incident.id, ended))
        return future

    def _analyse(self, incident: Incident, assumed: Assumed, keep: bool, watch: Watch) -> Document:
        try:
            document = self._analysed(incident, assumed, keep, watch)
        except Exception as error:  # told in the incident's history, then handed on to whoever waits
            if keep:
                self._tell_failure(incident, error)
            raise
        if keep:
            self._services.streams.ring()
        return document

    def _analysed(self, incident: Incident, assumed: Assumed, keep: bool, watch: Watch) -> Document:
        started = time.perf_counter()

        def tell(progress: Progress) -> None:
            watch(progress)
            if keep:
                self._services.streams.progress(incident.id, progress)

        analysis = self._services.analyze(
            incident, healthy=assumed.healthy, failed=assumed.failed, watch=tell
        )
        rendered = self._services.renderers.document(analysis)
        took_s = time.perf_counter() - started
        now = self._services.clock.now()
        document = resource(incident.id, rendered, at=now, took_s=took_s, more=assumed.document())
        number = file_analysis(self._services.incidents, analysis, document, now) if keep else None
        self._metrics.analysed("request", analysis, took_s)
        return numbered(document, number)

    def _tell_failure(self, incident: Incident, error: Exception) -> None:
        """Say in the incident's history that there is no analysis; where even that cannot be stored, in the log alone."""
        problem = problem_of(error, sender_retries=False) if isinstance(error, AiopsError) else None
        reason = "see our log under the incident's id" if problem is None else problem.detail
        by = Author("aiops", self._services.clock.now())
        try:
            change_incident(self._services, incident.id, lambda known: (analysis_failed(known, reason, by),))
        except (AiopsError, Problem):
            _log.exception("a failed analysis cannot be told", incident_id=incident.id)
            return
        self._services.streams.ring()

    def _ended(self, incident_id: str, future: Future[Document]) -> None:
        failed = future.cancelled() or future.exception() is not None
        if failed and not future.cancelled():
            _log.error("analysis failed", incident_id=incident_id, exc_info=future.exception())
            self._metrics.analysis_failed("request")
        with self._lock:
            self._leave(incident_id)
            self._failed.pop(incident_id, None)
            if failed:
                self._failed[incident_id] = None
                while len(self._failed) > MAX_FAILURES:
                    self._failed.popitem(last=False)
        self.release()

    def _leave(self, incident_id: str) -> None:
        self._running[incident_id] -= 1
        if not self._running[incident_id]:
            del self._running[incident_id]


def numbered(document: Document, number: int | None) -> Document:
    """The document as it is answered: with its number, after its ids."""
    return {"id": document["id"], "incident_id": document["incident_id"], "number": number, **document}


def read_kept(kept: tuple[int, bytes] | None) -> Document | None:
    """A stored analysis as it is answered."""
    return None if kept is None else numbered(orjson.loads(kept[1]), kept[0])
