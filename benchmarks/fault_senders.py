"""Senders of numbered messages that keep what was acknowledged: OTLP logs, text lines, remote write, alerts. Each tries again
until it gets a 2xx, as real senders do."""

from __future__ import annotations

import itertools
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import cramjam
import httpx
import orjson

PER_BODY = 20
SERIES_STEP_S = 0.01


@dataclass(slots=True)
class Sender:
    """One thread. ``acknowledged``: how many numbers, from 0, were answered with 2xx; ``refused``: answers of another kind."""

    name: str
    url: str
    token: str
    path: str
    make: Callable[[int], tuple[bytes, Mapping[str, str]]]
    pause_s: float = 0.1
    acknowledged: int = 0
    tries: int = 0
    refused: dict[int, int] = field(default_factory=dict)
    longest_wait_s: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """After the body that it is at has been acknowledged, or 60 s."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(120)

    def _run(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        with httpx.Client(base_url=self.url, trust_env=False, timeout=15.0, headers=headers) as client:
            while not self._stop.is_set():
                body, own = self.make(self.acknowledged)
                if not self._until_taken(client, body, own):
                    return
                self.acknowledged += PER_BODY
                self._stop.wait(self.pause_s)

    def _until_taken(self, client: httpx.Client, body: bytes, headers: Mapping[str, str]) -> bool:
        began = time.monotonic()
        given_up = float("inf")
        while True:
            self.tries += 1
            try:
                status = client.post(self.path, content=body, headers=dict(headers)).status_code
            except httpx.HTTPError:
                status = 0
            if 200 <= status < 300:
                self.longest_wait_s = max(self.longest_wait_s, time.monotonic() - began)
                return True
            self.refused[status] = self.refused.get(status, 0) + 1
            if self._stop.is_set():
                given_up = min(given_up, time.monotonic() + 60.0)
            if time.monotonic() > given_up:
                return False
            time.sleep(0.1)


def senders(url: str, token: str, start_s: float) -> list[Sender]:
    """One of each kind; ``start_s`` (epoch seconds) is the time of message 0."""
    return [
        Sender("otlp", url, token, "/v1/logs", lambda first: _otlp(first, start_s)),
        Sender("lines", url, token, "/api/v1/ingest/lines", lambda first: _lines(first, start_s)),
        Sender("samples", url, token, "/api/v1/write", lambda first: _samples(first, start_s)),
        Sender("alerts", url, token, "/api/v2/alerts", lambda first: _alerts(first, start_s), pause_s=0.4),
    ]


def _numbers(first: int) -> Iterator[int]:
    return iter(range(first, first + PER_BODY))


def _otlp(first: int, start_s: float) -> tuple[bytes, Mapping[str, str]]:
    records = [
        {
            "timeUnixNano": str(int((start_s + number * SERIES_STEP_S) * 1e9)),
            "severityNumber": 17,
            "body": {"stringValue": f"request {number} failed via otlp"},
        }
        for number in _numbers(first)
    ]
    resource = {
        "attributes": [{"key": "host.name", "value": {"stringValue": f"web-{first // PER_BODY % 7}"}}]
    }
    document = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]}
    return orjson.dumps(document), {"Content-Type": "application/json"}


def _lines(first: int, start_s: float) -> tuple[bytes, Mapping[str, str]]:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start_s + first * SERIES_STEP_S))
    host = f"db-{first // PER_BODY % 5}"
    lines = [
        f"<11>1 {stamp} {host} app 7 - - request {number} failed via lines" for number in _numbers(first)
    ]
    headers = {"Content-Type": "text/plain", "Idempotency-Key": f"lines-{start_s}-{first}"}
    return "\n".join(lines).encode(), headers


def _samples(first: int, start_s: float) -> tuple[bytes, Mapping[str, str]]:
    label = b"".join(
        _field(1, _field(1, name) + _field(2, value))
        for name, value in ((b"__name__", b"fault_number"), (b"instance", b"web-1:9100"), (b"job", b"fault"))
    )
    points = b"".join(
        _field(2, b"\x09" + struct.pack("<d", float(number)) + b"\x10" + _varint(_ms(number, start_s)))
        for number in _numbers(first)
    )
    body = bytes(cramjam.snappy.compress_raw(_field(1, label + points)))
    return body, {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}


def _alerts(first: int, start_s: float) -> tuple[bytes, Mapping[str, str]]:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start_s))
    alerts = [
        {"labels": {"alertname": "Fault", "number": str(number), "host": "web-1"}, "startsAt": at}
        for number in _numbers(first)
    ]
    return orjson.dumps(alerts), {"Content-Type": "application/json"}


def _ms(number: int, start_s: float) -> int:
    return round((start_s + number * SERIES_STEP_S) * 1000)


def _field(number: int, data: bytes) -> bytes:
    """A length-delimited field of protobuf."""
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    parts = bytearray()
    for _ in itertools.count():
        parts.append(value & 0x7F | (0x80 if value > 0x7F else 0))
        value >>= 7
        if not value:
            return bytes(parts)
    raise AssertionError
