"""The identity of one line of the text format: ``name{label="value",...}`` or ``{"name",...}``."""

from __future__ import annotations

import re

from aiops.domain.batches import Series

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_QUOTED = r'"(?:[^"\\\n]|\\.)*"'
_LABEL = re.compile(
    rf"[ \t]*(?P<name>[a-zA-Z_][a-zA-Z0-9_]*|{_QUOTED})[ \t]*=[ \t]*(?P<value>{_QUOTED})[ \t]*"
)
_QUOTED_NAME = re.compile(rf"[ \t]*(?P<name>{_QUOTED})[ \t]*(?=[,}}])")
_PLAIN = re.compile(
    r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="[^"\\\n]*",)*[a-zA-Z_][a-zA-Z0-9_]*="[^"\\\n]*"),?\})?'
)
_PLAIN_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="([^"]*)"')
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
_ESCAPE = re.compile(r'\\[\\"n]')


class BadLine(ValueError):
    """One line cannot be read; ``offset`` is the byte of the line, if that is known."""


def plain_pairs(text: str) -> list[tuple[str, str]] | None:
    """(name, value) of the labels and of ``__name__``, sorted by name, where ``text`` is written without blanks, quoted names and
    escapes; None where it is not: then :func:`read_identity` reads it or says what is wrong."""
    match = _PLAIN.fullmatch(text)
    if match is None:
        return None
    pairs: list[tuple[str, str]] = [("__name__", match[1])]
    if match[2] is not None:
        pairs += _PLAIN_LABEL.findall(match[2])
        pairs.sort()
        names = [pair[0] for pair in pairs]
        if len(set(names)) < len(names):
            return None
    return pairs


def _unquoted(text: str) -> str:
    return _ESCAPE.sub(lambda match: _ESCAPES[match[0]], text[1:-1])


def read_identity(text: str) -> Series:
    """``name{label="value",...}`` or ``{"name",...}``. Raises BadLine, a ValueError."""
    match = _NAME.match(text)
    metric, at = (match[0], match.end()) if match else ("", 0)
    labels: dict[str, str] = {}
    body = text[at:].lstrip()
    if body.startswith("{"):
        inside, at = body, 1
        quoted = _QUOTED_NAME.match(inside, at)
        if quoted is not None and not metric:
            metric, at = _unquoted(quoted["name"]), quoted.end()
            at += inside[at : at + 1] == ","
        while (label := _LABEL.match(inside, at)) is not None:
            name = _unquoted(label["name"]) if label["name"][0] == '"' else label["name"]
            if name in labels or name == "__name__":
                raise BadLine(f"label {name!r} stands twice")
            labels[name] = _unquoted(label["value"])
            at = label.end()
            if inside[at : at + 1] != ",":
                break
            at += 1
        if inside[at:].strip() != "}":
            raise BadLine(f"labels cannot be read from {inside[at : at + 40]!r} on")
    elif body:
        raise BadLine(f"{body[:40]!r} stands where labels or a value belong")
    if not metric:
        raise BadLine("there is no metric name")
    return Series(
        metric, tuple((name, labels[name]) for name in sorted(labels, key=str.encode) if labels[name])
    )
