"""One message of the catalogue: the YAML that describes it, read strictly, with file and line in every error.

``docs/catalogue.md`` shows how to write one. A pattern is in RE2's syntax (through Arrow): groups are named, there is no looking
around and no back reference, and any text is matched in time linear in its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from aiops.domain.graph import EMPTY
from aiops.errors import ConfigError
from ingest.catalogue.events import event_types
from ingest.catalogue.vocabulary import TypedEvent
from ingest.topology.label_templates import LabelTemplate, parse_template
from ingest.topology.located_yaml import Located, load_yaml

FORMAT = "aiops-message/1"
#: A literal shorter than this is in too many lines to find anything by it.
MIN_LITERAL = 4
MAX_PATTERN = 2_000
#: A field's value is cut here: it becomes a part of names and of states.
MAX_VALUE = 256

_ID = re.compile(r"[a-z0-9][a-z0-9-]{2,79}")
_MNEMONIC = re.compile(r"[A-Za-z0-9_.-]{3,80}\*?")
KEYS = frozenset(
    {
        "format",
        "id",
        "vendor",
        "product",
        "source",
        "event",
        "mnemonic",
        "app",
        "contains",
        "pattern",
        "values",
        "constants",
    }
)
_REQUIRED = frozenset({"format", "id", "vendor", "product", "source", "event", "pattern"})
_OTHERWISE = "otherwise"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which event it is: ``always``, or by the value of the field ``by``; other values are ``otherwise``, or no event at all."""

    always: str | None = None
    by: str = ""
    of: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    otherwise: str | None = None

    def event(self, fields: Mapping[str, str]) -> str | None:
        """The event type for these fields."""
        if self.always is not None:
            return self.always
        return self.of.get(fields.get(self.by, "").casefold(), self.otherwise)

    @property
    def types(self) -> frozenset[str]:
        """Every type it may choose."""
        return frozenset(
            name for name in (self.always, self.otherwise, *self.of.values()) if name is not None
        )


@dataclass(frozen=True, slots=True)
class Message:
    """A message: where it is looked for (``mnemonics``, ``literals``, ``apps``), its ``pattern``, and what becomes of it.

    ``values``: by group, what stands for a value (compared without case). ``constants``: fields made of texts and groups.
    """

    id: str
    vendor: str
    product: str
    source: str
    choice: Choice
    mnemonics: tuple[str, ...]
    apps: tuple[str, ...]
    literals: tuple[str, ...]
    pattern: str
    groups: tuple[str, ...]
    values: Mapping[str, Mapping[str, str]]
    constants: Mapping[str, LabelTemplate]
    file: str = ""

    def speaks(self, app: str | None) -> bool:
        """Whether a program of this name may write it."""
        return not self.apps or (app is not None and app.casefold() in self.apps)

    def event(self, groups: Mapping[str, str | None]) -> TypedEvent | None:
        """The event for what the pattern's groups caught; None where a value has no event or a needed field is empty."""
        fields: dict[str, str] = {}
        for name, text in groups.items():
            value = (text or "").strip()[:MAX_VALUE]
            value = self.values.get(name, {}).get(value.casefold(), value)
            if value:
                fields[name] = value
        for name, template in self.constants.items():
            made = template.fill(fields)
            if made is not None:
                fields[name] = made
        event = self.choice.event(fields)
        if event is None or not event_types()[event].complete(fields):
            return None
        known = event_types()[event].fields
        return TypedEvent(event, self.id, {name: fields[name] for name in sorted(fields) if name in known})


def parse_message(text: str, file: str) -> Message:
    """The message in ``text``. Raises :class:`ConfigError` with ``file`` and ``line``."""
    parts = load_yaml(text, file).fields(KEYS, _REQUIRED)
    if parts["format"].value != FORMAT:
        raise parts["format"].fail(f"expected {FORMAT!r}")
    if not _ID.fullmatch(parts["id"].text()):
        raise parts["id"].fail("an id is three to eighty small letters, digits and hyphens")
    pattern = _pattern(parts["pattern"])
    choice = _choice(parts["event"])
    message = Message(
        id=parts["id"].text(),
        vendor=parts["vendor"].text(),
        product=parts["product"].text(),
        source=parts["source"].text(),
        choice=choice,
        mnemonics=tuple(_mnemonic(item) for item in _list(parts, "mnemonic")),
        apps=tuple(item.text().casefold() for item in _list(parts, "app")),
        literals=tuple(_literal(item) for item in _list(parts, "contains")),
        pattern=pattern,
        groups=_groups(pattern),
        values=_values(parts.get("values")),
        constants={name: _template(value) for name, value in _members(parts, "constants").items()},
        file=file,
    )
    if not message.mnemonics and not message.literals:
        raise parts["pattern"].fail(
            "one of 'mnemonic' and 'contains' must say where the message is looked for"
        )
    _check_fields(message, parts)
    return message


