"""Whom a posted incident is about: references, labels and alerts looked up, dead ends turned into help."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import orjson

from aiops.api.documents import written
from aiops.api.problems import pointer
from aiops.api.schemas.incidents import IncidentAlert, IncidentRequest
from aiops.api.services import Services
from aiops.domain.addresses import OPEN_NOW, holders_in, is_address, without_addresses
from aiops.domain.incident_records import AlarmKey, alarm_key
from aiops.domain.occurrences import Alarm, Symptom
from aiops.errors import NothingResolved

NEAREST = 5
MAX_HOLDERS = 64
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A reference that named nothing or several things. ``nearest``: for each of its unknown names, names like it."""

    pointer: str
    detail: str
    nearest: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def document(self) -> dict[str, object]:
        near = list(dict.fromkeys(name for names in self.nearest.values() for name in names))[:NEAREST]
        return {"pointer": self.pointer, "detail": self.detail, "nearest": near}


@dataclass(frozen=True, slots=True)
class Resolved:
    """``affected``: ids, sorted. ``unresolved``: what named nothing or several things. ``alarms``: what the alerts became."""

    affected: tuple[str, ...]
    symptoms: tuple[Symptom, ...]
    unresolved: tuple[Unresolved, ...]
    alarms: tuple[Alarm, ...] = ()

    def nearest(self) -> dict[str, list[str]]:
        """For each name that is unknown, names like it."""
        return {name: list(near) for one in self.unresolved for name, near in one.nearest.items()}


def ids_named(
    names: Sequence[str], services: Services, *, at: datetime | None = None
) -> Mapping[str, tuple[str, ...]]:
    """For each name the ids it may mean; an address means who held it at ``at`` (None: now), else who holds it now."""

    def holders(address_id: str) -> tuple[str, ...]:
        for when in (at or OPEN_NOW, OPEN_NOW):
            near = services.graph.neighbourhood([address_id], as_of=when, depth=1, limit=MAX_HOLDERS)
            if held := holders_in(near, address_id):
                return held
        return ()

    found = services.graph.resolve(list(names)) if names else {}
    return {
        name: ids if is_address(name) else without_addresses(tuple(ids), holders)
        for name, ids in found.items()
    }


def resolve_references(posted: IncidentRequest, services: Services, *, at: datetime) -> Resolved:
    """Looks everything up as of ``at`` and writes nothing.

    Raises :class:`NothingResolved` where nothing is found and no alert could bring an entity of its own.
    """
    found: set[str] = set()
    unresolved: list[Unresolved] = []
    room = NEAREST  # names are compared with thousands: not for every one of a thousand references
    by_name = ids_named([item.ref for item in posted.affected if item.ref], services, at=at)
    for index, item in enumerate(posted.affected):
        where, name = pointer("affected", index, "ref" if item.ref else "match"), item.ref
        ids = by_name.get(name, ()) if name else services.ingest.resolve_labels(item.match)
        if name and not ids:  # an endpoint, a name with the dot of the root behind it
            ids = services.ingest.resolve_labels({"instance": name})
        if len(ids) == 1:
            found.add(ids[0])
            continue
        unknown = [] if ids else [name] if name else [text for text in item.match.values() if text]
        near = _nearest(unknown[:room], services)
        room -= len(near)
        unresolved.append(Unresolved(where, _why(ids), near))
    if posted.labels:
        ids = services.ingest.resolve_labels(posted.labels)
        found.update(ids if len(ids) == 1 else ())
        if len(ids) > 1:
            unresolved.append(Unresolved("/labels", _why(ids)))
        if not ids and not found and not posted.alerts:
            near = _nearest(list(posted.labels.values())[:NEAREST], services)
            unresolved.append(Unresolved("/labels", _why(ids), near))
    resolved = Resolved(tuple(sorted(found)), (), tuple(unresolved))
    if not found and not posted.alerts:
        raise nothing_resolved(
            resolved, "use one of the nearest names, import the topology first, or send the alerts along"
        )
    return resolved


