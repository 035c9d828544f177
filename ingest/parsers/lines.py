"""The parsers as filters: a line in, one JSON object out, in the same order, a batch at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice

import numpy as np
import orjson
import pyarrow as pa

from aiops.domain.batches import Payloads
from ingest.parsers.exposition import ExpositionParser
from ingest.parsers.rfc5424 import judge_rfc5424
from ingest.parsers.syslog import parse_lines
from ingest.parsers.syslog_json import json_of_headers

BATCH_LINES = 4096

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def json_lines(
    lines: Iterable[bytes],
    *,
    received_at_s: float,
    zone: tzinfo = UTC,
    batch_lines: int = BATCH_LINES,
    strict: bool = False,
) -> Iterator[bytes]:
    """Syslog lines as ``{"facility", "severity", "at", "host", "app", "procid", "msgid", "structured_data", "message",
    "vendor"}`` or ``{"reject": reason}``, each with its line end.

    ``at`` is the device's own time, null where the line has none; ``received_at_s`` decides the year that a stamp leaves
    out, ``zone`` the zone. ``strict``: a line that does not follow RFC 5424 to the letter is a reject.
    """
    for batch in _batches(lines, batch_lines):
        found = syslog_json(Payloads.of(batch), received_at_s=received_at_s, zone=zone).splitlines(
            keepends=True
        )
        if strict:
            found = [_judged(line, text) for line, text in zip(batch, found, strict=True)]
        yield from found


def _judged(line: bytes, text: bytes) -> bytes:
    verdict = judge_rfc5424(line.rstrip(b"\r\n"))
    if verdict is None:
        return text
    expected, offset = verdict
    return _line({"reject": f"not RFC 5424: expected {expected} at byte {offset}"})


def syslog_json(payloads: Payloads, *, received_at_s: float, zone: tzinfo = UTC) -> bytes:
    """What :func:`json_lines` gives for these lines, as one block."""
    parsed = parse_lines(payloads, arrival_s=np.full(len(payloads), received_at_s), zone=zone)
    documents = json_of_headers(parsed.headers, rfc3339)
    if not parsed.problems:
        return _block_of(documents)
    out: list[bytes] = [b""] * len(payloads)
    for row, reason, _ in parsed.problems:
        out[row] = _line({"reject": reason})
    for row, document in zip(parsed.headers.row.tolist(), documents.to_pylist(), strict=True):
        out[row] = document.encode()
    return b"".join(out)


def _block_of(texts: pa.StringArray) -> bytes:
    """The texts one after the other."""
    _, offsets, data = texts.buffers()
    if data is None:
        return b""
    begin = np.frombuffer(offsets, dtype=np.int32)
    return bytes(memoryview(data)[begin[texts.offset] : begin[texts.offset + len(texts)]])


def metric_json_lines(
    lines: Iterable[bytes], *, received_at_s: float | None = None, openmetrics: bool = False
) -> Iterator[bytes]:
    """Lines of an exposition as ``{"metric", "labels", "value", "at"}``, ``{"comment": text}`` for comments and empty
    lines, or ``{"reject": reason}``. Values that JSON has no number for are the strings NaN, +Inf and -Inf."""
    parser = ExpositionParser()
    unstamped = math.nan if received_at_s is None else received_at_s
    for line in lines:
        text = line.rstrip(b"\r\n")
        batch = parser.parse(text, source="", received_at_s=unstamped, openmetrics=openmetrics)
        if batch.rejects:
            document: dict[str, object] = {"reject": batch.rejects[0].reason.partition(": ")[2]}
        elif not batch.value.size:
            document = {"comment": text.decode(errors="replace")}
        else:
            series = batch.series[0]
            document = {
                "metric": series.metric,
                "labels": dict(series.labels),
                "value": _json_number(float(batch.value[0])),
                "at": rfc3339(float(batch.at_s[0])),
            }
        yield _line(document)


def rfc3339(seconds: object) -> str | None:
    """``2026-03-01T12:00:00.5Z`` of epoch seconds; None for what is no time or outside the years 1 to 9999."""
    if not isinstance(seconds, float) or not math.isfinite(seconds):
        return None
    try:
        text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%f")
    except OverflowError:
        return None
    return f"{text.zfill(26).rstrip('0').rstrip('.')}Z"


def _batches(lines: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    source = iter(lines)
    while batch := list(islice(source, size)):
        yield batch


def _json_number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")


def _line(document: dict[str, object]) -> bytes:
    return orjson.dumps(document) + b"\n"
