"""The kernel: priorities of a whole block, and which of its parsers each line goes to.

It takes only what it is certain of, so that it agrees with :mod:`ingest.parsers.syslog_header` on every line it takes;
the rest is left to that one.
"""

from __future__ import annotations

from datetime import tzinfo

import numpy as np
import numpy.typing as npt

from aiops.domain.batches import FloatArray, IntArray
from ingest.parsers.syslog_block import BoolArray, LineBlock
from ingest.parsers.syslog_block_cards import take_cards
from ingest.parsers.syslog_block_dated import take_dated
from ingest.parsers.syslog_block_ios import take_ios
from ingest.parsers.syslog_block_rfc3164 import take_rfc3164
from ingest.parsers.syslog_block_rfc5424 import take_rfc5424
from ingest.parsers.syslog_spans import Spans

_BLANK = 0x20
_OPEN, _CLOSE, _ZERO = b"<>0"
_VERSION_1 = int.from_bytes(b"1 ", "little")
_MAX_PRIORITY = 191


def take_lines(block: LineBlock, arrival_s: FloatArray, zone: tzinfo) -> Spans:
    """What the kernel is certain of."""
    priority, body, good = _priorities(block)
    spans = Spans.empty(block.start, priority)
    blanks = block.places_of(_BLANK)
    version_1 = (block.words_at(body)[:, 0] & 0xFFFF) == _VERSION_1
    rows = np.flatnonzero(good & version_1)
    if rows.size:
        take_rfc5424(block, spans, rows, body[rows], blanks)
    rows = np.flatnonzero(good & ~version_1)
    if rows.size:
        take_rfc3164(block, spans, rows, body[rows], blanks, arrival_s[rows], zone)
        rows = rows[~spans.taken[rows]]
    if rows.size:
        take_ios(block, spans, rows, body[rows], blanks, arrival_s[rows], zone)
        rows = rows[~spans.taken[rows]]
    if rows.size:
        take_dated(block, spans, rows, body[rows], blanks, arrival_s[rows], zone)
        rows = rows[~spans.taken[rows]]
    if rows.size:
        take_cards(block, spans, rows, body[rows], blanks, arrival_s[rows], zone)
    return spans


def _priorities(block: LineBlock) -> tuple[npt.NDArray[np.int16], IntArray, BoolArray]:
    """Priorities (-1: none), where the rest begins, and which lines go on: those without a priority, or with one of 0 to 191."""
    head = block.words_at(block.start)[:, 0]

    def byte(place: int) -> IntArray:
        return ((head >> (8 * place)) & 0xFF).astype(np.int64)

    marked = byte(0) == _OPEN
    value = np.zeros(len(head), dtype=np.int64)
    size = np.zeros(len(head), dtype=np.int64)
    numeric = np.ones(len(head), dtype=np.bool_)
    for place in (1, 2, 3):
        digit = byte(place) - _ZERO
        numeric &= (digit >= 0) & (digit <= 9)
        value = np.where(numeric, value * 10 + digit, value)
        size = np.where(numeric & (byte(place + 1) == _CLOSE), place, size)
        numeric &= size == 0
    right = (size > 0) & (value <= _MAX_PRIORITY)
    good = block.sound & (right | ~marked) & (block.end > block.start + size + 1)
    priority = np.where(marked & right, value, -1).astype(np.int16)
    return priority, block.start + np.where(marked & right, size + 2, 0), good
