"""The daemon's configuration together with the product's settings: read, checked against the disk, shown."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from aiops.errors import AiopsError, ConfigError
from aiops.settings import Settings, load_settings
from aiops.wiring.analysis import load_catalogue, load_mapping, load_rule_set
from ingest.config import IngestConfig
from ingest.config_file import Fault, Loaded, parse_config, read_config
from ingest.config_keys import keys
from ingest.config_values import write_duration, write_size

_MADE_BY_US = frozenset({"data", "journal.spool.path", "sources.syslog_unix[].path"})


@dataclass(frozen=True, slots=True)
class DaemonConfig:
    """What ``aiops.yaml``, the environment and the command line say together."""

    loaded: Loaded
    settings: Settings

    @property
    def config(self) -> IngestConfig:
        return self.loaded.config


def load_daemon_config(
    path: Path | None, *, options: Mapping[str, object] | None = None, **overrides: object
) -> DaemonConfig:
    """The configuration in ``path`` (None: defaults), the environment above it, ``options`` and ``overrides`` of settings on top.

    Raises :class:`ConfigError`.
    """
    loaded = read_config(path, os.environ, options) if path else parse_config("", "", os.environ, options)
    return DaemonConfig(loaded, load_settings(file=loaded.settings, **overrides))


def disk_faults(whole: DaemonConfig) -> tuple[Fault, ...]:
    """What the configuration names and the disk does not have or has in a wrong form, by line."""
    found = [
        _fault(whole.loaded, place, f"{path}: there is no such file")
        for place, path in _named_paths(whole.loaded.config)
        if not path.exists()
    ]
    if not found:
        for place, check in (
            ("mapping", load_mapping),
            ("catalogue", load_catalogue),
            ("rules", load_rule_set),
        ):
            try:
                check(whole.settings)
            except ConfigError as error:
                file, line = error.details.get("file", ""), error.details.get("line", 0)
                found.append(Fault(str(file), int(str(line)), "", error.message.partition(": ")[2]))
            except AiopsError as error:
                found.append(_fault(whole.loaded, place, error.message))
    return tuple(sorted(found))


def shown(whole: DaemonConfig) -> dict[str, object]:
    """The effective configuration, ready to be written as YAML that reads as the same; secrets are left out."""
    document: dict[str, object] = whole.config.model_dump()
    for key in keys():
        if not key.setting or not key.variable:
            continue
        value = getattr(whole.settings, key.setting)
        here = document
        *above, last = key.path.split(".")
        for part in above:
            inner = here[part]
            if not isinstance(inner, dict):
                break
            here = inner
        else:
            here[last] = _written(key.setting, value)
    pruned = _pruned(document)
    assert isinstance(pruned, dict)
    return pruned


def _fault(loaded: Loaded, place: str, text: str) -> Fault:
    file, line = loaded.line_of(place)
    return Fault(file, line, place, text)


def _named_paths(config: IngestConfig) -> Iterator[tuple[str, Path]]:
    """Every path that must be there, with its key."""
    for key in keys():
        if key.path not in _MADE_BY_US:
            yield from _paths_at(config, key.path.split("."), "")


def _paths_at(value: object, parts: list[str], prefix: str) -> Iterator[tuple[str, Path]]:
    if isinstance(value, Path):
        yield prefix, value
    elif not parts and isinstance(value, tuple):
        yield from ((f"{prefix}[{n}]", item) for n, item in enumerate(value) if isinstance(item, Path))
    elif parts and value is not None:
        name = parts[0].removesuffix("[]")
        inner = getattr(value, name)
        place = f"{prefix}.{name}" if prefix else name
        if parts[0].endswith("[]"):
            for number, item in enumerate(inner):
                yield from _paths_at(item, parts[1:], f"{place}[{number}]")
        else:
            yield from _paths_at(inner, parts[1:], place)


def _written(setting: str, value: object) -> object:
    if setting.endswith("_bytes") and isinstance(value, int):
        return write_size(value)
    if setting.endswith("_s") and isinstance(value, float):
        return write_duration(value)
    if isinstance(value, tuple):
        return [str(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _pruned(value: object) -> object:
    """Without what is not given, and without secrets."""
    if isinstance(value, Mapping):
        kept = {n: _pruned(v) for n, v in value.items() if v is not None and not isinstance(v, SecretStr)}
        return {n: v for n, v in kept.items() if v != {}}
    if isinstance(value, list | tuple):
        return [_pruned(item) for item in value]
    return value
