"""Reads a Prometheus that is there already: its series by range queries in steps, and its alerts.

How far a query was read is saved once the journal has it: after a stop or a kill it goes on there, as long as the server still
has the data. A window that was read and not yet acknowledged is read again; its samples are the same.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import orjson
import structlog

from aiops.domain.batches import RawBatch, SampleBatch, Series
from aiops.domain.graph import EMPTY
from aiops.errors import ConfigError, ParseError, StoreUnavailable
from ingest.sources.api_positions import ApiPositions, load_api_positions, save_api_positions
from ingest.sources.http_access import HttpAccess
from ingest.sources.inbox import Inbox, Item
from ingest.sources.prometheus_client import ActiveAlert, Matrix, PrometheusClient
from ingest.sources.tallies import Tally
from ingest.sources.threads import source_thread

STEP_S = 15.0
INTERVAL_S = 30.0
DELAY_S = 30.0
WINDOW_POINTS = 240
MAX_BACKFILL_S = 86_400.0
MAX_WAIT_S = 300.0
_SAVE_S = 1.0
_PATIENCE_S = 1.0
_TOO_MUCH = ("execution", "timeout", "too large", "too many series")


@dataclass(frozen=True, slots=True)
class ApiQuery:
    """A selector, or an expression whose series are called ``record``. ``labels`` are put on every series. Raises ConfigError."""

    query: str
    record: str = ""
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    step_s: float = STEP_S

    def __post_init__(self) -> None:
        if not self.query.strip() or self.step_s <= 0:
            raise ConfigError(f"the query {self.query!r} needs a text and a step above 0")

    @property
    def key(self) -> str:
        """Under which its position is saved: another step or record makes another query."""
        return f"{self.record} {self.step_s:g} {self.query}"

    def named(self, series: Series) -> Series:
        """The series as it is handed over."""
        labels = {**dict(series.labels), **self.labels}
        return Series(self.record or series.metric or "query", tuple(sorted(labels.items())))


@dataclass(slots=True)
class _Progress:
    """``next_s``: what was handed over goes up to here. ``pending``: windows that are not durable yet."""

    query: ApiQuery
    next_s: float
    durable_s: float
    pending: int = 0
    points: int = WINDOW_POINTS
    told: str = ""  # the last problem, said once


class PrometheusApi:
    """Asks ``url`` for ``queries`` every ``interval_s``, up to ``delay_s`` before now (late samples are in by then), and with
    ``alerts`` for its alerts. ``backfill_s``: how far back a query begins that was never read; a position older than
    ``max_backfill_s`` is given up, told and counted. :meth:`start` raises InputError where ``positions`` is damaged."""

    def __init__(
        self,
        url: str,
        queries: Sequence[ApiQuery],
        positions: Path,
        *,
        name: str = "prometheus-api",
        access: HttpAccess | None = None,
        alerts: bool = False,
        interval_s: float = INTERVAL_S,
        delay_s: float = DELAY_S,
        backfill_s: float = 0.0,
        max_backfill_s: float = MAX_BACKFILL_S,
        timeout_s: float = 30.0,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._client = PrometheusClient(url, access or HttpAccess(), timeout_s=timeout_s)
        self._queries = tuple(queries)
        self._positions = positions
        self._with_alerts = alerts
        self._interval_s = interval_s
        self._delay_s = delay_s
        self._backfill_s = backfill_s
        self._max_backfill_s = max(max_backfill_s, backfill_s + delay_s)
        self._now_s = now_s
        self._progress: list[_Progress] = []
        self._said_alerts: dict[str, ActiveAlert] = {}
        self._durable_alerts: dict[str, ActiveAlert] = {}
        self._lock = threading.Lock()
        self._dirty = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._tally = Tally("requests", "failed", "refused", "samples", "alerts", "given_up_s")

    def start(self, inbox: Inbox) -> None:
        saved = load_api_positions(self._positions)
        self._said_alerts = {_alert_key(alert): alert for alert in saved.alerts}
        self._durable_alerts = dict(self._said_alerts)
        self._progress = [self._begin(query, saved.next_s.get(query.key)) for query in self._queries]
        self._thread = source_thread(inbox, self.name, partial(self._run, inbox))
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._save()
        self._client.close()

    def lost(self) -> int:
        """Nothing: what was not acknowledged is asked for again."""
        return 0

    def counts(self) -> Mapping[str, int]:
        """``requests``; how many ``failed`` (tried again) or were ``refused`` (the query is wrong, or asks for too much);
        ``samples`` and ``alerts`` handed over; ``given_up_s``: seconds that lay too far back after a stop."""
        return self._tally.read()

    def _begin(self, query: ApiQuery, saved_s: float | None) -> _Progress:
        now_s = self._now_s()
        first_s = now_s - self._delay_s - self._backfill_s if saved_s is None else saved_s
        oldest_s = now_s - self._max_backfill_s
        if first_s < oldest_s:
            self._tally.add("given_up_s", int(oldest_s - first_s))
            self._tell(f"{oldest_s - first_s:.0f} s that were not read lie too far back", query.query)
        aligned_s = math.ceil(max(first_s, oldest_s) / query.step_s) * query.step_s
        return _Progress(query, aligned_s, aligned_s)

    def _tell(self, problem: str, query: str) -> None:
        log = structlog.get_logger("aiops.ingest")
        log.warning(problem, source=self.name, server=self._client.host, query=query)

    def _run(self, inbox: Inbox) -> None:
        wait_s = 1.0
        while not self._stopping.is_set():
            pause_s = self._interval_s
            try:
                for progress in self._progress:
                    self._catch_up(progress, inbox)
                if self._with_alerts:
                    self._read_alerts(inbox)
                wait_s = 1.0
            except StoreUnavailable as exc:
                self._tally.add("failed")
                self._tell(str(exc), "")
                asked_s = exc.details.get("retry_after_s")
                pause_s = min(MAX_WAIT_S, max(wait_s, asked_s if isinstance(asked_s, float) else 0.0))
                wait_s = min(wait_s * 2, MAX_WAIT_S)
            until_s = time.monotonic() + pause_s
            while not self._stopping.wait(max(0.0, min(_SAVE_S, until_s - time.monotonic()))):
                self._save()
                if time.monotonic() >= until_s:
                    break

    def _catch_up(self, progress: _Progress, inbox: Inbox) -> None:
        """Window after window, until ``delay_s`` before now. Raises StoreUnavailable."""
        query = progress.query
        while not self._stopping.is_set():
            last_s = math.floor((self._now_s() - self._delay_s) / query.step_s) * query.step_s
            if progress.next_s > last_s:
                return
            end_s = min(last_s, progress.next_s + (progress.points - 1) * query.step_s)
            self._tally.add("requests")
            try:
                matrix = self._client.query_range(
                    query.query, start_s=progress.next_s, end_s=end_s, step_s=query.step_s
                )
            except (ParseError, ConfigError) as exc:
                if self._refused(progress, exc):
                    continue
                return
            progress.points = min(WINDOW_POINTS, progress.points * 2)
            progress.told = ""
            if not self._hand_over(progress, matrix, end_s + query.step_s, inbox):
                return
            self._save()

    def _refused(self, progress: _Progress, exc: ParseError | ConfigError) -> bool:
        """True: a shorter window is worth a try. Else the query stays where it is, and is tried again at the next interval."""
        self._tally.add("refused")
        if str(exc) != progress.told:
            progress.told = str(exc)
            self._tell(str(exc), progress.query.query)
        if progress.points == 1 or exc.details.get("reason") not in _TOO_MUCH:
            return False
        progress.points = max(1, progress.points // 4)
        return True

    def _hand_over(self, progress: _Progress, matrix: Matrix, next_s: float, inbox: Inbox) -> bool:
        count = len(matrix.at_s)

        def acknowledged(_item: Item) -> None:
            with self._lock:
                progress.pending -= 1
                progress.durable_s = progress.next_s if not progress.pending else next_s
            self._acknowledged()

        with self._lock:
            before_s = progress.next_s
            progress.next_s = next_s
            progress.pending += 1 if count else 0
            if not progress.pending:  # no samples: nothing to wait for
                progress.durable_s = next_s
                self._dirty = True
        if not count:
            return True
        series = tuple(progress.query.named(series) for series in matrix.series)
        self._tally.add("samples", count)
        batch = SampleBatch(
            self.name, series, matrix.index, matrix.at_s, matrix.value, ignored=matrix.histograms
        )
        if self._put(batch, acknowledged, inbox):
            return True
        with self._lock:
            progress.pending -= 1
            progress.next_s = before_s
        return False

    def _read_alerts(self, inbox: Inbox) -> None:
        """What began to fire, and what ended: as a body of Alertmanager's API v2. Raises StoreUnavailable."""
        self._tally.add("requests")
        try:
            found = self._client.alerts()
        except (ParseError, ConfigError) as exc:
            self._tally.add("refused")
            self._tell(str(exc), "alerts")
            return
        now_s = self._now_s()
        firing = {_alert_key(alert): alert for alert in found if alert.state == "firing"}
        new = [_posted(alert, None) for key, alert in firing.items() if key not in self._said_alerts]
        ended = [_posted(alert, now_s) for key, alert in self._said_alerts.items() if key not in firing]
        if not new and not ended:
            return

        def acknowledged(_item: Item) -> None:
            with self._lock:
                self._durable_alerts = firing
            self._acknowledged()

        body = orjson.dumps([*new, *ended])
        batch = RawBatch(self.name, "alertmanager-v2", f"http {self._client.host}", (body,), (now_s,))
        if self._put(batch, acknowledged, inbox):
            self._said_alerts = firing
            self._tally.add("alerts", len(new) + len(ended))

    def _put(self, item: Item, acknowledged: Callable[[Item], None], inbox: Inbox) -> bool:
        while not inbox.put(item, timeout_s=_PATIENCE_S, acknowledged=acknowledged):
            if self._stopping.is_set():
                return False
        return True

    def _acknowledged(self) -> None:
        with self._lock:
            self._dirty = True
            waiting = any(progress.pending for progress in self._progress)
        if self._stopping.is_set() and not waiting:
            self._save()

    def _save(self) -> None:
        with self._lock:
            if not self._dirty:
                return
            self._dirty = False
            next_s = {progress.query.key: progress.durable_s for progress in self._progress}
            alerts = tuple(self._durable_alerts.values())
        try:
            save_api_positions(self._positions, ApiPositions(next_s, alerts))
        except OSError as exc:
            self._dirty = True
            log = structlog.get_logger("aiops.ingest")
            log.error("cannot save positions", file=str(self._positions), error=str(exc))


def _alert_key(alert: ActiveAlert) -> str:
    """The same alert that fires anew is another one."""
    return repr((sorted(alert.labels.items()), alert.active_at.isoformat()))


def _posted(alert: ActiveAlert, ended_s: float | None) -> dict[str, object]:
    document: dict[str, object] = {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": alert.active_at.isoformat(),
    }
    if ended_s is not None:
        document["endsAt"] = datetime.fromtimestamp(ended_s, UTC).isoformat()
    return document
