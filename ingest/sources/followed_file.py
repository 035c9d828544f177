"""One file that is followed: whole lines from where it was left, whatever happens to its name."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aiops.domain.batches import Payloads
from ingest.sources.file_positions import FINGERPRINT_BYTES, FilePosition, fingerprint_of

PIECE_BYTES = 256 * 1024
_TAIL_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Lines:
    """What one reading gave: whole lines without their ends and without empty ones, the heads of lines that are too long with
    their sizes, and where the next reading starts."""

    payloads: Payloads
    too_long: tuple[tuple[bytes, int], ...]
    end: int


class FollowedFile:
    """``path``, opened. Raises OSError where it cannot be read, ValueError where it is no regular file."""

    def __init__(self, path: Path, *, max_line_bytes: int) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not hold us up
        found = os.fstat(self._fd)
        if not stat.S_ISREG(found.st_mode):
            os.close(self._fd)
            raise ValueError(f"{path} is no regular file")
        self.identity = (found.st_dev, found.st_ino)
        self._max_line_bytes = max_line_bytes
        self._head = os.pread(self._fd, FINGERPRINT_BYTES, 0)
        self._skipping: tuple[bytes, int] | None = None  # head and size so far of a line that is too long
        self._seen = (-1, -1)  # size and modification when everything had been read
        self.offset = 0
        self.handed_offset = 0  # up to where everything was handed over
        self.durable_offset = 0
        self.pending = 0  # items that were handed over and are not durable yet
        self.generation = 0  # grows when the file starts anew
        self.left_since_s: float | None = None  # since when its name means another file

    def is_at(self, position: FilePosition) -> bool:
        """Whether ``position`` is about this file."""
        if position.inode != self.identity[1] or position.fingerprint_bytes > len(self._head):
            return False
        return fingerprint_of(self._head[: position.fingerprint_bytes]) == position.fingerprint

    def position(self) -> FilePosition:
        """Up to where it is durable."""
        return FilePosition(
            str(self.path), self.identity[1], fingerprint_of(self._head), len(self._head), self.durable_offset
        )

    def start_at(self, offset: int) -> None:
        """Go on at ``offset``; 0 where the file has become shorter than that."""
        size = os.fstat(self._fd).st_size
        self.offset = self.handed_offset = self.durable_offset = offset if offset <= size else 0

    def start_at_end(self) -> None:
        """Go on with the line that is being written."""
        size = os.fstat(self._fd).st_size
        tail = os.pread(self._fd, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
        self.start_at(max(0, size - _TAIL_BYTES) + tail.rfind(b"\n") + 1 if b"\n" in tail else size)

    def restarted(self) -> bool:
        """Whether the file was cut (copytruncate) since the last reading; then it is read from its beginning."""
        # The size before the head: a file that is cut in between is known by its new head.
        size = os.fstat(self._fd).st_size
        head = os.pread(self._fd, FINGERPRINT_BYTES, 0)
        same = head.startswith(self._head) and size >= self.offset
        self._head = head
        if same:
            return False
        self.offset = self.handed_offset = self.durable_offset = 0
        self._skipping = None
        self.generation += 1
        return True

    def has_news(self) -> bool:
        """Whether anything was written since everything had been read."""
        found = os.fstat(self._fd)
        return (found.st_size, found.st_mtime_ns) != self._seen

    def read(self, *, last: bool = False) -> Lines | None:
        """The next whole lines; None where there are none now. ``last``: what has no line end is a line too."""
        found = os.fstat(self._fd)
        piece = os.pread(self._fd, max(PIECE_BYTES, self._max_line_bytes + 1), self.offset)
        if not piece:
            self._seen = (found.st_size, found.st_mtime_ns)
            return self._end_of_too_long() if last else None
        if self._skipping is not None:
            return self._skip(piece)
        cut = piece.rfind(b"\n") + 1
        if not cut and last and len(piece) <= self._max_line_bytes:
            cut = len(piece)
        elif not cut and len(piece) > self._max_line_bytes:
            self._skipping = (piece[: self._max_line_bytes], len(piece))
            self.offset += len(piece)
            return Lines(Payloads.of(()), (), self.offset)
        elif not cut:
            self._seen = (found.st_size, found.st_mtime_ns)
            return None
        self.offset += cut
        return self._cut(piece[:cut])

    def _cut(self, block: bytes) -> Lines:
        ends = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == 10)
        if not block.endswith(b"\n"):
            ends = np.append(ends, len(block))
        lengths = np.diff(ends, prepend=-1) - 1
        if lengths.max() <= self._max_line_bytes:
            offsets = np.concatenate([[0], np.cumsum(lengths[lengths > 0])]).astype(np.int64)
            return Lines(Payloads(block.replace(b"\n", b""), offsets), (), self.offset)
        lines = block.split(b"\n")
        fitting = [line for line in lines if 0 < len(line) <= self._max_line_bytes]
        long = [
            (line[: self._max_line_bytes], len(line)) for line in lines if len(line) > self._max_line_bytes
        ]
        return Lines(Payloads.of(fitting), tuple(long), self.offset)

    def _skip(self, piece: bytes) -> Lines:
        assert self._skipping is not None
        head, size = self._skipping
        end = piece.find(b"\n")
        if end < 0:
            self._skipping = (head, size + len(piece))
            self.offset += len(piece)
            return Lines(Payloads.of(()), (), self.offset)
        self._skipping = None
        self.offset += end + 1
        return Lines(Payloads.of(()), ((head, size + end),), self.offset)

    def _end_of_too_long(self) -> Lines | None:
        if self._skipping is None:
            return None
        skipped, self._skipping = self._skipping, None
        return Lines(Payloads.of(()), (skipped,), self.offset)

    def handed_over(self, items: int) -> None:
        """What was read so far is on its way as ``items`` more items. The end of a line that is still skipped is not."""
        self.pending += items
        if self._skipping is None:
            self.handed_offset = self.offset
        self._settle()

    def acknowledged(self, generation: int, end: int) -> None:
        """An item of ``generation`` that ended at ``end`` is durable; items are acknowledged in their order."""
        self.pending -= 1
        if generation == self.generation:
            self.durable_offset = max(self.durable_offset, end)
            self._settle()

    def gave_back(self, offset: int) -> None:
        """The last item found no room before the stop: what was handed over ends at ``offset`` again."""
        self.pending -= 1
        self.handed_offset = offset

    def _settle(self) -> None:
        if not self.pending:  # what held no lines needs no acknowledgement
            self.durable_offset = self.handed_offset

    def close(self) -> None:
        os.close(self._fd)
