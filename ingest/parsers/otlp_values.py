"""Attributes of OTLP as texts: what a value of any type looks like in a label, a structured datum or a message."""

from __future__ import annotations

import base64
from collections.abc import Iterable

import orjson
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

#: An attribute's text is cut after this many characters.
MAX_VALUE_CHARS = 4096
#: Lists and maps deeper than this are left out.
_MAX_DEPTH = 32


def text_of(value: AnyValue) -> str:
    """``value`` as a text: strings as they are, everything else as JSON writes it (OpenTelemetry, "AnyValue representation for
    non-OTLP protocols"); bytes in base64, no value as ""."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return value.string_value
    if kind is None:
        return ""
    plain = _plain(value, 0)
    if isinstance(plain, str):
        return plain
    if isinstance(plain, float) and plain != plain:
        return "NaN"
    if plain in (float("inf"), float("-inf")):
        return "Infinity" if plain == float("inf") else "-Infinity"
    return orjson.dumps(plain).decode()


def _plain(value: AnyValue, depth: int) -> object:
    kind = value.WhichOneof("value")
    if kind is None or depth > _MAX_DEPTH:
        return None
    if kind == "array_value":
        return [_plain(item, depth + 1) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {item.key: _plain(item.value, depth + 1) for item in value.kvlist_value.values}
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    found = getattr(value, kind)
    # JSON of 64 bits and more is not for orjson
    return found if kind != "int_value" or abs(found) < 1 << 63 else str(found)


def texts(attributes: Iterable[KeyValue]) -> dict[str, str]:
    """Names and texts; empty texts are left out, of a name that stands twice the first counts."""
    found: dict[str, str] = {}
    for attribute in attributes:
        text = text_of(attribute.value)[:MAX_VALUE_CHARS]
        if text:
            found.setdefault(attribute.key, text)
    return found
