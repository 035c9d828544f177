"""The mapping file: which labels and lines say that an entity, an alias, a relation or a state exists.

One declarative YAML file (``mapping.yaml`` beside this module; a site may name its own), checked when it is
loaded. What a metric *means* (latency, errors ...) is not said here. ``docs/ingest.md`` shows how to add a row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from aiops.errors import ConfigError
from ingest.identity import IDENTITY_RULES
from ingest.topology.label_templates import LabelTemplate, parse_template
from ingest.topology.located_yaml import Located, load_yaml

FORMAT = "aiops-mapping/1"
#: Whom the labels or the line mean by the identity rules: for a line the machine.
SELF = "self"
#: Whose line it is: the program's entity where that is known, else the machine.
SPEAKER = "speaker"
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_ROW = frozenset({"name", "when", "unless", "identity", "entities", "relations", "closes", "states"})
_METRIC_ROW = _ROW | {"match", "series", "above"}
_LINE_ROW = _ROW | {"contains", "pattern", "about"}


@dataclass(frozen=True, slots=True)
class EntityRule:
    """How an entity is named. ``names`` are looked up before ``id`` is taken for a new one; with ``existing`` it is only
    ever looked up."""

    id: LabelTemplate
    kind: str
    name: LabelTemplate | None
    names: tuple[LabelTemplate, ...]
    aliases: tuple[LabelTemplate, ...]
    labels: tuple[tuple[str, LabelTemplate], ...]
    existing: bool
    part: str | None
    addresses: tuple[LabelTemplate, ...] = ()  # names that pass from one holder to the next


@dataclass(frozen=True, slots=True)
class RelationRule:
    """``source -kind-> target``, both names of the row's entities or ``self``. ``ttl_s`` None: until it is closed.
    ``exclusive``: one target a source; another one closes the last. ``provenance``: the row that says so."""

    source: str
    kind: str
    target: str
    confidence: float = 1.0
    ttl_s: float | None = None
    exclusive: bool = False
    provenance: str = ""


@dataclass(frozen=True, slots=True)
class StateRule:
    entity: str
    property: str
    value: LabelTemplate


@dataclass(frozen=True, slots=True)
class Row:
    """What rows for metrics and for lines have in common. ``name`` is the provenance of what it finds."""

    name: str
    line: int
    when: tuple[tuple[str, re.Pattern[str]], ...]
    unless: tuple[tuple[str, re.Pattern[str]], ...]
    identity: tuple[str, ...] | None
    entities: Mapping[str, EntityRule]
    relations: tuple[RelationRule, ...]
    closes: tuple[RelationRule, ...]
    states: tuple[StateRule, ...]
    needs_self: bool

    def applies(self, labels: Mapping[str, str]) -> bool:
        return all(p.fullmatch(labels.get(n, "")) for n, p in self.when) and not any(
            p.fullmatch(labels.get(n, "")) for n, p in self.unless
        )


@dataclass(frozen=True, slots=True)
class MetricRow:
    """``subject`` and ``peer`` name whose series it is. ``above``: only while the value is larger than this.
    ``reads_value``: what it says depends on the value."""

    row: Row
    match: re.Pattern[str]
    subject: str | None
    peer: str | None
    above: float | None
    reads_value: bool


@dataclass(frozen=True, slots=True)
class LineRow:
    """``contains``: texts of which a line must hold one before ``pattern`` is tried; ``about`` whose line it is."""

    row: Row
    contains: tuple[str, ...]
    pattern: re.Pattern[str]
    about: str | None


class TopologyMapping:
    """All rows. Which rows a metric has is worked out once for each name and remembered, bounded."""

    def __init__(self, metrics: tuple[MetricRow, ...], lines: tuple[LineRow, ...]) -> None:
        self.metrics = metrics
        self.lines = lines
        self.rows_for = lru_cache(maxsize=65_536)(self._rows_for)

    @property
    def literals(self) -> tuple[str, ...]:
        """Every text that makes a line worth a look."""
        return tuple(sorted({text for row in self.lines for text in row.contains}))

    def _rows_for(self, metric: str) -> tuple[MetricRow, ...]:
        return tuple(row for row in self.metrics if row.match.fullmatch(metric))


def load_mapping(path: Path | None = None) -> TopologyMapping:
    """The mapping in ``path``, or the product's own. Raises :class:`ConfigError` with ``file`` and ``line``."""
    if path is None:
        return parse_mapping(files(__package__).joinpath("mapping.yaml").read_text("utf-8"), "mapping.yaml")
    try:
        return parse_mapping(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"cannot read {path}: {exc}", file=str(path), line=1) from exc


