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

#: No zone: further off than any is.
NO_ZONE = 1 << 40

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
_ZEROS = np.uint64(0x3030303030303030)
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
_BSD_DATE = _Shape.of("??? ?d ?")
_CLOCK = _Shape.of("dd:dd:dd")
_YEAR_FIRST = _Shape.of("dddd ???")
_YEAR = _Shape.of("dddd????")
_YEAR_SECOND = _Shape.of("dddd dd:")
_SIX_DIGITS = _Shape.of("dddddd??")
_OFFSET = _Shape.of("?dd:dd??")


def _joined(first: WordArray, second: WordArray, skipped: int) -> WordArray:
    """The eight bytes that begin ``skipped`` bytes after the first word's."""
    joined = (first >> (8 * skipped)) | (second << (64 - 8 * skipped))
    return joined.astype(np.uint64, copy=False)


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
    micros, good_fraction = _micros(_joined(window[:, 2], window[:, 3], 4), digits)
    good &= good_fraction
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
    month, day, good = _month_and_day(window[:, 0])
    of_day_s, good_clock = _seconds_of_day(_joined(window[:, 0], window[:, 1], 7))
    good &= good_clock & (window[:, 1] >> 56 == ord(" "))
    seconds = nearest_years(good, month, day, of_day_s, arrival_s, zone)
    return seconds, ~np.isnan(seconds), 3 + ((window[:, 0] >> 32) & 0xFF == ord(" "))


class DateParts(NamedTuple):
    """Dates and clocks of many lines; what they are worth where ``good``. ``end``: the byte after the seconds."""

    month: IntArray
    day: IntArray
    year: IntArray  # 0 where there is none
    of_day_s: IntArray
    end: IntArray
    good: BoolArray


def read_date_parts(block: LineBlock, at: IntArray) -> DateParts:
    """Of ``Mmm dd hh:mm:ss``, ``Mmm dd yyyy hh:mm:ss`` and ``yyyy Mmm dd hh:mm:ss`` at ``at``."""
    first, good_first = _YEAR_FIRST.read(block.words_at(at)[:, 0])
    at = at + 5 * good_first
    month, day, good = _month_and_day(block.words_at(at)[:, 0])
    second, good_second = _YEAR_SECOND.read(block.words_at(at + 7)[:, 0])
    clock_at = at + 7 + 5 * good_second
    of_day_s, good_clock = _seconds_of_day(block.words_at(clock_at)[:, 0])
    year = np.where(good_first, _byte(first, 0) * 100 + _byte(first, 2), 0)
    year = np.where(good_second, _byte(second, 0) * 100 + _byte(second, 2), year)
    return DateParts(
        month, day, year, of_day_s, clock_at + 8, good & good_clock & ~(good_first & good_second)
    )


def read_year(block: LineBlock, at: IntArray) -> tuple[IntArray, BoolArray]:
    """Four digits at ``at`` that are a year of 1970 to 2099, and which are."""
    pairs, good = _YEAR.read(block.words_at(at)[:, 0])
    year = _byte(pairs, 0) * 100 + _byte(pairs, 2)
    return year, good & (year >= 1970) & (year <= 2099)


def read_fractions(block: LineBlock, at: IntArray, digits: IntArray) -> tuple[IntArray, BoolArray]:
    """Microseconds of the ``digits`` decimals, none to six, at ``at``, and which are all digits."""
    return _micros(block.words_at(at)[:, 0], digits)


def _micros(words: WordArray, digits: IntArray) -> tuple[IntArray, BoolArray]:
    shown = _MICROS_SHOWN[np.clip(digits, 0, 6)]
    pairs, good = _SIX_DIGITS.read(np.bitwise_or(words & shown, _ZEROS & ~shown))
    return _byte(pairs, 0) * 10_000 + _byte(pairs, 2) * 100 + _byte(pairs, 4), good


def _month_and_day(words: WordArray) -> tuple[IntArray, IntArray, BoolArray]:
    """Of ``Mmm dd `` and one more character."""
    _, good = _BSD_DATE.read(words)
    ten = (words >> 32) & 0xFF
    blank = ten == ord(" ")
    name = words & 0xFFFFFF
    month = _MONTH_SLOT[((name * 5 >> 18) & 31).astype(np.int64)]
    good &= (name == _MONTH_WORDS[month]) & (blank | ((ten >= ord("0")) & (ten <= ord("3"))))
    day = np.where(blank, 0, ten.astype(np.int64) - ord("0")) * 10 + _byte(words, 5) - ord("0")
    return month + 1, day, good


def _seconds_of_day(words: WordArray) -> tuple[IntArray, BoolArray]:
    """Of ``hh:mm:ss``; no leap seconds."""
    pairs, good = _CLOCK.read(words)
    hour, minute, second = _byte(pairs, 0), _byte(pairs, 3), _byte(pairs, 6)
    good &= (hour <= 23) & (minute <= 59) & (second <= 59)
    return hour * 3_600 + minute * 60 + second, good


def seconds_of_parts(
    parts: DateParts,
    micros: IntArray,
    wanted: BoolArray,
    named_s: IntArray,
    arrival_s: FloatArray,
    zone: tzinfo,
) -> FloatArray:
    """Epoch seconds; NaN where there are none, or a zone's rules would have to be asked for a year that is given."""
    yearless = parts.year == 0
    whole_s = nearest_years(
        wanted & yearless, parts.month, parts.day, parts.of_day_s, arrival_s, zone, named_s, micros
    )
    if not yearless.all():
        fixed = zone.utcoffset(None)
        known = (named_s != NO_ZONE) if fixed is None else np.ones(len(yearless), dtype=np.bool_)
        default_s = 0 if fixed is None else int(fixed.total_seconds())
        offset_s = np.where(named_s == NO_ZONE, default_s, named_s)
        whole_s = np.where(yearless, whole_s, _dated_seconds(parts, wanted & ~yearless & known, offset_s))
    return (whole_s * 1_000_000 + micros) / 1e6


def _dated_seconds(parts: DateParts, wanted: BoolArray, offset_s: IntArray | int) -> FloatArray:
    """Epoch seconds of dates with a year, ``offset_s`` east of UTC; NaN where there is no such day or none is wanted."""
    days, good = _days(parts.year, parts.month, parts.day)
    seconds = (days * 86_400 + parts.of_day_s - offset_s).astype(np.float64)
    return np.where(good & wanted, seconds, np.nan)


def nearest_years(
    wanted: BoolArray,
    month: IntArray,
    day: IntArray,
    of_day_s: IntArray,
    arrival_s: FloatArray,
    zone: tzinfo,
    named_s: IntArray | None = None,
    micros: IntArray | int = 0,
) -> FloatArray:
    """Whole epoch seconds in the latest year that puts the time no more than a day after its arrival, up to eight years back;
    NaN where there is none, or where none is wanted. ``named_s``: seconds east of UTC where the line names its zone,
    NO_ZONE where it does not.
    ``micros``: what is to be added before the time is compared with arrival."""
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
            offset_s = utc_offsets(local_s, near, zone)
            if named_s is not None:
                offset_s = np.where(named_s == NO_ZONE, offset_s, named_s)
            at_s = (local_s - offset_s).astype(np.float64)
            near &= (at_s * 1_000_000 + micros) / 1e6 <= arrival_s + DAY_S
            seconds[near] = at_s[near]
            left &= ~near
    return seconds


def utc_offsets(local_s: IntArray, rows: BoolArray, zone: tzinfo) -> IntArray | int:
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
