"""The topology document: what an operator imports, what the product exports, and what a case folder carries.

The format is in ``docs/ingest.md``. A document is refused whole: either everything in it can be applied or
nothing is, and then every problem is named with its JSON pointer (RFC 6901), up to :data:`MAX_PROBLEMS`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiops.domain.graph import ENTITY_KINDS, Entity, GraphDelta, Relation, Subgraph, plain_name
from aiops.errors import TopologyError

MAX_ENTITIES = 500_000
MAX_RELATIONS = 2_000_000
MAX_NAME = 512  # characters of an id, a name or an alias
MAX_TEXT = 4096  # characters of a label's value
MAX_ITEMS = 128  # aliases or labels of one thing
MAX_PROBLEMS = 100
DEFAULT_SOURCE = "import"

_KIND = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CANONICAL = {kind.lower(): kind for kind in sorted(ENTITY_KINDS)}
_DOCUMENT_FIELDS = frozenset({"source", "complete", "at", "entities", "relations"})
_ENTITY_FIELDS = frozenset({"id", "kind", "name", "aliases", "labels"})
_RELATION_FIELDS = frozenset(
    {
        *("from", "kind", "to", "provenance", "confidence", "redundancy_group", "labels"),
        *("first_seen", "last_seen", "valid_from", "valid_to"),
    }
)
_NONE_KNOWN: Callable[[str], bool] = lambda _id: False  # noqa: E731 - a default that reads as one


@dataclass(slots=True)
class _Problems:
    """Collects (pointer, text), bounded; ``total`` goes on counting."""

    found: list[tuple[str, str]] = field(default_factory=list)
    total: int = 0

    def add(self, pointer: str, text: str) -> None:
        self.total += 1
        if len(self.found) < MAX_PROBLEMS:
            self.found.append((pointer, text))


def parse_topology(document: object, *, known: Callable[[str], bool] = _NONE_KNOWN) -> GraphDelta:
    """The decoded JSON of a topology document as a delta.

    ``known`` says whether the store has an entity of that id: relations may end there without naming it again.
    Kinds that differ from ours only in case are written our way; other unknown kinds are kept. Raises
    :class:`TopologyError` with ``details["problems"]`` = ((pointer, text), ...) and ``details["total"]``.
    """
    problems = _Problems()
    if not isinstance(document, Mapping):
        problems.add("", f"expected an object, got {_type(document)}")
        raise _refusal(problems)
    _no_other_fields(document, _DOCUMENT_FIELDS, "", problems)
    source = _text(document.get("source", DEFAULT_SOURCE), "/source", problems)
    complete = document.get("complete", False)
    if not isinstance(complete, bool):
        problems.add("/complete", f"expected true or false, got {_type(complete)}")
    _time(document.get("at"), "/at", problems)
    entities = _entities(_items(document, "entities", MAX_ENTITIES, problems), problems)
    ids = {entity.id for entity in entities}
    relations = _relations(
        _items(document, "relations", MAX_RELATIONS, problems),
        source,
        lambda end: end in ids or known(end),
        problems,
    )
    if problems.total:
        raise _refusal(problems)
    return GraphDelta(
        source=source, entities=tuple(entities), relations=tuple(relations), complete=bool(complete)
    )


def document_time(document: object) -> datetime | None:
    """``at`` of a document that :func:`parse_topology` took; None where it has none."""
    return _time(document.get("at"), "/at", _Problems()) if isinstance(document, Mapping) else None


def topology_document(subgraph: Subgraph, *, source: str = "export") -> dict[str, object]:
    """The document of ``subgraph``: what :func:`parse_topology` reads back as the same entities and relations."""
    return {
        "source": source,
        "complete": False,
        "at": _written(subgraph.as_of),
        "entities": [_entity_document(entity) for entity in subgraph.entities],
        "relations": [_relation_document(relation) for relation in subgraph.relations],
    }


def _entity_document(entity: Entity) -> dict[str, object]:
    return {
        "id": entity.id,
        "kind": entity.kind,
        "name": entity.name,
        "aliases": list(entity.aliases),
        "labels": dict(sorted(entity.labels.items())),
    }


def _relation_document(relation: Relation) -> dict[str, object]:
    document: dict[str, object] = {
        "from": relation.source_id,
        "kind": relation.kind,
        "to": relation.target_id,
        "provenance": relation.provenance,
        "confidence": relation.confidence,
        "labels": dict(sorted(relation.labels.items())),
    }
    if relation.redundancy_group is not None:
        document["redundancy_group"] = relation.redundancy_group
    for name in ("first_seen", "last_seen", "valid_from", "valid_to"):
        at: datetime | None = getattr(relation, name)
        if at is not None:
            document[name] = _written(at)
    return document


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _entities(items: Sequence[object], problems: _Problems) -> list[Entity]:
    entities: list[Entity] = []
    seen: dict[str, int] = {}
    for index, item in enumerate(items):
        pointer = f"/entities/{index}"
        if not isinstance(item, Mapping):
            problems.add(pointer, f"expected an object, got {_type(item)}")
            continue
        _no_other_fields(item, _ENTITY_FIELDS, pointer, problems)
        entity_id = _text(item.get("id"), f"{pointer}/id", problems)
        if entity_id and seen.setdefault(entity_id, index) != index:
            problems.add(f"{pointer}/id", f"the same id as /entities/{seen[entity_id]}: {entity_id!r}")
        kind = _kind(item.get("kind"), f"{pointer}/kind", problems)
        entities.append(
            Entity(
                id=entity_id,
                kind=_CANONICAL.get(kind.lower(), kind),
                name=_text(item.get("name", plain_name(entity_id) or None), f"{pointer}/name", problems),
                aliases=_aliases(item.get("aliases", ()), f"{pointer}/aliases", problems),
                labels=_labels(item.get("labels", {}), f"{pointer}/labels", problems),
            )
        )
    return entities


def _relations(
    items: Sequence[object], source: str, exists: Callable[[str], bool], problems: _Problems
) -> list[Relation]:
    relations: list[Relation] = []
    seen: dict[tuple[object, ...], int] = {}
    for index, item in enumerate(items):
        pointer = f"/relations/{index}"
        if not isinstance(item, Mapping):
            problems.add(pointer, f"expected an object, got {_type(item)}")
            continue
        _no_other_fields(item, _RELATION_FIELDS, pointer, problems)
        relation = _relation(item, source, pointer, problems)
        for end, name in ((relation.source_id, "from"), (relation.target_id, "to")):
            if end and not exists(end):
                problems.add(f"{pointer}/{name}", f"no entity {end!r} in this document or in the store")
        if seen.setdefault(relation.key, index) != index:
            problems.add(pointer, f"the same relation as /relations/{seen[relation.key]}")
        relations.append(relation)
    return relations


def _relation(item: Mapping[object, object], source: str, pointer: str, problems: _Problems) -> Relation:
    group = item.get("redundancy_group")
    times = {
        name: _time(item.get(name), f"{pointer}/{name}", problems)
        for name in ("first_seen", "last_seen", "valid_from", "valid_to")
    }
    if times["valid_from"] and times["valid_to"] and times["valid_to"] < times["valid_from"]:
        problems.add(f"{pointer}/valid_to", "lies before valid_from")
    return Relation(
        source_id=_text(item.get("from"), f"{pointer}/from", problems),
        kind=_kind(item.get("kind"), f"{pointer}/kind", problems),
        target_id=_text(item.get("to"), f"{pointer}/to", problems),
        provenance=_text(item.get("provenance", source or None), f"{pointer}/provenance", problems),
        confidence=_share(item.get("confidence", 1.0), f"{pointer}/confidence", problems),
        redundancy_group=None
        if group is None
        else _text(group, f"{pointer}/redundancy_group", problems) or None,
        labels=_labels(item.get("labels", {}), f"{pointer}/labels", problems),
        **times,
    )


def _items(document: Mapping[object, object], name: str, limit: int, problems: _Problems) -> Sequence[object]:
    items = document.get(name, ())
    if not isinstance(items, list | tuple):
        problems.add(f"/{name}", f"expected an array, got {_type(items)}")
        return ()
    if len(items) > limit:
        problems.add(f"/{name}", f"{len(items)} items are too many: at most {limit} in one document")
        return ()
    return items


def _no_other_fields(
    item: Mapping[object, object], fields: frozenset[str], pointer: str, problems: _Problems
) -> None:
    for name in item:
        if name not in fields:
            problems.add(
                f"{pointer}/{_escaped(name)}", f"unknown field; known are {', '.join(sorted(fields))}"
            )


def _escaped(name: object) -> str:
    """A member's name as a step of a JSON pointer, printable whatever it holds (RFC 6901, section 3)."""
    text = str(name)[:MAX_NAME].encode("utf-8", "replace").decode()
    return text.replace("~", "~0").replace("/", "~1")


