"""Scrapes targets as Prometheus does: static ones and those that files list, relabelled, within limits; ``up`` for whether it
worked, and staleness markers for what is gone."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import numpy as np
import structlog
import xxhash

from aiops.domain.batches import SampleBatch
from aiops.errors import ConfigError, InputError, ParseError
from ingest.parsers.exposition import ExpositionParser
from ingest.parsers.series_cache import MAX_ACTIVE_SERIES, SeriesCache
from ingest.sources.http_access import fetch
from ingest.sources.inbox import Inbox
from ingest.sources.scrape_targets import ScrapeJob, ScrapeTarget, Target, TargetFiles, targets_of
from ingest.sources.scraped_samples import ScrapeReport, SeriesLabels
from ingest.sources.tallies import Tally
from ingest.sources.threads import source_thread

MAX_WORKERS = 16
REFRESH_S = 5.0
OPENMETRICS = "application/openmetrics-text"
ACCEPT = f"{OPENMETRICS};version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
_LINES_A_SAMPLE = 2  # a body with more lines than that for each allowed sample is not parsed
_GENERATIONS = 2  # scrapes of whose series a target's parser has room for
_TEXT_TYPES = ("text/plain", OPENMETRICS, "")

__all__ = ["ScrapeJob", "ScrapeTarget", "Scraper"]


class ScrapedTarget:
    """One target and what is remembered of it."""

    def __init__(self, target: Target, job_number: int) -> None:
        self.target = target
        self.job_number = job_number
        self.labels = SeriesLabels(target)
        cache: SeriesCache[bytes] = SeriesCache(
            _GENERATIONS * target.job.body_size_limit,
            max_series=_GENERATIONS * target.job.sample_limit or MAX_ACTIVE_SERIES,
            ttl_s=_GENERATIONS * target.interval_s,
        )
        self.parser = ExpositionParser(cache=cache, max_body_bytes=target.job.body_size_limit)
        self.busy = threading.Lock()
        self.gone = threading.Event()  # no longer a target: set before the end of its series is told

    def first_s(self, now_s: float) -> float:
        """Spread over the interval by what the target is, so that a restart changes nothing."""
        interval_s = self.target.interval_s
        offset_s = xxhash.xxh64_intdigest(repr(self.target.key).encode()) % 1_000_000 / 1_000_000 * interval_s
        return now_s + (offset_s - now_s) % interval_s


class Scraper:
    """Scrapes every target of ``jobs`` at its interval, at most ``max_workers`` at once. Files of targets are looked at every
    ``refresh_s``; one that cannot be used leaves its targets as they were, is told and counted. A scrape never waits for the
    inbox."""

    def __init__(
        self,
        jobs: Sequence[ScrapeJob | ScrapeTarget],
        *,
        name: str = "scrape",
        max_workers: int = MAX_WORKERS,
        refresh_s: float = REFRESH_S,
        now_s: Callable[[], float] = time.time,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.name = name
        self._jobs = tuple(job.as_job() if isinstance(job, ScrapeTarget) else job for job in jobs)
        self._max_workers = max_workers
        self._refresh_s = refresh_s
        self._now_s = now_s
        self._clients = [job.access.client(transport) for job in self._jobs]
        self._files = [TargetFiles(job.file_sd) for job in self._jobs]
        self._held: dict[tuple[object, ...], ScrapedTarget] = {}
        self._dropped_targets = 0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._tally = Tally("scrapes", "failed", "skipped", "no_room", "bad_targets")

    def start(self, inbox: Inbox) -> None:
        self._thread = source_thread(inbox, self.name, partial(self._run, inbox))
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        for client in self._clients:
            client.close()

    def lost(self) -> int:
        return self._tally.take_lost()

    def counts(self) -> Mapping[str, int]:
        """``scrapes``, how many ``failed`` (``up`` is 0) or were ``skipped`` (the one before still ran); ``no_room``: samples
        that were lost; ``bad_targets``: lists of targets that could not be used. ``targets``, ``dropped_targets``: of now."""
        now = {"targets": len(self._held), "dropped_targets": self._dropped_targets}
        return {**self._tally.read(), **now}

    def refresh(self) -> tuple[list[ScrapedTarget], list[ScrapedTarget]]:
        """Look at the static targets and the files; the targets that are new, and those that are no more."""
        wanted: dict[tuple[object, ...], ScrapedTarget] = {}
        self._dropped_targets = 0
        for number, (job, files) in enumerate(zip(self._jobs, self._files, strict=True)):
            groups, problems = files.read()
            for problem in problems:
                self._complain(problem)
            try:
                targets, dropped = targets_of(job, (*job.static, *groups))
            except InputError as problem:
                self._complain(problem)
                wanted.update({key: held for key, held in self._held.items() if key[0] == number})
                continue
            self._dropped_targets += dropped
            for target in targets:
                key = (number, *target.key)
                wanted[key] = self._held.get(key) or ScrapedTarget(target, number)
        new = [held for key, held in wanted.items() if key not in self._held]
        gone = [held for key, held in self._held.items() if key not in wanted]
        self._held = wanted
        return new, gone

    def _complain(self, problem: InputError) -> None:
        self._tally.add("bad_targets")
        structlog.get_logger("aiops.ingest").error("targets stay as they were", error=str(problem))

    def scrape(self, held: ScrapedTarget) -> SampleBatch:
        """One scrape. Never raises for what the target does: then ``up`` is 0, and its series go stale."""
        started_s, started = self._now_s(), time.perf_counter()
        self._tally.add("scrapes")
        scraped = 0
        try:
            batch = self._read(held, started_s)
            scraped = len(batch.at_s)
            took_s = time.perf_counter() - started
            return held.labels.labelled(batch, ScrapeReport(started_s, True, took_s, scraped))
        except (httpx.HTTPError, httpx.InvalidURL, ConfigError, ParseError) as problem:
            self._tally.add("failed")
            log = structlog.get_logger("aiops.ingest")
            log.debug("scrape failed", target=held.target.url, error=str(problem))
            empty = np.empty(0)
            nothing = SampleBatch(self.name, (), np.empty(0, np.int64), empty, empty)
            took_s = time.perf_counter() - started
            return held.labels.labelled(nothing, ScrapeReport(started_s, False, took_s, scraped))

    def _read(self, held: ScrapedTarget, at_s: float) -> SampleBatch:
        target = held.target
        job, client = target.job, self._clients[held.job_number]
        headers, auth = job.access.auth()
        timeout = f"{target.timeout_s:g}"
        request = client.build_request(
            "GET",
            target.url,
            headers={**headers, "Accept": ACCEPT, "X-Prometheus-Scrape-Timeout-Seconds": timeout},
            timeout=target.timeout_s,
        )
        answer = fetch(
            client, request, auth=auth, timeout_s=target.timeout_s, max_body_bytes=job.body_size_limit
        )
        if answer.status != 200:
            raise ParseError(f"{target.url}: status {answer.status}", reason="status")
        if answer.media_type not in _TEXT_TYPES:
            raise ParseError(f"{target.url}: content type {answer.media_type!r}", reason="content type")
        lines = answer.body.count(b"\n") - answer.body.count(b"\n#")
        if job.sample_limit and lines > _LINES_A_SAMPLE * job.sample_limit:
            raise ParseError(f"{target.url}: {lines} lines for {job.sample_limit} samples", reason="limit")
        return held.parser.parse(
            answer.body,
            source=self.name,
            received_at_s=at_s,
            openmetrics=answer.media_type == OPENMETRICS,
        )

    def _run(self, inbox: Inbox) -> None:
        due: list[tuple[float, int, ScrapedTarget]] = []
        look_s, number = 0.0, 0
        with ThreadPoolExecutor(self._max_workers, thread_name_prefix=self.name) as pool:
            while not self._stopping.is_set():
                now_s = time.monotonic()
                if now_s >= look_s:
                    look_s = now_s + self._refresh_s
                    new, gone = self.refresh()
                    for held in new:
                        number += 1
                        heapq.heappush(due, (held.first_s(now_s), number, held))
                    for held in gone:
                        held.gone.set()
                        self._end(held, inbox)
                    leaving = set(map(id, gone))
                    due = [entry for entry in due if id(entry[2]) not in leaving] if gone else due
                    heapq.heapify(due)
                if not due or due[0][0] > now_s:
                    self._stopping.wait(min(0.5, look_s - now_s, due[0][0] - now_s if due else 0.5))
                    continue
                at_s, order, held = due[0]
                pool.submit(self._scrape_into, held, inbox)
                interval_s = held.target.interval_s
                late = max(0.0, (now_s - at_s) // interval_s) * interval_s
                heapq.heapreplace(due, (at_s + late + interval_s, order, held))

    def _scrape_into(self, held: ScrapedTarget, inbox: Inbox) -> None:
        if not held.busy.acquire(blocking=False):
            if not held.gone.is_set():
                self._tally.add("skipped")
            return
        try:
            self._put(self.scrape(held), inbox)
        except Exception as exc:  # noqa: BLE001 - the scrape's boundary: a defect must be heard of, and ends this scrape only
            self._tally.add("failed")
            structlog.get_logger("aiops.ingest").error("scrape broke", target=held.target.url, exc_info=exc)
        finally:
            held.busy.release()
            if held.gone.is_set():
                self._end(held, inbox)

    def _end(self, held: ScrapedTarget, inbox: Inbox) -> None:
        """Staleness markers for a target that is gone, once and as its last samples: a scrape under way puts its own first.
        ``busy`` stays taken, so that none follows."""
        if held.busy.acquire(blocking=False):
            self._put(held.labels.ended(self._now_s(), self.name), inbox)

    def _put(self, batch: SampleBatch, inbox: Inbox) -> None:
        if not inbox.offer(batch):
            self._tally.lose("no_room", len(batch.at_s))
