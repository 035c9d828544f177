"""A snapshot as bytes, the same for the spool's files and for Kafka: a header, the parts one after the other, one checksum."""

from __future__ import annotations

import struct

from crc32c import crc32c

from aiops.errors import ParseError
from ingest.journal.seams import Snapshot

MAGIC = b"AJSNAP1\n"
#: CRC-32C of what follows, offset, number of parts
_HEAD = struct.Struct("<IQI")
_PART = struct.Struct("<IQ")


def write_snapshot(snapshot: Snapshot) -> bytes:
    """Parts in the order of their names: the same snapshot gives the same bytes."""
    parts = []
    for name, part in sorted(snapshot.parts.items()):
        encoded = name.encode()
        parts += [_PART.pack(len(encoded), len(part)), encoded, part]
    body = struct.pack("<QI", snapshot.offset, len(snapshot.parts)) + b"".join(parts)
    return MAGIC + struct.pack("<I", crc32c(body)) + body


def read_snapshot(data: bytes) -> Snapshot:
    """Raises ParseError for what is not whole."""
    at = len(MAGIC) + _HEAD.size
    if len(data) < at or not data.startswith(MAGIC):
        raise _broken("no header")
    checksum, offset, count = _HEAD.unpack_from(data, len(MAGIC))
    if crc32c(data[len(MAGIC) + 4 :]) != checksum:
        raise _broken("its checksum does not match")
    parts = {}
    for _ in range(count):
        if len(data) < at + _PART.size:
            raise _broken("half a part")
        name, size = _PART.unpack_from(data, at)
        at += _PART.size
        if len(data) < at + name + size:
            raise _broken("half a part")
        try:
            parts[data[at : at + name].decode()] = data[at + name : at + name + size]
        except UnicodeDecodeError as exc:
            raise _broken("a name that is no UTF-8") from exc
        at += name + size
    if at != len(data):
        raise _broken("bytes behind the last part")
    return Snapshot(offset, parts)


def _broken(reason: str) -> ParseError:
    return ParseError(f"no whole snapshot: {reason}", reason=reason, offset=0)
