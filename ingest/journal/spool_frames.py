"""How a record lies in a segment file of the spool, and how records are found again in a damaged one.

::

    offset  bytes  what (little endian)
    0       4      "\xf5AJ1": no byte of UTF-8 text begins so
    4       4      length of the body
    8       4      CRC-32C of everything from byte 12 on
    12      8      offset of the record in its partition
    20      8      when it was appended, epoch seconds, float64
    28             the body: the record's value
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from crc32c import crc32c

MAGIC = b"\xf5AJ1"
_HEAD = struct.Struct("<4sII")
_STAMP = struct.Struct("<Qd")
HEADER_BYTES = _HEAD.size + _STAMP.size


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole record, as it lay at ``[begin, end)`` of the bytes it was read from."""

    offset: int
    appended_at_s: float
    value: bytes
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes ``[begin, end)`` in which no record can be read; after them comes a whole record."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Rest:
    """Bytes from ``begin`` to the end that are no whole record. ``needs``: how many bytes of them would be one, if the header
    there is right; 0 where there is no header. ``damaged``: there is more than an append that was cut short."""

    begin: int
    needs: int
    damaged: bool


def write_frame(offset: int, appended_at_s: float, value: bytes) -> tuple[bytes, bytes]:
    """Header and body of a record."""
    stamp = _STAMP.pack(offset, appended_at_s)
    return _HEAD.pack(MAGIC, len(value), crc32c(value, crc32c(stamp))) + stamp, value


def read_frames(
    data: bytes, *, least: int, most: int, max_body: int, begin: int = 0, whole: bool = True
) -> Iterator[Frame | Damage | Rest]:
    """The records in ``data`` from ``begin``, in order, with what is damaged between them; a :class:`Rest` comes last if
    anything is left over. Offsets ascend from ``least`` and stay below ``most``: what claims another is damage, whatever its sum.

    ``whole``: nothing follows ``data`` in the file. Otherwise what is no record is left over: whether it is damaged or only cut
    shows when there is more to read.
    """
    at = begin
    while at < len(data):
        frame = _frame_at(data, at, least, most, max_body)
        if frame is None:
            needs = _needs(data, at, max_body)
            found = _next_frame(data, at + 1, least, most, max_body) if whole else None
            if found is None:
                blank = data.count(0, at) == len(data) - at
                yield Rest(at, needs, damaged=whole and at + needs <= len(data) and not blank)
                return
            yield Damage(at, found.begin)
            frame = found
        yield frame
        least, at = frame.offset + 1, frame.end


def _needs(data: bytes, at: int, max_body: int) -> int:
    """Bytes that the record at ``at`` takes by its header; where that is cut short, those of a header; 0: there is none."""
    if len(data) - at < HEADER_BYTES:
        whole = data[at : at + len(MAGIC)] == MAGIC[: len(data) - at]
        return HEADER_BYTES if whole else 0
    magic, length, _ = _HEAD.unpack_from(data, at)
    return HEADER_BYTES + length if magic == MAGIC and length <= max_body else 0


def _frame_at(data: bytes, at: int, least: int, most: int, max_body: int) -> Frame | None:
    if len(data) - at < HEADER_BYTES:
        return None
    magic, length, checksum = _HEAD.unpack_from(data, at)
    end = at + HEADER_BYTES + length
    if magic != MAGIC or length > max_body or end > len(data):
        return None
    offset, appended_at_s = _STAMP.unpack_from(data, at + _HEAD.size)
    if not least <= offset < most:
        return None
    value = data[at + HEADER_BYTES : end]
    if crc32c(value, crc32c(data[at + _HEAD.size : at + HEADER_BYTES])) != checksum:
        return None
    return Frame(offset, appended_at_s, value, at, end)


def _next_frame(data: bytes, at: int, least: int, most: int, max_body: int) -> Frame | None:
    """The first whole record at or after ``at``."""
    while (at := data.find(MAGIC, at)) >= 0:
        frame = _frame_at(data, at, least, most, max_body)
        if frame is not None:
            return frame
        at += 1
    return None
