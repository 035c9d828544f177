"""What an answer has to explain: the symptoms and open alarms of one incident, one complaint an entity and name.

A loud entity counts once an entity, however many alarms it sends; what the incident itself names weighs as much as all
the rest together, so that alarms around it support an answer and never outvote the incident.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiops.domain.evidence import SYMPTOM_CHANNELS, Evidence, EvidenceSet
from aiops.domain.occurrences import Alarm, Incident
from aiops.reasoning.spread import is_live

#: Alarms that began more than this before the start are no part of the incident, however far its window reaches.
LATELY_S = 900.0

#: A metric must be this unusual to stand in as a complaint where there is neither symptom nor alarm.
STRONG = 3.0


@dataclass(frozen=True, slots=True)
class Complaint:
    """``ids``: the alarms (or the symptom) behind it. ``named``: the incident itself names it."""

    ids: tuple[str, ...]
    entity: str
    at_s: float
    named: bool
    text: str


@dataclass(frozen=True, slots=True)
class Complaints:
    """Sorted by (named first, time, entity, ids). ``standing``: alarms left out as they were open long before."""

    items: tuple[Complaint, ...]
    standing: tuple[str, ...]

    def entities(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(item.entity for item in self.items))

    def weights(self) -> Mapping[str, float]:
        """Weight by entity, sums to 1: half for those that the incident names, half for the others."""
        named = {item.entity for item in self.items if item.named}
        others = {item.entity for item in self.items} - named
        share = 0.5 if named and others else 1.0
        weights = {entity: share / len(named) for entity in sorted(named)}
        weights.update({entity: share / len(others) for entity in sorted(others)})
        return weights


def collect_complaints(
    incident: Incident,
    alarms: Iterable[Alarm],
    evidence: EvidenceSet,
    *,
    muted: frozenset[str] = frozenset(),
    known: frozenset[str],
    limit: int = 500,
) -> Complaints:
    """Named symptoms, then alarms of entities in ``known``; entities in ``muted`` (maintenance, what-if) have no say."""
    found: dict[tuple[str, str], list[Complaint]] = {}
    chronic = {item.ref.id for item in evidence.items if item.chronic and item.ref.type == "alarm"}
    opened = incident.started_at - timedelta(seconds=min(LATELY_S, incident.window_before_s))
    standing = []
    for alarm in sorted(alarms, key=lambda alarm: (alarm.started_at, alarm.fingerprint, alarm.id)):
        if alarm.entity not in known or alarm.entity in muted or alarm.severity == "info":
            continue
        if alarm.id in chronic or alarm.started_at < opened:
            standing.append(alarm.id)
            continue
        item = Complaint(
            (alarm.id,), alarm.entity, _seconds(alarm.started_at), False, alarm.message or alarm.name
        )
        found.setdefault((alarm.entity, alarm.name), []).append(item)
    alarmed = {entity for entity, _ in found}
    named = {symptom.entity for symptom in incident.symptoms} | set(incident.affected)
    items = [_merged(group, named) for group in found.values()]
    items += [item for item in _named(incident) if item.entity not in alarmed and item.entity not in muted]
    if not items:
        items = list(_strongest(evidence, muted))
    items.sort(key=lambda item: (not item.named, item.at_s, item.entity, item.ids))
    return Complaints(tuple(items[:limit]), tuple(standing))


def _merged(group: list[Complaint], named: set[str]) -> Complaint:
    first = group[0]
    ids = tuple(identifier for item in group for identifier in item.ids)
    return Complaint(ids, first.entity, first.at_s, first.entity in named, first.text)


def _named(incident: Incident) -> Iterable[Complaint]:
    """Symptoms and affected entities; ids are made from what they say, so they are stable."""
    spoken = set()
    for symptom in sorted(
        incident.symptoms, key=lambda symptom: (symptom.at, symptom.entity, symptom.metric or "")
    ):
        if symptom.entity not in spoken:
            spoken.add(symptom.entity)
            what = symptom.metric or "symptom"
            yield Complaint(
                (f"symptom:{symptom.entity}:{what}",), symptom.entity, _seconds(symptom.at), True, what
            )
    for entity in sorted(set(incident.affected) - spoken):
        yield Complaint(
            (f"affected:{entity}",), entity, _seconds(incident.started_at), True, "named as affected"
        )


def _strongest(evidence: EvidenceSet, muted: frozenset[str]) -> Iterable[Complaint]:
    """Where nobody complained: each entity's strongest live symptom, else its strongest evidence of any kind."""
    best: dict[str, Evidence] = {}
    for item in evidence.items:
        if not is_live(item) or item.strength < STRONG or item.entity in muted:
            continue
        held = best.get(item.entity)
        if held is None or _telling(item) > _telling(held):
            best[item.entity] = item
    for entity, item in sorted(best.items()):
        yield Complaint((item.id,), entity, item.at_s, False, item.text)


def _telling(item: Evidence) -> tuple[bool, float]:
    return (item.channel in SYMPTOM_CHANNELS, item.strength)


def _seconds(at: datetime) -> float:
    return at.timestamp()
