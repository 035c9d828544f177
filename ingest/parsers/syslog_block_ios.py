"""Headers of network systems of a whole block: ``[NUMBER: ][HOST: ][NUMBER: ][*.]TIME[ ZONE]: %TEXT``, the time with a year
before or after its date, or without, with up to six decimals.

Cisco IOS, IOS-XE, NX-OS and ASA write so, and others after them.
"""

from __future__ import annotations

import re
from datetime import tzinfo

import numpy as np

from aiops.domain.batches import FloatArray, IntArray
from ingest.parsers.syslog_block import (
    BoolArray,
    LineBlock,
    are_digits,
    distinct_of,
    judge_texts,
    rows_told_inside,
    spans_of,
)
from ingest.parsers.syslog_block_time import NO_ZONE, read_date_parts, read_fractions, seconds_of_parts
from ingest.parsers.syslog_bsd import UNSET_S, is_plain_origin
from ingest.parsers.syslog_spans import Spans
from ingest.parsers.syslog_time import ZONES

_COLON, _BLANK, _STAR, _POINT, _PERCENT = b": *.%"
_MAX_WORD = 255
_UNKNOWN_ZONE = re.compile(r"[A-Z]{3,5}")


def take_ios(
    block: LineBlock,
    spans: Spans,
    rows: IntArray,
    body: IntArray,
    blanks: IntArray,
    arrival_s: FloatArray,
    zone: tzinfo,
) -> None:
    """Put those of ``rows`` that have this form into ``spans``; arguments as of
    :func:`~ingest.parsers.syslog_block_rfc3164.take_rfc3164`."""
    at, host, host_end, good = skip_words(block, body, blanks)
    mark = block.bytes_at(at)
    starred = mark == _STAR
    parts = read_date_parts(block, at + (starred | (mark == _POINT)))
    micros, named_s, colon, good_end = read_end(block, parts.end, blanks)
    good &= parts.good & good_end & (colon + 2 < block.end[rows])
    good &= (block.bytes_at(colon + 1) == _BLANK) & (block.bytes_at(colon + 2) == _PERCENT)
    seconds = seconds_of_parts(parts, micros, good, named_s, arrival_s, zone)
    good &= ~np.isnan(seconds) & ~(starred & (np.abs(arrival_s - seconds) > UNSET_S))
    nameless = host_end == host
    good[np.isin(rows, rows_told_inside(block, rows, nameless, None))] = False
    named = np.flatnonzero(good & ~nameless)
    good[named] = judge_texts(block, host[named], host_end[named], is_plain_origin)
    chosen = rows[good]
    spans.taken[chosen] = True
    spans.device_s[chosen] = seconds[good]
    spans.put("host", chosen, host[good], host_end[good])
    spans.put("message", chosen, colon[good] + 2, block.end[chosen])


def skip_words(
    block: LineBlock, body: IntArray, blanks: IntArray
) -> tuple[IntArray, IntArray, IntArray, BoolArray]:
    """Where the time may begin, the host before it (empty where there is none), and whether what was skipped is a
    number (or a lone colon), a host and a number, each with its colon, any of them absent."""
    at, number = body, np.searchsorted(blanks, body)
    host = host_end = body
    good = np.ones(len(body), dtype=np.bool_)
    numbers = np.zeros(len(body), dtype=np.int64)
    for place in range(3):
        word_end = blanks[number]
        inside = word_end < len(block.data)
        colon = np.where(inside, word_end - 1, at)
        size = colon - at
        word = inside & (block.bytes_at(colon) == _COLON) & (size >= min(place, 1)) & (size <= _MAX_WORD)
        digits = word & (size <= 8) & are_digits(block, colon, np.clip(size, 0, 8))
        is_host = word & ~digits
        good &= ~is_host | ((host_end == host) & (numbers <= 1))
        numbers = np.where(is_host, 1, numbers + digits)
        good &= numbers <= 2
        host, host_end = np.where(is_host, at, host), np.where(is_host, colon, host_end)
        at, number = np.where(word, word_end + 1, at), number + word
    return at, host, host_end, good


def read_end(
    block: LineBlock, at: IntArray, blanks: IntArray
) -> tuple[IntArray, IntArray, IntArray, BoolArray]:
    """What follows the seconds at ``at``: microseconds, the zone's seconds east of UTC (NO_ZONE: none or unknown), where
    the colon after the time stands, perhaps behind a blank, and whether all that is there. A zone that is not known counts
    as one only where ``%`` follows."""
    colons = block.places_of(_COLON)
    limit = len(block.data) - 8
    blank = np.minimum(blanks[np.searchsorted(blanks, at)], limit)
    colon = np.minimum(colons[np.searchsorted(colons, at)], limit)
    end = np.minimum(blank, colon)
    pointed = block.bytes_at(at) == _POINT
    digits = np.where(pointed, end - at - 1, 0)
    micros, good = read_fractions(block, at + 1, digits)
    good &= np.where(pointed, (digits >= 1) & (digits <= 6), end == at)
    named_s = np.full(len(at), NO_ZONE)
    zoned = np.flatnonzero(good & (blank < colon - 1))
    if zoned.size:
        good[zoned] &= colon[zoned] - blank[zoned] <= 6
        zoned = zoned[good[zoned]]
        named_s[zoned], good[zoned] = _zones(block, blank[zoned] + 1, colon[zoned])
        good &= (blank >= colon - 1) | (named_s != NO_ZONE) | (block.bytes_at(colon + 2) == _PERCENT)
    return micros, named_s, colon, good


def _zones(block: LineBlock, start: IntArray, end: IntArray) -> tuple[IntArray, BoolArray]:
    texts = spans_of(block.data, start, end).dictionary_encode()
    distinct = distinct_of(texts)
    offsets = np.array(
        [int(ZONES[name] * 3600) if name in ZONES else NO_ZONE for name in distinct], dtype=np.int64
    )
    good = np.array([_UNKNOWN_ZONE.fullmatch(name) is not None for name in distinct], dtype=np.bool_)
    code = texts.indices.to_numpy()
    return offsets[code], good[code]