def parse_mapping(text: str, file: str) -> TopologyMapping:
    """The mapping in ``text``; ``file`` is named in errors."""
    document = load_yaml(text, file)
    parts = document.fields(frozenset({"format", "metrics", "lines"}), frozenset({"format"}))
    if parts["format"].value != FORMAT:
        raise parts["format"].fail(f"expected {FORMAT!r}")
    metrics = tuple(_metric_row(item) for item in parts["metrics"].items()) if "metrics" in parts else ()
    lines = tuple(_line_row(item) for item in parts["lines"].items()) if "lines" in parts else ()
    seen: dict[str, int] = {}
    for row in (*(m.row for m in metrics), *(ln.row for ln in lines)):
        if seen.setdefault(row.name, row.line) != row.line:
            raise Located(None, row.line, file).fail(
                f"the name {row.name!r} is taken by line {seen[row.name]}"
            )
    return TopologyMapping(metrics, lines)


def _metric_row(item: Located) -> MetricRow:
    fields = item.fields(_METRIC_ROW, frozenset({"name", "match"}))
    names = [_pattern(name) for name in fields["match"].items()]
    row = _row(item, fields)
    series = fields["series"].fields(frozenset({"entity", "peer"})) if "series" in fields else {}
    for end in series.values():
        _known_name(end, row, (SELF,))
    reads_value = "above" in fields or "value" in _labels_read(row)
    return MetricRow(
        row=row,
        match=re.compile("|".join(f"(?:{name.pattern})" for name in names)),
        subject=series["entity"].text() if "entity" in series else None,
        peer=series["peer"].text() if "peer" in series else None,
        above=fields["above"].number(-1e18, 1e18) if "above" in fields else None,
        reads_value=reads_value,
    )


def _line_row(item: Located) -> LineRow:
    fields = item.fields(_LINE_ROW, frozenset({"name", "contains", "pattern"}))
    pattern = _pattern(fields["pattern"])
    row = _row(item, fields)
    contains = tuple(text.text() for text in fields["contains"].items())
    if not contains:
        raise fields["contains"].fail("expected at least one text")
    known = frozenset(pattern.groupindex) | {"host", "app", "msgid", SELF, "self_name"}
    for name in sorted(_labels_read(row) - known):
        raise item.fail(f"{{{name}}} is no group of the pattern; there are {', '.join(sorted(known))}")
    if "about" in fields:
        _known_name(fields["about"], row, (SELF, SPEAKER))
    return LineRow(
        row=row,
        contains=contains,
        pattern=pattern,
        about=fields["about"].text() if "about" in fields else None,
    )


def _row(item: Located, fields: Mapping[str, Located]) -> Row:
    entities = {
        name: _entity_rule(rule)
        for name, rule in (fields["entities"].members() if "entities" in fields else {}).items()
    }
    for name in (SELF, SPEAKER):
        if name in entities:
            raise fields["entities"].fail(f"{name!r} is always there; choose another name")
    row = Row(
        name=fields["name"].text(),
        line=item.line,
        when=_conditions(fields.get("when")),
        unless=_conditions(fields.get("unless")),
        identity=_identity(fields.get("identity")),
        entities=entities,
        relations=tuple(_relation_rule(rule, fields["name"].text()) for rule in _list(fields, "relations")),
        closes=tuple(_relation_rule(rule, fields["name"].text()) for rule in _list(fields, "closes")),
        states=tuple(_state_rule(rule) for rule in _list(fields, "states")),
        needs_self=False,
    )
    given = (SELF, SPEAKER) if "contains" in fields else (SELF,)
    for rule in (*_list(fields, "relations"), *_list(fields, "closes")):
        members = rule.members()
        _known_name(members["from"], row, given)
        _known_name(members["to"], row, given)
    for rule in _list(fields, "states"):
        _known_name(rule.members()["entity"], row, given)
    return replace(row, needs_self=_needs_self(row, fields))


