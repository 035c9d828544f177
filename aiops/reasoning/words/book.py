"""The list of everything that is cited. Who writes a sentence asks here for the id of what it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiops.domain.analysis import Citation, Hop
from aiops.domain.candidates import RuleAction, RuleFiring
from aiops.domain.evidence import Evidence, Reference, evidence_id
from aiops.domain.explanation import Cited
from aiops.domain.graph import RELATION_KINDS, Spread, relation_kind
from aiops.domain.incident_records import PastIncident
from aiops.domain.occurrences import Alarm, Change, Incident
from aiops.reasoning.moments import clock, rfc3339, roughly
from aiops.reasoning.words.names import Names, shortened
from aiops.reasoning.words.phrases import said_by, without_ids
from aiops.reasoning.words.quantities import unit_of

#: Longest text of a cited thing, in characters; a line may have megabytes.
KEPT_TEXT = 2000
#: Most members of a count that are listed.
KEPT_MEMBERS = 100


class Book:
    """Collects cited things, each once, in order of first mention. Ids depend on what is cited and on nothing else."""

    def __init__(
        self,
        incident: Incident,
        names: Names,
        alarms: Mapping[str, Alarm],
        citations: Iterable[Citation],
        directed: frozenset[tuple[str, str, str]] = frozenset(),
        changes: Mapping[str, Change] | None = None,
    ) -> None:
        """``citations``: of all causes, the first cause's first; they say how much evidence weighs and for which side.
        ``directed``: (source, kind, target) of relations that failure crosses both ways, as a hop does not tell."""
        self._incident = incident
        self._start_s = incident.started_at.timestamp()
        self._names = names
        self._alarms = alarms
        self._directed = directed
        self._changes = changes or {}
        self._weighed: dict[str, Citation] = {}
        for citation in citations:
            self._weighed.setdefault(citation.evidence.id, citation)
        self._cited: dict[str, Cited] = {}

    def entries(self) -> tuple[Cited, ...]:
        return tuple(self._cited.values())

    def holds(self, cited_id: str) -> bool:
        return cited_id in self._cited

    def item(self, item: Evidence) -> str:
        """What was seen."""
        if item.id not in self._cited:
            weighed = self._weighed.get(item.id)
            alarm = self._alarms.get(item.ref.id) if item.ref.type == "alarm" else None
            told = alarm if alarm is not None else self._changes.get(item.ref.id)
            ended = None if told is None else told.ended_at
            self._cited[item.id] = Cited(
                id=item.id,
                kind=item.kind,
                text=shortened(said_by(item), KEPT_TEXT),
                ref=item.ref,
                name=shortened(item.name, KEPT_TEXT),
                entity=item.entity,
                entity_name=self._names.of(item.entity),
                peer=item.peer,
                peer_name=None if item.peer is None else self._names.of(item.peer),
                channel=item.channel.value,
                at_s=item.at_s,
                until_s=None if ended is None else ended.timestamp(),
                value=item.value,
                baseline=item.baseline,
                unit=unit_of(item.name) if item.kind == "metric" else None,
                severity=item.severity,
                source=alarm.source if alarm is not None else _source(item),
                strength=item.strength,
                weight=weighed.weight if weighed is not None else None,
                supports=weighed.supports if weighed is not None else None,
            )
        return item.id

    def relation(self, hop: Hop) -> str:
        """The relation that failure crossed, in its own direction where its kind has one."""
        kind = relation_kind(hop.relation)
        ends = (hop.cause_id, hop.effect_id)
        forward = kind.spread is Spread.TO_TARGET or (ends[0], hop.relation, ends[1]) in self._directed
        source, target = ends if forward else ends[::-1]
        identifier = evidence_id("topology", source, hop.relation, target, hop.provenance)
        if identifier not in self._cited:
            details = [f"{hop.provenance}, confidence {hop.confidence:g}"]
            if hop.last_seen is not None:
                details.append(f"last seen {rfc3339(hop.last_seen)}, {self._age(hop)}")
            self._cited[identifier] = Cited(
                id=identifier,
                kind="topology",
                text=self.reading(hop),
                ref=Reference("relation", f"{source}|{hop.relation}|{target}|{hop.provenance}"),
                name=hop.relation,
                entity=source,
                entity_name=self._names.of(source),
                peer=target,
                peer_name=self._names.of(target),
                at_s=None if hop.last_seen is None else hop.last_seen.timestamp(),
                value=hop.confidence,
                source=hop.provenance,
                details=tuple(details),
            )
        return identifier

    def reading(self, hop: Hop) -> str:
        """``instance shop@app-1 runs on host app-1``."""
        kind = relation_kind(hop.relation)
        cause, effect = self._names.of(hop.cause_id), self._names.of(hop.effect_id)
        if hop.relation not in RELATION_KINDS:
            return f"{effect} is related to {cause} ({hop.relation})"
        a, b = (cause, effect) if kind.spread is Spread.TO_TARGET else (effect, cause)
        if kind.spread is Spread.BOTH and (hop.cause_id, hop.relation, hop.effect_id) in self._directed:
            a, b = cause, effect
        return " ".join({"A": a, "B": b}.get(word, word) for word in kind.reading.split(" "))

    def _age(self, hop: Hop) -> str:
        assert hop.last_seen is not None
        before_s = self._start_s - hop.last_seen.timestamp()
        return f"{roughly(before_s)} before the incident" if before_s > 0 else "since the incident began"

    def rule(self, firing: RuleFiring) -> str:
        """What a rule said of an entity, with the actions that it proposes."""
        identifier = evidence_id("rule", firing.rule, firing.entity)
        if identifier not in self._cited:
            said = (
                f"effect {firing.effect}, weight {firing.weight:g}",
                *(f"kind {k}" for k in (firing.kind,) if k),
            )
            self._cited[identifier] = Cited(
                id=identifier,
                kind="rule",
                text=shortened(without_ids(firing.statement), KEPT_TEXT),
                ref=Reference("rule", firing.rule),
                name=firing.rule,
                entity=firing.entity,
                entity_name=self._names.of(firing.entity),
                value=firing.weight,
                source="rules",
                details=(*said, *(_described(action) for action in firing.actions)),
                members=firing.evidence[:KEPT_MEMBERS],
            )
        return identifier

    def count(
        self,
        name: str,
        text: str,
        value: float,
        of: float | None = None,
        *,
        members: Iterable[str] = (),
        entity: str | None = None,
        details: Iterable[str] = (),
    ) -> str:
        """Something computed here. ``members``: what was counted; ``of``: out of how many."""
        identifier = evidence_id("count", name, entity or "", text)
        if identifier not in self._cited:
            self._cited[identifier] = Cited(
                id=identifier,
                kind="count",
                text=shortened(text, KEPT_TEXT),
                ref=Reference("analysis", name),
                name=name,
                entity=entity,
                entity_name=None if entity is None else self._names.of(entity),
                value=value,
                baseline=of,
                source="analysis",
                details=tuple(details),
                members=tuple(members)[:KEPT_MEMBERS],
            )
        return identifier

    def gap(self, name: str, text: str, *, entity: str | None = None, members: Iterable[str] = ()) -> str:
        """Something that was looked for and is not there, or could not be looked at."""
        identifier = evidence_id("gap", name, entity or "", text)
        if identifier not in self._cited:
            self._cited[identifier] = Cited(
                id=identifier,
                kind="gap",
                text=shortened(text, KEPT_TEXT),
                ref=Reference("gap", name),
                name=name,
                entity=entity,
                entity_name=None if entity is None else self._names.of(entity),
                source="analysis",
                members=tuple(members)[:KEPT_MEMBERS],
            )
        return identifier

    def incident(self) -> str:
        """What was posted. Its id is no part of it: the same incident posted again is told in the same bytes."""
        identifier = evidence_id("incident", self._incident.title, self._start_s)
        if identifier not in self._cited:
            self._cited[identifier] = Cited(
                id=identifier,
                kind="incident",
                text=shortened(self._incident.title, KEPT_TEXT),
                ref=Reference("incident", self._incident.external_id or ""),
                name=self._incident.severity,
                at_s=self._start_s,
                source=self._incident.source,
                members=self._incident.affected[:KEPT_MEMBERS],
            )
        return identifier

    def change(self, change: Change, entity: str) -> str:
        """A change or a maintenance, as it was announced."""
        identifier = evidence_id("change", change.source, change.external_id, entity)
        if identifier not in self._cited:
            self._cited[identifier] = Cited(
                id=identifier,
                kind="change",
                text=shortened(
                    f"{change.kind}: {change.title}" + (f" by {change.author}" if change.author else ""),
                    KEPT_TEXT,
                ),
                ref=Reference("change", change.id),
                name=change.kind,
                entity=entity,
                entity_name=self._names.of(entity),
                at_s=change.started_at.timestamp(),
                until_s=None if change.ended_at is None else change.ended_at.timestamp(),
                source=change.source,
            )
        return identifier

    def past(self, past: PastIncident, text: str, details: Iterable[str]) -> str:
        """An earlier incident."""
        identifier = evidence_id("history", past.incident.id)
        if identifier not in self._cited:
            self._cited[identifier] = Cited(
                id=identifier,
                kind="history",
                text=shortened(text, KEPT_TEXT),
                ref=Reference("incident", past.incident.id),
                name=shortened(past.incident.title, KEPT_TEXT),
                entity=past.cause,
                entity_name=None if past.cause is None else self._names.of(past.cause),
                at_s=past.incident.started_at.timestamp(),
                source=past.incident.source,
                details=tuple(shortened(detail, KEPT_TEXT) for detail in details),
                members=past.incident.affected[:KEPT_MEMBERS],
            )
        return identifier

    def clock(self, at_s: float) -> str:
        """Time of day beside the incident's start."""
        return clock(at_s, self._start_s)


def _source(item: Evidence) -> str:
    if item.kind in ("log", "change"):
        return item.attributes.get("source", "")
    return "metrics" if item.kind == "metric" else "states" if item.kind in ("state", "fact") else ""


def _described(action: RuleAction) -> str:
    said = f"{action.type}, {action.risk}: {action.title}"
    for label, value in (("command", action.command), ("undo", action.undo), ("runbook", action.runbook)):
        if value:
            said += f"; {label}: {value}"
    return said
