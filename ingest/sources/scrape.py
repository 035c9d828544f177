"""Scrapes static targets as Prometheus does: labels ``job`` and ``instance``, and ``up`` for whether it worked."""

from __future__ import annotations

import heapq
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import numpy as np

from aiops.domain.batches import SampleBatch, Series
from aiops.domain.graph import EMPTY
from aiops.errors import ConfigError, ParseError
from ingest.parsers.exposition import ExpositionParser
from ingest.sources.inbox import Inbox

MAX_BODY_BYTES = 32 * 1024 * 1024
MAX_WORKERS = 8
ACCEPT = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


@dataclass(frozen=True, slots=True)
class ScrapeTarget:
    """One target. ``labels`` are put on every series; ``honor_labels``: the target's own labels win over ours, else they become
    ``exported_NAME``. Raises :class:`ConfigError` for a URL that is none."""

    job: str
    url: str
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    interval_s: float = 15.0
    timeout_s: float = 10.0
    honor_labels: bool = False

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"scrape target {self.url!r} is no http URL", hint="http://HOST:PORT/metrics")
        if not 0 < self.timeout_s <= self.interval_s:
            raise ConfigError(
                f"scrape target {self.url!r}: the timeout must be above 0 and within the interval"
            )

    def attached(self) -> dict[str, str]:
        """The labels that its series get."""
        return {"job": self.job, "instance": urlsplit(self.url).netloc.rpartition("@")[2], **self.labels}


class Scraper:
    """Scrapes every target at its interval, spread over it by the target's name; at most :data:`MAX_WORKERS` at once."""

    name = "scrape"

    def __init__(
        self,
        targets: Sequence[ScrapeTarget],
        *,
        max_body_bytes: int = MAX_BODY_BYTES,
        now_s: Callable[[], float] = time.time,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._targets = tuple(targets)
        self._max_body_bytes = max_body_bytes
        self._now_s = now_s
        self._client = httpx.Client(
            transport=transport, trust_env=False, follow_redirects=False, headers={"Accept": ACCEPT}
        )
        self._parsers: dict[int, ExpositionParser] = {}
        self._series: dict[int, dict[Series, Series]] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._lost = 0

    def start(self, inbox: Inbox) -> None:
        self._thread = threading.Thread(target=self._run, args=(inbox,), name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._client.close()

    def lost(self) -> int:
        with self._lock:
            lost, self._lost = self._lost, 0
            return lost

    def counts(self) -> Mapping[str, int]:
        """Nothing yet."""
        return {}

    def scrape(self, which: int) -> SampleBatch:
        """One scrape of target ``which``. Never raises for what the target does: then ``up`` is 0."""
        target = self._targets[which]
        started_s, started = self._now_s(), time.perf_counter()
        parser = self._parsers.setdefault(which, ExpositionParser(max_body_bytes=self._max_body_bytes))
        try:
            body = self._fetch(target)
            batch = parser.parse(body, source=self.name, received_at_s=started_s)
            up = 1.0
        except (httpx.HTTPError, httpx.InvalidURL, ParseError):
            batch = SampleBatch(self.name, (), np.empty(0, np.int64), np.empty(0), np.empty(0))
            up = 0.0
        return self._labelled(which, batch, started_s, up, time.perf_counter() - started)

    def _fetch(self, target: ScrapeTarget) -> bytes:
        deadline = time.monotonic() + target.timeout_s
        parts: list[bytes] = []
        size = 0
        with self._client.stream("GET", target.url, timeout=target.timeout_s) as answer:
            answer.raise_for_status()
            for part in answer.iter_bytes():
                size += len(part)
                if size > self._max_body_bytes:
                    raise ParseError(
                        f"{target.url}: more than {self._max_body_bytes} bytes", reason="too large"
                    )
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout(f"{target.url}: longer than {target.timeout_s} s")
                parts.append(part)
        return b"".join(parts)

    def _labelled(self, which: int, batch: SampleBatch, at_s: float, up: float, took_s: float) -> SampleBatch:
        target = self._targets[which]
        before = self._series.get(which, {})
        known = {series: before.get(series) or _attach(series, target) for series in batch.series}
        self._series[which] = known  # bounded by what the last scrape had
        own = (
            ("up", up),
            ("scrape_duration_seconds", took_s),
            ("scrape_samples_scraped", float(len(batch.at_s))),
        )
        labels = tuple(sorted(target.attached().items()))
        series = (*known.values(), *(Series(name, labels) for name, _value in own))
        position = {identity: place for place, identity in enumerate(known)}
        renumbered = np.fromiter((position[s] for s in batch.series), np.int64, len(batch.series))
        index = np.concatenate([renumbered[batch.series_index], np.arange(len(known), len(series))])
        return SampleBatch(
            self.name,
            series,
            index.astype(np.int64),
            np.concatenate([batch.at_s, np.full(len(own), at_s)]),
            np.concatenate([batch.value, np.array([value for _name, value in own])]),
            batch.rejects,
            tuple((int(renumbered[i]), stale_s) for i, stale_s in batch.stale),
            batch.ignored,
        )

    def _run(self, inbox: Inbox) -> None:
        now = time.monotonic()
        due = [
            (now + target.interval_s * (zlib.crc32(target.url.encode()) % 1000) / 1000, which)
            for which, target in enumerate(self._targets)
        ]
        heapq.heapify(due)
        with ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix=self.name) as pool:
            while due and not self._stopping.is_set():
                at, which = due[0]
                if self._stopping.wait(min(1.0, max(0.0, at - time.monotonic()))):
                    return
                if time.monotonic() < at:
                    continue
                pool.submit(self._scrape_into, which, inbox)
                heapq.heapreplace(
                    due, (max(at, time.monotonic() - 1.0) + self._targets[which].interval_s, which)
                )

    def _scrape_into(self, which: int, inbox: Inbox) -> None:
        batch = self.scrape(which)
        if not inbox.offer(batch):
            with self._lock:
                self._lost += len(batch.at_s)


def _attach(series: Series, target: ScrapeTarget) -> Series:
    labels = dict(series.labels)
    for name, value in target.attached().items():
        if name in labels and target.honor_labels:
            continue
        if name in labels:
            labels[f"exported_{name}"] = labels[name]
        labels[name] = value
    return Series(series.metric, tuple(sorted(labels.items())))
