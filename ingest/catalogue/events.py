"""The vocabulary of typed events, read from ``events.yaml``: every type, its fields, its entity, its state, its tone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from ingest.catalogue.vocabulary import MACHINE, SPEAKER, EventType, Field, Tone
from ingest.topology.label_templates import parse_template
from ingest.topology.located_yaml import Located, load_yaml

FORMAT = "aiops-events/1"
_FIELD = frozenset({"means", "entity"})
_EVENT = frozenset({"tone", "means", "needs", "may", "about", "state", "says", "default"})


@cache
def event_types() -> Mapping[str, EventType]:
    """Every type by its name, in the order of the file."""
    return MappingProxyType({name: _event(name, item) for name, item in _parts()["events"].members().items()})


@cache
def event_fields() -> Mapping[str, Field]:
    """Every field that events may have, by its name, in the order of the file."""
    return MappingProxyType({name: _field(name, item) for name, item in _parts()["fields"].members().items()})


@cache
def _parts() -> dict[str, Located]:
    text = files(__package__).joinpath("events.yaml").read_text("utf-8")
    known = frozenset({"format", "fields", "events"})
    parts = load_yaml(text, "events.yaml").fields(known, known)
    if parts["format"].value != FORMAT:
        raise parts["format"].fail(f"expected {FORMAT!r}")
    return parts


def _field(name: str, item: Located) -> Field:
    members = item.fields(_FIELD, frozenset({"means"}))
    return Field(name, members["means"].text(), members["entity"].text() if "entity" in members else "")


def _event(name: str, item: Located) -> EventType:
    members = item.fields(_EVENT, frozenset({"tone", "means"}))
    event = EventType(
        name=name,
        tone=Tone(members["tone"].text()),
        means=members["means"].text(),
        needs=tuple(tuple(text.split("|")) for text in _texts(members, "needs")),
        may=_texts(members, "may"),
        about=_texts(members, "about") or (SPEAKER,),
        state=_state(members.get("state")),
        says=_texts(members, "says"),
        default={key: value.text() for key, value in members["default"].members().items()}
        if "default" in members
        else {},
    )
    known = {*event_fields(), MACHINE, SPEAKER}
    for field in sorted({*event.fields, *event.about, *event.default} - known):
        raise item.fail(f"{field!r} is no field; known are {', '.join(sorted(known))}")
    return event


def _texts(members: Mapping[str, Located], name: str) -> tuple[str, ...]:
    return tuple(text.text() for text in members[name].items()) if name in members else ()


def _state(item: Located | None) -> tuple[str, str] | None:
    if item is None:
        return None
    ((name, value),) = item.members().items()
    for template in (name, value.text()):
        parse_template(template)
    return name, value.text()
