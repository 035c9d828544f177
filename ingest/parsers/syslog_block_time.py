"""Times of many lines at once: the digits of a window as one number, judged and summed in arrays.

A word holds eight characters, the first in its lowest byte. With the digits' code taken off, ``word * 10 + (word >> 8)``
has the two-digit number that begins at each byte in that byte: years, months, hours come out by shifts.
What is taken here means the same as :mod:`ingest.parsers.syslog_time` says; what is not is left to that module.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo
from typing import NamedTuple

import numpy as np

from aiops.domain.batches import FloatArray, IntArray
from ingest.parsers.syslog_block import BoolArray, LineBlock, WordArray
from ingest.parsers.syslog_time import DAY_S

_YEARS = range(1970, 2200)
_DAY_LENGTHS = np.zeros((2, 16), dtype=np.int64)
_DAY_LENGTHS[:, 1:13] = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAY_LENGTHS[1, 2] = 29
_DAYS_BEFORE_MONTH = np.cumsum(_DAY_LENGTHS, axis=1) - _DAY_LENGTHS
_IS_LEAP = np.array(
    [year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) for year in _YEARS], dtype=np.int64
)
_DAYS_BEFORE_YEAR = np.cumsum(365 + _IS_LEAP) - (365 + _IS_LEAP)

_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_WORDS = np.array([int.from_bytes(name.encode(), "little") for name in _MONTH_NAMES], dtype=np.uint64)
#: (name * 5 >> 18) & 31 differs for all twelve names.
_MONTH_SLOT = np.zeros(32, dtype=np.int64)
_MONTH_SLOT[((_MONTH_WORDS * 5 >> 18) & 31).astype(np.int64)] = np.arange(12)

_HIGH_BITS = np.uint64(0x8080808080808080)
_ZEROS = 0x3030303030303030
_MICROS_SHOWN = np.array([(1 << 8 * digits) - 1 for digits in range(7)], dtype=np.uint64)


class _Shape(NamedTuple):
    """Eight characters: ``d`` a digit, ``?`` anything, the rest itself. As a number to take off, one that shows what
    is left of wrong bytes in their highest bit, and the bytes that count."""

    off: np.uint64
    test: np.uint64
    care: np.uint64

    @classmethod
    def of(cls, text: str) -> _Shape:
        def word(codes: list[int]) -> np.uint64:
            return np.uint64(int.from_bytes(bytes(codes), "little"))

        return cls(
            word([0x30 if char in "d?" else ord(char) for char in text]),
            word([{"d": 0x76, "?": 0}.get(char, 0x7F) for char in text]),
            word([0 if char == "?" else 0xFF for char in text]),
        )

    def read(self, words: WordArray) -> tuple[WordArray, BoolArray]:
        """The two-digit numbers at each byte, and which words have this shape."""
        digits = (words ^ self.off) & self.care
        return digits * 10 + (digits >> 8), (((digits + self.test) | digits) & _HIGH_BITS) == 0


_ISO = (_Shape.of("dddd-dd-"), _Shape.of("ddTdd:dd"), _Shape.of(":dd?????"))
_BSD = (_Shape.of("??? ?d d"), _Shape.of("d:dd:dd "))
_SIX_DIGITS = _Shape.of("dddddd??")
_OFFSET = _Shape.of("?dd:dd??")


def _byte(words: WordArray, place: int) -> IntArray:
    return ((words >> (8 * place)) & 0xFF).astype(np.int64)


def read_iso_stamps(block: LineBlock, at: IntArray, length: IntArray) -> tuple[FloatArray, BoolArray]:
    """Epoch seconds of the RFC 5424 timestamps of ``length`` bytes at ``at``, and which are ones."""
    window = block.words_at(at, 4)
    date, good_date = _ISO[0].read(window[:, 0])
    clock, good_clock = _ISO[1].read(window[:, 1])
    rest, good_rest = _ISO[2].read(window[:, 2])
    hour, minute, second = _byte(clock, 3), _byte(clock, 6), _byte(rest, 1)
    good = good_date & good_clock & good_rest & (hour <= 23) & (minute <= 59) & (second <= 59)
    days, good_day = _days(_byte(date, 0) * 100 + _byte(date, 2), _byte(date, 5), _byte(clock, 0))
    good &= good_day

    last = block.bytes_at(at + np.maximum(length, 1) - 1)
    zulu = last == ord("Z")
    point = (window[:, 2] >> 24) & 0xFF == ord(".")
    digits = length - np.where(zulu, 1, 6) - 19 - point
    good &= (digits >= point) & (digits <= 6 * point) & (length <= 32)
    shown = _MICROS_SHOWN[np.clip(digits, 0, 6)]
    fraction = ((window[:, 2] >> 32) | (window[:, 3] << 32)) & shown
    pairs, good_fraction = _SIX_DIGITS.read(fraction | (_ZEROS & ~shown))
    good &= good_fraction
    micros = _byte(pairs, 0) * 10_000 + _byte(pairs, 2) * 100 + _byte(pairs, 4)
    seconds = days * 86_400 + hour * 3_600 + minute * 60 + second
    if not zulu.all():
        offset, good_offset = _offsets(block, at + length - 6)
        seconds -= np.where(zulu, 0, offset)
        good &= zulu | good_offset
    return (seconds * 1_000_000 + micros) / 1e6, good


def _offsets(block: LineBlock, at: IntArray) -> tuple[IntArray, BoolArray]:
    """Seconds east of UTC of ``+hh:mm`` or ``-hh:mm``."""
    words = block.words_at(np.maximum(at, 0))[:, 0]
    pairs, good = _OFFSET.read(words)
    hour, minute = _byte(pairs, 1), _byte(pairs, 4)
    sign = words & 0xFF
    good = good & ((sign == ord("+")) | (sign == ord("-"))) & (hour <= 23) & (minute <= 59)
    return np.where(sign == ord("-"), -1, 1) * (hour * 3_600 + minute * 60), good


def _days(year: IntArray, month: IntArray, day: IntArray) -> tuple[IntArray, BoolArray]:
    """Days since 1970 and which of them exist, for the years that the kernel takes."""
    place = year - _YEARS.start
    good = (place >= 0) & (place < len(_YEARS)) & (month >= 1) & (month <= 12)
    place, month = np.where(good, place, 0), np.where(good, month, 1)
    leap = _IS_LEAP[place]
    good &= (day >= 1) & (day <= _DAY_LENGTHS[leap, month])
    return _DAYS_BEFORE_YEAR[place] + _DAYS_BEFORE_MONTH[leap, month] + day - 1, good


def read_bsd_stamps(
    block: LineBlock, at: IntArray, arrival_s: FloatArray, zone: tzinfo
) -> tuple[FloatArray, BoolArray, IntArray]:
    """Of ``Mmm dd hh:mm:ss`` and a blank at ``at``: epoch seconds, which are ones, and how many blanks stand in the
    sixteen bytes. The year is found from ``arrival_s`` as :func:`~ingest.parsers.syslog_time.stamp_seconds` finds it."""
    window = block.words_at(at, 2)
    first, second_word = window[:, 0], window[:, 1]
    ten = (first >> 32) & 0xFF
    blank = ten == 0x20
    _, good = _BSD[0].read(first)
    clock, good_clock = _BSD[1].read(second_word)
    name = first & 0xFFFFFF
    month = _MONTH_SLOT[((name * 5 >> 18) & 31).astype(np.int64)]
    good &= good_clock & (name == _MONTH_WORDS[month]) & (blank | ((ten >= ord("0")) & (ten <= ord("3"))))
    day = np.where(blank, 0, ten.astype(np.int64) - ord("0")) * 10 + _byte(first, 5) - ord("0")
    hour = (_byte(first, 7) - ord("0")) * 10 + _byte(second_word, 0) - ord("0")
    minute, second = _byte(clock, 2), _byte(clock, 5)
    good &= (hour <= 23) & (minute <= 59) & (second <= 59)
    of_day_s = hour * 3_600 + minute * 60 + second
    seconds = _nearest_years(good, month + 1, day, of_day_s, arrival_s, zone)
    return seconds, ~np.isnan(seconds), 3 + blank


def _nearest_years(
    wanted: BoolArray,
    month: IntArray,
    day: IntArray,
    of_day_s: IntArray,
    arrival_s: FloatArray,
    zone: tzinfo,
) -> FloatArray:
    """Epoch seconds in the latest year that puts the time no more than a day after its arrival, up to eight years back;
    NaN where there is none, or where none is wanted."""
    arrived = np.clip(arrival_s, 0.0, 4e9).astype("datetime64[s]")
    arrival_year = arrived.astype("datetime64[Y]").astype(np.int64) + 1970
    seconds = np.full(len(month), np.nan)
    left = wanted.copy()
    for back in range(-1, 9):
        if not left.any():
            break
        days, exists = _days(arrival_year - back, month, day)
        local_s = days * 86_400 + of_day_s
        # No zone is a day off: what is later than that by local time needs no look at the zone.
        near = left & exists & (local_s <= arrival_s + 2 * DAY_S)
        if near.any():
            at_s = (local_s - _utc_offsets(local_s, near, zone)).astype(np.float64)
            near &= at_s <= arrival_s + DAY_S
            seconds[near] = at_s[near]
            left &= ~near
    return seconds


def _utc_offsets(local_s: IntArray, rows: BoolArray, zone: tzinfo) -> IntArray | int:
    """Seconds east of UTC that ``zone`` has at each local time; whole seconds."""
    if isinstance(zone, timezone):
        return int(zone.utcoffset(None).total_seconds())
    quarters, which = np.unique(np.where(rows, local_s // 900, 0), return_inverse=True)
    begin = datetime(1970, 1, 1)  # noqa: DTZ001 - local times, the zone is put on below
    offsets = []
    for quarter in quarters.tolist():
        moment = (begin + timedelta(seconds=900 * quarter)).replace(tzinfo=zone)
        offset = moment.utcoffset()
        offsets.append(0 if offset is None else int(offset.total_seconds()))
    found: IntArray = np.array(offsets, dtype=np.int64)[which]
    return found
