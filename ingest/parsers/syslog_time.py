"""Times in syslog headers: what devices write, and how the year and the zone they leave out are found."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

DAY_S = 86_400.0

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_MONTH_NAMES = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_WEEK_DAYS = "Mon|Tue|Wed|Thu|Fri|Sat|Sun"
_ZONES_BY_HOURS: tuple[tuple[float, str], ...] = (
    (0, "UTC GMT UCT WET AZOST"),
    (1, "BST WEST WAT CET MET MEZ"),
    (2, "CEST MEST MESZ EET CAT SAST"),
    (3, "EEST IDT MSK TRT EAT"),
    (3.5, "IRST"),
    (4, "MSD GST SAMT AZT AMT GET"),
    (5, "UZT YEKT PKT"),
    (5.5, "IST"),
    (5.75, "NPT"),
    (6, "OMST BDT"),
    (6.5, "MMT"),
    (7, "ICT WIB KRAT"),
    (8, "SGT HKT MYT PHT WITA AWST IRKT"),
    (9, "JST KST WIT YAKT"),
    (9.5, "ACST"),
    (10, "AEST VLAT"),
    (10.5, "ACDT"),
    (11, "AEDT MAGT"),
    (12, "NZST FJT"),
    (13, "NZDT"),
    (-1, "AZOT CVT"),
    (-2, "BRST"),
    (-2.5, "NDT"),
    (-3, "ADT BRT ART CLST UYT"),
    (-3.5, "NST"),
    (-4, "AST EDT CLT VET PYT BOT"),
    (-5, "EST CDT COT PET ECT"),
    (-6, "CST MDT"),
    (-7, "MST PDT"),
    (-8, "PST AKDT"),
    (-9, "AKST HDT"),
    (-10, "HST"),
)
#: Hours east of UTC of the zone names that devices print. A name with several meanings has one of them here, the one that
#: gear is mostly found in: BST British, CST and MST North American, IST Indian, AMT Armenian, ECT Ecuadorian.
ZONES: dict[str, float] = {name: hours for hours, names in _ZONES_BY_HOURS for name in names.split()}
#: Words after a clock that belong to the time, not to what follows it.
WORDS_OF_TIME = frozenset((*ZONES, "Z", "AM", "PM"))

_CLOCK = r"(?P<clock>\d{1,2}:\d\d:\d\d)(?:[.,:](?P<fraction>\d{1,9}))?"
_NOON = r"(?: (?P<noon>[AP]M)\b)?"
_KNOWN_ZONE = "|".join(sorted(ZONES, key=len, reverse=True))
#: A known name, an unknown one before ``: %``, or an offset.
_ZONE = rf"(?: ?(?P<zone>(?:{_KNOWN_ZONE})\b(?=[: ,]|$)|[A-Z]{{3,5}}(?=: ?[%#])|Z\b(?=[: ,]|$)|[+-]\d\d:?\d\d\b(?=[: ,]|$)))?"
DATE_WORD = rf"(?:{_WEEK_DAYS}|{_MONTH_NAMES}|{_MONTH_NAMES.upper()})\b"
#: ``Mar  1 2026 12:00:00.123 CET``, year perhaps first or last or absent, perhaps a week day before it.
BSD_STAMP = (
    rf"(?:(?:{_WEEK_DAYS}),? )?(?:(?P<year>\d{{4}}) )?(?P<month>[A-Za-z]{{3}}) +(?P<day>\d{{1,2}}),?"
    rf"(?: +(?P<year2>\d{{4}}))? +{_CLOCK}{_NOON}{_ZONE}(?: (?P<year3>(?:19|20)\d\d)(?= |: ))?"
    rf"(?(zone)|{_ZONE.replace('P<zone>', 'P<zone2>')})"
)
#: RFC 3339 and its relatives: a blank or ``T``, a comma or a point, with a zone or without, slashes for dashes.
ISO_STAMP = (
    rf"(?P<year>\d{{4}})(?P<dash>[-/])(?P<month>\d\d)(?P=dash)(?P<day>\d\d)[Tt ] ?{_CLOCK}"
    r"(?: ?(?P<zone>[Zz]\b|[+-]\d\d:?\d\d\b|UTC\b|GMT\b))?"
)
#: ``03/01/2026:12:00:00 GMT``: month, day, year; day first where the first number is no month.
SLASH_STAMP = rf"(?P<month>\d\d)/(?P<day>\d\d)/(?P<year>\d{{4}}):{_CLOCK}{_ZONE}"
#: RFC 5424 section 6.2.3: capital T and Z, at most six digits, no leap second.
RFC5424_STAMP = re.compile(
    r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
)


def stamp_seconds(match: re.Match[str], *, arrival_s: float, zone: tzinfo) -> float | None:
    """Epoch seconds of a match of one of the patterns above, None where there is no such day or hour.

    A year that is left out is the latest one that puts the time no more than a day after its arrival; so a line of
    31 December that arrives on 1 January keeps the old year, and one from a clock that runs ahead gets the new one.
    """
    part = match.groupdict()
    year = part["year"] or part.get("year2") or part.get("year3")
    month, day = part["month"], part["day"]
    if "dash" not in part and month.isdigit() and int(month) > 12:
        month, day = day, month
    clock = f"{part['clock']} {part['noon']}" if part.get("noon") else part["clock"]
    named = part["zone"] or part.get("zone2")
    fraction = part["fraction"]
    micros = int(fraction[:6].ljust(6, "0")) if fraction else 0
    if year:
        return _with_fraction(_moment(int(year), month, day, clock, named, zone), micros)
    for candidate in _years_before(int(min(max(arrival_s, 0.0), 4e9) // DAY_S)):
        whole_s = _moment(candidate, month, day, clock, named, zone)
        if whole_s is not None:
            seconds = _with_fraction(whole_s, micros)
            if seconds is not None and seconds <= arrival_s + DAY_S:
                return seconds
    return None


def whole_seconds(
    year: str, month: str, day: str, clock: str, named: str | None, zone: tzinfo
) -> float | None:
    """Epoch seconds of ``2026``, ``02``, ``03``, ``04:05:06`` in the zone that is named, else in ``zone``."""
    return _with_fraction(_moment(int(year), month, day, clock, named, zone), 0)


def rfc5424_seconds(text: str) -> float | None:
    """Epoch seconds of an RFC 5424 timestamp, None where it is none or names a day that never was."""
    if RFC5424_STAMP.fullmatch(text) is None:
        return None
    try:
        return _seconds(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def _with_fraction(whole_s: int | None, micros: int) -> float | None:
    return None if whole_s is None else (whole_s * 1_000_000 + micros) / 1_000_000


@lru_cache(maxsize=64)
def _years_before(arrival_day: int) -> range:
    """The years to try, the latest first."""
    year = datetime.fromtimestamp(arrival_day * DAY_S, UTC).year
    return range(year + 1, year - 9, -1)


@lru_cache(maxsize=8192)
def _moment(year: int, month_text: str, day: str, clock: str, named: str | None, zone: tzinfo) -> int | None:
    """Whole epoch seconds; None where there is no such day or hour."""
    month = int(month_text) if month_text.isdigit() else _MONTHS.get(month_text.lower())
    hms, _, noon = clock.partition(" ")
    hour, minute, second = map(int, hms.split(":"))
    if noon:
        hour = hour % 12 + (12 if noon == "PM" else 0)
    leap = int(second == 60)
    if month is None:
        return None
    try:
        made = datetime(year, month, int(day), hour, minute, second - leap, tzinfo=_offset(named, zone))
        return int(_seconds(made)) + leap
    except (ValueError, OverflowError):
        return None


def _offset(named: str | None, default: tzinfo) -> tzinfo:
    if named is None:
        return default
    if named[0] in "+-":
        digits = named[1:].replace(":", "")
        minutes = int(digits[:2]) * 60 + int(digits[2:])
        if minutes >= 24 * 60:
            return default
        return timezone(timedelta(minutes=-minutes if named[0] == "-" else minutes))
    hours = 0.0 if named in "Zz" else ZONES.get(named)
    return default if hours is None else timezone(timedelta(hours=hours))


def _seconds(moment: datetime) -> float:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
