"""What happened, by event time. Changes and maintenance have lanes of their own, and so has the moment of detection."""

from __future__ import annotations

from collections.abc import Iterator

from aiops.domain.evidence import Evidence
from aiops.domain.explanation import LANES, Moment, Sentence
from aiops.domain.occurrences import Change
from aiops.reasoning.moments import ahead, span
from aiops.reasoning.words.brief import Brief
from aiops.reasoning.words.names import shortened
from aiops.reasoning.words.phrases import happened
from aiops.reasoning.words.signs import speaks_of_harm

#: Most moments of a timeline; of those, changes; and entities told of one change.
MOMENTS, CHANGES, ENTITIES = 80, 20, 4
#: Longest verbatim text of a moment, in characters, and the least strength of metrics and lines that get one.
QUOTED_HERE, LEAST = 140, 2.5
#: Changes begin to be of interest so long before the incident, seconds.
CHANGES_FROM_S = 86_400.0
_IMPORTANCE = {"cause": 0, "symptom": 1, "alert": 2}
_PLACE = {lane: place for place, lane in enumerate(LANES)}


def make_timeline(brief: Brief) -> tuple[Moment, ...]:
    """By time, then lane, then entity and text."""
    found = [*_seen(brief), *_announced(brief), *_detection(brief)]
    found.sort(key=lambda moment: (moment.at_s, _PLACE[moment.lane], moment.entity or "", moment.text))
    return tuple(found)


def tell_timeline(brief: Brief, timeline: tuple[Moment, ...]) -> tuple[Sentence, ...]:
    """The moments as sentences, with what was corrected."""
    said = []
    for moment in timeline:
        note = "" if moment.skew_s is None else f" (clock {ahead(moment.skew_s)}, corrected)"
        until = "" if moment.until_s is None else f", until {brief.clock(moment.until_s)}"
        cited = (
            moment.evidence
            if moment.skew_s is None
            else (*moment.evidence, skew_id(brief, moment.entity or ""))
        )
        said.append(
            Sentence(f"{brief.clock(moment.at_s)} {moment.text}{until}{note}", cited, mark=moment.lane)
        )
    return tuple(said)


def skew_id(brief: Brief, entity: str) -> str:
    """The id of the statement about the clock behind what ``entity`` says."""
    machine = entity if entity in brief.skews else _machine_of(brief).get(entity, entity)
    ahead_s = brief.skews.get(machine, 0.0)
    return brief.book.gap("clock", f"the clock of {brief.name(machine)} is {ahead(ahead_s)}", entity=machine)


def _seen(brief: Brief) -> Iterator[Moment]:
    members = frozenset(brief.finding.ranked.members) if brief.causes else frozenset()
    hurt = frozenset(brief.diagnosis.complaints.entities())
    machines = _machine_of(brief) if brief.skews else {}
    alerted = _first_alerts(brief)
    for item, lane in _chosen(brief, members, hurt):
        told = happened(item, brief.names, QUOTED_HERE)
        skew_s = brief.skews.get(item.entity, brief.skews.get(machines.get(item.entity, "")))
        yield Moment(
            item.at_s,
            lane,
            item.entity,
            f"{brief.name(item.entity)} {told.text}",
            (brief.book.item(item),),
            skew_s=skew_s if item.kind == "log" else None,
            detected_at_s=alerted.get(item.entity),
        )


