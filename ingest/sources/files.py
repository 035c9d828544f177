"""Log files, followed through rotation by rename and by copy-and-truncate, with positions that survive a restart.

A position is written only after the journal has the lines before it: a kill leads to lines that come twice (their ids differ, so
keep the positions' interval short), never to lines that are missing. No inotify: files are looked at every ``poll_s``, which also
works on network file systems.
"""

from __future__ import annotations

import glob
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Literal

import structlog

from aiops.domain.batches import RawBatch, Reject
from ingest.sources.file_positions import FilePosition, load_positions, save_positions
from ingest.sources.followed_file import FollowedFile, Lines
from ingest.sources.inbox import Inbox, Item
from ingest.sources.tallies import Tally
from ingest.sources.threads import source_thread

StartAt = Literal["end", "beginning"]

MAX_FILES = 4_096
MAX_LINE_BYTES = 256 * 1024
POLL_S = 1.0
SCAN_S = 5.0
SAVE_S = 1.0
LEFT_S = 10.0
EXCLUDE = ("*.gz", "*.bz2", "*.xz", "*.zst")
_PATIENCE_S = 1.0
_TURNS = 16  # pieces of one file before the next one has its turn


class FollowedFiles:
    """Follows every file that matches one of ``patterns`` (as of :mod:`glob`, ``**`` included) and no name of ``exclude``.

    ``positions``: where the positions are kept; :meth:`start` raises InputError where it is damaged. ``start_at``: for files that
    are there when nothing was ever followed; later ones are read from their beginning. ``host``: who speaks where a line names
    nobody (default: this machine). A file that lost its name is read to its end, and closed ``left_s`` after its last news.
    """

    def __init__(
        self,
        patterns: Sequence[str],
        positions: Path,
        *,
        name: str = "files",
        start_at: StartAt = "end",
        exclude: Sequence[str] = EXCLUDE,
        host: str | None = None,
        max_files: int = MAX_FILES,
        max_line_bytes: int = MAX_LINE_BYTES,
        poll_s: float = POLL_S,
        scan_s: float = SCAN_S,
        left_s: float = LEFT_S,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._patterns = tuple(patterns)
        self._positions = positions
        self._start_at = start_at
        self._exclude = tuple(exclude)
        self._host = host or socket.gethostname()
        self._max_files = max_files
        self._max_line_bytes = max_line_bytes
        self._poll_s = poll_s
        self._scan_s = scan_s
        self._left_s = left_s
        self._now_s = now_s
        self._files: dict[tuple[int, int], FollowedFile] = {}
        self._by_path: dict[Path, FollowedFile] = {}
        self._remembered: dict[tuple[str, int], FilePosition] = {}
        self._complained: set[str] = set()
        self._first_run = False
        self._lock = threading.Lock()
        self._dirty = False
        self._saved_s = 0.0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._tally = Tally("lines", "restarted", "rotated", "unreadable", "too_many", "too_long")

    def start(self, inbox: Inbox) -> None:
        known = load_positions(self._positions)
        self._first_run = known is None
        self._remembered = {(held.path, held.inode): held for held in known or ()}
        self._scan()
        self._first_run = False
        self._save(now=True)
        self._thread = source_thread(inbox, self.name, partial(self._run, inbox))
        self._thread.start()

    def stop(self) -> None:
        """Reads no more. Positions are saved now, and again with the last acknowledgement."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            for file in self._files.values():
                file.close()

    def lost(self) -> int:
        """Nothing: what was not acknowledged is read again."""
        return 0

    def counts(self) -> Mapping[str, int]:
        """``lines`` that were handed over; files that ``restarted`` (truncated), were ``rotated``, are ``unreadable`` or
        ``too_many``; lines that are ``too_long`` (their head goes to the dead letters)."""
        return {**self._tally.read(), "open": len(self._files)}

    def _run(self, inbox: Inbox) -> None:
        scanned_s = time.monotonic()
        while not self._stopping.is_set():
            if not inbox.has_room():
                self._stopping.wait(self._poll_s)
                continue
            if time.monotonic() - scanned_s >= self._scan_s:
                scanned_s = time.monotonic()
                self._scan()
            busy = False
            for file in list(self._files.values()):
                if self._stopping.is_set():
                    break
                try:
                    busy |= self._follow(file, inbox)
                except OSError as exc:  # a disk or a network file system: tried again, and the others go on
                    self._complain(file.path, exc)
            self._save()
            if not busy:
                self._stopping.wait(self._poll_s)
        self._save(now=True)

    def _scan(self) -> None:
        """Files that are new under their names; and those whose positions wait for them under another name."""
        for path in self._matching():
            try:
                found = path.stat()
            except OSError as exc:
                self._complain(path, exc)
                continue
            held = self._files.get((found.st_dev, found.st_ino))
            before = self._by_path.get(path)
            if before is not None and before is not held:
                self._leave(before)
            if held is None:
                self._adopt_renamed(path)
                self._open(path)
            elif held.path != path and held.left_since_s is not None:
                self._rename(held, path)

    def _matching(self) -> list[Path]:
        found = sorted({name for pattern in self._patterns for name in glob.glob(pattern, recursive=True)})  # noqa: PTH207 - absolute patterns
        return [
            path
            for path in map(Path, found)
            if not any(fnmatch(path.name, excluded) for excluded in self._exclude) and not path.is_dir()
        ]

    def _open(self, path: Path, *, only: FilePosition | None = None) -> FollowedFile | None:
        """``only``: not unless it is the file of this position."""
        if len(self._files) >= self._max_files:
            self._complain(path, None)
            return None
        try:
            file = FollowedFile(path, max_line_bytes=self._max_line_bytes)
        except (OSError, ValueError) as exc:
            self._complain(path, exc)
            return None
        if file.identity in self._files:
            file.close()
            return None
        known = next((held for held in self._remembered.values() if file.is_at(held)), None)
        if only is not None and known != only:
            file.close()
            return None
        with self._lock:
            if known is not None:
                del self._remembered[known.path, known.inode]
                file.start_at(known.offset)
            elif self._first_run and self._start_at == "end":
                file.start_at_end()
            self._files[file.identity] = file
            self._dirty = True
        if only is None:
            self._by_path[path] = file
        return file

    def _adopt_renamed(self, path: Path) -> None:
        """The file that had the name ``path`` when we stopped, if it lies beside it under another name: its rest comes first."""
        wanted = {held.inode: held for (name, _inode), held in self._remembered.items() if name == str(path)}
        if not wanted:
            return
        try:
            beside = [entry for entry in path.parent.iterdir() if entry.stat().st_ino in wanted]
        except OSError:  # one vanished meanwhile: the next scan looks again
            return
        for entry in beside:
            file = None if entry == path else self._open(entry, only=wanted[entry.stat().st_ino])
            if file is not None:
                file.path = path
                self._leave(file)

    def _leave(self, file: FollowedFile) -> None:
        """Its name means another file now, or nothing."""
        if file.left_since_s is None:
            self._tally.add("rotated")
            file.left_since_s = time.monotonic()
        if self._by_path.get(file.path) is file:
            del self._by_path[file.path]

    def _rename(self, file: FollowedFile, path: Path) -> None:
        """A rotated file whose new name matches too."""
        file.path = path
        file.left_since_s = None
        self._by_path[path] = file
        self._dirty = True

    def _follow(self, file: FollowedFile, inbox: Inbox) -> bool:
        """Up to some pieces of ``file``; True where more may be waiting."""
        if self._by_path.get(file.path) is file and _inode(file.path) != file.identity[1]:
            self._leave(file)
        if not file.has_news():
            self._close_left(file, inbox)
            return False
        with self._lock:
            restarted = file.restarted()
            self._dirty = True
        if restarted:
            self._tally.add("restarted")
        for _ in range(_TURNS):
            lines = file.read()
            if lines is None:
                return False
            if not self._hand_over(file, lines, inbox):
                return False
            if file.left_since_s is not None:
                file.left_since_s = time.monotonic()
        return True

    def _close_left(self, file: FollowedFile, inbox: Inbox) -> None:
        if file.left_since_s is None or time.monotonic() - file.left_since_s < self._left_s:
            return
        lines = file.read(last=True)
        if lines is not None and not self._hand_over(file, lines, inbox):
            return
        with self._lock:
            if file.pending:
                return  # its position is kept until all of it is durable, so that a restart can read the rest
            del self._files[file.identity]
            self._dirty = True
        file.close()

    def _hand_over(self, file: FollowedFile, lines: Lines, inbox: Inbox) -> bool:
        """False: no room until the stop; the rest is read again after the restart."""
        now_s = self._now_s()
        peer = f"file:{file.path} {self._host}"
        items: list[Item] = [
            Reject(
                self.name, f"longer than {self._max_line_bytes} bytes ({size}); the head is kept", now_s, head
            )
            for head, size in lines.too_long
        ]
        if len(lines.payloads):
            times = (now_s,) * len(lines.payloads)
            items.append(RawBatch(self.name, "file", peer, lines.payloads, times))
        self._tally.add("too_long", len(lines.too_long))
        self._tally.add("lines", len(lines.payloads))
        generation, end = file.generation, lines.end

        def acknowledged(_item: Item) -> None:
            with self._lock:
                file.acknowledged(generation, end)
                self._dirty = True
                done = self._stopping.is_set() and not any(held.pending for held in self._files.values())
            if done:
                self._save(now=True)

        with self._lock:
            before = file.handed_offset
            file.handed_over(1 if items else 0)
        for item in items:
            told = acknowledged if item is items[-1] else None
            while not inbox.put(item, timeout_s=_PATIENCE_S, acknowledged=told):
                if self._stopping.is_set():
                    with self._lock:
                        file.gave_back(before)
                    return False
        return True

    def _save(self, *, now: bool = False) -> None:
        if not now and time.monotonic() - self._saved_s < SAVE_S:
            return
        with self._lock:
            if not self._dirty:
                return
            self._dirty = False
            held = [file.position() for file in self._files.values()]
            waiting = list(self._remembered.values())[-self._max_files :]
        self._saved_s = time.monotonic()
        try:
            save_positions(self._positions, [*held, *waiting])
        except OSError as exc:
            self._dirty = True
            structlog.get_logger("aiops.ingest").error(
                "cannot save the positions of followed files", file=str(self._positions), error=str(exc)
            )

    def _complain(self, path: Path, problem: Exception | None) -> None:
        """Once a path."""
        if str(path) in self._complained or len(self._complained) >= MAX_FILES:
            return
        self._complained.add(str(path))
        self._tally.add("too_many" if problem is None else "unreadable")
        structlog.get_logger("aiops.ingest").warning(
            "a file is not followed", file=str(path), error=str(problem or f"more than {self._max_files}")
        )


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None