def nothing_resolved(resolved: Resolved, hint: str, default: str = "") -> NothingResolved:
    """The error that says of each reference why it leads nowhere, and what is near."""
    references = tuple((one.pointer, one.detail) for one in resolved.unresolved)
    return NothingResolved(
        "nothing in the incident names an entity we know",
        hint=hint,
        references=references
        or ((("/alerts", default),) if default else (("", "give affected, alerts or labels"),)),
        nearest=resolved.nearest(),
    )


def _nearest(names: Sequence[str], services: Services) -> dict[str, tuple[str, ...]]:
    return {name: tuple(services.graph.nearest_names(name, NEAREST)) for name in names}


def take_alerts(
    alerts: Sequence[IncidentAlert], resolved: Resolved, started_at: datetime, services: Services
) -> Resolved:
    """Hands the incident's alerts to the ingest, as if Prometheus had sent them; what they are about is affected too.

    Raises :class:`NothingResolved` where even they brought no entity.
    """
    if not alerts:
        return resolved
    body = [
        {
            "labels": dict(alert.labels),
            "annotations": dict(alert.annotations),
            "startsAt": written(alert.startsAt or started_at),
            **({"endsAt": written(alert.endsAt)} if alert.endsAt else {}),
            **({"generatorURL": alert.generatorURL} if alert.generatorURL else {}),
        }
        for alert in alerts
    ]
    counts = services.ingest.take_v2_alerts(orjson.dumps(body))
    affected = tuple(sorted({*resolved.affected, *counts.entities}))
    if not affected:
        raise nothing_resolved(
            resolved,
            "give the alerts labels that name a thing: service, device, host, instance ...",
            "; ".join(counts.reasons) or "name no entity",
        )
    symptoms: list[Symptom] = []
    for alert in alerts:
        ids = services.ingest.resolve_labels(alert.labels)
        if len(ids) == 1:
            symptoms.append(Symptom(ids[0], None, alert.startsAt or started_at))
    ordered = sorted(symptoms, key=lambda symptom: (symptom.at, symptom.entity))
    alarms = _stored(counts.alarms, counts.entities, services)
    return replace(resolved, affected=affected, symptoms=tuple(ordered), alarms=alarms)


def _stored(keys: Sequence[AlarmKey], entities: Sequence[str], services: Services) -> tuple[Alarm, ...]:
    """The alarms of these keys as they are stored."""
    if not keys:
        return ()
    starts = [started_at for _, started_at in keys]
    found = services.graph.alarms(start=min(starts), end=max(starts) + _TICK, entities=entities)
    wanted = frozenset(keys)
    return tuple(alarm for alarm in found if alarm_key(alarm) in wanted)


def one_entity(
    names: Sequence[str],
    member: str,
    services: Services,
    *,
    known: Collection[str] = (),
    single: bool = False,
) -> Mapping[str, str]:
    """The entity that each name means; one of ``known`` means itself. Raises :class:`NothingResolved` where one of them names
    none or several: it points into ``member``, or at it where that holds a ``single`` name."""
    asked = [name for name in names if name not in known]
    by_name = ids_named(asked, services)
    wrong = [index for index, name in enumerate(names) if name not in known and len(by_name[name]) != 1]
    if wrong:
        unknown = list(dict.fromkeys(names[index] for index in wrong if not by_name[names[index]]))
        raise NothingResolved(
            f"{names[wrong[0]][:100]!r} {_why(by_name[names[wrong[0]]])}",
            hint="use an entity's id, or one of the nearest names",
            references=tuple(
                (member if single else f"{member}/{index}", _why(by_name[names[index]])) for index in wrong
            ),
            nearest={name: list(near) for name, near in _nearest(unknown[:NEAREST], services).items()},
        )
    return {name: name if name in known else by_name[name][0] for name in names}


def _why(ids: tuple[str, ...]) -> str:
    return f"may mean {', '.join(ids[:NEAREST])}: say which" if ids else "names no entity we know"