def _kind(value: object, pointer: str, problems: _Problems) -> str:
    if isinstance(value, str) and _KIND.fullmatch(value):
        return value
    problems.add(pointer, "expected a kind: a letter, then at most 63 letters, digits and underscores")
    return ""


def _text(value: object, pointer: str, problems: _Problems, limit: int = MAX_NAME) -> str:
    """A name that is not empty, without control characters or lone surrogates; "" where there is a problem."""
    if not isinstance(value, str):
        problems.add(pointer, "is missing" if value is None else f"expected a string, got {_type(value)}")
    elif not value.strip():
        problems.add(pointer, "is empty")
    elif len(value) > limit:
        problems.add(pointer, f"{len(value)} characters are too many: at most {limit}")
    elif _CONTROL.search(value) or not _encodable(value):
        problems.add(pointer, "holds a control character or a lone surrogate")
    else:
        return value
    return ""


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _aliases(value: object, pointer: str, problems: _Problems) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        problems.add(pointer, f"expected an array of strings, got {_type(value)}")
        return ()
    if len(value) > MAX_ITEMS:
        problems.add(pointer, f"{len(value)} aliases are too many: at most {MAX_ITEMS}")
        return ()
    names = [_text(item, f"{pointer}/{index}", problems) for index, item in enumerate(value)]
    return tuple(sorted({name for name in names if name}))


