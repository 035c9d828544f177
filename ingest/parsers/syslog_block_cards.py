"""Headers of chassis of a whole block: ``[NUMBER: ][HOST ]CARD:TIME[ ZONE] : APP[PID]: TEXT``, as Cisco IOS XR writes."""

from __future__ import annotations

from datetime import tzinfo

import numpy as np

from aiops.domain.batches import FloatArray, IntArray
from ingest.parsers.syslog_block import BoolArray, LineBlock, judge_texts, rows_told_inside
from ingest.parsers.syslog_block_ios import read_end, skip_words
from ingest.parsers.syslog_block_rfc3164 import split_tag
from ingest.parsers.syslog_block_time import read_date_parts, seconds_of_parts
from ingest.parsers.syslog_bsd import is_card, is_plain_origin, is_plain_tag
from ingest.parsers.syslog_spans import Spans

_COLON, _BLANK = b": "
_MAX_WORD = 64


def take_cards(
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
    host, host_end, time, good = _skip_card(block, body, blanks)
    chosen = np.flatnonzero(good)
    if not chosen.size:
        return
    rows, host, host_end, arrival_s = rows[chosen], host[chosen], host_end[chosen], arrival_s[chosen]
    parts = read_date_parts(block, time[chosen])
    micros, named_s, colon, good = read_end(block, parts.end, blanks)
    tag = colon + 2
    tag_end = np.minimum(blanks[np.searchsorted(blanks, tag)], len(block.data) - 32)
    app_end, pid, pid_end, tagged = split_tag(block, tag, tag_end)
    good &= parts.good & tagged & (block.bytes_at(colon + 1) == _BLANK) & (tag_end < block.end[rows])
    seconds = seconds_of_parts(parts, micros, good, named_s, arrival_s, zone)
    nameless = host_end == host
    good &= ~np.isnan(seconds) & ~np.isin(rows, rows_told_inside(block, rows, nameless, None))
    asked = np.flatnonzero(good & ~nameless)
    good[asked] = judge_texts(block, host[asked], host_end[asked], is_plain_origin)
    asked = np.flatnonzero(good)
    good[asked] = judge_texts(block, tag[asked], app_end[asked], is_plain_tag)
    chosen = rows[good]
    spans.taken[chosen] = True
    spans.device_s[chosen] = seconds[good]
    spans.put("host", chosen, host[good], host_end[good])
    spans.put("app", chosen, tag[good], app_end[good])
    spans.put("procid", chosen, pid[good], pid_end[good])
    spans.put("message", chosen, tag_end[good] + 1, block.end[chosen])


def _skip_card(
    block: LineBlock, body: IntArray, blanks: IntArray
) -> tuple[IntArray, IntArray, IntArray, BoolArray]:
    """The host before the card (empty where there is none), where the time begins, and whether all before it is as it
    should be."""
    limit = len(block.data) - 32
    host, origin, origin_end, good = skip_words(block, body, blanks)
    good &= origin_end == origin
    host = np.minimum(host, limit)
    number = np.searchsorted(blanks, host)
    colons = block.places_of(_COLON)
    host_end = np.minimum(blanks[number], limit)
    named = host_end < colons[np.searchsorted(colons, host)]
    card = np.where(named, host_end + 1, host)
    host_end = np.where(named, host_end, host)
    card_end = np.minimum(colons[np.searchsorted(colons, card)], limit)
    good &= (card_end > card) & (card_end - card <= _MAX_WORD) & (card_end < blanks[number + named])
    good &= (host_end - host <= _MAX_WORD) & (~named | (host_end > host))
    good &= ~named | (number - np.searchsorted(blanks, body) <= 1)  # one number at most stands before a host
    asked = np.flatnonzero(good)
    good[asked] = judge_texts(block, card[asked], card_end[asked], is_card)
    return host, host_end, card_end + 1, good
