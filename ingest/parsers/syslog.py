"""Syslog lines to columns: RFC 5424, RFC 3164 and the vendors' own headers, told apart line by line.

**Time.** ``at_s`` is the device's time unless it is missing or cannot be right: more than a day after arrival, or more
than ``max_age_s`` before it (a clock that was never set shows 1970, 1993 or 2000). Then it is the arrival time.
A stamp without a year gets the latest year that puts it no more than a day after arrival; a stamp without a zone is in
``zone``, UTC unless told otherwise.

**Plain lines.** What comes from files and other places that promise no syslog (:data:`PLAIN_TRANSPORTS`) needs no header:
a line with neither a priority nor a time is all message, of the time it was read.

**Identity.** With a position in the journal ``event_id`` is ``position#row``. Without one it is 128 bits of XXH3 over
source, arrival time and bytes, and the occurrence among equal lines of the batch from the second on: the same bytes
delivered twice are one event, genuine repeats are not.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo

import numpy as np
import pyarrow as pa
import xxhash

from aiops.domain.batches import EVENT_SCHEMA, EventBatch, FloatArray, IntArray, Payloads, RawBatch, Reject
from ingest.parsers.syslog_block import LineBlock
from ingest.parsers.syslog_columns import HeaderColumns
from ingest.parsers.syslog_header import Header, NotSyslog, read_line
from ingest.parsers.syslog_kernel import take_lines
from ingest.parsers.syslog_time import DAY_S

#: A device time older than this at arrival is a clock that was never set.
MAX_AGE_S = 366 * DAY_S
#: A line longer than this is a reject. RFC 5424 asks for 2 KiB; real senders stay below 64 KiB.
MAX_LINE_BYTES = 256 << 10
#: Transports on which a line may be anything.
PLAIN_TRANSPORTS = frozenset({"file"})
#: Up to so many lines the exact parser is faster than the kernel is; both agree on every line.
FEW_LINES = 48
#: Lines are parsed in blocks of at most so many bytes; places in a block must fit 32 bits.
MAX_BLOCK_BYTES = 1 << 28

_LINE_END = b"\r\n\x00"


@dataclass(frozen=True, slots=True)
class ParsedLines:
    """Headers of a batch in order of arrival, and ``problems`` = (row, reason, byte offset) of the lines that are none.
    ``replaced``: lines in which bytes that are no UTF-8 became U+FFFD."""

    headers: HeaderColumns
    problems: tuple[tuple[int, str, int | None], ...]
    replaced: int


def parse_syslog(batch: RawBatch, *, zone: tzinfo = UTC, max_age_s: float = MAX_AGE_S) -> EventBatch:
    """One event or one reject for every payload. Raises nothing for any bytes."""
    payloads = batch.payloads if isinstance(batch.payloads, Payloads) else Payloads.of(batch.payloads)
    arrival_s = np.asarray(batch.received_at_s, dtype=np.float64)
    tables, rejects, replaced = [], [], 0
    for first, last in _blocks(payloads):
        part = _part(payloads, first, last)
        plain = batch.transport in PLAIN_TRANSPORTS
        parsed = parse_lines(part, arrival_s=arrival_s[first:last], zone=zone, plain=plain)
        ids = _event_ids(batch, part, parsed.headers.row, arrival_s[first:last], first)
        tables.append(_table(parsed.headers, arrival_s[first:last], ids, max_age_s))
        rejects += [
            Reject(batch.source, reason, float(arrival_s[first + row]), part[row], offset)
            for row, reason, offset in parsed.problems
        ]
        replaced += parsed.replaced
    table = tables[0] if len(tables) == 1 else pa.concat_tables(tables)
    return EventBatch(batch.source, table, tuple(rejects), replaced, batch.position)


def parse_lines(
    payloads: Payloads, *, arrival_s: FloatArray, zone: tzinfo, plain: bool = False
) -> ParsedLines:
    """The headers of ``payloads``; the kernel first, then the exact parser for what it left over. ``plain``: a line without
    a header is all message."""
    if len(payloads) <= FEW_LINES:
        return _exact(payloads, range(len(payloads)), arrival_s, zone, plain)
    block = LineBlock.of(payloads, max_line_bytes=MAX_LINE_BYTES)
    spans = take_lines(block, arrival_s, zone)
    headers = HeaderColumns.of_spans(block, spans)
    rows = np.flatnonzero(~spans.taken).tolist()
    if not rows:
        return ParsedLines(headers, (), 0)
    rest = _exact(payloads, rows, arrival_s, zone, plain)
    return ParsedLines(headers.merged(rest.headers), rest.problems, rest.replaced)


def _blocks(payloads: Payloads) -> list[tuple[int, int]]:
    """Rows from and to, so that no more than MAX_BLOCK_BYTES, or a single line, are parsed at once."""
    if len(payloads.data) <= MAX_BLOCK_BYTES:
        return [(0, len(payloads))]
    cuts, first = [], 0
    while first < len(payloads):
        limit = payloads.offsets[first] + MAX_BLOCK_BYTES
        last = max(first + 1, int(np.searchsorted(payloads.offsets, limit, side="right")) - 1)
        cuts.append((first, last))
        first = last
    return cuts


def _part(payloads: Payloads, first: int, last: int) -> Payloads:
    if (first, last) == (0, len(payloads)):
        return payloads
    offsets = payloads.offsets[first : last + 1]
    return Payloads(payloads.data[offsets[0] : offsets[-1]], offsets - offsets[0])


def _exact(
    payloads: Payloads, rows: Sequence[int], arrival_s: FloatArray, zone: tzinfo, plain: bool
) -> ParsedLines:
    """Line by line."""
    kept: list[int] = []
    headers: list[Header] = []
    problems: list[tuple[int, str, int | None]] = []
    replaced = 0
    for row, arrived_s in zip(rows, arrival_s[list(rows)].tolist(), strict=True):
        raw = payloads[row]
        if len(raw) > MAX_LINE_BYTES:
            problems.append((row, f"the line is longer than {MAX_LINE_BYTES} bytes", MAX_LINE_BYTES))
            continue
        text, changed = _text(raw)
        try:
            headers.append(read_line(text, arrival_s=arrived_s, zone=zone))
        except NotSyslog as wrong:
            if not plain or not text.strip():
                problems.append((row, str(wrong), len(text[: wrong.offset].encode())))
                continue
            headers.append(Header(message=text))
        kept.append(row)
        replaced += changed
    return ParsedLines(HeaderColumns.of_headers(kept, headers), tuple(problems), replaced)


def _text(raw: bytes) -> tuple[str, bool]:
    """A line without its line end, and whether it needed a replacement character."""
    try:
        return raw.decode().rstrip(_LINE_END.decode()), False
    except UnicodeDecodeError:
        return raw.decode(errors="replace").rstrip(_LINE_END.decode()), True


def _table(headers: HeaderColumns, arrival_s: FloatArray, ids: pa.StringArray, max_age_s: float) -> pa.Table:
    arrived, device, priority = arrival_s[headers.row], headers.device_s, headers.priority
    with np.errstate(invalid="ignore"):
        sane = (device <= arrived + DAY_S) & (device >= arrived - max_age_s)
    unknown = priority < 0
    mask = unknown if unknown.any() else None
    columns = {
        **headers.text,
        "at_s": pa.array(np.where(sane, device, arrived)),
        "received_at_s": pa.array(arrived),
        "facility": pa.array((priority >> 3).astype(np.int8), mask=mask),
        "severity": pa.array((priority & 7).astype(np.int8), mask=mask),
        "event_id": ids,
    }
    return pa.table([columns[name] for name in EVENT_SCHEMA.names], schema=EVENT_SCHEMA)


def _event_ids(
    batch: RawBatch, payloads: Payloads, rows: IntArray, arrival_s: FloatArray, first_row: int
) -> pa.StringArray:
    if batch.position:
        return position_ids(batch.position, rows + first_row)
    return pa.array(_hashed_ids(batch.source, payloads, rows, arrival_s[rows]), pa.string())


def position_ids(position: str, rows: IntArray) -> pa.StringArray:
    """``position#row`` for each of ``rows``, which ascend."""
    prefix = f"{position}#".encode()
    bounds = np.searchsorted(rows, [0, *(10**digits for digits in range(1, 19)), np.iinfo(np.int64).max])
    parts, sizes = [], []
    for digits, (begin, end) in enumerate(itertools.pairwise(bounds), start=1):
        if begin == end:
            continue
        texts = np.empty((end - begin, len(prefix) + digits), dtype=np.uint8)
        texts[:, : len(prefix)] = np.frombuffer(prefix, dtype=np.uint8)
        left = rows[begin:end]
        for place in range(digits):
            left, digit = np.divmod(left, 10)
            texts[:, -1 - place] = digit + ord("0")
        parts.append(texts.tobytes())
        sizes.append(np.full(end - begin, texts.shape[1], dtype=np.int32))
    offsets = np.zeros(len(rows) + 1, dtype=np.int32)
    if sizes:
        np.cumsum(np.concatenate(sizes), out=offsets[1:])
    return pa.StringArray.from_buffers(len(rows), pa.py_buffer(offsets), pa.py_buffer(b"".join(parts)))


def _hashed_ids(source: str, payloads: Payloads, rows: IntArray, arrived_s: FloatArray) -> list[str]:
    salt = np.uint64(xxhash.xxh3_64_intdigest(source.encode()))
    seeds = (arrived_s.view(np.uint64) ^ salt).tolist()
    digest = xxhash.xxh3_128_hexdigest
    chosen = payloads if len(rows) == len(payloads) else [payloads[row] for row in rows.tolist()]
    ids = [digest(raw, seed) for raw, seed in zip(chosen, seeds, strict=True)]
    if len(set(ids)) == len(ids):
        return ids
    seen: Counter[str] = Counter()
    for place, name in enumerate(ids):
        seen[name] += 1
        if seen[name] > 1:
            ids[place] = f"{name}-{seen[name]}"
    return ids
