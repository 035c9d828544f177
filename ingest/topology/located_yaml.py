"""YAML with line numbers, so that an error in a mapping names the line that a person has to look at."""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from aiops.errors import ConfigError

MAX_BYTES = 1024 * 1024
_MAX_DEPTH = 16
#: libyaml's scanner where PyYAML was built with it, which is ten times faster.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Located:
    """A value and the line it starts on (from 1). ``value``: str, int, float, bool, None, list or dict of these."""

    value: object
    line: int
    file: str

    def fail(self, text: str) -> ConfigError:
        """The error that says ``text`` about this place."""
        return ConfigError(f"{self.file}, line {self.line}: {text}", file=self.file, line=self.line)

    def fields(self, known: frozenset[str], required: frozenset[str] = frozenset()) -> dict[str, Located]:
        """The members of a mapping. Raises :class:`ConfigError` on any that is not ``known`` and without ``required``."""
        members = self.members()
        for name, member in members.items():
            if name not in known:
                raise member.fail(f"unknown key {name!r}; known are {', '.join(sorted(known))}")
        for name in sorted(required - set(members)):
            raise self.fail(f"the key {name!r} is missing")
        return members

    def members(self) -> dict[str, Located]:
        if not isinstance(self.value, dict):
            raise self.fail("expected a mapping (key: value)")
        return self.value

    def items(self) -> list[Located]:
        if not isinstance(self.value, list):
            raise self.fail("expected a list")
        return self.value

    def text(self) -> str:
        if not isinstance(self.value, str) or not self.value:
            raise self.fail("expected a text that is not empty")
        return self.value

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.fail("expected true or false")
        return self.value

    def number(self, low: float, high: float) -> float:
        if (
            isinstance(self.value, bool)
            or not isinstance(self.value, int | float)
            or not low <= self.value <= high
        ):
            raise self.fail(f"expected a number from {low:g} to {high:g}")
        return float(self.value)


def load_yaml(text: str, file: str) -> Located:
    """The one document in ``text``. Raises :class:`ConfigError` with file and line; tags and anchors are refused."""
    if len(text.encode()) > MAX_BYTES:
        raise ConfigError(f"{file}: larger than {MAX_BYTES} bytes", file=file, line=1)
    try:
        for token in yaml.scan(text, Loader=_LOADER):
            if isinstance(token, yaml.AnchorToken | yaml.AliasToken | yaml.TagToken):
                line = token.start_mark.line + 1
                raise ConfigError(
                    f"{file}, line {line}: anchors, aliases and tags are not allowed here",
                    file=file,
                    line=line,
                )
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        problem = getattr(exc, "problem", None) or "no YAML"
        raise ConfigError(f"{file}, line {line}: {problem}", file=file, line=line) from exc
    if node is None:
        raise ConfigError(f"{file}, line 1: the file is empty", file=file, line=1)
    return _located(node, file, 0)


def _located(node: yaml.Node, file: str, depth: int) -> Located:
    line = node.start_mark.line + 1
    place = Located(None, line, file)
    if depth > _MAX_DEPTH:
        raise place.fail(f"nested deeper than {_MAX_DEPTH}")
    if isinstance(node, yaml.MappingNode):
        members: dict[str, Located] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise Located(None, key.start_mark.line + 1, file).fail("a key must be a plain text")
            if key.value in members:
                raise Located(None, key.start_mark.line + 1, file).fail(
                    f"the key {key.value!r} is there twice"
                )
            members[key.value] = _located(value, file, depth + 1)
        return Located(members, line, file)
    if isinstance(node, yaml.SequenceNode):
        return Located([_located(item, file, depth + 1) for item in node.value], line, file)
    return Located(_scalar(node), line, file)


def _scalar(node: yaml.Node) -> object:
    plain = (
        yaml.safe_load(node.value)
        if node.value and node.tag.endswith((":int", ":float", ":bool"))
        else node.value
    )
    return None if node.tag.endswith(":null") else plain
