"""What could not be used, kept whole and bounded, so that nothing is lost in silence and a person can look.

JSON lines: ``source``, ``reason``, ``received_at`` (RFC 3339), ``offset`` (byte where it went wrong, or null),
``size`` (bytes), ``raw`` (base64), and where ``raw`` was cut to fit, ``sha256`` of the whole.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import orjson

from aiops.domain.batches import Reject
from aiops.errors import InputError, StoreUnavailable

MAX_BYTES = 64 * 1024 * 1024
MAX_RAW_BYTES = 1024 * 1024
MAX_REASONS = 1_000


class DeadLetters(Protocol):
    """Takes rejects. What it returns from :meth:`put` outlives a kill of the process; the oldest go first when it is full.
    Raises :class:`StoreUnavailable` when it cannot write."""

    def put(self, rejects: Iterable[Reject]) -> int: ...

    def counts(self) -> Mapping[tuple[str, str], int]:
        """How many were taken, by (source, reason), since the start. At most :data:`MAX_REASONS` keys, then ``other``."""
        ...

    def read(self) -> Iterator[Reject]:
        """What is still held, oldest first; ``raw`` may have been cut."""
        ...

    def close(self) -> None: ...


class RejectCounts:
    """How many of which, bounded."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, rejects: Iterable[Reject]) -> None:
        for reject in rejects:
            key = (reject.source, reject.reason[:120])
            if key not in self._counts and len(self._counts) >= MAX_REASONS:
                key = (reject.source, "other")
            self._counts[key] += 1

    def counts(self) -> Mapping[tuple[str, str], int]:
        return dict(sorted(self._counts.items()))


class DeadLetterFile:
    """Two files, ``path`` and ``path`` + ``.1``: when the first is half of ``max_bytes``, it takes the place of the second."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, max_raw_bytes: int = MAX_RAW_BYTES) -> None:
        self._path = path
        self._older = path.with_name(path.name + ".1")
        self._half = max(1, max_bytes // 2)
        self._max_raw_bytes = max(1, min(max_raw_bytes, self._half // 2))
        self._counts = RejectCounts()
        self._lock = threading.Lock()

    def put(self, rejects: Iterable[Reject]) -> int:
        """Append; one write and one flush to the operating system a call."""
        taken = list(rejects)
        if not taken:
            return 0
        with self._lock:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                for block in self._blocks(taken):
                    self._append(block)
            except OSError as exc:
                raise StoreUnavailable(
                    f"cannot write the dead letters {self._path}: {exc.strerror}",
                    hint="free the disk or name another place",
                    retry_after_s=5.0,
                ) from exc
            self._counts.add(taken)
        return len(taken)

    def counts(self) -> Mapping[tuple[str, str], int]:
        with self._lock:
            return self._counts.counts()

    def read(self) -> Iterator[Reject]:
        for path in (self._older, self._path):
            if not path.exists():
                continue
            with path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    if line.endswith(b"\n"):  # the last line may be cut short by a kill
                        yield _read(line, path, number)

    def close(self) -> None:
        """Nothing is held open."""

    def _blocks(self, rejects: Iterable[Reject]) -> Iterator[bytes]:
        block = bytearray()
        for reject in rejects:
            line = to_line(reject, self._max_raw_bytes)
            if block and len(block) + len(line) > self._half:
                yield bytes(block)
                block.clear()
            block += line
        yield bytes(block)

    def _append(self, block: bytes) -> None:
        size = self._path.stat().st_size if self._path.exists() else 0
        if size and size + len(block) > self._half:
            self._path.replace(self._older)
            size = 0
        with self._path.open("ab") as file:
            if size and not _ends_a_line(self._path):
                file.write(b"\n")
            file.write(block)


class MemoryDeadLetters:
    """The same in memory, for tests and one-off runs: the newest ``max_items``."""

    def __init__(self, max_items: int = 10_000) -> None:
        self._max_items = max_items
        self._held: list[Reject] = []
        self._counts = RejectCounts()

    def put(self, rejects: Iterable[Reject]) -> int:
        taken = list(rejects)
        self._held = [*self._held, *taken][-self._max_items :]
        self._counts.add(taken)
        return len(taken)

    def counts(self) -> Mapping[tuple[str, str], int]:
        return self._counts.counts()

    def read(self) -> Iterator[Reject]:
        yield from list(self._held)

    def close(self) -> None:
        """Nothing is held open."""


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"


def to_line(reject: Reject, max_raw_bytes: int) -> bytes:
    """A dead letter as JSON and a line end; at most ``max_raw_bytes`` of what was sent."""
    raw = reject.raw[:max_raw_bytes]
    document: dict[str, object] = {
        "source": reject.source.encode("utf-8", "replace").decode(),
        "reason": reject.reason.encode("utf-8", "replace").decode(),
        "received_at": datetime.fromtimestamp(reject.received_at_s, UTC).isoformat().replace("+00:00", "Z"),
        "offset": reject.offset,
        "size": len(reject.raw),
        "raw": base64.b64encode(raw).decode(),
    }
    if len(raw) < len(reject.raw):
        document["sha256"] = hashlib.sha256(reject.raw).hexdigest()
    return orjson.dumps(document) + b"\n"


def of_line(line: bytes) -> Reject:
    """What :func:`to_line` wrote. Raises ValueError, KeyError or TypeError for what is none."""
    document = orjson.loads(line)
    return Reject(
        source=str(document["source"]),
        reason=str(document["reason"]),
        received_at_s=datetime.fromisoformat(document["received_at"]).timestamp(),
        raw=base64.b64decode(document["raw"], validate=True),
        offset=document["offset"],
    )


def _read(line: bytes, path: Path, number: int) -> Reject:
    try:
        return of_line(line)
    except (KeyError, TypeError, ValueError) as exc:
        raise InputError(
            f"{path}, line {number}: no dead letter ({exc})", file=str(path), line=number
        ) from exc