def _needs_self(row: Row, fields: Mapping[str, Located]) -> bool:
    used = {end for rule in (*row.relations, *row.closes) for end in (rule.source, rule.target)}
    used |= {rule.entity for rule in row.states}
    if "series" in fields:
        used |= {str(end.value) for end in fields["series"].members().values()}
    used |= {SELF for rule in row.entities.values() if rule.part is not None}
    return SELF in used or bool({SELF, "self_name"} & _labels_read(row))


def _list(fields: Mapping[str, Located], name: str) -> list[Located]:
    return fields[name].items() if name in fields else []


def _known_name(item: Located, row: Row, given: tuple[str, ...]) -> None:
    known = (*given, *row.entities)
    if item.text() not in known:
        raise item.fail(f"{item.text()!r} is none of the row's entities; there are {', '.join(known)}")


def _labels_read(row: Row) -> frozenset[str]:
    templates: list[LabelTemplate] = [rule.value for rule in row.states]
    for rule in row.entities.values():
        templates += [
            rule.id,
            *rule.names,
            *rule.aliases,
            *rule.addresses,
            *(template for _name, template in rule.labels),
        ]
        templates += [rule.name] if rule.name is not None else []
    return frozenset(name for template in templates for name in template.names)


def _entity_rule(item: Located) -> EntityRule:
    known = frozenset({"id", "kind", "name", "names", "aliases", "addresses", "labels", "existing", "part"})
    fields = item.fields(known, frozenset({"id", "kind"}))
    kind = fields["kind"].text()
    if not _KIND.fullmatch(kind):
        raise fields["kind"].fail(f"{kind!r} is no kind: a letter, then letters, digits and underscores")
    labels = fields["labels"].members() if "labels" in fields else {}
    return EntityRule(
        id=_template(fields["id"]),
        kind=kind,
        name=_template(fields["name"]) if "name" in fields else None,
        names=tuple(_template(name) for name in _list(fields, "names")),
        aliases=tuple(_template(name) for name in _list(fields, "aliases")),
        addresses=tuple(_template(name) for name in _list(fields, "addresses")),
        labels=tuple(sorted((name, _template(value)) for name, value in labels.items())),
        existing="part" in fields or ("existing" in fields and fields["existing"].flag()),
        part=fields["part"].text() if "part" in fields else None,
    )


def _relation_rule(item: Located, row: str) -> RelationRule:
    known = frozenset({"from", "kind", "to", "confidence", "ttl_s", "exclusive", "provenance"})
    fields = item.fields(known, frozenset({"from", "kind", "to"}))
    kind = fields["kind"].text()
    if not _KIND.fullmatch(kind):
        raise fields["kind"].fail(f"{kind!r} is no kind: a letter, then letters, digits and underscores")
    return RelationRule(
        source=fields["from"].text(),
        kind=kind,
        target=fields["to"].text(),
        confidence=fields["confidence"].number(0, 1) if "confidence" in fields else 1.0,
        ttl_s=fields["ttl_s"].number(1, 10 * 365 * 86400) if "ttl_s" in fields else None,
        exclusive=fields["exclusive"].flag() if "exclusive" in fields else False,
        provenance=fields["provenance"].text() if "provenance" in fields else row,
    )


def _state_rule(item: Located) -> StateRule:
    fields = item.fields(
        frozenset({"entity", "property", "value"}), frozenset({"entity", "property", "value"})
    )
    return StateRule(fields["entity"].text(), fields["property"].text(), _template(fields["value"]))


def _identity(item: Located | None) -> tuple[str, ...] | None:
    if item is None:
        return None
    for rule in item.items():
        if rule.value not in IDENTITY_RULES:
            raise rule.fail(f"unknown identity rule {rule.value!r}; known are {', '.join(IDENTITY_RULES)}")
    return tuple(rule.text() for rule in item.items())


def _conditions(item: Located | None) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return () if item is None else tuple((name, _pattern(value)) for name, value in item.members().items())


def _pattern(item: Located) -> re.Pattern[str]:
    if not isinstance(item.value, str):
        raise item.fail("expected a regular expression in quotes")
    try:
        return re.compile(item.value)
    except re.error as exc:
        raise item.fail(f"no regular expression: {exc}") from exc


def _template(item: Located) -> LabelTemplate:
    try:
        return parse_template(item.text())
    except ValueError as exc:
        raise item.fail(str(exc)) from exc
