"""The keys of ``aiops.yaml`` as a list, of which the reference and the overrides by the environment are made."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ingest.config import IngestConfig
from ingest.config_sections import ENVIRONMENT, SETTING, Section


@dataclass(frozen=True, slots=True)
class Key:
    """One key. ``path``: ``sources.syslog_udp[].listen``; ``variable``: overrides it, "" within lists, where none can.

    ``setting``: the product's setting that it is the same thing as, or "". ``required`` keys have no default.
    """

    path: str
    variable: str
    setting: str
    only_environment: bool
    required: bool
    default: object
    text: str


def keys(section: type[Section] = IngestConfig) -> tuple[Key, ...]:
    """Every key that holds a value, in the order of the model."""
    return tuple(_keys(section, "", in_list=False))


def _keys(section: type[Section], prefix: str, *, in_list: bool) -> Iterator[Key]:
    for name, field in section.model_fields.items():
        inner, many = section_of(field.annotation)
        path = f"{prefix}{name}"
        if inner is not None:
            yield from _keys(inner, f"{path}{'[]' if many else ''}.", in_list=in_list or many)
        else:
            yield _key(path, section, name, field, in_list=in_list)


def _key(path: str, section: type[Section], name: str, field: FieldInfo, *, in_list: bool) -> Key:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    setting = str(extra.get(SETTING, ""))
    variable = "AIOPS_" + (setting or path.replace(".", "_")).upper()
    return Key(
        path,
        "" if in_list else variable,
        setting,
        bool(extra.get(ENVIRONMENT, False)),
        field.is_required(),
        _written_default(section, name, field),
        field.description or "",
    )


def _written_default(section: type[Section], name: str, field: FieldInfo) -> object:
    """The default as it would stand in the file; None where there is none."""
    if field.default is PydanticUndefined or field.default is None:
        return None
    dumped: object = section.model_construct(**{name: field.default}).model_dump(include={name})[name]
    return str(dumped) if isinstance(dumped, Path) else dumped


def section_of(annotation: Any) -> tuple[type[Section] | None, bool]:
    """The section that a field holds, and whether it holds several."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation, False
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) in (typing.Union, UnionType):
        found = [section_of(argument)[0] for argument in arguments]
        return next((section for section in found if section is not None), None), False
    if typing.get_origin(annotation) is tuple and arguments:
        return section_of(arguments[0])[0], True
    return None, False