def _check_fields(message: Message, parts: Mapping[str, Located]) -> None:
    """Every group and constant is a field of each event that it may be, and what an event needs can be there."""
    own = {*message.groups, *message.constants}
    read = {name for template in message.constants.values() for name in template.names}
    for name in sorted(read - set(message.groups)):
        raise parts["constants"].fail(
            f"{name!r} is no group of the pattern; there are {', '.join(message.groups)}"
        )
    known = frozenset().union(*(event_types()[name].fields for name in message.choice.types))
    for name in sorted(own - known - read - {message.choice.by}):
        raise parts["pattern" if name in message.groups else "constants"].fail(
            f"{name!r} is no field of {', '.join(sorted(message.choice.types))}; there are {', '.join(sorted(known))}"
        )
    for event in sorted(message.choice.types):
        for group in event_types()[event].needs:
            if not own & set(group):
                raise parts["pattern"].fail(
                    f"{event} needs the field {' or '.join(group)}: name a group of the pattern so"
                )
    if message.choice.by and message.choice.by not in own:
        raise parts["event"].fail(f"{message.choice.by!r} is no group of the pattern")
    for name, item in _members(parts, "values").items():
        if name not in message.groups:
            raise item.fail(f"{name!r} is no group of the pattern; there are {', '.join(message.groups)}")


def _choice(item: Located) -> Choice:
    if isinstance(item.value, str):
        return Choice(always=_event(item))
    members = item.members()
    if "by" not in members:
        raise item.fail("expected the name of an event type, or 'by' and an event type for each value")
    of = {name.casefold(): _event(event) for name, event in members.items() if name not in ("by", _OTHERWISE)}
    if not of:
        raise item.fail(f"no value of {members['by'].text()!r} has an event type")
    return Choice(
        by=members["by"].text(),
        of=of,
        otherwise=_event(members[_OTHERWISE]) if _OTHERWISE in members else None,
    )


def _template(item: Located) -> LabelTemplate:
    try:
        return parse_template(item.text())
    except ValueError as exc:
        raise item.fail(str(exc)) from exc


def _event(item: Located) -> str:
    name = item.text()
    if name not in event_types():
        family = name.split(".", 1)[0]
        near = [known for known in sorted(event_types()) if known.startswith(f"{family}.")] or sorted(
            event_types()
        )
        raise item.fail(f"unknown event type {name!r}; known are {', '.join(near)}")
    return name


def _pattern(item: Located) -> str:
    pattern = item.text()
    if len(pattern) > MAX_PATTERN:
        raise item.fail(f"a pattern has at most {MAX_PATTERN} characters")
    try:
        pc.extract_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as exc:
        raise item.fail(f"no pattern in RE2's syntax with named groups: {exc}") from exc
    return pattern


def _groups(pattern: str) -> tuple[str, ...]:
    return tuple(field.name for field in pc.extract_regex(pa.array([""]), pattern).type)


def _mnemonic(item: Located) -> str:
    if not _MNEMONIC.fullmatch(item.text()):
        raise item.fail(
            "a mnemonic is FACILITY-NAME without the severity between them, for example LINK-UPDOWN"
        )
    return item.text()


def _literal(item: Located) -> str:
    if len(item.text()) < MIN_LITERAL:
        raise item.fail(f"a literal has at least {MIN_LITERAL} characters")
    return item.text()


def _values(item: Located | None) -> Mapping[str, Mapping[str, str]]:
    if item is None:
        return {}
    return {
        group: {raw.casefold(): word.text() for raw, word in words.members().items()}
        for group, words in item.members().items()
    }


def _list(parts: Mapping[str, Located], name: str) -> Iterable[Located]:
    if name not in parts:
        return ()
    items = parts[name].items()
    if not items:
        raise parts[name].fail("expected at least one")
    return items


def _members(parts: Mapping[str, Located], name: str) -> Mapping[str, Located]:
    return parts[name].members() if name in parts else {}


def repeated(messages: Iterable[Message]) -> ConfigError | None:
    """The error that two messages of one directory share an id, if they do."""
    seen: dict[str, str] = {}
    for message in messages:
        other = seen.setdefault(message.id, message.file)
        if other != message.file:
            return ConfigError(
                f"{message.file}, line 1: the id {message.id!r} is taken by {other}",
                file=message.file,
                line=1,
            )
    return None
