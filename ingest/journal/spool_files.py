"""Files of the spool: written whole, cut, read at a place, and the errors of a disk as ours."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from aiops.errors import AiopsError, BackPressure, StoreUnavailable

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def unavailable(what: str, exc: Exception) -> StoreUnavailable:
    """The disk does not do what is asked."""
    said = exc.strerror if isinstance(exc, OSError) else str(exc)
    return StoreUnavailable(f"{what}: {said}", hint="see to the disk and its rights", retry_after_s=5.0)


def refused(what: str, exc: OSError) -> AiopsError:
    """An append that failed: BackPressure where the disk is full, else StoreUnavailable."""
    if exc.errno not in _FULL:
        return unavailable(what, exc)
    return BackPressure(
        f"{what}: {exc.strerror}", hint="free the disk or give the spool another", retry_after_s=5.0
    )


def sync_folder(folder: Path) -> None:
    """Names made or changed in ``folder`` outlive a loss of power."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def truncate(path: Path, size: int) -> None:
    """Durable when it returns."""
    fd = os.open(path, os.O_WRONLY)
    try:
        os.ftruncate(fd, size)
        os.fsync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, block: bytes) -> None:
    """Raises OSError; some of it may be written then."""
    view = memoryview(block)
    while view:
        view = view[os.write(fd, view) :]


def read_at(fd: int, at: int, size: int) -> bytes:
    """``size`` bytes from ``at``, fewer at the end of the file."""
    parts = []
    while size > 0 and (part := os.pread(fd, size, at)):
        parts.append(part)
        at += len(part)
        size -= len(part)
    return b"".join(parts)
