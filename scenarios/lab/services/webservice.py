"""What the services share: an HTTP server with metrics, outbound calls that are counted, lines to syslog."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import logging.handlers
import os
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

import prometheus_client as prometheus
import psycopg2
import psycopg2.extensions
import redis

BUCKETS = (0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
Answer = tuple[int, Any]
Result = TypeVar("Result")

for collector in (prometheus.GC_COLLECTOR, prometheus.PLATFORM_COLLECTOR):
    prometheus.REGISTRY.unregister(collector)

REQUESTS = prometheus.Counter("http_requests_total", "Requests served.", ["route", "code"])
LATENCY = prometheus.Histogram("http_request_duration_seconds", "Time to answer.", ["route"], buckets=BUCKETS)
CALLS = prometheus.Counter("client_requests_total", "Requests sent to a peer.", ["peer", "outcome"])
CALL_TIME = prometheus.Summary("client_request_duration_seconds", "Time until the peer answered.", ["peer"])


class PeerError(Exception):
    """A peer did not do what was asked; the text is what goes to the log."""


def logger(name: str) -> logging.Logger:
    """A logger that writes to the host's syslog, as ``name[pid]: LEVEL text``."""
    log = logging.getLogger(name)
    handler = logging.handlers.SysLogHandler("/dev/log", facility="local0")
    handler.append_nul = False
    handler.setFormatter(logging.Formatter(f"{name}[{os.getpid()}]: %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    return log


def call(peer: str, address: str, work: Callable[[], Result]) -> Result:
    """Run ``work`` as one request to ``peer``: counted, timed, its errors turned into :class:`PeerError`."""
    started = time.monotonic()
    try:
        result = work()
    except (OSError, http.client.HTTPException, psycopg2.Error, redis.RedisError, PeerError) as error:
        CALLS.labels(peer, "error").inc()
        text = " ".join(str(error).split()) or type(error).__name__
        raise PeerError(f"{peer} ({address}): {text}") from error
    finally:
        CALL_TIME.labels(peer).observe(time.monotonic() - started)
    CALLS.labels(peer, "ok").inc()
    return result


class HttpPeer:
    """A service reached by HTTP."""

    def __init__(self, name: str, host: str, port: int, timeout_s: float = 2.0) -> None:
        self.name, self.host, self.port, self.timeout_s = name, host, port, timeout_s

    def get(self, path: str) -> Any:
        def work() -> Any:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout_s)
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read()
            finally:
                connection.close()
            if answer.status >= 500:
                raise PeerError(f"GET {path.split('?')[0]} answered {answer.status}")
            return json.loads(body)

        return call(self.name, f"{self.host}:{self.port}", work)


class DatabasePeer:
    """PostgreSQL behind a small pool. A connection that failed is thrown away."""

    def __init__(self, name: str, host: str, port: int, database: str, size: int = 8) -> None:
        self.name, self.host, self.port, self.database = name, host, port, database
        self._idle: queue.LifoQueue[psycopg2.extensions.connection] = queue.LifoQueue()
        self._slots = threading.BoundedSemaphore(size)

    @contextlib.contextmanager
    def _connection(self) -> Iterator[psycopg2.extensions.connection]:
        if not self._slots.acquire(timeout=2.0):
            raise PeerError("connection pool exhausted, no connection free within 2 s")
        try:
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                connection = psycopg2.connect(
                    host=self.host,
                    port=self.port,
                    dbname=self.database,
                    user="shop",
                    connect_timeout=2,
                    tcp_user_timeout=3000,
                    options="-c statement_timeout=3000",
                    application_name=self.name,
                )
                connection.autocommit = True
            try:
                yield connection
            except psycopg2.Error:
                connection.close()
                raise
            self._idle.put(connection)
        finally:
            self._slots.release()

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        def work() -> list[tuple[Any, ...]]:
            with self._connection() as connection, connection.cursor() as cursor:
                cursor.execute(sql, values)
                return cursor.fetchall() if cursor.description else []

        return call(self.name, f"{self.host}:{self.port}", work)


class CachePeer:
    """Redis, with short timeouts."""

    def __init__(self, name: str, host: str, port: int) -> None:
        self.name, self.host, self.port = name, host, port
        self._client = redis.Redis(
            host=host, port=port, socket_timeout=1.5, socket_connect_timeout=1.5, decode_responses=True
        )

    def run(self, work: Callable[[redis.Redis[Any]], Result]) -> Result:
        return call(self.name, f"{self.host}:{self.port}", lambda: work(self._client))


Route = Callable[[dict[str, str]], Answer]
REPORT_EVERY_S = 60.0


def report_forever(log: logging.Logger, done: Callable[[], tuple[int, int]], what: str) -> None:
    """Log what was done since the last report, every minute. ``done`` returns (all, failed) so far."""
    before = (0, 0)
    while True:
        time.sleep(REPORT_EVERY_S)
        now = done()
        log.info("%d %s in the last minute, %d of them failed", now[0] - before[0], what, now[1] - before[1])
        before = now


def serve(port: int, routes: dict[tuple[str, str], Route], log: logging.Logger) -> None:
    """Serve ``routes`` ((method, path) to function of the query's values) and /metrics until the end."""

    counts = {"all": 0, "failed": 0}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.handle_route("GET")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.handle_route("POST")

        def handle_route(self, method: str) -> None:
            path, _, query = self.path.partition("?")
            if path == "/metrics":
                self.reply(200, prometheus.generate_latest(), "text/plain; version=0.0.4")
                return
            route = routes.get((method, path))
            if route is None:
                self.reply(404, b"{}", "application/json")
                return
            started = time.monotonic()
            try:
                code, body = route(dict(re.findall(r"(\w+)=([\w-]+)", query)))
            except PeerError as error:
                code, body = 502, {"error": "upstream"}
                log.error("%s %s failed: %s", method, path, error)
            LATENCY.labels(path).observe(time.monotonic() - started)
            REQUESTS.labels(path, str(code)).inc()
            counts["all"] += 1
            counts["failed"] += code >= 500
            self.reply(code, json.dumps(body).encode(), "application/json")

        def reply(self, code: int, body: bytes, content_type: str) -> None:
            with contextlib.suppress(OSError):
                self.send_response(code)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:  # the access log is nginx's
            return

    class Server(ThreadingHTTPServer):
        request_queue_size = 64
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            return  # a client that went away

    report = (log, lambda: (counts["all"], counts["failed"]), "requests")
    threading.Thread(target=report_forever, args=report, daemon=True).start()
    Server(("0.0.0.0", port), Handler).serve_forever()
