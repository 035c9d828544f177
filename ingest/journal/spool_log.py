"""One partition of the spool: segment files that are written at the end, read behind what is synced, deleted from the front."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiops.errors import AiopsError, StoreUnavailable
from ingest.journal.seams import Partition
from ingest.journal.spool_files import refused, sync_folder, truncate, unavailable, write_all
from ingest.journal.spool_frames import HEADER_BYTES, Frame, Rest, read_frames, write_frame
from ingest.journal.spool_reader import Cursor, Piece, Within, cursor_after, read_piece

SUFFIX = ".segment"
#: Offsets are below this.
MOST = 1 << 62
_READ_BYTES = 1 << 20


@dataclass(slots=True)
class Segment:
    """A file: records from ``base`` up to ``end``, ``size`` bytes of it synced."""

    path: Path
    base: int
    end: int
    size: int


class PartitionLog:
    """Appends are thread-safe and synced in groups; reading is for one thread at a time beside them.

    Nothing is read that a loss of power could take back: an offset, once read, never names another record.
    """

    def __init__(
        self,
        folder: Path,
        partition: Partition,
        *,
        first_offset: int,
        least_offset: int,
        segment_bytes: int,
        max_record_bytes: int,
        set_aside: Callable[[bytes], None],
    ) -> None:
        """``first_offset`` begins a partition that is new, ``least_offset`` was committed. ``set_aside`` takes bytes in which
        no record can be read before they are cut off. Raises StoreUnavailable."""
        self.partition = partition
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._max_body = max_record_bytes
        self._changed = threading.Condition()
        self._syncing = False
        self._failures = 0
        #: the file may hold bytes behind what is written: the next record goes into another
        self._spoiled = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._segments = [
                Segment(path, int(path.stem), 0, path.stat().st_size)
                for path in sorted(folder.glob("*" + SUFFIX))
            ]
            for one, after in zip(self._segments, self._segments[1:], strict=False):
                one.end = after.base
            #: bytes of an append that was cut short
            self.torn_bytes = 0
            end = self._recover(first_offset, set_aside)
            end = max(end, least_offset)
            if not self._segments or end > self._segments[-1].end:
                self._segments.append(self._create(end))
            self._fd = os.open(self._active.path, os.O_WRONLY | os.O_APPEND)
        except (OSError, ValueError) as exc:
            raise unavailable(f"cannot open the spool {folder}", exc) from exc
        #: what is written, synced or not
        self._next, self._written = self._active.end, self._active.size

    def _recover(self, first: int, set_aside: Callable[[bytes], None]) -> int:
        """Cut what is no record from the end of the last segment; the offset of the next record."""
        if not self._segments:
            return first
        last = self._segments[-1]
        data = last.path.read_bytes()
        last.end, last.size = last.base, 0
        rest: Rest | None = None
        for found in read_frames(data, least=last.base, most=MOST, max_body=self._max_body):
            if isinstance(found, Frame):
                last.end, last.size = found.offset + 1, found.end
            elif isinstance(found, Rest):
                rest = found
        if rest is None:
            return last.end
        cut = data[rest.begin :]
        if rest.damaged:
            set_aside(cut)
        else:
            self.torn_bytes = len(cut)
        truncate(last.path, last.size)
        # Where damage lies records may have lain that were read: their offsets are not given again.
        return last.end + (len(cut) // HEADER_BYTES + 1 if rest.damaged else 0)

    @property
    def _active(self) -> Segment:
        return self._segments[-1]

    # -- writing

    def write(self, values: Sequence[bytes], appended_at_s: float) -> tuple[int, int]:
        """Write ``values`` at the end, all or nothing; the ticket for :meth:`sync`. Raises BackPressure where the disk is full
        and StoreUnavailable where it fails."""
        with self._changed:
            while self._spoiled or self._written >= self._segment_bytes:
                self._roll()
            parts: list[bytes] = []
            for offset, value in enumerate(values, self._next):
                parts += write_frame(offset, appended_at_s, value)
            block = b"".join(parts)
            try:
                write_all(self._fd, block)
            except OSError as exc:
                self._cut(self._written)
                raise refused(f"cannot append to the spool {self._folder}", exc) from exc
            self._next += len(values)
            self._written += len(block)
            return self._failures, self._next

    def sync(self, ticket: tuple[int, int]) -> None:
        """Return once everything up to ``ticket`` is on the disk; one thread syncs for all who wait. Raises StoreUnavailable."""
        failures, upto = ticket
        with self._changed:
            while failures == self._failures and self._active.base < upto and self._active.end < upto:
                if self._syncing:
                    self._changed.wait()
                else:
                    self._sync_active()
            if failures != self._failures:
                raise StoreUnavailable(
                    f"the disk under the spool {self._folder} failed while it was synced",
                    hint="send again",
                    retry_after_s=1.0,
                )

    def sync_all(self) -> bool:
        """Sync what is written by now; whether there was anything. Raises StoreUnavailable."""
        with self._changed:
            ticket = self._failures, self._next
            news = self._active.end < self._next
        self.sync(ticket)
        return news

    def _sync_active(self) -> None:
        """With the lock, which is given up while the disk works."""
        upto, size, active = self._next, self._written, self._active
        self._syncing = True
        self._changed.release()
        failed: OSError | None = None
        try:
            os.fdatasync(self._fd)
        except OSError as exc:
            failed = exc
        finally:
            self._changed.acquire()
            self._syncing = False
            if failed is None:
                active.end, active.size = upto, size
            else:
                # After a failed sync the kernel may have dropped the pages: what was not synced before counts as not written.
                self._failures += 1
                self._spoiled = True
                self._cut(active.size)
                self._next, self._written = active.end, active.size
            self._changed.notify_all()

    def _roll(self) -> None:
        """With the lock: sync the active segment and begin another. Raises BackPressure or StoreUnavailable."""
        while self._active.end < self._next:
            if self._syncing:
                self._changed.wait()
            else:
                self._sync_active()
        if self._active.base == self._next:  # nothing in it, or another thread was faster
            try:
                os.ftruncate(self._fd, 0)
            except OSError as exc:
                raise refused(f"cannot write the spool {self._folder}", exc) from exc
            self._spoiled = False
            return
        try:
            fresh = self._create(self._next)
            fd = os.open(fresh.path, os.O_WRONLY | os.O_APPEND)
        except OSError as exc:
            raise refused(f"cannot begin a segment in the spool {self._folder}", exc) from exc
        os.close(self._fd)
        self._fd, self._written, self._spoiled = fd, 0, False
        self._segments.append(fresh)

    def _create(self, base: int) -> Segment:
        path = self._folder / f"{base:020d}{SUFFIX}"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        sync_folder(self._folder)
        return Segment(path, base, base, 0)

    def _cut(self, size: int) -> None:
        try:
            os.ftruncate(self._fd, size)
        except OSError:
            self._spoiled = True

    # -- reading

    def read(self, cursor: Cursor, max_bytes: int) -> Piece:
        """Records from ``cursor`` on, at least one if there is one, else about ``max_bytes``. Raises StoreUnavailable."""
        while True:
            with self._changed:
                segment = next((one for one in self._segments if one.base == cursor.base), None)
                if segment is None:
                    cursor = self._oldest_from(cursor.offset)
                    continue
                limit, end, last = segment.size, segment.end, segment is self._active
            if cursor.at < limit:
                try:
                    return read_piece(segment.path, cursor, Within(limit, end, self._max_body), max_bytes)
                except FileNotFoundError:
                    continue
                except OSError as exc:
                    raise unavailable(f"cannot read the spool {segment.path}", exc) from exc
            if last:
                return Piece((), (), cursor)
            with self._changed:
                after = next((one for one in self._segments if one.base > cursor.base), self._active)
                cursor = Cursor(after.base, 0, max(after.base, cursor.offset))

    def cursor_at(self, offset: int) -> Cursor:
        """Where ``offset`` is read, or the oldest record that is held, if that is later. Raises StoreUnavailable."""
        with self._changed:
            cursor = self._oldest_from(offset)
            limit = self._active.end
        while cursor.offset < min(offset, limit):
            piece = self.read(cursor, _READ_BYTES)
            before = [frame for frame in piece.frames if frame.offset < offset]
            if len(before) == len(piece.frames):
                if piece.cursor == cursor:
                    break
                cursor = piece.cursor
                continue
            at = cursor_after(piece, before[-1]) if before else None
            return at or Cursor(piece.cursor.base, self._begin(piece), offset)
        return cursor

    @staticmethod
    def _begin(piece: Piece) -> int:
        """The byte of the segment at which the first record of ``piece`` begins."""
        return piece.cursor.at - piece.frames[-1].end + piece.frames[0].begin

    def _oldest_from(self, offset: int) -> Cursor:
        """With the lock: the beginning of the segment in which ``offset`` may be."""
        within = [one for one in self._segments if one.base <= offset]
        segment = within[-1] if within else self._segments[0]
        return Cursor(segment.base, 0, segment.base)

    # -- the front

    def delete_before(self, offset: int, *, spent_bytes: int) -> int:
        """Delete segments that hold only records before ``offset``; the active one too, if it has ``spent_bytes``.
        How many bytes that freed. Raises StoreUnavailable."""
        freed = 0
        with self._changed:
            spent = self._written >= max(1, spent_bytes) and self._active.end == self._next <= offset
            if spent and not self._syncing:
                with contextlib.suppress(AiopsError):  # a full disk: the segment goes another time
                    self._roll()
            while len(self._segments) > 1 and self._segments[0].end <= offset:
                segment = self._segments[0]
                try:
                    segment.path.unlink()
                except FileNotFoundError:
                    pass
                except OSError as exc:
                    raise unavailable(f"cannot delete {segment.path}", exc) from exc
                del self._segments[0]
                freed += segment.size
        return freed

    def size_bytes(self) -> int:
        """Bytes of all segments."""
        with self._changed:
            return sum(one.size for one in self._segments[:-1]) + self._written

    def bytes_from(self, offset: int) -> int:
        """Bytes of the segments that hold ``offset`` and later records; of the one with ``offset``, in proportion."""
        with self._changed:
            size = 0
            for one in self._segments:
                held = self._written if one is self._active else one.size
                end = self._next if one is self._active else one.end
                left = max(0, end - max(one.base, offset))
                size += held * left // max(1, end - one.base)
            return size

    def records_after(self, cursor: Cursor) -> int:
        """Records from ``cursor`` on that can be read now."""
        with self._changed:
            return sum(max(0, one.end - max(one.base, cursor.offset)) for one in self._segments)

    def close(self) -> None:
        """Sync and close. Raises StoreUnavailable."""
        try:
            self.sync_all()
        finally:
            os.close(self._fd)