def _labels(value: object, pointer: str, problems: _Problems) -> dict[str, str]:
    if not isinstance(value, Mapping):
        problems.add(pointer, f"expected an object of strings, got {_type(value)}")
        return {}
    if len(value) > MAX_ITEMS:
        problems.add(pointer, f"{len(value)} labels are too many: at most {MAX_ITEMS}")
        return {}
    labels: dict[str, str] = {}
    for name, text in sorted(value.items(), key=lambda pair: str(pair[0])):
        at = f"{pointer}/{_escaped(name)}"
        key = _text(name, at, problems)
        if text == "":
            labels[key] = ""
        elif isinstance(text, str):
            labels[key] = _text_block(text, at, problems)
        else:
            problems.add(at, f"expected a string, got {_type(text)}")
    return labels


def _text_block(value: str, pointer: str, problems: _Problems) -> str:
    if len(value) > MAX_TEXT or "\x00" in value or not _encodable(value):
        problems.add(
            pointer, f"expected at most {MAX_TEXT} characters, no zero character and no lone surrogate"
        )
        return ""
    return value


def _share(value: object, pointer: str, problems: _Problems) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        problems.add(pointer, "expected a number from 0 to 1")
        return 0.0
    return float(value) if math.isfinite(value) else 0.0


def _time(value: object, pointer: str, problems: _Problems) -> datetime | None:
    """An RFC 3339 time with its offset."""
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        if at is not None and at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    problems.add(pointer, "expected a time with its offset, for example 2026-11-22T10:00:00Z")
    return None


def _type(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)


def _refusal(problems: _Problems) -> TopologyError:
    pointer, text = problems.found[0]
    more = f" and {problems.total - 1} more" if problems.total > 1 else ""
    return TopologyError(
        f"the topology document has {problems.total} problem{'s'[: problems.total > 1]}: "
        f"{pointer or 'the document'}: {text}{more}",
        hint="nothing of it was applied; correct it and send it again",
        problems=tuple(problems.found),
        total=problems.total,
    )
