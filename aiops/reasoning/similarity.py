"""How alike a new incident and a past one are: a documented, deterministic comparison of what hurt and what caused it.

    similarity = sum(weight x agreement) / sum(weight), over the features of which at least one side has something

| feature | agreement |
|---|---|
| entities | Jaccard index of the affected entities |
| alarms | Jaccard index of the names of alerts |
| cause | 1 for the same entity, 0.4 for another entity of the same kind |
| kind | 1 for the same fault kind, half of it where the kind only says how it looks |
| roles | Jaccard index of the kinds of affected entities (service, host, interface ...) |

Roles and the kind of the cause alone make nobody alike: an entity, an alert's name or the cause must agree as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiops.domain.fault_kinds import is_general, normalise_kind
from aiops.domain.incident_records import PastIncident
from aiops.domain.occurrences import Incident


@dataclass(frozen=True, slots=True)
class SimilarityWeights:
    """Weights of the features, the least similarity that is worth telling, and how many are told."""

    entities: float = 0.3
    alarms: float = 0.25
    cause: float = 0.2
    kind: float = 0.15
    roles: float = 0.1
    least: float = 0.35
    told: int = 5
    other_entity: float = 0.4


@dataclass(frozen=True, slots=True)
class Likeness:
    """What is compared: entities that hurt, names of alerts, the (suspected) cause and its kind."""

    entities: frozenset[str]
    alarms: frozenset[str]
    cause: str | None
    kind: str | None


@dataclass(frozen=True, slots=True)
class Resemblance:
    """A past incident, how alike it is in [0, 1], and what both have: entity ids, names of alerts, cause, kind."""

    past: PastIncident
    similarity: float
    entities: tuple[str, ...]
    alarms: tuple[str, ...]
    same_cause: bool
    same_kind: bool


def likeness_of(incident: Incident, alarms: Iterable[str], cause: str | None, kind: str | None) -> Likeness:
    """``alarms``: names of the incident's alerts."""
    hurt = {*incident.affected, *(symptom.entity for symptom in incident.symptoms)}
    return Likeness(frozenset(hurt), frozenset(alarms), cause, kind)


def find_similar(
    incident: Incident,
    mine: Likeness,
    past: Sequence[PastIncident],
    weights: SimilarityWeights | None = None,
) -> tuple[Resemblance, ...]:
    """The most alike of ``past`` that began before ``incident``, most alike first, then confirmed, newer, smaller id. Pure."""
    settings = weights or SimilarityWeights()
    found = []
    for one in past:
        if one.incident.id == incident.id or one.incident.started_at >= incident.started_at:
            continue
        resemblance = compare(mine, one, settings)
        if resemblance.similarity >= settings.least:
            found.append(resemblance)
    found.sort(key=_order)
    return tuple(found[: settings.told])


def compare(mine: Likeness, past: PastIncident, weights: SimilarityWeights) -> Resemblance:
    """How alike ``mine`` and ``past`` are."""
    theirs = likeness_of(past.incident, past.alarm_names, past.cause, past.cause_kind)
    same_cause = mine.cause is not None and mine.cause == theirs.cause
    entities, alarms = mine.entities & theirs.entities, mine.alarms & theirs.alarms
    same_kind = _same_kind(mine.kind, theirs.kind)
    features = (
        (weights.entities, _jaccard(mine.entities, theirs.entities)),
        (weights.alarms, _jaccard(mine.alarms, theirs.alarms)),
        (weights.cause, _cause(mine.cause, theirs.cause, weights)),
        (weights.kind, None if mine.kind is None and theirs.kind is None else same_kind),
        (weights.roles, _jaccard(_roles(mine.entities), _roles(theirs.entities))),
    )
    counted = [(weight, agreement) for weight, agreement in features if agreement is not None]
    total = sum(weight for weight, _ in counted)
    value = sum(weight * agreement for weight, agreement in counted) / total if total else 0.0
    if not entities and not alarms and not same_cause:
        value = 0.0
    return Resemblance(
        past, round(value, 4), tuple(sorted(entities)), tuple(sorted(alarms)), same_cause, same_kind > 0
    )


def _jaccard(mine: frozenset[str], theirs: frozenset[str]) -> float | None:
    """None where neither side has anything."""
    union = mine | theirs
    return len(mine & theirs) / len(union) if union else None


def _cause(mine: str | None, theirs: str | None, weights: SimilarityWeights) -> float | None:
    if mine is None and theirs is None:
        return None
    if mine is None or theirs is None:
        return 0.0
    return 1.0 if mine == theirs else weights.other_entity * (_role(mine) == _role(theirs))


def _same_kind(mine: str | None, theirs: str | None) -> float:
    if mine is None or theirs is None or normalise_kind(mine) != normalise_kind(theirs):
        return 0.0
    return 0.5 if is_general(mine) else 1.0


def _roles(entities: frozenset[str]) -> frozenset[str]:
    return frozenset(_role(entity) for entity in entities)


def _role(entity: str) -> str:
    """The kind that an id begins with."""
    return entity.partition(":")[0]


def _order(one: Resemblance) -> tuple[float, bool, float, str]:
    incident = one.past.incident
    return (-one.similarity, not one.past.confirmed, -incident.started_at.timestamp(), incident.id)
