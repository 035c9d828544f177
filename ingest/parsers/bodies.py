"""Bodies of HTTP requests before anybody reads them: unpacked within a bound, JSON within a depth.

A compressed body may unpack to a thousand times its size, and a few KiB of brackets exhaust a recursive reader: both bounds
hold before the format's own parser runs.
"""

from __future__ import annotations

import zlib

import orjson

from aiops.errors import ParseError

#: A body may unpack to this many bytes.
MAX_BODY_BYTES = 32 << 20
#: Arrays and objects may stand this deep in each other; the formats read here need fewer than ten.
MAX_DEPTH = 64
#: Arrays and objects of one document; ten thousand log records have about two hundred thousand.
MAX_CONTAINERS = 500_000

_GZIP = 16 + zlib.MAX_WBITS


def unpacked(body: bytes, encoding: str, *, what: str, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """``body`` without its ``Content-Encoding``: none, ``identity``, ``gzip`` or ``deflate`` (RFC 9110, 8.4).

    Raises ParseError: ``reason`` is "content encoding" (answer 415), "too large" (413) or "compression" (400).
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        if len(body) > max_bytes:
            raise _too_large(what, len(body), max_bytes)
        return body
    if name not in ("gzip", "x-gzip", "deflate"):
        raise ParseError(
            f"{what}: the content encoding {encoding[:40]!r} is not known",
            hint="send it as it is or with gzip",
            reason="content encoding",
        )
    return _inflated(body, zlib.MAX_WBITS if name == "deflate" else _GZIP, what, max_bytes)


def _inflated(body: bytes, window_bits: int, what: str, max_bytes: int) -> bytes:
    parts: list[bytes] = []
    size, rest = 0, body
    try:
        while rest or not parts:  # a gzip file may have several members (RFC 1952, 2.2)
            inflater = zlib.decompressobj(window_bits)
            part = inflater.decompress(rest, max_bytes - size + 1)
            size += len(part)
            if size > max_bytes:
                raise _too_large(what, size, max_bytes)
            if not inflater.eof:
                raise ParseError(
                    f"{what}: the compressed body is cut off", hint="send it whole", reason="compression"
                )
            parts.append(part)
            rest = inflater.unused_data
    except zlib.error as wrong:
        raise ParseError(
            f"{what}: the body cannot be unpacked: {wrong}",
            hint="compress it as Content-Encoding says",
            reason="compression",
        ) from wrong
    return b"".join(parts)


def _too_large(what: str, size: int, max_bytes: int) -> ParseError:
    return ParseError(
        f"{what}: the body is {size} bytes long or longer, {max_bytes} are allowed",
        hint="send smaller batches",
        reason="too large",
        offset=max_bytes,
    )


def read_json(body: bytes, *, what: str, max_depth: int = MAX_DEPTH) -> object:
    """The document in ``body``. Of a name that stands twice in an object the last one counts, as is usual (RFC 8259, 4).

    Raises ParseError: ``reason`` is "json" (with ``offset``), "nested too deep" or "too large" (more than
    :data:`MAX_CONTAINERS` arrays and objects).
    """
    try:
        document: object = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        offset = len(wrong.doc[: wrong.pos].encode(errors="replace"))
        raise ParseError(
            f"{what}: not JSON at byte {offset}: {wrong.msg}",
            hint="send a JSON document in UTF-8",
            reason="json",
            offset=offset,
        ) from wrong
    if _deeper_than(document, max_depth, what):
        raise ParseError(
            f"{what}: arrays and objects stand more than {max_depth} deep in each other",
            hint="send the documented format",
            reason="nested too deep",
        )
    return document


def _deeper_than(document: object, max_depth: int, what: str) -> bool:
    level: list[object] = [document]
    seen = 0
    for _ in range(max_depth + 1):
        containers = [item for item in level if isinstance(item, dict | list)]
        if not containers:
            return False
        seen += len(containers)
        if seen > MAX_CONTAINERS:
            raise ParseError(
                f"{what}: the document has more than {MAX_CONTAINERS} arrays and objects",
                hint="send smaller batches",
                reason="too large",
            )
        level = [
            inner for item in containers for inner in (item.values() if isinstance(item, dict) else item)
        ]
    return True