def _chosen(brief: Brief, members: frozenset[str], hurt: frozenset[str]) -> list[tuple[Evidence, str]]:
    """What gets a moment, with its lane: the cause's evidence before alerts before the rest, each by time."""
    wanted = {
        item.id: item for item in brief.matter.evidence.items if item.kind == "alert" and not item.chronic
    }
    shown: frozenset[str] = frozenset()
    if brief.causes:
        wanted.update({citation.evidence.id: citation.evidence for citation in brief.first.citations})
        ends = (brief.signs.of(entity) for path in brief.first.paths[:1] for entity in path.entities())
        wanted.update({item.id: item for item in ends if item is not None})
        shown = frozenset(sign.id for sign in brief.signs_of_causes[:1] if sign is not None)
    found = [
        (item, _lane(item, members, hurt))
        for item in wanted.values()
        if not item.chronic and item.kind not in ("change", "fact")
        if item.id in shown or _worth_a_moment(item)
    ]
    found.sort(key=lambda one: (_IMPORTANCE.get(one[1], 9), one[0].at_s, one[0].entity, one[0].id))
    return found[: MOMENTS - CHANGES - 1]


def _worth_a_moment(item: Evidence) -> bool:
    return item.kind in ("alert", "state") or (item.strength >= LEAST and speaks_of_harm(item))


def _lane(item: Evidence, members: frozenset[str], hurt: frozenset[str]) -> str:
    if item.kind == "alert":
        return "alert"
    if item.entity in members:
        return "cause"
    if item.entity in hurt:
        return "symptom"
    return item.kind if item.kind in ("log", "metric", "state") else "symptom"


def _announced(brief: Brief) -> Iterator[Moment]:
    """The newest changes, and maintenance that was not over."""
    start_s = brief.start_s
    found = [
        (change, entity)
        for change in brief.matter.seen.changes
        if change.started_at.timestamp() >= start_s - CHANGES_FROM_S
        if change.kind != "maintenance" or change.ended_at is None or change.ended_at.timestamp() >= start_s
        for entity in change.entities[:ENTITIES]
    ]
    found.sort(key=lambda one: (-one[0].started_at.timestamp(), one[0].id, one[1]))
    for change, entity in found[:CHANGES]:
        yield _announcement(brief, change, entity)


def _announcement(brief: Brief, change: Change, entity: str) -> Moment:
    maintenance = change.kind == "maintenance"
    what = "maintenance" if maintenance else f"{change.kind} change"
    by = f" by {change.author}" if change.author else ""
    return Moment(
        change.started_at.timestamp(),
        "maintenance" if maintenance else "change",
        entity,
        f"{brief.name(entity)}: {what} “{shortened(' '.join(change.title.split()), QUOTED_HERE)}”{by}",
        (brief.book.change(change, entity),),
        until_s=None if change.ended_at is None else change.ended_at.timestamp(),
    )


def _detection(brief: Brief) -> Iterator[Moment]:
    """The first alert against the first sign of the cause."""
    counted = frozenset(name for item in brief.diagnosis.complaints.items for name in item.ids)
    alerts = [item for item in brief.matter.evidence.items if item.kind == "alert" and item.ref.id in counted]
    if not alerts:
        return
    first = min(alerts, key=lambda item: (item.at_s, item.id))
    cited = [brief.book.item(first)]
    text = f"detected: the first alert began, on {brief.name(first.entity)}"
    sign = brief.signs_of_causes[0] if brief.causes else None
    if sign is not None and sign.id != first.id:
        lag_s = first.at_s - sign.at_s
        how = "after" if lag_s >= 0 else "before"
        text += f", {span(lag_s)} {how} the first telling sign of {brief.name(sign.entity)}"
        cited.append(brief.book.item(sign))
    yield Moment(first.at_s, "detection", first.entity, text, tuple(cited), detected_at_s=first.at_s)


def _first_alerts(brief: Brief) -> dict[str, float]:
    found: dict[str, float] = {}
    for alarm in brief.matter.seen.alarms:
        at_s = alarm.started_at.timestamp()
        found[alarm.entity] = min(found.get(alarm.entity, at_s), at_s)
    return found


def _machine_of(brief: Brief) -> dict[str, str]:
    """The machine with a wrong clock that each entity runs on or is a part of."""
    return {
        relation.source_id: relation.target_id
        for relation in brief.matter.subgraph.relations
        if relation.kind in ("RUNS_ON", "PART_OF") and relation.target_id in brief.skews
    }
