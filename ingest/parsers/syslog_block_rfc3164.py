"""``Mmm dd hh:mm:ss HOST TAG[PID]: TEXT`` of a whole block, and the same with an RFC 3339 time, as relays write it.

Hosts and programs repeat: whether a text is one is asked once for each distinct text, with the exact parser's own patterns.
"""

from __future__ import annotations

from datetime import tzinfo

import numpy as np

from aiops.domain.batches import FloatArray, IntArray
from ingest.parsers.syslog_block import BoolArray, LineBlock, are_digits, judge_texts
from ingest.parsers.syslog_block_time import read_bsd_stamps, read_iso_stamps
from ingest.parsers.syslog_bsd import is_plain_host, is_plain_tag
from ingest.parsers.syslog_spans import Spans

_MAX_HOST, _MAX_APP = 255, 48
_COLON, _OPEN, _CLOSE = b":[]"


def take_rfc3164(
    block: LineBlock,
    spans: Spans,
    rows: IntArray,
    body: IntArray,
    blanks: IntArray,
    arrival_s: FloatArray,
    zone: tzinfo,
) -> None:
    """Put those of ``rows`` that have this form into ``spans``. ``body``: where the time begins; ``blanks``: all of the
    block; ``arrival_s``: of each of ``rows``."""
    first = np.searchsorted(blanks, body)
    seconds, good, passed = read_bsd_stamps(block, body, arrival_s, zone)
    if not good.all():
        after = blanks[first]
        iso = np.flatnonzero(
            ~good & (block.words_at(body)[:, 0] >> 32 & 0xFF == ord("-")) & (after < block.end[rows])
        )
        seconds[iso], good[iso] = read_iso_stamps(block, body[iso], after[iso] - body[iso])
        passed[iso] = 1
    rows, first = rows[good], (first + passed)[good]
    seconds = seconds[good]
    take_named(block, spans, rows, seconds, blanks[first - 1] + 1, first, blanks)


def take_named(
    block: LineBlock,
    spans: Spans,
    rows: IntArray,
    seconds: FloatArray,
    host: IntArray,
    number: IntArray,
    blanks: IntArray,
    skipped: IntArray | int = 0,
) -> None:
    """Put those of ``rows`` that go on with ``HOST APP[PID]: TEXT`` at ``host`` into ``spans``. ``blanks[number]`` ends the
    host; ``skipped``: how many words stand between it and the program."""
    host_end, tag, tag_end = blanks[number], blanks[number + skipped] + 1, blanks[number + skipped + 1]
    good = (tag_end < block.end[rows]) & (host_end > host) & (host_end - host <= _MAX_HOST)
    rows, host, host_end, tag, tag_end = (part[good] for part in (rows, host, host_end, tag, tag_end))
    seconds = seconds[good]
    app_end, pid, pid_end, good = split_tag(block, tag, tag_end)
    good[np.isin(rows, block.rows_with(b"devname="))] = False
    rows, host, host_end, tag, tag_end, app_end, pid, pid_end = (
        part[good] for part in (rows, host, host_end, tag, tag_end, app_end, pid, pid_end)
    )
    seconds = seconds[good]
    good = judge_texts(block, host, host_end, is_plain_host) & judge_texts(block, tag, app_end, is_plain_tag)
    chosen = rows[good]
    spans.taken[chosen] = True
    spans.device_s[chosen] = seconds[good]
    spans.put("host", chosen, host[good], host_end[good])
    spans.put("app", chosen, tag[good], app_end[good])
    spans.put("procid", chosen, pid[good], pid_end[good])
    spans.put("message", chosen, tag_end[good] + 1, block.end[chosen])


def split_tag(
    block: LineBlock, tag: IntArray, tag_end: IntArray
) -> tuple[IntArray, IntArray, IntArray, BoolArray]:
    """Where the program ends, where its number stands (empty where it has none), and which are tags: ``APP:`` or
    ``APP[DIGITS]:``."""
    opens = block.places_of(_OPEN)
    open_at = opens[np.searchsorted(opens, tag)]
    numbered = open_at < tag_end
    colon = tag_end - 1
    app_end = np.where(numbered, open_at, colon)
    pid = np.where(numbered, open_at + 1, app_end)
    pid_end = np.where(numbered, tag_end - 2, app_end)
    size = pid_end - pid
    good = (block.bytes_at(colon) == _COLON) & (app_end > tag) & (app_end - tag <= _MAX_APP)
    closed = (block.bytes_at(colon - 1) == _CLOSE) & (size >= 1) & (size <= 8)
    good &= ~numbered | (closed & are_digits(block, pid_end, np.clip(size, 0, 8)))
    return app_end, pid, pid_end, good
