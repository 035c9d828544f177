"""What one label set or one line says about the topology, by the rows of the mapping: entities, relations, states.

Ends of relations are looked up before they are made, an alias never moves from one known entity to another, and what is
stored already is not stated again. An address that is reused (a pod's, a service's) is no alias but an entity of kind Address
that IDENTIFIES its holder: a relation with a beginning and an end, so that it is known who had it when.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from aiops.domain.addresses import ADDRESS, ADDRESS_PREFIX, IDENTIFIES
from aiops.domain.batches import Series
from aiops.domain.graph import Entity, Relation
from ingest.entities import UNKNOWN, EntityResolver, Resolution
from ingest.identity import IDENTITY_RULES, Reference
from ingest.topology.mapping import SELF, SPEAKER, EntityRule, RelationRule, Row, TopologyMapping

MAX_NAME = 512
#: Who said that an address is somebody's, whichever row it was: one address has one holder.
ADDRESSES = "addresses"
#: Seconds that an address stays with its holder unseen, while its source is heard.
ADDRESS_TTL_S = 300.0
#: Only so much of a line is searched: patterns are a site's own and lines are anybody's.
MAX_LINE_CHARS = 2048


@dataclass(frozen=True, slots=True)
class Learned:
    """A relation and how long it holds without being seen again. ``begins``: it is known to begin when it is first seen."""

    relation: Relation
    ttl_s: float | None
    exclusive: bool
    begins: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found. ``entity`` is whose sample or line it is, ``peer`` set where it belongs to ``entity -> peer``.
    ``states`` are (entity, property, value); ``closed`` are (provenance, relation key)."""

    entity: str | None
    peer: str | None = None
    entities: tuple[Entity, ...] = ()
    relations: tuple[Learned, ...] = ()
    closed: tuple[tuple[str, tuple[str, str, str]], ...] = ()
    states: tuple[tuple[str, str, str], ...] = ()
    settled: bool = True  # False: somebody was unknown or ambiguous; ask again once more names are known
    reads_value: bool = False  # it holds for this value only


@dataclass(frozen=True, slots=True)
class Statement:
    """A row that a typed event fills with its ``fields``. ``about``: ends of the row, best first, of which one is whose line
    it is; ``state`` is (property, value) of that one. ``programs``: fields that name a program of the machine.
    """

    row: Row
    about: tuple[str, ...]
    fields: Mapping[str, str]
    state: tuple[str, str] | None = None
    programs: tuple[str, ...] = ()


@dataclass(slots=True)
class _Draft:
    entities: list[Entity] = field(default_factory=list)
    relations: list[Learned] = field(default_factory=list)
    closed: list[tuple[str, tuple[str, str, str]]] = field(default_factory=list)
    states: list[tuple[str, str, str]] = field(default_factory=list)
    entity: str | None = None
    peer: str | None = None
    settled: bool = True


