"""``pod:{namespace}/{pod}``: names made from labels. A template with a label that is absent makes nothing.

``{a,b}`` takes the first label that is there (what the target itself said, ``exported_a``, before ``a``);
``{a|host}`` passes it through filters: :data:`FILTERS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ingest.identity import is_address, is_loopback, label, split_port

_FIELD = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*(?:,[A-Za-z_][A-Za-z0-9_]*)*)((?:\|[a-z_]+)*)\}")
_HOST_OF_EXPORT = re.compile(r"(\[[^\]]+\]|[^:/]+):/")


def _host(value: str) -> str:
    host = split_port(value)[0]
    return "" if is_loopback(host) else host


def _short(value: str) -> str:
    return value if is_address(value) else value.split(".", 1)[0]


def _nfs_host(value: str) -> str:
    match = _HOST_OF_EXPORT.match(value)
    return match[1].strip("[]") if match else ""


FILTERS: Mapping[str, Callable[[str], str]] = {
    "host": _host,  # without its port; nothing for the loopback
    "port": lambda value: split_port(value)[1] or "",
    "short": _short,  # db-3 of db-3.example.net
    "lower": str.lower,
    "before_dash": lambda value: value.rsplit("-", 1)[0] if "-" in value else "",  # the service of a slice
    "before_dot": lambda value: value.split(".", 1)[0],
    "whole": lambda value: (
        value.split(".", 1)[0] if re.fullmatch(r"\d+(\.0+)?", value) else value
    ),  # 3 of 3.0
    "nfs_host": _nfs_host,  # nas-1 of nas-1:/export/home
    "unquoted": lambda value: value.strip("\"'()[],;"),
}


@dataclass(frozen=True, slots=True)
class LabelTemplate:
    """A parsed template: ``parts`` are texts and fields (alternatives, filters)."""

    source: str
    parts: tuple[str | tuple[tuple[str, ...], tuple[str, ...]], ...]

    def fill(self, labels: Mapping[str, str]) -> str | None:
        """The text for ``labels``; None where a label is absent or a filter leaves nothing of it."""
        made: list[str] = []
        for part in self.parts:
            if isinstance(part, str):
                made.append(part)
                continue
            value = next((found for name in part[0] if (found := label(labels, name))), None)
            for name in part[1]:
                value = FILTERS[name](value) if value else None
            if not value:
                return None
            made.append(value)
        return "".join(made)

    @property
    def names(self) -> frozenset[str]:
        """The labels it reads."""
        return frozenset(name for part in self.parts if not isinstance(part, str) for name in part[0])


def parse_template(source: str) -> LabelTemplate:
    """Raises ValueError that says what is wrong with ``source``."""
    parts: list[str | tuple[tuple[str, ...], tuple[str, ...]]] = []
    at = 0
    for match in _FIELD.finditer(source):
        parts.append(source[at : match.start()])
        filters = tuple(name for name in match[2].split("|") if name)
        for name in filters:
            if name not in FILTERS:
                raise ValueError(f"unknown filter {name!r}; known are {', '.join(sorted(FILTERS))}")
        parts.append((tuple(match[1].split(",")), filters))
        at = match.end()
    parts.append(source[at:])
    if any("{" in part or "}" in part for part in parts if isinstance(part, str)):
        raise ValueError(f"cannot read {source!r}: expected texts and {{label}}, {{a,b}} or {{label|filter}}")
    return LabelTemplate(source, tuple(part for part in parts if part))
