"""One named part of a partition's learned state as bytes: a zstd frame behind a line that says what it is.

The line is ``FORMAT/VERSION SIZE CHECKSUM``: a part of another version, or one that was cut, is told apart before anything
of it is read. No code is ever loaded from a part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pyarrow as pa
import xxhash

from aiops.errors import ParseError

_T = TypeVar("_T")

#: A part that says it unfolds to more than this is refused.
MAX_PART_BYTES = 1 << 30
_HEADER_BYTES = 128


def packed_part(form: str, content: bytes) -> bytes:
    """``content`` as a part of the format ``form`` (``name/version``)."""
    header = f"{form} {len(content)} {xxhash.xxh3_64_hexdigest(content)}\n"
    return header.encode() + bytes(pa.Codec("zstd").compress(content, asbytes=True))


def unpacked_part(form: str, part: bytes, read: Callable[[bytes], _T]) -> _T:
    """What ``read`` makes of the content. Raises :class:`aiops.errors.ParseError` where this is no whole part of ``form``."""
    header, newline, _ = part[: _HEADER_BYTES + 1].partition(b"\n")
    words = header.decode("ascii", errors="replace").split(" ")
    if not newline or len(words) != 3 or not words[1].isdigit():
        raise _refused(form, "it does not begin with its format")
    if words[0] != form:
        raise _refused(form, f"it is of the format {words[0][:60]}")
    size = int(words[1])
    if size > MAX_PART_BYTES:
        raise _refused(form, f"it unfolds to {size} bytes")
    try:
        content = pa.Codec("zstd").decompress(part[len(header) + 1 :], decompressed_size=size, asbytes=True)
        whole = len(content) == size and xxhash.xxh3_64_hexdigest(content) == words[2]
    except (pa.ArrowException, OSError) as exc:
        raise _refused(form, "its content is damaged") from exc
    if not whole:
        raise _refused(form, "its content is damaged")
    try:
        return read(bytes(content))
    except (ValueError, TypeError, KeyError, IndexError) as exc:
        raise _refused(form, "its content is of another shape") from exc


def _refused(form: str, why: str) -> ParseError:
    return ParseError(
        f"a snapshot's part {form} cannot be used: {why}",
        hint="remove the snapshot: what was learned is learned anew",
    )