class Discovery:
    """Applies ``mapping`` through ``resolver``. Entities it makes are adopted by the resolver at once; storing them is the
    caller's work, and so is :meth:`EntityResolver.forget` where that fails."""

    def __init__(self, mapping: TopologyMapping, resolver: EntityResolver) -> None:
        self._mapping = mapping
        self._resolver = resolver

    def series(self, series: Series, value: float) -> Finding:
        """What ``series`` says; ``value`` is its newest sample."""
        labels = dict(series.labels)
        rows = tuple(row for row in self._mapping.rows_for(series.metric) if row.row.applies(labels))
        rules = next((row.row.identity for row in rows if row.row.identity is not None), IDENTITY_RULES)
        reads_value = any(row.reads_value for row in rows)
        draft = _Draft(settled=not reads_value)
        seen = {**labels, "value": f"{value:.12g}"}
        subject: str | None = None
        if not rows or any(row.row.needs_self for row in rows) or not any(row.subject for row in rows):
            subject = self._subject(self._resolver.resolve(labels, rules), draft)
        for row in rows:
            if row.above is not None and not value > row.above:
                continue
            ends = self._apply(row.row, seen, subject, draft)
            if row.subject is not None and draft.entity is None and ends.get(row.subject):
                draft.entity = ends[row.subject]
                draft.peer = ends.get(row.peer) if row.peer is not None else None
        if draft.entity is None and subject is None:
            subject = self._subject(self._resolver.resolve(labels, rules), draft)
        return replace(_finding(draft, subject), reads_value=reads_value)

    def line(
        self,
        machine: str,
        speaker: str,
        fields: Mapping[str, str],
        message: str,
        typed: Sequence[Statement] = (),
    ) -> Finding:
        """What a line says that ``speaker`` wrote on ``machine``; ``fields`` are its host and app.

        ``typed`` is what the message catalogue made of it; where a row of the mapping says the same, that goes first.
        """
        draft = _Draft()
        for statement in typed:
            self._state(statement, fields, machine, speaker, draft)
        text = message[:MAX_LINE_CHARS]
        for row in self._mapping.lines:
            if not any(part in text for part in row.contains) or not row.row.applies(fields):
                continue
            match = row.pattern.search(text)
            if match is None:
                continue
            groups = {name: value for name, value in match.groupdict().items() if value}
            ends = self._apply(row.row, {**fields, **groups}, machine, draft, speaker)
            if row.about is not None and draft.entity is None:
                draft.entity = ends.get(row.about)
        return _finding(draft, speaker)

    def _state(
        self, said: Statement, fields: Mapping[str, str], machine: str, speaker: str, draft: _Draft
    ) -> None:
        ends = self._apply(said.row, {**fields, **said.fields}, machine, draft, speaker)
        for name in said.programs:
            program = self._resolver.speaker(machine, said.fields[name]) if said.fields.get(name) else machine
            if program != machine:
                ends[name] = program
        entity = next((ends[end] for end in said.about if end in ends), None)
        if entity is None:
            return
        draft.entity = draft.entity or entity
        if said.state is not None:
            draft.states.append((entity, *said.state))

    def adopt(self, found: Resolution, into: list[Entity]) -> None:
        """Make known what ``found`` brought along, and note it in ``into``."""
        for entity in found.entities:
            self._adopt(entity, into)

    def _subject(self, found: Resolution | None, draft: _Draft) -> str | None:
        if found is None:
            return None
        self.adopt(found, draft.entities)
        draft.relations += [Learned(relation, None, exclusive=False) for relation in found.relations]
        draft.settled = draft.settled and found.matched
        return found.entity

    def _apply(
        self, row: Row, labels: dict[str, str], subject: str | None, draft: _Draft, speaker: str | None = None
    ) -> dict[str, str]:
        ends: dict[str, str] = {}
        if subject is not None:
            ends[SELF] = subject
            ends[SPEAKER] = speaker or subject
            labels = {**labels, "self": subject, "self_name": subject.split(":", 1)[-1]}
        for name, rule in row.entities.items():
            entity_id = self._end(rule, labels, draft)
            if entity_id is not None:
                ends[name] = entity_id
        for relation in row.relations:
            self._relate(relation, ends, draft)
        for relation in row.closes:
            if relation.source in ends and relation.target in ends:
                key = (ends[relation.source], relation.kind, ends[relation.target])
                draft.closed.append((relation.provenance, key))
        for state in row.states:
            value = state.value.fill(labels)
            if value is not None and state.entity in ends:
                draft.states.append((ends[state.entity], state.property, value))
        return ends

    def _relate(self, rule: RelationRule, ends: Mapping[str, str], draft: _Draft) -> None:
        source, target = ends.get(rule.source), ends.get(rule.target)
        if source is None or target is None or source == target:
            return
        relation = Relation(source, rule.kind, target, provenance=rule.provenance, confidence=rule.confidence)
        draft.relations.append(Learned(relation, rule.ttl_s, rule.exclusive))

    def _end(self, rule: EntityRule, labels: Mapping[str, str], draft: _Draft) -> str | None:
        """The id of the entity that ``rule`` names for ``labels``, made or completed where there is need."""
        if rule.part is not None:
            value = labels.get(rule.part)
            return self._resolver.part(labels.get(SELF, ""), rule.part, value) if value else None
        entity_id = rule.id.fill(labels)
        names = [name for template in rule.names if (name := template.fill(labels))]
        if entity_id is None and not names:
            return None
        names = [*([] if entity_id is None else [entity_id]), *names]
        if any(len(name) > MAX_NAME for name in names):
            return None
        name = (rule.name.fill(labels) if rule.name is not None else None) or names[0].split(":", 1)[-1]
        reference = Reference(
            names[0], rule.kind, tuple(dict.fromkeys(names)), frozenset({rule.kind}), (("name", name),)
        )
        found = self._resolver.find(reference, labels)
        if not found.matched:
            draft.settled = False
        if (found.ambiguous or rule.existing or entity_id is None) and not found.matched:
            return None
        said = {key: text for key, template in rule.labels if (text := template.fill(labels))}
        aliases = [alias for template in rule.aliases if (alias := template.fill(labels))]
        self._complete(found, rule.kind, name, aliases, said, draft)
        for template in rule.addresses:
            self._identify(template.fill(labels), found.entity, draft)
        return found.entity

    def _identify(self, address: str | None, holder: str, draft: _Draft) -> None:
        """``address`` is ``holder``'s from now on."""
        if not address or len(address) > MAX_NAME:
            return
        entity_id = f"{ADDRESS_PREFIX}{address}"
        if self._resolver.entity(entity_id) is None:
            self._adopt(Entity(entity_id, ADDRESS, address), draft.entities)
        self._resolver.identify(entity_id, holder)
        relation = Relation(entity_id, IDENTIFIES, holder, provenance=ADDRESSES, confidence=1.0)
        draft.relations.append(Learned(relation, ADDRESS_TTL_S, exclusive=False, begins=True))

    def _complete(
        self,
        found: Resolution,
        kind: str,
        name: str,
        aliases: Iterable[str],
        said: Mapping[str, str],
        draft: _Draft,
    ) -> None:
        """State the entity if it is new, or what is new about it."""
        stored = self._resolver.entity(found.entity)
        fresh = stored is None or stored.kind == UNKNOWN != kind
        if stored is not None and not fresh:
            kind, name = stored.kind, stored.name
        known = frozenset() if stored is None else frozenset(stored.aliases)
        new = tuple(
            sorted(
                {
                    alias
                    for alias in aliases
                    if alias not in known and alias != name and self._may_take(alias, found.entity)
                }
            )
        )
        changed = {
            key: text for key, text in said.items() if stored is None or stored.labels.get(key) != text
        }
        if fresh or new or changed:
            entity = Entity(found.entity, kind, name, new, dict(sorted(changed.items())))
            self._adopt(entity, draft.entities)

    def _may_take(self, alias: str, entity_id: str) -> bool:
        """Whether ``alias`` may become a name of this entity."""
        if len(alias) > MAX_NAME:
            return False
        others = [i for i in self._resolver.ids(alias) if i != entity_id]
        kinds = {entity.kind for i in others if (entity := self._resolver.entity(i)) is not None}
        return kinds <= {UNKNOWN}

    def _adopt(self, entity: Entity, into: list[Entity]) -> None:
        self._resolver.adopt(entity)
        into.append(entity)


def _finding(draft: _Draft, subject: str | None) -> Finding:
    return Finding(
        entity=draft.entity or subject,
        peer=draft.peer if draft.peer != (draft.entity or subject) else None,
        entities=tuple(draft.entities),
        relations=tuple({learned.relation.key: learned for learned in reversed(draft.relations)}.values())[
            ::-1
        ],
        closed=tuple(dict.fromkeys(draft.closed)),
        states=tuple((*key, value) for key, value in _first(draft.states).items()),
        settled=draft.settled,
    )


def _first(states: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str], str]:
    """The first value that was said of every property of an entity."""
    first: dict[tuple[str, str], str] = {}
    for entity, name, value in states:
        first.setdefault((entity, name), value)
    return first
