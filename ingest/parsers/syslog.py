"""Syslog lines to columns: RFC 5424, RFC 3164 and the vendors' own headers, told apart line by line.

**Time.** ``at_s`` is the device's time unless it is missing or cannot be right: more than a day after arrival, or more
than ``max_age_s`` before it (a clock that was never set shows 1970, 1993 or 2000). Then it is the arrival time.
A stamp without a year gets the latest year that puts it no more than a day after arrival; a stamp without a zone is in
``zone``, UTC unless told otherwise.

**Identity.** ``event_id`` is 128 bits of XXH3 over source, arrival time and bytes, and the occurrence among equal
lines of the batch from the second on: the same bytes delivered twice are one event, genuine repeats are not.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, tzinfo

import numpy as np
import polars as pl
import pyarrow as pa
import xxhash

from aiops.domain.batches import EVENT_SCHEMA, EventBatch, FloatArray, RawBatch, Reject
from ingest.parsers.syslog_columns import TAKEN_SCHEMA, split_priority, take_rfc3164, take_rfc5424
from ingest.parsers.syslog_header import Header, NotSyslog, read_line
from ingest.parsers.syslog_time import DAY_S
from ingest.parsers.syslog_vendor import vendor_column, vendor_of

#: A device time older than this at arrival is a clock that was never set.
MAX_AGE_S = 366 * DAY_S
#: A line longer than this is a reject. RFC 5424 asks for 2 KiB; real senders stay below 64 KiB.
MAX_LINE_BYTES = 256 << 10
#: Up to so many lines the exact parser is faster than columns are; both agree on every line.
FEW_LINES = 256

_LINE_END = b"\r\n\x00"


@dataclass(frozen=True, slots=True)
class ParsedLines:
    """Headers of a batch. ``frame`` is TAKEN_SCHEMA in order of arrival (``device_s`` NaN: the line names no time),
    ``problems`` = (row, reason, byte offset) of the lines that are none."""

    frame: pl.DataFrame
    problems: tuple[tuple[int, str, int | None], ...]
    replaced: int


def parse_syslog(batch: RawBatch, *, zone: tzinfo = UTC, max_age_s: float = MAX_AGE_S) -> EventBatch:
    """One event or one reject for every payload. Raises nothing for any bytes."""
    if len(batch.payloads) <= FEW_LINES:
        return _parse_few(batch, zone, max_age_s)
    arrival_s = np.asarray(batch.received_at_s, dtype=np.float64)
    parsed = parse_lines(tuple(batch.payloads), arrival_s=arrival_s, zone=zone)
    rejects = tuple(
        Reject(batch.source, reason, batch.received_at_s[row], batch.payloads[row], offset)
        for row, reason, offset in parsed.problems
    )
    return EventBatch(batch.source, _table(batch, parsed, arrival_s, max_age_s), rejects, parsed.replaced)


def parse_lines(payloads: tuple[bytes, ...], *, arrival_s: FloatArray, zone: tzinfo) -> ParsedLines:
    """The headers of ``payloads``; columns first, then the exact parser for what these left over."""
    text, replaced = _decode(payloads)
    problems: list[tuple[int, str, int | None]] = []
    lines = split_priority(text)
    columns = take_rfc5424(lines)
    taken = [columns]
    if columns.height < len(payloads):
        rest = lines.filter(~pl.col("body").str.starts_with("1 "))
        if rest.height:
            taken.append(take_rfc3164(rest, arrival_s=arrival_s, zone=zone))
    left = np.ones(len(payloads), dtype=np.bool_)
    for frame in taken:
        left[frame["row"].to_numpy()] = False
    rows = np.flatnonzero(left)
    if rows.size:
        taken.append(_exact(text, rows.tolist(), payloads, arrival_s, zone, problems))
    frame = pl.concat(taken) if len(taken) > 1 else columns
    if len(taken) > 1 or not frame["row"].is_sorted():
        frame = frame.sort("row")
    return ParsedLines(frame, tuple(problems), sum(bool(flag) for flag in replaced[frame["row"].to_numpy()]))


def _parse_few(batch: RawBatch, zone: tzinfo, max_age_s: float) -> EventBatch:
    """What :func:`parse_syslog` gives, by the exact parser alone."""
    rows: list[int] = []
    headers: list[Header] = []
    rejects: list[Reject] = []
    replaced = 0
    for row, (raw, arrived_s) in enumerate(zip(batch.payloads, batch.received_at_s, strict=True)):
        if len(raw) > MAX_LINE_BYTES:
            reason = f"the line is longer than {MAX_LINE_BYTES} bytes"
            rejects.append(Reject(batch.source, reason, arrived_s, raw, MAX_LINE_BYTES))
            continue
        text, changed = _text(raw)
        try:
            headers.append(read_line(text, arrival_s=float(arrived_s), zone=zone))
        except NotSyslog as wrong:
            offset = len(text[: wrong.offset].encode())
            rejects.append(Reject(batch.source, str(wrong), arrived_s, raw, offset))
        else:
            rows.append(row)
            replaced += changed
    return EventBatch(batch.source, _few_columns(batch, rows, headers, max_age_s), tuple(rejects), replaced)


def _text(raw: bytes) -> tuple[str, bool]:
    """A line without its line end, and whether it needed a replacement character."""
    try:
        return raw.decode().rstrip(_LINE_END.decode()), False
    except UnicodeDecodeError:
        return raw.decode(errors="replace").rstrip(_LINE_END.decode()), True


def _few_columns(batch: RawBatch, rows: list[int], headers: list[Header], max_age_s: float) -> pa.Table:
    arrived = np.array([batch.received_at_s[row] for row in rows], dtype=np.float64)
    columns: dict[str, list[object]] = {
        name: [getattr(header, name) for header in headers] for name in Header._fields
    }
    columns["received_at_s"] = list(arrived)
    columns["at_s"] = [
        header.device_s
        if header.device_s is not None and at_s - max_age_s <= header.device_s <= at_s + DAY_S
        else at_s
        for header, at_s in zip(headers, arrived.tolist(), strict=True)
    ]
    priorities = [header.priority for header in headers]
    columns["facility"] = [None if priority is None else priority // 8 for priority in priorities]
    columns["severity"] = [None if priority is None else priority % 8 for priority in priorities]
    columns["vendor"] = [vendor_of(header.app, header.message) for header in headers]
    columns["event_id"] = list(_event_ids(batch, rows, arrived))
    return pa.table(
        {field.name: pa.array(columns[field.name], field.type) for field in EVENT_SCHEMA}, schema=EVENT_SCHEMA
    )


def _decode(payloads: tuple[bytes, ...]) -> tuple[pl.Series, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Text without line ends, and which lines needed a replacement character; nothing of lines that are too long."""
    if max(map(len, payloads), default=0) > MAX_LINE_BYTES:
        payloads = tuple(payload if len(payload) <= MAX_LINE_BYTES else b"" for payload in payloads)
    replaced = np.zeros(len(payloads), dtype=np.bool_)
    try:
        column = pa.array(payloads, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        texts = []
        for row, payload in enumerate(payloads):
            try:
                texts.append(payload.decode())
            except UnicodeDecodeError:
                texts.append(payload.decode(errors="replace"))
                replaced[row] = True
        column = pa.array(texts, pa.string())
    series = pl.from_arrow(column)
    assert isinstance(series, pl.Series)
    return series.str.strip_chars_end(_LINE_END.decode()), replaced


def _exact(
    text: pl.Series,
    rows: list[int],
    payloads: tuple[bytes, ...],
    arrival_s: FloatArray,
    zone: tzinfo,
    problems: list[tuple[int, str, int | None]],
) -> pl.DataFrame:
    kept: list[int] = []
    headers: list[Header] = []
    for row, line in zip(rows, text.gather(rows).to_list(), strict=True):
        if len(payloads[row]) > MAX_LINE_BYTES:
            problems.append((row, f"the line is longer than {MAX_LINE_BYTES} bytes", MAX_LINE_BYTES))
            continue
        try:
            headers.append(read_line(line, arrival_s=float(arrival_s[row]), zone=zone))
        except NotSyslog as wrong:
            problems.append((row, str(wrong), len(line[: wrong.offset].encode())))
        else:
            kept.append(row)
    columns = {name: [getattr(header, name) for header in headers] for name in Header._fields}
    frame = pl.DataFrame({"row": kept, **columns}, schema=TAKEN_SCHEMA)
    return frame.with_columns(pl.col("device_s").fill_null(float("nan")))


def _table(batch: RawBatch, parsed: ParsedLines, arrival_s: FloatArray, max_age_s: float) -> pa.Table:
    frame = parsed.frame
    rows = frame["row"].to_numpy()
    arrived = arrival_s[rows]
    device = frame["device_s"].to_numpy()
    with np.errstate(invalid="ignore"):
        sane = (device <= arrived + DAY_S) & (device >= arrived - max_age_s)
    columns = frame.with_columns(
        pl.Series("at_s", np.where(sane, device, arrived)),
        pl.Series("received_at_s", arrived),
        (pl.col("priority") // 8).cast(pl.Int8).alias("facility"),
        (pl.col("priority") % 8).cast(pl.Int8).alias("severity"),
        vendor_column(frame),
        pl.Series("event_id", _event_ids(batch, rows.tolist(), arrived), dtype=pl.String),
    )
    return columns.select(EVENT_SCHEMA.names).to_arrow().cast(EVENT_SCHEMA)


def _event_ids(batch: RawBatch, rows: list[int], arrived: FloatArray) -> list[str]:
    source = np.uint64(xxhash.xxh3_64_intdigest(batch.source.encode()))
    seeds = (arrived.view(np.uint64) ^ source).tolist()
    digest = xxhash.xxh3_128_hexdigest
    payloads = batch.payloads
    chosen = payloads if len(rows) == len(payloads) else [payloads[row] for row in rows]
    ids = [digest(raw, seed) for raw, seed in zip(chosen, seeds, strict=True)]
    if len(set(ids)) == len(ids):
        return ids
    seen: Counter[str] = Counter()
    for place, name in enumerate(ids):
        seen[name] += 1
        if seen[name] > 1:
            ids[place] = f"{name}-{seen[name]}"
    return ids
