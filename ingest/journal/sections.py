"""The frame of an envelope: a small header with a version, then sections of bytes whose lengths it names.

::

    offset  bytes  what
    0       2      "AJ"
    2       1      version of the format, 1
    3       1      kind of batch
    4       2      number of sections n, little endian as everything here
    6       4 * n  length of each section
    ...            the sections, one after the other, and nothing after the last
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from aiops.errors import ParseError

MAGIC = b"AJ"
VERSION = 1
MAX_SECTION_BYTES = (1 << 32) - 1
_HEADER = struct.Struct("<2sBBH")


def poison(reason: str) -> ParseError:
    """The error for an envelope that cannot be read, now or ever."""
    return ParseError(
        f"no envelope of the journal: {reason}",
        hint="keep it in the dead letters and go on",
        reason=reason,
        offset=0,
    )


def join(kind: int, sections: Sequence[bytes]) -> bytes:
    """One envelope. Raises ParseError where a section is too large for the format."""
    lengths = [len(section) for section in sections]
    if max(lengths, default=0) > MAX_SECTION_BYTES:
        raise poison(f"a section of {max(lengths)} bytes")
    header = _HEADER.pack(MAGIC, VERSION, kind, len(sections))
    return b"".join((header, struct.pack(f"<{len(lengths)}I", *lengths), *sections))


def split(value: bytes) -> tuple[int, list[bytes]]:
    """The kind and the sections of an envelope. Raises ParseError."""
    if len(value) < _HEADER.size:
        raise poison(f"{len(value)} bytes are fewer than its header")
    magic, version, kind, count = _HEADER.unpack_from(value)
    if magic != MAGIC:
        raise poison(f"it begins with {magic!r}")
    if version != VERSION:
        raise poison(f"version {version}, this program reads version {VERSION}")
    begin = _HEADER.size + 4 * count
    if len(value) < begin:
        raise poison(f"{len(value)} bytes are fewer than the lengths of {count} sections")
    lengths = struct.unpack_from(f"<{count}I", value, _HEADER.size)
    if begin + sum(lengths) != len(value):
        raise poison(f"{begin + sum(lengths)} bytes announced, {len(value)} there")
    sections = []
    for length in lengths:
        sections.append(value[begin : begin + length])
        begin += length
    return kind, sections


def text(section: bytes, what: str) -> str:
    """A section as text. Raises ParseError."""
    try:
        return section.decode()
    except UnicodeDecodeError as exc:
        raise poison(f"{what} is no UTF-8") from exc


def encoded(value: str, what: str) -> bytes:
    """Text as a section. Raises ParseError for half a surrogate pair, which no encoding carries."""
    try:
        return value.encode()
    except UnicodeEncodeError as exc:
        raise poison(f"{what} is no Unicode text") from exc


def array(
    section: bytes, dtype: npt.DTypeLike, what: str, count: int | None = None
) -> npt.NDArray[np.generic]:
    """A section as a read-only array of ``count`` items. Raises ParseError."""
    kind = np.dtype(dtype)
    if len(section) % kind.itemsize or (count is not None and len(section) != count * kind.itemsize):
        raise poison(f"{len(section)} bytes of {what}" + (f" for {count} items" if count is not None else ""))
    return np.frombuffer(section, dtype=kind)
