"""YAML as a tree that knows its lines, read so that a hostile file cannot grow or run anything.

Refused before a tree is built: anchors and aliases (they multiply), tags (they name types), more than one document,
depth above :data:`MAX_DEPTH`, files above :data:`MAX_FILE_BYTES`. Every refusal is a :class:`RuleError` with file and line.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

import yaml

from aiops.errors import RuleError

MAX_FILE_BYTES = 1_000_000
MAX_DEPTH = 16
MAX_SCALAR_CHARS = 4_000
MAX_NODES = 100_000

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands. ``line`` counts from 1."""

    file: str
    line: int
    rule: str | None = None

    def refuse(self, what: str, hint: str = "") -> NoReturn:
        """Raise the :class:`RuleError` that says ``what`` is wrong here."""
        named = f" in rule {self.rule}" if self.rule else ""
        raise RuleError(
            f"{self.file}:{self.line}{named}: {what}",
            hint=hint,
            file=self.file,
            line=self.line,
            rule=self.rule,
        )


@dataclass(frozen=True, slots=True)
class Value:
    """One node of a document: a YAML node and its place."""

    node: yaml.Node
    file: str
    rule: str | None = None

    @property
    def place(self) -> Place:
        return Place(self.file, self.node.start_mark.line + 1, self.rule)

    def _of(self, node: yaml.Node) -> Value:
        return Value(node, self.file, self.rule)

    def text(self, *, limit: int = MAX_SCALAR_CHARS) -> str:
        """A scalar as it is written, without surrounding white space."""
        if not isinstance(self.node, yaml.ScalarNode):
            self.place.refuse("a text is expected here")
        written = str(self.node.value).strip()
        if not written or len(written) > limit:
            self.place.refuse(f"a text of 1 to {limit} characters is expected here")
        return written

    def number(self, low: float, high: float) -> float:
        """A plain number in [low, high]."""
        written = self.text(limit=40)
        try:
            number = float(written)
        except ValueError:
            self.place.refuse(f"{written!r} is not a number")
        if not low <= number <= high:
            self.place.refuse(f"{written} is outside [{low:g}, {high:g}]")
        return number

    def whole(self, low: int, high: int) -> int:
        """A whole number in [low, high]."""
        number = self.number(low, high)
        if number != int(number):
            self.place.refuse(f"{number:g} is not a whole number")
        return int(number)

    def flag(self) -> bool:
        """``true`` or ``false``."""
        written = self.text(limit=10).lower()
        if written not in ("true", "false"):
            self.place.refuse(f"{written!r} is neither true nor false")
        return written == "true"

    def one_of(self, *allowed: str) -> str:
        """One of ``allowed``; the refusal names what was probably meant."""
        written = self.text(limit=200)
        if written not in allowed:
            near = difflib.get_close_matches(written, allowed, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"one of: {', '.join(allowed)}"
            self.place.refuse(f"{written!r} is not known here", hint)
        return written

    def items(self, *, limit: int = 100) -> tuple[Value, ...]:
        """The members of a sequence, or a single value as the only member."""
        if not isinstance(self.node, yaml.SequenceNode):
            return (self,)
        if not 1 <= len(self.node.value) <= limit:
            self.place.refuse(f"1 to {limit} entries are expected here, not {len(self.node.value)}")
        return tuple(self._of(node) for node in self.node.value)

    def texts(self, *, limit: int = 100) -> tuple[str, ...]:
        """A text or a list of texts."""
        return tuple(item.text() for item in self.items(limit=limit))

    def fields(self, *known: str, required: tuple[str, ...] = ()) -> Mapping[str, Value]:
        """A mapping whose keys are all ``known``; an unknown or doubled key, or a missing one, is refused."""
        if not isinstance(self.node, yaml.MappingNode):
            self.place.refuse(f"a mapping is expected here, with: {', '.join(known) or 'names and values'}")
        found: dict[str, Value] = {}
        for key_node, value_node in self.node.value:
            key = self._of(key_node)
            name = key.text(limit=200)
            if known:
                key.one_of(*known)
            if name in found:
                key.place.refuse(f"{name!r} is given twice")
            found[name] = self._of(value_node)
        for name in required:
            if name not in found:
                self.place.refuse(f"{name!r} is missing")
        return found

    def within(self, rule: str) -> Value:
        """The same node, whose refusals name ``rule``."""
        return Value(self.node, self.file, rule)

    def plain(self) -> object:
        """Nested dicts, lists and texts: what the version id is taken from."""
        if isinstance(self.node, yaml.MappingNode):
            return {str(key.value): self._of(value).plain() for key, value in self.node.value}
        if isinstance(self.node, yaml.SequenceNode):
            return [self._of(node).plain() for node in self.node.value]
        return str(self.node.value)


def read_document(data: bytes, file: str) -> Value:
    """The one document in ``data``. Raises :class:`RuleError` for what the module's first lines list."""
    start = Place(file, 1)
    if len(data) > MAX_FILE_BYTES:
        start.refuse(f"the file has {len(data)} bytes, at most {MAX_FILE_BYTES} are read")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as exc:
        Place(file, data.count(b"\n", 0, exc.start) + 1).refuse("the file is not UTF-8")
    try:
        _check_events(yaml.parse(text, Loader=_LOADER), file)
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 1
        Place(file, line).refuse(f"this is not YAML: {exc.problem}")
    except yaml.YAMLError as exc:
        start.refuse(f"this is not YAML: {str(exc).splitlines()[0]}")
    if node is None:
        start.refuse("the file is empty")
    return Value(node, file)


def _check_events(events: Iterator[yaml.Event], file: str) -> None:
    depth = documents = nodes = 0
    for event in events:
        place = Place(file, (event.start_mark.line if event.start_mark else 0) + 1)
        nodes += isinstance(event, yaml.NodeEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            place.refuse("anchors and aliases are not allowed", "write the value out")
        tag = getattr(event, "tag", None)
        if tag and tag != "!":
            place.refuse(
                f"the tag {tag!r} is not allowed", "rules are plain text, numbers, lists and mappings"
            )
        if depth > MAX_DEPTH:
            place.refuse(f"nested deeper than {MAX_DEPTH}")
        if documents > 1:
            place.refuse("a second document begins here", "one pack a file")
        if nodes > MAX_NODES:
            place.refuse(f"more than {MAX_NODES} values")
