"""Relatives of RFC 3164 of a whole block: decimals, a year before or after the date or after the clock, two blanks before the
host, a level between host and program, and ``HOST : %MNEMONIC`` for host and program.

Juniper, SONiC, F5 and ASA write so.
"""

from __future__ import annotations

from datetime import tzinfo

import numpy as np

from aiops.domain.batches import FloatArray, IntArray
from ingest.parsers.syslog_block import BoolArray, LineBlock, judge_texts
from ingest.parsers.syslog_block_rfc3164 import take_named
from ingest.parsers.syslog_block_time import (
    NO_ZONE,
    read_date_parts,
    read_fractions,
    read_iso_stamps,
    read_year,
    seconds_of_parts,
)
from ingest.parsers.syslog_bsd import is_level, is_plain_host
from ingest.parsers.syslog_spans import Spans

_BLANK, _COLON, _COMMA, _DASH, _OPEN, _PERCENT, _POINT = b" :,-[%."
_CAPITALS = (ord("A"), ord("Z"))
_MAX_WORD = 255
_MAC_DIGITS = 12
_LONGEST_LEVEL = len("informational")


def take_dated(
    block: LineBlock,
    spans: Spans,
    rows: IntArray,
    body: IntArray,
    blanks: IntArray,
    arrival_s: FloatArray,
    zone: tzinfo,
) -> None:
    """Put those of ``rows`` that have one of these forms into ``spans``; arguments as of
    :func:`~ingest.parsers.syslog_block_rfc3164.take_rfc3164`."""
    seconds, end = _read_times(block, body, blanks, arrival_s, zone)
    good = ~np.isnan(seconds) & (end < block.end[rows])
    rows, seconds, end = rows[good], seconds[good], end[good]
    if not rows.size:
        return
    host = end + 1
    host += block.bytes_at(host) == _BLANK
    number = np.searchsorted(blanks, host)
    take_named(block, spans, rows, seconds, host, number, blanks)
    left = ~spans.taken[rows]
    rows, seconds, host, number = rows[left], seconds[left], host[left], number[left]
    if rows.size:
        _take_with_level(block, spans, rows, seconds, host, number, blanks)
        _take_untagged(block, spans, rows, seconds, host, np.minimum(blanks[number], len(block.data) - 16))


def _read_times(
    block: LineBlock, body: IntArray, blanks: IntArray, arrival_s: FloatArray, zone: tzinfo
) -> tuple[FloatArray, IntArray]:
    """Epoch seconds, NaN where there are none, and where the blank after the time stands."""
    parts = read_date_parts(block, body)
    end = np.minimum(blanks[np.searchsorted(blanks, parts.end)], len(block.data) - 16)
    pointed = block.bytes_at(parts.end) == _POINT
    digits = np.where(pointed, end - parts.end - 1, 0)
    micros, good = read_fractions(block, parts.end + 1, digits)
    good &= parts.good & np.where(pointed, (digits >= 1) & (digits <= 6), end == parts.end)
    year, dated = read_year(block, end + 1)
    dated &= (parts.year == 0) & (block.bytes_at(end + 5) == _BLANK)
    parts = parts._replace(year=np.where(dated, year, parts.year))
    seconds = seconds_of_parts(parts, micros, good, np.full(len(body), NO_ZONE), arrival_s, zone)
    end = end + 5 * dated
    iso = np.flatnonzero(np.isnan(seconds) & (block.bytes_at(body + 4) == _DASH))
    if iso.size:
        after = np.minimum(blanks[np.searchsorted(blanks, body[iso])], len(block.data) - 16)
        found, good = read_iso_stamps(block, body[iso], after - body[iso])
        seconds[iso] = np.where(good, found, np.nan)
        end[iso] = after
    return seconds, end


def _take_with_level(
    block: LineBlock,
    spans: Spans,
    rows: IntArray,
    seconds: FloatArray,
    host: IntArray,
    number: IntArray,
    blanks: IntArray,
) -> None:
    """``HOST LEVEL APP[PID]: TEXT``."""
    word, word_end = blanks[number] + 1, blanks[number + 1]
    short = np.flatnonzero(
        (word_end < block.end[rows]) & (word_end - word <= _LONGEST_LEVEL) & (word_end > word)
    )
    short = short[judge_texts(block, word[short], word_end[short], is_level)]
    if short.size:
        take_named(block, spans, rows[short], seconds[short], host[short], number[short], blanks, skipped=1)


def _take_untagged(
    block: LineBlock, spans: Spans, rows: IntArray, seconds: FloatArray, host: IntArray, host_end: IntArray
) -> None:
    """``HOST : %NAME``, ``HOST %NAME``, ``HOST %%NAME`` and ``HOST WORD,WORD``, whose text begins at once."""
    coloned = (block.bytes_at(host_end + 1) == _COLON) & (block.bytes_at(host_end + 2) == _BLANK)
    message = host_end + np.where(coloned, 3, 1)
    second = block.bytes_at(message + 1)
    named = (second >= _CAPITALS[0]) & (second <= _CAPITALS[1])
    good = (block.bytes_at(message) == _PERCENT) & (named | (~coloned & (second == _PERCENT)))
    good |= ~coloned & _begins_with_list(block, message)
    good &= ~spans.taken[rows] & (message + 2 < block.end[rows])
    good &= (host_end > host) & (host_end - host <= _MAX_WORD)
    good[np.isin(rows, block.rows_with(b"devname="))] = False
    asked = np.flatnonzero(good)
    good[asked] = judge_texts(block, host[asked], host_end[asked], is_plain_host)
    chosen = rows[good]
    spans.taken[chosen] = True
    spans.device_s[chosen] = seconds[good]
    spans.put("host", chosen, host[good], host_end[good])
    spans.put("message", chosen, message[good], block.end[chosen])


def _begins_with_list(block: LineBlock, at: IntArray) -> BoolArray:
    """Whether a comma comes before all that could make the first word a program, a level or a time; an access point's
    address before a comma is neither."""
    comma = _next(block, _COMMA, at)
    found: BoolArray = (comma > at) & (comma - at != _MAC_DIGITS)
    for other in (_BLANK, _COLON, _OPEN):
        found &= comma < _next(block, other, at)
    return found


def _next(block: LineBlock, byte: int, at: IntArray) -> IntArray:
    places = block.places_of(byte)
    found: IntArray = places[np.searchsorted(places, at)]
    return found
