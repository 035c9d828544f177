"""Relabelling as Prometheus defines it, for targets and for metrics.

https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiops.errors import ConfigError
from ingest.sources.re2_patterns import compile_anchored

ACTIONS = (
    "replace",
    "keep",
    "drop",
    "keepequal",
    "dropequal",
    "hashmod",
    "labelmap",
    "labeldrop",
    "labelkeep",
    "lowercase",
    "uppercase",
)
DEFAULT_REGEX = "(.*)"
DEFAULT_SEPARATOR = ";"
DEFAULT_REPLACEMENT = "$1"
_NEED_TARGET = ("replace", "keepequal", "dropequal", "hashmod", "lowercase", "uppercase")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_TARGET = re.compile(r"(?:(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))+\w*)+", re.ASCII)
_REFERENCE = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))")  # Go takes Unicode letters into names
_FIELDS = ("source_labels", "separator", "regex", "modulus", "target_label", "replacement", "action")


@dataclass(frozen=True, slots=True)
class RelabelRule:
    """One rule; the defaults are Prometheus's. Raises ConfigError for a combination that Prometheus refuses too."""

    action: str = "replace"
    source_labels: tuple[str, ...] = ()
    separator: str = DEFAULT_SEPARATOR
    regex: str = DEFAULT_REGEX
    modulus: int = 0
    target_label: str = ""
    replacement: str = DEFAULT_REPLACEMENT
    pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "pattern", compile_anchored(self.regex))
        except ValueError as exc:
            raise ConfigError(f"relabelling: the regex {self.regex!r} cannot be used: {exc}") from exc
        problem = self._problem()
        if problem:
            raise ConfigError(f"relabelling, action {self.action!r}: {problem}")

    def _problem(self) -> str:
        if self.action not in ACTIONS:
            return f"there is no such action; one of {', '.join(ACTIONS)}"
        if self.action == "hashmod" and self.modulus < 1:
            return "needs a modulus of 1 or more"
        if self.action in _NEED_TARGET and not self.target_label:
            return "needs a target_label"
        if self.action == "replace" and _TARGET.fullmatch(self.target_label) is None:
            return f"the target_label {self.target_label!r} is no label name"
        if self.action in _NEED_TARGET[1:] and _LABEL_NAME.fullmatch(self.target_label) is None:
            return f"the target_label {self.target_label!r} is no label name"
        if self.action == "labelmap" and _TARGET.fullmatch(self.replacement) is None:
            return f"the replacement {self.replacement!r} is no label name"
        unused = self._unused()
        return f"{', '.join(unused)} cannot be given" if unused else ""

    def _unused(self) -> list[str]:
        given = {
            "source_labels": bool(self.source_labels),
            "separator": self.separator != DEFAULT_SEPARATOR,
            "regex": self.regex != DEFAULT_REGEX,
            "modulus": self.modulus != 0,
            "target_label": bool(self.target_label),
            "replacement": self.replacement != DEFAULT_REPLACEMENT,
        }
        if self.action in ("keepequal", "dropequal"):
            allowed: tuple[str, ...] = ("source_labels", "target_label")
        elif self.action in ("labeldrop", "labelkeep"):
            allowed = ("regex",)
        else:
            return []
        return [name for name, is_given in given.items() if is_given and name not in allowed]


def relabel_rules(documents: Sequence[Mapping[str, object]]) -> tuple[RelabelRule, ...]:
    """Rules as they stand in a configuration. Raises ConfigError that says which rule is wrong."""
    rules = []
    for number, document in enumerate(documents, start=1):
        unknown = sorted(set(document) - set(_FIELDS))
        if unknown:
            raise ConfigError(
                f"relabelling rule {number}: unknown {', '.join(unknown)}", hint=", ".join(_FIELDS)
            )
        try:
            rules.append(_rule(document))
        except ConfigError as exc:
            raise ConfigError(f"relabelling rule {number}: {exc.message}", hint=exc.hint) from exc
    return tuple(rules)


