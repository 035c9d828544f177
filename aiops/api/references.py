"""Whom a posted incident is about: references, labels and alerts looked up, dead ends turned into help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import orjson

from aiops.api.documents import written
from aiops.api.problems import pointer
from aiops.api.schemas.incidents import IncidentRequest
from aiops.api.services import Services
from aiops.domain.addresses import OPEN_NOW, holders_in, is_address, without_addresses
from aiops.domain.occurrences import Symptom
from aiops.errors import NothingResolved

NEAREST = 5
MAX_HOLDERS = 64


@dataclass(frozen=True, slots=True)
class Resolved:
    """``affected``: ids, sorted. ``unresolved``: (pointer, why) for what named nothing or several things.

    ``nearest``: for each name that is unknown, names like it.
    """

    affected: tuple[str, ...]
    symptoms: tuple[Symptom, ...]
    unresolved: tuple[tuple[str, str], ...]
    nearest: Mapping[str, tuple[str, ...]]


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
    unresolved: list[tuple[str, str]] = []
    nearest: dict[str, tuple[str, ...]] = {}
    by_name = ids_named([item.ref for item in posted.affected if item.ref], services, at=at)
    for index, item in enumerate(posted.affected):
        where, name = pointer("affected", index, "ref" if item.ref else "match"), item.ref
        ids = by_name.get(name, ()) if name else services.ingest.resolve_labels(item.match)
        if len(ids) == 1:
            found.add(ids[0])
            continue
        unresolved.append((where, _why(ids)))
        for unknown in [name] if name else item.match.values():
            if not ids and unknown and len(nearest) < NEAREST:
                nearest[unknown] = tuple(services.graph.nearest_names(unknown, NEAREST))
    if posted.labels:
        ids = services.ingest.resolve_labels(posted.labels)
        found.update(ids if len(ids) == 1 else ())
        if len(ids) > 1:
            unresolved.append(("/labels", _why(ids)))
        if not ids and not found and not posted.alerts:
            unresolved.append(("/labels", _why(ids)))
            for value in list(posted.labels.values())[:NEAREST]:
                nearest[value] = tuple(services.graph.nearest_names(value, NEAREST))
    if not found and not posted.alerts:
        raise NothingResolved(
            "nothing in the incident names an entity we know",
            hint="use one of the nearest names, import the topology first, or send the alerts along",
            references=tuple(unresolved) or (("", "give affected, alerts or labels"),),
            nearest={name: list(names) for name, names in nearest.items()},
        )
    return Resolved(tuple(sorted(found)), (), tuple(unresolved), nearest)


def take_alerts(
    posted: IncidentRequest, resolved: Resolved, started_at: datetime, services: Services
) -> Resolved:
    """Hands the incident's alerts to the ingest, as if Prometheus had sent them; what they are about is affected too.

    Raises :class:`NothingResolved` where even they brought no entity.
    """
    if not posted.alerts:
        return resolved
    body = [
        {
            "labels": dict(alert.labels),
            "annotations": dict(alert.annotations),
            "startsAt": written(alert.startsAt or started_at),
            **({"endsAt": written(alert.endsAt)} if alert.endsAt else {}),
            **({"generatorURL": alert.generatorURL} if alert.generatorURL else {}),
        }
        for alert in posted.alerts
    ]
    counts = services.ingest.take_v2_alerts(orjson.dumps(body))
    affected = tuple(sorted({*resolved.affected, *counts.entities}))
    if not affected:
        raise NothingResolved(
            "nothing in the incident names an entity we know",
            hint="give the alerts labels that name a thing: service, device, host, instance ...",
            references=resolved.unresolved or (("/alerts", "; ".join(counts.reasons) or "name no entity"),),
            nearest={name: list(names) for name, names in resolved.nearest.items()},
        )
    symptoms: list[Symptom] = []
    for alert in posted.alerts:
        ids = services.ingest.resolve_labels(alert.labels)
        if len(ids) == 1:
            symptoms.append(Symptom(ids[0], None, alert.startsAt or started_at))
    ordered = sorted(symptoms, key=lambda symptom: (symptom.at, symptom.entity))
    return replace(resolved, affected=affected, symptoms=tuple(ordered))


def _why(ids: tuple[str, ...]) -> str:
    return f"may mean {', '.join(ids[:NEAREST])}: say which" if ids else "names no entity we know"
