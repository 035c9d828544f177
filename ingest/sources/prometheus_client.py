"""The HTTP API of Prometheus and of what speaks like it (Thanos, Mimir, VictoriaMetrics), as far as we read it.

https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import httpx
import numpy as np
import orjson

from aiops.domain.batches import FloatArray, IntArray, Series
from aiops.errors import ConfigError, ParseError, StoreUnavailable
from ingest.sources.http_access import HttpAccess, fetch

MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_SERIES = 100_000
MAX_ALERTS = 10_000
TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Matrix:
    """Samples as columns: ``series[index[i]]`` had ``value[i]`` at ``at_s[i]``."""

    series: tuple[Series, ...]
    index: IntArray
    at_s: FloatArray
    value: FloatArray
    histograms: int = 0  # native ones, which are not kept


@dataclass(frozen=True, slots=True)
class ActiveAlert:
    """One alert of ``/api/v1/alerts``; ``state`` is ``firing`` or ``pending``."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    state: str
    active_at: datetime


class PrometheusClient:
    """Asks the server at ``url`` (``http://HOST:PORT``, a path before ``/api`` included). All methods raise StoreUnavailable
    where trying again may help (no connection, 5xx, 429; ``retry_after_s`` as the server said), and ParseError where it will
    not (``reason``: the server's ``errorType``, or ``answer``)."""

    def __init__(
        self,
        url: str,
        access: HttpAccess,
        *,
        timeout_s: float = TIMEOUT_S,
        max_body_bytes: int = MAX_BODY_BYTES,
        max_series: int = MAX_SERIES,
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise ConfigError(f"{url!r} is no address of a Prometheus API", hint="http://HOST:PORT")
        self._url = url.rstrip("/")
        self._access = access
        self._client = access.client()
        self._timeout_s = timeout_s
        self._max_body_bytes = max_body_bytes
        self._max_series = max_series
        self._steady_s = steady_s

    @property
    def host(self) -> str:
        """Host and port of the server."""
        return urlsplit(self._url).netloc

    def close(self) -> None:
        self._client.close()

    def query_range(self, query: str, *, start_s: float, end_s: float, step_s: float) -> Matrix:
        """The values of ``query`` at ``start_s``, ``start_s + step_s`` .. ``end_s``, both included."""
        form = {"query": query, "start": f"{start_s:.3f}", "end": f"{end_s:.3f}", "step": f"{step_s:.3f}"}
        data = self._ask("POST", "query_range", form)
        if not isinstance(data, dict) or data.get("resultType") != "matrix":
            raise _strange("the result is no matrix")
        return _matrix(data.get("result"), self._max_series)

    def series(self, selectors: Sequence[str], *, start_s: float, end_s: float) -> tuple[Series, ...]:
        """The series that match one of ``selectors`` and had samples in this time."""
        form: dict[str, str | list[str]] = {
            "match[]": list(selectors),
            "start": f"{start_s:.3f}",
            "end": f"{end_s:.3f}",
        }
        data = self._ask("POST", "series", form)
        if not isinstance(data, list) or len(data) > self._max_series:
            raise _strange(f"no list of up to {self._max_series} series")
        return tuple(_series(labels) for labels in data)

    def metadata(self) -> Mapping[str, str]:
        """The type of each metric that the server scrapes: ``counter``, ``gauge`` and so on; the first one it names."""
        data = self._ask("GET", "metadata", {})
        if not isinstance(data, dict) or len(data) > self._max_series:
            raise _strange("metadata is no object")
        kinds = {}
        for metric, entries in data.items():
            if not isinstance(entries, list) or not entries or not isinstance(entries[0], dict):
                raise _strange(f"metadata of {metric!r}")
            kinds[metric] = str(entries[0].get("type", "unknown"))
        return kinds

    def alerts(self) -> tuple[ActiveAlert, ...]:
        """The alerts that are pending or firing now."""
        data = self._ask("GET", "alerts", {})
        found = data.get("alerts") if isinstance(data, dict) else None
        if not isinstance(found, list) or len(found) > MAX_ALERTS:
            raise _strange(f"no list of up to {MAX_ALERTS} alerts")
        return tuple(_alert(alert) for alert in found)

    def _ask(self, method: str, path: str, form: Mapping[str, str | list[str]]) -> object:
        headers, auth = self._access.auth()
        request = self._client.build_request(
            method,
            f"{self._url}/api/v1/{path}",
            headers={**headers, "Accept": "application/json"},
            data=form if method == "POST" else None,
            timeout=self._timeout_s,
        )
        try:
            answer = fetch(
                self._client,
                request,
                auth=auth,
                timeout_s=self._timeout_s,
                max_body_bytes=self._max_body_bytes,
                steady_s=self._steady_s,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise StoreUnavailable(
                f"{request.url}: {type(exc).__name__}: {exc}", hint="is the server up?"
            ) from exc
        if answer.status >= 500 or answer.status == 429:
            wait = answer.retry_after
            raise StoreUnavailable(
                f"{request.url}: status {answer.status}: {answer.body[:200].decode(errors='replace')}",
                retry_after_s=float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 6 else None,
            )
        return _data(answer.body, answer.status, str(request.url))


def _data(body: bytes, status: int, url: str) -> object:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise ParseError(f"{url}: status {status}, no JSON: {exc}", reason="answer") from exc
    if not isinstance(document, dict) or document.get("status") != "success":
        kind = str(document.get("errorType", "answer")) if isinstance(document, dict) else "answer"
        text = str(document.get("error", ""))[:400] if isinstance(document, dict) else ""
        raise ParseError(f"{url}: status {status}, {kind}: {text}", reason=kind)
    return document.get("data")


def _strange(what: str) -> ParseError:
    return ParseError(f"the answer is not what the API describes: {what}", reason="answer")


def _series(labels: object) -> Series:
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise _strange("labels that are no texts")
    named = sorted((name, value) for name, value in labels.items() if name != "__name__" and value)
    return Series(labels.get("__name__", ""), tuple(named))


def _matrix(result: object, max_series: int) -> Matrix:
    if not isinstance(result, list):
        raise _strange("no list of series")
    if len(result) > max_series:
        raise ParseError(
            f"{len(result)} series, {max_series} are allowed",
            hint="ask for fewer, or raise the limit",
            reason="too many series",
        )
    series: list[Series] = []
    counts: list[int] = []
    times: list[float] = []
    texts: list[str] = []
    histograms = 0
    for entry in result:
        values = entry.get("values", []) if isinstance(entry, dict) else None
        if not isinstance(values, list):
            raise _strange("a series without values")
        histograms += len(entry.get("histograms") or ())
        series.append(_series(entry.get("metric")))
        counts.append(len(values))
        try:
            times += [at_s for at_s, _text in values]
            texts += [text for _at_s, text in values]
        except (TypeError, ValueError) as exc:
            raise _strange("a value that is no pair of time and text") from exc
    try:
        at_s = np.array(times, dtype=np.float64)
        value = np.array([float(text) for text in texts], dtype=np.float64)
    except (TypeError, ValueError) as exc:
        raise _strange("a value that is no number") from exc
    index = np.repeat(np.arange(len(series)), np.array(counts, dtype=np.int64))
    return Matrix(tuple(series), index.astype(np.int64), at_s, value, histograms)


def _alert(alert: object) -> ActiveAlert:
    if not isinstance(alert, dict):
        raise _strange("an alert that is no object")
    labels, annotations = alert.get("labels"), alert.get("annotations") or {}
    if not isinstance(labels, dict) or not isinstance(annotations, dict):
        raise _strange("an alert without labels")
    try:
        active_at = datetime.fromisoformat(_microseconds(str(alert.get("activeAt"))))
    except ValueError as exc:
        raise _strange(f"the time {alert.get('activeAt')!r}") from exc
    if active_at.tzinfo is None:
        raise _strange(f"the time {alert.get('activeAt')!r} has no zone")
    return ActiveAlert(
        {str(name): str(value) for name, value in labels.items()},
        {str(name): str(value) for name, value in annotations.items()},
        str(alert.get("state", "")),
        active_at,
    )


def _microseconds(text: str) -> str:
    """Go writes nine digits; six are read."""
    head, dot, tail = text.partition(".")
    digits = len(tail) - len(tail.lstrip("0123456789"))
    return f"{head}{dot}{tail[:digits][:6].ljust(6, '0')}{tail[digits:]}" if dot else text
