"""Times in syslog headers: what devices write, and how the year and the zone they leave out are found."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

DAY_S = 86_400.0

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
#: Hours east of UTC of the zone names that devices print. Names with two meanings have the one of network gear's defaults.
_ZONES: dict[str, float] = {
    **dict.fromkeys(("Z", "UTC", "GMT", "UCT", "WET"), 0.0),
    **{
        "EST": -5.0,
        "EDT": -4.0,
        "CST": -6.0,
        "CDT": -5.0,
        "MST": -7.0,
        "MDT": -6.0,
        "PST": -8.0,
        "PDT": -7.0,
    },
    **{"AKST": -9.0, "AKDT": -8.0, "HST": -10.0, "BRT": -3.0, "ART": -3.0, "BST": 1.0, "WEST": 1.0},
    **{"CET": 1.0, "CEST": 2.0, "MET": 1.0, "MEST": 2.0, "EET": 2.0, "EEST": 3.0, "MSK": 3.0, "SAST": 2.0},
    **{"IST": 5.5, "PKT": 5.0, "SGT": 8.0, "HKT": 8.0, "AWST": 8.0, "JST": 9.0, "KST": 9.0},
    **{"ACST": 9.5, "AEST": 10.0, "AEDT": 11.0, "NZST": 12.0, "NZDT": 13.0},
}

_MONTH = r"(?P<month>[A-Za-z]{3})"
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d\d):(?P<second>\d\d)(?:[.,:](?P<fraction>\d{1,9}))?"
_NOON = r"(?: (?P<noon>[AP]M)\b)?"
_ZONE = r"(?: ?(?P<zone>[A-Z]{3,4}\b(?=[: ,]|$)|Z\b|[+-]\d\d:?\d\d\b))?"
#: ``Mar  1 2026 12:00:00.123 CET``, year perhaps first or last or absent, perhaps a week day before it.
BSD_STAMP = re.compile(
    rf"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?(?:(?P<year>\d{{4}}) )?{_MONTH} +(?P<day>\d{{1,2}}),?"
    rf"(?: +(?P<year2>\d{{4}}))? +{_CLOCK}{_NOON}{_ZONE}(?: (?P<year3>(?:19|20)\d\d)(?=[ :]))?"
    rf"(?(zone)|{_ZONE.replace('zone', 'zone2')})"
)
#: RFC 3339 and its relatives: a blank or ``T``, a comma or a point, with a zone or without, slashes for dashes.
ISO_STAMP = re.compile(
    rf"(?P<year>\d{{4}})(?P<dash>[-/])(?P<month>\d\d)(?P=dash)(?P<day>\d\d)[Tt ] ?{_CLOCK}"
    r"(?: ?(?P<zone>[Zz]\b|[+-]\d\d:?\d\d\b|UTC\b|GMT\b))?"
)
#: RFC 5424 section 6.2.3: capital T and Z, at most six digits, no leap second.
RFC5424_STAMP = re.compile(
    r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
)


def _offset(zone: str | None, default: tzinfo) -> tzinfo:
    if zone is None:
        return default
    if zone[0] in "+-":
        digits = zone[1:].replace(":", "")
        minutes = int(digits[:2]) * 60 + int(digits[2:])
        if minutes >= 24 * 60:
            return default
        return timezone(timedelta(minutes=-minutes if zone[0] == "-" else minutes))
    hours = _ZONES.get(zone.upper())
    return default if hours is None else timezone(timedelta(hours=hours))


def _seconds(moment: datetime) -> float:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()


def stamp_seconds(match: re.Match[str], *, arrival_s: float, zone: tzinfo) -> float | None:
    """Epoch seconds of a match of one of the patterns above, None where there is no such day or hour.

    A year that is left out is the latest one that puts the time no more than a day after its arrival; so a line of
    31 December that arrives on 1 January keeps the old year, and one from a clock that runs ahead gets the new one.
    """
    part = match.groupdict()
    month_text = part["month"].lower()
    month = int(month_text) if month_text.isdigit() else _MONTHS.get(month_text)
    if month is None:
        return None
    hour = int(part["hour"])
    if part.get("noon"):
        hour = hour % 12 + (12 if part["noon"] == "PM" else 0)
    second, leap = int(part["second"]), 0
    if second == 60:
        second, leap = 59, 1
    micros = int(((part["fraction"] or "") + "000000")[:6])
    offset = _offset(part.get("zone") or part.get("zone2"), zone)
    year_text = part.get("year") or part.get("year2") or part.get("year3")

    def moment(year: int) -> float | None:
        try:
            made = datetime(year, month, int(part["day"]), hour, int(part["minute"]), second, micros, offset)
            return _seconds(made) + leap
        except (ValueError, OverflowError):
            return None

    if year_text:
        return moment(int(year_text))
    arrival_year = datetime.fromtimestamp(min(max(arrival_s, 0.0), 4e9), UTC).year
    for year in range(arrival_year + 1, arrival_year - 9, -1):
        seconds = moment(year)
        if seconds is not None and seconds <= arrival_s + DAY_S:
            return seconds
    return None


def rfc5424_seconds(text: str) -> float | None:
    """Epoch seconds of an RFC 5424 timestamp, None where it is none or names a day that never was."""
    if RFC5424_STAMP.fullmatch(text) is None:
        return None
    try:
        return _seconds(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None
