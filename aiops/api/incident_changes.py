"""Changing an incident: read it, make the change, record it; again, where somebody else was faster."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence

from fastapi import Request

from aiops.api.guard import services_of, token_of
from aiops.api.preconditions import must_match
from aiops.api.problems import Problem, not_found, pointer
from aiops.api.services import Services
from aiops.domain.incident_records import AlarmKey, IncidentChange, IncidentQuery, alarm_key
from aiops.domain.occurrences import Alarm, Incident
from aiops.errors import StoreConflict
from aiops.lifecycle.transitions import Author

#: How often a change is made anew where others are faster.
ATTEMPTS = 8
NEAREST = 5
#: Incidents among which a wrong id's neighbours are looked for.
COMPARED = 500

Wish = Callable[[Incident], Sequence[IncidentChange]]


def author_of(request: Request) -> Author:
    """The token's name, now."""
    return Author(token_of(request).name, services_of(request).clock.now())


def incident_of(services: Services, incident_id: str) -> Incident:
    """Raises a 404 problem where there is none."""
    incident = services.incidents.incident(incident_id)
    if incident is None:
        raise not_found(f"no incident {incident_id[:100]!r}")
    return incident


def change_incident(
    services: Services, incident_id: str, wish: Wish, *, if_match: str | None = None
) -> tuple[Incident, ...]:
    """Records what ``wish`` makes of the incident; it may be asked several times. Gives what is stored of each change, the
    incident itself first; no change: the incident as it is.

    Raises a 404 problem, a 412 problem where ``if_match`` names another state, and what ``wish`` raises.
    """
    for attempt in range(1, ATTEMPTS + 1):
        known = incident_of(services, incident_id)
        must_match(if_match, known)
        changes = wish(known)
        if not changes:
            return (known,)
        try:
            return services.incidents.record(changes)
        except StoreConflict:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")


def is_told(services: Services, incident_id: str, kind: str, request: str) -> bool:
    """Whether an activity of this kind came of the request that is known by ``request``."""
    after = 0
    while told := services.incidents.activities(incident_id=incident_id, after=after, limit=COMPARED):
        if any(one.kind == kind and one.details.get("request") == request for one in told):
            return True
        after = told[-1].number
    return False


def incidents_named(services: Services, names: Sequence[str], member: str) -> Mapping[str, Incident]:
    """The incidents of these ids. Raises a 422 problem that points at each unknown one, with ids like it."""
    found = {name: services.incidents.incident(name) for name in dict.fromkeys(names)}
    wrong = [index for index, name in enumerate(names) if found[name] is None]
    if wrong:
        rows = services.incidents.find_incidents(IncidentQuery(limit=COMPARED)).rows
        known = [row.incident.id for row in rows]
        raise unknown("incident", member, names, wrong, known)
    return {name: incident for name, incident in found.items() if incident is not None}


def alarms_named(
    alarms: Sequence[Alarm], ids: Sequence[str], member: str, *, in_body: bool = True
) -> tuple[AlarmKey, ...]:
    """Keys of the ``alarms`` with these ids. Raises a 422 problem that points at each unknown one, with ids like it."""
    by_id = {alarm.id: alarm for alarm in alarms}
    wrong = [index for index, name in enumerate(ids) if name not in by_id]
    if wrong:
        raise unknown("alert", member, ids, wrong, list(by_id), in_body=in_body)
    return tuple(alarm_key(by_id[name]) for name in dict.fromkeys(ids))


def unknown(
    what: str,
    member: str,
    names: Sequence[str],
    wrong: Sequence[int],
    known: Sequence[str],
    *,
    in_body: bool = True,
) -> Problem:
    """422 for names that are none of ``known``. ``in_body`` false: ``member`` is a query parameter."""
    items: list[dict[str, object]] = []
    for index in wrong:
        name = names[index]
        near = difflib.get_close_matches(name, known[:COMPARED], n=NEAREST, cutoff=0.5)
        detail = f"no {what} {name[:100]!r}" + (f"; near: {', '.join(near)}" if near else "")
        place = {"pointer": pointer(*member.split("/"), index)} if in_body else {"parameter": member}
        items.append({**place, "detail": detail, "nearest": near})
    where = member if not in_body else items[0]["pointer"]
    return Problem(422, "invalid-request", f"{where}: {items[0]['detail']}", tuple(items))