def _rule(document: Mapping[str, object]) -> RelabelRule:
    labels = document.get("source_labels", ())
    modulus = document.get("modulus", 0)
    if not isinstance(labels, list | tuple) or not all(isinstance(label, str) for label in labels):
        raise ConfigError("source_labels must be a list of label names")
    if not isinstance(modulus, int) or isinstance(modulus, bool):
        raise ConfigError("modulus must be a whole number")

    def text(key: str, default: str) -> str:
        value = document.get(key, default)
        if isinstance(value, bool | float | dict | list) or value is None:
            raise ConfigError(f"{key} must be a text")
        return str(value)

    return RelabelRule(
        text("action", "replace").lower(),
        tuple(labels),
        text("separator", DEFAULT_SEPARATOR),
        text("regex", DEFAULT_REGEX),
        modulus,
        text("target_label", ""),
        text("replacement", DEFAULT_REPLACEMENT),
    )


def relabel(labels: Mapping[str, str], rules: Sequence[RelabelRule]) -> dict[str, str] | None:
    """The labels after all rules, None where one of them drops it. A label with an empty value is none."""
    now = {name: value for name, value in labels.items() if value}
    for rule in rules:
        if not _ACTIONS[rule.action](rule, now):
            return None
    return now


def _joined(rule: RelabelRule, labels: Mapping[str, str]) -> str:
    return rule.separator.join([labels.get(name, "") for name in rule.source_labels])


def _set(labels: dict[str, str], name: str, value: str) -> None:
    if value:
        labels[name] = value
    else:
        labels.pop(name, None)


def _expanded(template: str, match: re.Match[str]) -> str:
    """Go's ``Regexp.Expand``: ``$1``, ``${1}``, ``$name``; the longest name is taken, an unknown one is empty."""
    if "$" not in template:
        return template

    def value(found: re.Match[str]) -> str:
        if found[1]:
            return "$"
        name = found[2] or found[3]
        if name.isascii() and name.isdigit():
            number = int(name) if name == "0" or not name.startswith("0") else -1
            return (match[number] or "") if 0 <= number <= match.re.groups else ""
        return (match[name] or "") if name in match.re.groupindex else ""

    return _REFERENCE.sub(value, template)


def _replace(rule: RelabelRule, labels: dict[str, str]) -> bool:
    match = rule.pattern.match(_joined(rule, labels))
    if match is not None:
        target = _expanded(rule.target_label, match)
        if _LABEL_NAME.fullmatch(target) is not None:
            _set(labels, target, _expanded(rule.replacement, match))
    return True


def _keep(rule: RelabelRule, labels: dict[str, str]) -> bool:
    return rule.pattern.match(_joined(rule, labels)) is not None


def _drop(rule: RelabelRule, labels: dict[str, str]) -> bool:
    return not _keep(rule, labels)


def _keepequal(rule: RelabelRule, labels: dict[str, str]) -> bool:
    return labels.get(rule.target_label, "") == _joined(rule, labels)


def _dropequal(rule: RelabelRule, labels: dict[str, str]) -> bool:
    return not _keepequal(rule, labels)


def _hashmod(rule: RelabelRule, labels: dict[str, str]) -> bool:
    """The last 8 bytes of the MD5, so that the numbers are Prometheus's."""
    digest = hashlib.md5(_joined(rule, labels).encode(), usedforsecurity=False).digest()
    labels[rule.target_label] = str(int.from_bytes(digest[8:], "big") % rule.modulus)
    return True


def _labelmap(rule: RelabelRule, labels: dict[str, str]) -> bool:
    for name, value in sorted(labels.items()):
        match = rule.pattern.match(name)
        if match is not None:
            _set(labels, _expanded(rule.replacement, match), value)
    return True


def _labeldrop(rule: RelabelRule, labels: dict[str, str]) -> bool:
    for name in [name for name in labels if rule.pattern.match(name)]:
        del labels[name]
    return True


def _labelkeep(rule: RelabelRule, labels: dict[str, str]) -> bool:
    for name in [name for name in labels if not rule.pattern.match(name)]:
        del labels[name]
    return True


def _lowercase(rule: RelabelRule, labels: dict[str, str]) -> bool:
    _set(labels, rule.target_label, _joined(rule, labels).lower())
    return True


def _uppercase(rule: RelabelRule, labels: dict[str, str]) -> bool:
    _set(labels, rule.target_label, _joined(rule, labels).upper())
    return True


_ACTIONS = {
    "replace": _replace,
    "keep": _keep,
    "drop": _drop,
    "keepequal": _keepequal,
    "dropequal": _dropequal,
    "hashmod": _hashmod,
    "labelmap": _labelmap,
    "labeldrop": _labeldrop,
    "labelkeep": _labelkeep,
    "lowercase": _lowercase,
    "uppercase": _uppercase,
}
