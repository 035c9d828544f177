"""Reads ``aiops.yaml``: every problem at once, each with its file, line and key; the environment wins over the file.

A variable ``AIOPS_JOURNAL_KAFKA_SERVERS`` stands for the key ``journal.kafka.servers``; keys within lists have none. Keys that
are settings of the product are not applied here but given to whoever makes the settings (:attr:`Loaded.settings`), where the
environment wins over them too.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aiops.errors import ConfigError
from ingest.config import IngestConfig
from ingest.config_keys import Key, keys, section_of
from ingest.config_sections import Section
from ingest.topology.located_yaml import Located, load_yaml

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong. ``file`` is the file, or ``environment``; ``line`` counts from 1, 0 in the environment."""

    file: str
    line: int
    key: str
    text: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.key}: {self.text}" if self.key else f"{where}: {self.text}"


class ConfigFaults(ConfigError):
    """A configuration that cannot be used. ``faults``: all that is wrong, by line."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        first = faults[0]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(
            f"{first}{more}",
            hint="aiops config check lists them all; docs/daemon.md has every key",
            file=first.file,
            line=first.line,
        )
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that was read. ``settings``: values of the file for settings of the product, by their names."""

    config: IngestConfig
    settings: Mapping[str, object]
    lines: Mapping[Place, tuple[str, int]]

    def line_of(self, key: str) -> tuple[str, int]:
        """File and line where ``sources.http.listen`` stands; the nearest key around it where it does not."""
        place: Place = tuple(
            int(part) if part.isdigit() else part for part in re.split(r"[.\[\]]+", key) if part
        )
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, ("environment", 0))


