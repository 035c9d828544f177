"""RFC 5424 lines of a whole block: the fields lie between the first six blanks, the times are summed in arrays.

Only lines that follow section 6 are taken; they mean what :mod:`ingest.parsers.syslog_header` reads in them.
"""

from __future__ import annotations

import re

import numpy as np

from aiops.domain.batches import FloatArray, IntArray
from ingest.parsers.structured_data import STRUCTURED_DATA, structured_data_json
from ingest.parsers.syslog_block import BoolArray, LineBlock, distinct_of, rows_told_inside, spans_of
from ingest.parsers.syslog_block_time import read_iso_stamps
from ingest.parsers.syslog_spans import Spans

_LIMITS = {"host": 255, "app": 48, "procid": 128, "msgid": 32}
_BYTE_ORDER_MARK = 0xBFBBEF
_DATA = re.compile(STRUCTURED_DATA)
_BLANK, _DASH, _OPEN, _CLOSE = b" -[]"


def take_rfc5424(block: LineBlock, spans: Spans, rows: IntArray, body: IntArray, blanks: IntArray) -> None:
    """Put those of ``rows`` that follow RFC 5424 into ``spans``. ``body``: where ``1 `` stands after the priority;
    ``blanks``: all of the block (:meth:`LineBlock.places_of`)."""
    first = np.searchsorted(blanks, body)
    cut = [blanks[first + number] for number in range(6)]
    good = cut[5] < block.end[rows]
    rows, body, cut = rows[good], body[good], [places[good] for places in cut]
    stamp = body + 2
    seconds, good = read_iso_stamps(block, stamp, cut[1] - stamp)
    nil = (cut[1] == stamp + 1) & (block.bytes_at(stamp) == _DASH)
    good |= nil & (spans.priority[rows] >= 0)
    for limit, before, after in zip(_LIMITS.values(), cut[1:], cut[2:], strict=False):
        size = after - before - 1
        good &= (size >= 1) & (size <= limit)
    data = cut[5] + 1
    end = block.end[rows]
    sign = np.where(data < end, block.bytes_at(data), 0)
    follows = (data + 1 == end) | (block.bytes_at(data + 1) == _BLANK)
    plain = (sign == _DASH) & follows
    good &= plain | (sign == _OPEN)
    message = np.minimum(data + 2, end)
    if not plain.all():
        message, good = _take_data(block, spans, rows, data, message, good & ~plain, good)
    good &= _is_printable(block, body, data)
    host = cut[1] + 1
    good &= ~_is_routing_engine(block, host)
    nameless = (cut[2] == host + 1) & (block.bytes_at(host) == _DASH)
    good[np.isin(rows, rows_told_inside(block, rows, nameless, nil))] = False
    if not block.ascii_only:
        marked = (block.words_at(message)[:, 0] & 0xFFFFFF) == _BYTE_ORDER_MARK
        message = message + 3 * (marked & (message + 3 <= end))
    _put(spans, rows, good, np.where(nil, np.nan, seconds), cut, message, end, block)


def _put(
    spans: Spans,
    rows: IntArray,
    good: BoolArray,
    seconds: FloatArray,
    cut: list[IntArray],
    message: IntArray,
    end: IntArray,
    block: LineBlock,
) -> None:
    chosen = rows[good]
    spans.taken[chosen] = True
    spans.device_s[chosen] = seconds[good]
    for name, before, after in zip(_LIMITS, cut[1:], cut[2:], strict=False):
        start, stop = before[good] + 1, after[good]
        nil = (stop - start == 1) & (block.bytes_at(start) == _DASH)
        spans.put(name, chosen, start, np.where(nil, start, stop))
    spans.put("message", chosen, message[good], end[good])


def _take_data(
    block: LineBlock,
    spans: Spans,
    rows: IntArray,
    data: IntArray,
    message: IntArray,
    wanted: BoolArray,
    good: BoolArray,
) -> tuple[IntArray, BoolArray]:
    """Structured data up to the first bracket before a blank or the end; only the distinct texts are read."""
    where = np.flatnonzero(wanted)
    end = block.end[rows]
    closes = block.places_of(_CLOSE)[:-8]
    row_end = np.append(block.end, 0)[np.searchsorted(block.start, closes, side="right") - 1]
    closes = closes[(block.bytes_at(closes + 1) == _BLANK) | (closes + 1 == row_end)]
    closes = np.append(closes, len(block.data))
    close = closes[np.searchsorted(closes, data[where])]
    inside = close < end[where]
    good[where[~inside]] = False
    where, close = where[inside], close[inside]
    texts = spans_of(block.data, data[where], close + 1).dictionary_encode()
    code = texts.indices.to_numpy().astype(np.int64)
    distinct = distinct_of(texts)
    strict = np.array([_DATA.fullmatch(text) is not None for text in distinct], dtype=np.bool_)
    documents = [structured_data_json(text) if ok else "" for text, ok in zip(distinct, strict, strict=True)]
    known = strict[code] if len(distinct) else np.zeros(0, dtype=np.bool_)
    good[where[~known]] = False
    where, close, code = where[known], close[known], code[known]
    spans.put_documents(rows[where], code, documents)
    message = message.copy()
    message[where] = np.minimum(close + 2, end[where])
    return message, good


def _is_printable(block: LineBlock, start: IntArray, end: IntArray) -> BoolArray:
    """Whether nothing but blanks and printable ASCII stands between."""
    odd = block.places_unprintable()
    if len(odd) == 1:
        return np.ones(len(start), dtype=np.bool_)
    printable: BoolArray = odd[np.searchsorted(odd, start)] >= end
    return printable


def _is_routing_engine(block: LineBlock, host: IntArray) -> BoolArray:
    """Hosts that begin with ``re0`` or ``re1``: the exact parser looks at what follows."""
    head = block.words_at(host)[:, 0] & 0xFEFFFF
    engine: BoolArray = head == int.from_bytes(b"re0", "little")
    return engine
