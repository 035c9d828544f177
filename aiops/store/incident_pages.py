"""How the list of incidents is sorted and cut into pages: pure, shared by every store.

A page ends at a place: the sort key, start and id of its last incident, and a digest of the query, in Base64. The next
page begins behind that place (keyset paging), whatever was written meanwhile.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import orjson

from aiops.domain.incident_records import IncidentQuery
from aiops.domain.occurrences import SEVERITIES, Incident
from aiops.errors import InputError
from aiops.store.merge import check_text, utc_or_none

SORTS: tuple[str, ...] = ("started_at", "severity", "status", "confidence", "alerts")

#: Rank of a severity when sorted; an unknown one is -1.
SEVERITY_RANKS: Mapping[str, int] = {name: rank for rank, name in enumerate(reversed(SEVERITIES))}

#: Rank of a status when sorted; an unknown one is 3.
STATUS_RANKS: Mapping[str, int] = {"open": 0, "acknowledged": 1, "resolved": 2}

Key = int | float

_BIGGEST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Place:
    """Behind which incident a page begins; ``started_at`` in microseconds since 1970."""

    key: Key
    started_at: int
    id: str


@dataclass(frozen=True, slots=True)
class Page:
    """A checked query: by what it sorts, which way, and where it begins."""

    query: IncidentQuery
    sort: str
    descending: bool
    after: Place | None

    def place(self, key: Key, started_at: int, incident_id: str) -> str:
        """The text of a place."""
        packed = orjson.dumps([_digest(self.query), key, started_at, incident_id])
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def severity_rank(incident: Incident) -> int:
    return SEVERITY_RANKS.get(incident.severity, -1)


def status_rank(incident: Incident) -> int:
    return STATUS_RANKS.get(incident.status, len(STATUS_RANKS))


def searched_text(incident: Incident) -> str:
    """What ``q`` is looked for in: title, description and external id, folded, a line each."""
    return "\n".join((incident.title, incident.description, incident.external_id or "")).casefold()


def page_of(query: IncidentQuery) -> Page:
    """Raises InputError on an unknown sort, a place that is none of ours, times without a zone."""
    sort = query.sort.removeprefix("-")
    if sort not in SORTS:
        raise InputError(f"incidents cannot be sorted by {sort[:40]!r}", hint=f"one of {', '.join(SORTS)}")
    check_text(query.source, query.entity, query.q, query.cause, *query.labels, *query.labels.values())
    check_text(*query.status, *query.severity)
    checked = replace(query, since=utc_or_none(query.since), until=utc_or_none(query.until))
    after = None if query.after is None else _placed(query.after, _digest(checked))
    return Page(checked, sort, query.sort.startswith("-"), after)


def _digest(query: IncidentQuery) -> str:
    """Of what must be the same from page to page."""
    asked = (
        sorted(query.status),
        sorted(query.severity),
        query.source,
        query.entity,
        sorted(query.labels.items()),
        None if query.since is None else query.since.isoformat(),
        None if query.until is None else query.until.isoformat(),
        query.q,
        query.min_confidence,
        query.cause,
        query.merged,
        query.sort,
    )
    return hashlib.sha256(orjson.dumps(asked)).hexdigest()[:12]


def _placed(text: str, digest: str) -> Place:
    try:
        found = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        said, key, started_at, incident_id = found
    except (binascii.Error, ValueError, TypeError) as exc:
        raise InputError("no place in the list of incidents", hint="start again without it") from exc
    numbers = (key, started_at)
    whole = isinstance(started_at, int) and isinstance(incident_id, str) and isinstance(key, int | float)
    if not whole or said != digest or not all(-_BIGGEST <= number <= _BIGGEST for number in numbers):
        raise InputError(
            "a place of another list of incidents",
            hint="start again without it, or ask what was asked before",
        )
    return Place(key, started_at, incident_id)
