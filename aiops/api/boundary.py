"""Where a request enters and ends: its id, its bounds in bytes and seconds, headers, counting, the audit, and the last guard.

Pure ASGI, outermost. Whatever escapes the application becomes a 500 problem here, is logged with the request's id
and never shows a traceback.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Literal

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from ulid import ULID

from aiops.api.audited import Records
from aiops.api.problems import Problem, problem_response
from aiops.api.services import ApiLimits, Protection, VersionInfo
from aiops.domain.analysis import Analysis

#: Of every answer that does not say otherwise itself; only the page's own files do.
SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (
        b"content-security-policy",
        b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"cache-control", b"no-store"),
)
#: Where the request came by TLS (RFC 6797).
TRANSPORT_SECURITY = (b"strict-transport-security", b"max-age=31536000")
METHODS: frozenset[str] = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_log = structlog.get_logger(__name__)


#: Whether a client asked for an analysis or the keeper of incidents did by itself.
AskedBy = Literal["request", "keeper"]


class ApiMetrics:
    """The API's own metrics in an injected registry. Labels are bounded: route templates, never raw paths."""

    def __init__(self, registry: CollectorRegistry, version: VersionInfo) -> None:
        self.requests = Counter(
            "aiops_http_requests", "HTTP requests", ("method", "route", "status"), registry=registry
        )
        self._analyses = Counter("aiops_analysis", "Analyses", ("verdict", "asked_by"), registry=registry)
        self._analysis_s = Histogram(
            "aiops_analysis_duration_seconds",
            "Duration of analyses",
            ("asked_by",),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._confidence = Histogram(
            "aiops_analysis_confidence",
            "Confidence of the first cause; 0 where none is named",
            buckets=[step / 10 for step in range(11)],
            registry=registry,
        )
        self.waiting = Gauge("aiops_analysis_queue_depth", "Analyses waiting or running", registry=registry)
        build = Gauge(
            "aiops_build_info",
            "What runs; always 1",
            ("version", "commit", "rules", "model"),
            registry=registry,
        )
        build.labels(version.version, version.commit, version.rules, version.model or "off").set(1)

    def analysed(self, asked_by: AskedBy, analysis: Analysis, took_s: float) -> None:
        """One that was made, whether or not it is kept."""
        self._analyses.labels(analysis.verdict, asked_by).inc()
        self._analysis_s.labels(asked_by).observe(took_s)
        self._confidence.observe(analysis.causes[0].confidence if analysis.causes else 0.0)

    def analysis_failed(self, asked_by: AskedBy) -> None:
        self._analyses.labels("failed", asked_by).inc()

    def count(self, method: str, route: str, status: int) -> None:
        self.requests.labels(method if method in METHODS else "other", route, str(status)).inc()


def request_id_of(scope: Scope) -> str:
    """The id that :class:`Boundary` gave the request."""
    return str(scope.get("state", {}).get("request_id", ""))


def instance_of(scope: Scope) -> str:
    """The path of the request as RFC 9457's ``instance``: percent-encoded, without the query."""
    raw = scope.get("raw_path") or scope["path"].encode("utf-8", "replace")
    return bytes(raw).split(b"?", 1)[0][:1024].decode("latin-1")


class Boundary:
    """The outermost layer of the application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        limits: ApiLimits,
        metrics: ApiMetrics,
        protection: Protection,
        records: Records,
    ) -> None:
        self._app = app
        self._limits = limits
        self._metrics = metrics
        self._protection = protection
        self._records = records

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        answer = _Answer(send, scope, self._records)
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._bounded(scope, receive, answer)
            finally:
                route = getattr(scope.get("route"), "path_format", "unmatched")
                self._metrics.count(scope["method"], route, answer.status)
                if not answer.started:
                    await self._records.keep(scope, answer.status)

    async def _bounded(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        problem: Problem
        try:
            async with asyncio.timeout(self._limits.request_timeout_s) as timeout:
                answer.timeout = timeout
                refuse_at_the_door(scope, self._limits, self._protection)
                await self._app(scope, _BoundedBody(scope, receive, self._limits), answer)
            return
        except Problem as refused:
            problem = refused
        except ClientDisconnect:
            answer.status = 499  # nobody is there to be answered; counted as other servers count it
            return
        except TimeoutError:
            if not timeout.expired():
                _log.exception("request failed", path=scope["path"])
                problem = Problem(500, "internal", "see our log under the request's id")
            else:
                problem = Problem(503, "timeout", "the answer takes too long", headers={"Retry-After": "5"})
        except Exception:  # noqa: BLE001 - the request ends here: logged under its id, answered as a problem
            _log.exception("request failed", path=scope["path"])
            problem = Problem(500, "internal", "see our log under the request's id")
        if not answer.started:
            scope["state"]["problem"] = problem.slug
            response = problem_response(problem, instance=instance_of(scope), request_id=request_id_of(scope))
            await response(scope, receive, answer)


def refuse_at_the_door(scope: Scope, limits: ApiLimits, protection: Protection) -> None:
    """Raises a problem for a request whose first line or headers alone say that it is not for us."""
    target = len(scope.get("raw_path") or scope["path"].encode()) + len(scope.get("query_string", b""))
    if target > limits.target_bytes:
        raise Problem(414, "target-too-long", f"path and query may have {limits.target_bytes} bytes")
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    size = sum(len(name) + len(value) for name, value in headers)
    if len(headers) > limits.headers or size > limits.header_bytes:
        raise Problem(
            431,
            "headers-too-large",
            f"at most {limits.headers} headers of together {limits.header_bytes} bytes are taken",
        )
    hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
    for host in hosts:
        if not host_is_allowed(host, protection.allowed_hosts):
            raise Problem(
                421,
                "wrong-host",
                f"{host[:100]!r} is no name of this server; AIOPS_ALLOWED_HOSTS lists those that are",
            )


def host_is_allowed(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether a Host header (RFC 9110, section 7.2) names us. Addresses always do: DNS rebinding needs a name."""
    if not allowed:
        return True
    name = host.lower()
    name = name[1:].partition("]")[0] if name.startswith("[") and "]" in name else name.partition(":")[0]
    if name.rstrip(".") in {one.lower() for one in allowed}:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


class _Answer:
    """``send`` that adds the headers of every answer, remembers the status, and keeps the audit's entry before it sends.

    A stream of events has no end that could be waited for: the request's time is up only until it begins.
    """

    def __init__(self, send: Send, scope: Scope, records: Records) -> None:
        self._send = send
        self._scope = scope
        self._records = records
        self.timeout: asyncio.Timeout | None = None
        self.started = False
        self.status = 500

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self.status = message["status"]
            given = {name.lower(): value for name, value in message.get("headers", ())}
            if given.get(b"content-type", b"").startswith(b"text/event-stream") and self.timeout is not None:
                self.timeout.reschedule(None)
            await self._records.keep(self._scope, self.status, given.get(b"location", b"").decode("latin-1"))
            own = [one for one in self._own_headers() if one[0] not in given]
            message = {**message, "headers": [*message.get("headers", ()), *own]}
        await self._send(message)

    def _own_headers(self) -> list[tuple[bytes, bytes]]:
        state = self._scope["state"]
        more: Mapping[str, str] = state.get("answer_headers", {})
        found = [(b"x-request-id", str(state["request_id"]).encode()), *SECURITY_HEADERS]
        found.extend(
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in more.items()
        )
        if self._scope.get("scheme") == "https":
            found.append(TRANSPORT_SECURITY)
        return found


class _BoundedBody:
    """``receive`` that refuses what is too long (by its claim or by its bytes) or too slow."""

    def __init__(self, scope: Scope, receive: Receive, limits: ApiLimits) -> None:
        self._scope = scope
        self._receive = receive
        self._limits = limits
        self._received = 0
        self._complete = False
        self._deadline = time.monotonic() + limits.body_timeout_s

    async def __call__(self) -> Message:
        if self._complete:
            return await self._receive()
        if _claimed_length(self._scope) > self._limits.body_bytes:
            raise self._too_large()
        try:
            async with asyncio.timeout(max(0.0, self._deadline - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            raise Problem(408, "body-timeout", f"not here after {self._limits.body_timeout_s:g} s") from None
        if message["type"] == "http.request":
            self._received += len(message.get("body", b""))
            self._complete = not message.get("more_body", False)
        if self._received > self._limits.body_bytes:
            raise self._too_large()
        return message

    def _too_large(self) -> Problem:
        return Problem(413, "body-too-large", f"at most {self._limits.body_bytes} bytes are taken")


def _claimed_length(scope: Scope) -> int:
    headers: Mapping[bytes, bytes] = dict(scope["headers"])
    claim = headers.get(b"content-length", b"0")
    return int(claim) if claim.isdigit() and len(claim) < 20 else 0


def _request_id(scope: Scope) -> str:
    """The sender's ``X-Request-ID`` where it is short and plain, else a new one."""
    given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    return given if _REQUEST_ID.fullmatch(given) else str(_new_id())


def _new_id() -> ULID:
    """Unlike others, and no secret: it costs no call of the system."""
    return ULID.from_int(time.time_ns() // 1_000_000 << 80 | random.getrandbits(80))