def read_config(
    path: Path, environment: Mapping[str, str], options: Mapping[str, object] | None = None
) -> Loaded:
    """The configuration in ``path`` with what ``environment`` overrides, and ``options`` of the command line above both: values
    as in the file; lists of theirs come beside the file's. Raises :class:`ConfigFaults`."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is no UTF-8"
        raise ConfigFaults((Fault(str(path), 1, "", f"cannot be read: {reason}"),)) from exc
    return parse_config(text, str(path), environment, options)


def parse_config(
    text: str, file: str, environment: Mapping[str, str], options: Mapping[str, object] | None = None
) -> Loaded:
    """As :func:`read_config`, on the text of ``file``. A file of comments only is a configuration of defaults."""
    try:
        root = load_yaml(text, file) if _says_anything(text) else Located({}, 1, file)
        root.members()
    except ConfigError as exc:
        line = exc.details.get("line", 1)
        message = re.sub(r"^.*?, line \d+: ", "", exc.message)
        raise ConfigFaults((Fault(file, line if isinstance(line, int) else 1, "", message),)) from exc
    lines: dict[Place, tuple[str, int]] = {}
    plain = _plain(root, (), lines)
    assert isinstance(plain, dict)
    faults = [*_secrets_in_file(plain, lines), *_override(plain, lines, environment)]
    _add_options(plain, options or {}, (), lines)
    try:
        config = IngestConfig.model_validate(plain)
    except ValidationError as exc:
        faults += [_fault_of(dict(item), lines, file) for item in exc.errors()]
        raise ConfigFaults(tuple(sorted(set(faults)))) from exc
    if faults:
        raise ConfigFaults(tuple(sorted(set(faults))))
    return Loaded(config, _settings(config, lines), lines)


def _says_anything(text: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines())


def _plain(located: Located, place: Place, lines: dict[Place, tuple[str, int]]) -> object:
    """The value without its lines, which go into ``lines`` by place."""
    lines[place] = (located.file, located.line)
    if isinstance(located.value, dict):
        members = {name: _plain(member, (*place, name), lines) for name, member in located.value.items()}
        # `kafka:` with everything below it commented out is the section with its defaults
        return {n: ({} if v is None and _is_section((*place, n)) else v) for n, v in members.items()}
    if isinstance(located.value, list):
        return [_plain(item, (*place, number), lines) for number, item in enumerate(located.value)]
    return located.value


def _is_section(place: Place) -> bool:
    section, many = _section_at(place)
    return section is not None and not many


def _section_at(place: Place) -> tuple[type[Section] | None, bool]:
    """The section at a place of the file, and whether the place holds a list of them."""
    section: type[Section] | None = IngestConfig
    many = False
    for part in place:
        if isinstance(part, int):
            many = False
            continue
        field = section.model_fields.get(part) if section is not None else None
        section, many = section_of(field.annotation) if field is not None else (None, False)
    return section, many


def _secrets_in_file(plain: dict[str, Any], lines: Mapping[Place, tuple[str, int]]) -> list[Fault]:
    found = []
    for place, (file, line) in lines.items():
        section, _many = _section_at(place[:-1])
        if section is None or not place or not isinstance(place[-1], str):
            continue
        key = next((key for key in keys(section) if key.path == place[-1]), None)
        if key is not None and key.only_environment:
            advice = f"a secret does not belong in this file: use {place[-1]}_file or the environment"
            found.append(Fault(file, line, _written(place), advice))
            _drop(plain, place)
    return found


def _drop(plain: Any, place: Place) -> None:
    for part in place[:-1]:
        plain = plain[part]
    del plain[place[-1]]


def _override(
    plain: dict[str, Any], lines: dict[Place, tuple[str, int]], environment: Mapping[str, str]
) -> list[Fault]:
    """Puts the variables into ``plain``; those that look like ours and are none are faults."""
    known = {key.variable: key for key in keys() if key.variable}
    sections = tuple(
        f"AIOPS_{name}_".upper()
        for name, field in IngestConfig.model_fields.items()
        if section_of(field.annotation)[0] is not None
    )
    faults = []
    for variable, text in sorted(environment.items()):
        key = known.get(variable)
        if key is not None and not key.setting:
            _put(plain, key, text, lines)
        elif key is None and variable.startswith(sections):
            near = difflib.get_close_matches(variable, known, 1)
            faults.append(Fault("environment", 0, variable, f"no such variable{_near(near)}"))
    return faults


def _put(plain: dict[str, Any], key: Key, text: str, lines: dict[Place, tuple[str, int]]) -> None:
    parts = key.path.split(".")
    here = plain
    for part in parts[:-1]:
        inner = here.setdefault(part, {})
        if not isinstance(inner, dict):  # the file is wrong there, and says so by itself
            return
        here = inner
    for other in (
        f"{parts[-1]}_file",
        parts[-1].removesuffix("_file"),
    ):  # the other way to give the same secret
        if other != parts[-1] and lines.get((*parts[:-1], other), ("environment", 0))[0] != "environment":
            here.pop(other, None)
    here[parts[-1]] = text
    lines[tuple(parts)] = ("environment", 0)


def _add_options(
    plain: dict[str, Any], options: Mapping[str, object], place: Place, lines: dict[Place, tuple[str, int]]
) -> None:
    for name, value in options.items():
        here: Place = (*place, name)
        held = plain.get(name)
        if isinstance(value, Mapping):
            inner = held if isinstance(held, dict) else {}
            plain[name] = inner
            _add_options(inner, value, here, lines)
        elif isinstance(value, list) and isinstance(held, list):
            plain[name] = [*held, *value]
            lines |= {(*here, len(held) + number): ("command line", 0) for number in range(len(value))}
        else:
            plain[name] = value
            lines[here] = ("command line", 0)


def _fault_of(item: dict[str, Any], lines: Mapping[Place, tuple[str, int]], file: str) -> Fault:
    place: Place = tuple(item["loc"])
    around = place
    while around and around not in lines:
        around = around[:-1]
    where, line = lines.get(around, (file, 1))
    name = _written(place)
    if item["type"] == "extra_forbidden":
        section, _many = _section_at(place[:-1])
        known = list(section.model_fields) if section is not None else []
        near = difflib.get_close_matches(str(place[-1]), known, 1)
        advice = _near(near) or f"; known are {', '.join(known)}"
        return Fault(where, line, name, f"unknown key{advice}")
    if where == "environment":
        name = next((key.variable for key in keys() if key.path == name), name)
    if item["type"] == "missing":
        return Fault(where, line, name, "this key is needed")
    message = str(item["msg"]).removeprefix("Value error, ")
    return Fault(where, line, name, message[:1].lower() + message[1:])


def _near(names: list[str]) -> str:
    return f"; did you mean {names[0]}?" if names else ""


def _written(place: Place) -> str:
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _settings(config: IngestConfig, lines: Mapping[Place, tuple[str, int]]) -> dict[str, object]:
    """What the file says about settings of the product."""
    found: dict[str, object] = {}
    for key in keys():
        if not key.setting:
            continue
        value: object = config
        for part in key.path.split("."):
            value = getattr(value, part) if value is not None else None
        if value is not None and tuple(key.path.split(".")) in lines:
            found[key.setting] = value
    return found
