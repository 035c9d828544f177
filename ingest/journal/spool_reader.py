"""Reading a segment of the spool from a place on: records, and what is damaged between them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ingest.journal.spool_files import read_at
from ingest.journal.spool_frames import HEADER_BYTES, Damage, Frame, Rest, read_frames

_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where to read on: byte ``at`` of the segment that begins with ``base``; the next record is ``offset`` or later."""

    base: int
    at: int
    offset: int


@dataclass(frozen=True, slots=True)
class Piece:
    """What a read found: whole records, damaged bytes between them, and where each record ends."""

    frames: tuple[Frame, ...]
    damaged: tuple[bytes, ...]
    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Within:
    """What of a segment is read: ``limit`` bytes, with records before ``end``, each of at most ``max_body`` bytes."""

    limit: int
    end: int
    max_body: int


def read_piece(path: Path, cursor: Cursor, within: Within, max_bytes: int) -> Piece:
    """Records of one segment from ``cursor`` on, at least one if there is one, else about ``max_bytes``. Raises OSError."""
    limit = within.limit
    size = max(HEADER_BYTES, min(max_bytes, _READ_BYTES))
    with path.open("rb") as file:
        data = read_at(file.fileno(), cursor.at, min(size, limit - cursor.at))
        piece, rest = _parse(data, cursor, within, max_bytes, whole=cursor.at + len(data) >= limit)
        if piece.frames or rest is None:
            return piece
        # The first record is longer than what was read, or damaged: then all of the segment is looked through.
        if cursor.at + rest.needs <= limit and rest.needs > len(data):
            data = read_at(file.fileno(), cursor.at, rest.needs)
            piece, rest = _parse(data, cursor, within, max_bytes, whole=False)
            if piece.frames:
                return piece
        data = read_at(file.fileno(), cursor.at, limit - cursor.at)
    piece, rest = _parse(data, cursor, within, max_bytes, whole=True)
    if rest is None or piece.frames:
        return piece
    damaged = (*piece.damaged, data[rest.begin :])
    return Piece((), damaged, Cursor(cursor.base, limit, within.end))


def _parse(
    data: bytes, cursor: Cursor, within: Within, max_bytes: int, *, whole: bool
) -> tuple[Piece, Rest | None]:
    frames: list[Frame] = []
    damaged: list[bytes] = []
    before: list[bytes] = []
    left = max_bytes
    at, offset = 0, cursor.offset
    rest = None
    for found in read_frames(data, least=offset, most=within.end, max_body=within.max_body, whole=whole):
        if isinstance(found, Rest):
            rest = found
        elif isinstance(found, Damage):
            before = [data[found.begin : found.end]]
        else:
            if frames and len(found.value) > left:
                break
            frames.append(found)
            damaged += before
            before = []
            left -= len(found.value)
            at, offset = found.end, found.offset + 1
    placed = Cursor(cursor.base, cursor.at + at, offset)
    return Piece(tuple(frames), tuple(damaged), placed), rest


def cursor_after(piece: Piece, frame: Frame) -> Cursor:
    """Where to read on behind ``frame`` of ``piece``."""
    return Cursor(piece.cursor.base, piece.cursor.at - piece.frames[-1].end + frame.end, frame.offset + 1)
