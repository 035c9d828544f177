"""Messages out of a TCP stream: octet counting and newline framing (RFC 6587, RFC 5425), told apart per connection.

A stream whose first byte is a digit 1-9 counts octets, any other is cut at newlines; RFC 6587 section 3.4.1. A counting
stream that loses its place goes on at the next newline.

A piece of lines is cut in arrays and copied once. A count is refused by its digits before a byte of its message is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiops.domain.batches import IntArray, Payloads

MAX_MESSAGE_BYTES = 256 << 10
MAX_COUNT_DIGITS = 9

_LINE_ENDS = b"\r\n\x00"
#: Below this many bytes cutting line by line is faster than arrays are.
_SMALL_BYTES = 1024
_MAX_PASSES = 4


@dataclass(frozen=True, slots=True)
class FrameReject:
    """Bytes of the stream that are no message: what was kept of them, how many there were, and why."""

    reason: str
    raw: bytes
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Frames:
    """What one piece of the stream completed, in order. ``messages`` are without framing, line ends and NULs."""

    messages: Sequence[bytes]
    rejects: tuple[FrameReject, ...]


class SyslogFramer:
    """Cuts one connection's bytes into messages. Holds at most ``max_message_bytes`` and one piece more."""

    def __init__(
        self, *, max_message_bytes: int = MAX_MESSAGE_BYTES, max_count_digits: int = MAX_COUNT_DIGITS
    ) -> None:
        self._max_bytes = max_message_bytes
        self._max_digits = max_count_digits
        self._buffer = bytearray()
        self._wanted = 0  # bytes in the buffer below which nothing can be completed
        self._wants_newline = False  # nothing can be completed without one, or by growing too long
        self._counting: bool | None = None
        self._skip_bytes = 0  # of an oversized counted message
        self._skip_line = False  # until the end of an oversized line
        self._skipped = 0
        self._skipped_head = b""
        self._messages: list[bytes] = []
        self._block: Payloads | None = None
        self._rejects: list[FrameReject] = []

    @property
    def held_bytes(self) -> int:
        """What is kept of a message that is not complete yet; 0 between two messages."""
        skipping = bool(self._skip_bytes or self._skip_line)
        return len(self._buffer) + len(self._skipped_head) + skipping

    def feed(self, data: bytes) -> Frames:
        """The messages that ``data`` completes."""
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._wanted or (self._wants_newline and not self._may_end(data)):
                return Frames((), ())
            data = bytes(self._buffer)
            self._buffer.clear()
        self._wanted, self._wants_newline = 0, False
        at = self._run(data)
        self._buffer += data if not at else data[at:]
        return self._take()

    def close(self) -> Frames:
        """The end of the stream: a last line without its newline is a message, half a counted one is a reject."""
        if self._skip_bytes or self._skip_line:
            self._end_skip()
        elif self._buffer and self._counting:
            self._reject("the connection ended inside a counted message", bytes(self._buffer))
        elif self._buffer:
            self._emit(bytes(self._buffer))
        self._buffer.clear()
        return self._take()

    def _may_end(self, data: bytes) -> bool:
        return b"\n" in data or len(self._buffer) > self._max_bytes

    def _take(self) -> Frames:
        messages: Sequence[bytes] = self._block if self._block is not None else ()
        if self._messages:
            messages = Payloads.of([*messages, *self._messages])
        frames = Frames(messages, tuple(self._rejects))
        self._messages, self._block, self._rejects = [], None, []
        return frames

    def _run(self, data: bytes) -> int:
        """Take all that is complete; where what is left begins."""
        at, size = 0, len(data)
        while at < size:
            if self._skip_bytes:
                taken = min(self._skip_bytes, size - at)
                self._skip(data[at : at + taken])
                at += taken
            elif self._skip_line:
                end = data.find(b"\n", at) + 1
                self._skip(data[at : end or size], ended=end > 0)
                at = end or size
            else:
                if self._counting is None:
                    self._counting = data[at] in b"123456789"
                begun = at
                at, more = self._count(data, at) if self._counting else self._lines(data, at)
                if more or (at == begun and not self._skip_line):
                    break
        return at

    def _lines(self, data: bytes, at: int) -> tuple[int, bool]:
        """Messages up to the last newline; where the rest begins, and whether more bytes are needed."""
        end = data.rfind(b"\n", at) + 1
        if end:
            self._cut(data if at == 0 and end == len(data) else data[at:end])
            at = end
        if len(data) - at > self._max_bytes:
            self._skip_line = True
            return at, False
        self._wants_newline = True
        return at, True

    def _cut(self, lines: bytes) -> None:
        """Whole lines, each with its newline."""
        if len(lines) >= _SMALL_BYTES and not self._messages and self._block is None:
            block = _cut_in_arrays(lines, self._max_bytes)
            if block is not None:
                self._block = block
                return
        for line in lines[:-1].split(b"\n"):
            if len(line) > self._max_bytes:
                self._reject(f"longer than {self._max_bytes} bytes", line)
            else:
                self._emit(line)

    def _count(self, data: bytes, at: int) -> tuple[int, bool]:
        """Counted messages from ``at`` on; where the first that is not complete begins, and whether more bytes are needed."""
        size, digits, keep = len(data), self._max_digits, self._messages.append
        while at < size:
            first = data[at]
            if first in b"\r\n":  # some senders add a line end to a counted message
                at += 1
                continue
            blank = data.find(b" ", at, at + digits + 1)
            count = data[at : blank if blank >= 0 else at + digits + 1]
            if first == 0x30 or not count.isdigit() or len(count) > digits:
                return self._resume_at_newline(data, at)
            if blank < 0:
                return at, True
            length, start = int(count), blank + 1
            if length > self._max_bytes:
                self._skip_bytes = length
                return start, False
            end = start + length
            if end > size:
                self._wanted = end - at
                return at, True
            message = data[start:end].rstrip(_LINE_ENDS)
            if message:
                keep(message)
            at = end
        return at, True

    def _resume_at_newline(self, data: bytes, at: int) -> tuple[int, bool]:
        """No count stands where one must: give up this line, judge the framing anew after it."""
        end = data.find(b"\n", at)
        if end >= 0:
            self._reject("no octet count stands where one must", data[at:end])
            self._counting = None
            return end + 1, False
        if len(data) - at > self._max_bytes:
            self._skip_line, self._counting = True, None
            return at, False
        self._wants_newline = True
        return at, True

    def _skip(self, raw: bytes, *, ended: bool = False) -> None:
        if not self._skipped:
            self._skipped_head = raw[: self._max_bytes]
        self._skipped += len(raw)
        self._skip_bytes = max(0, self._skip_bytes - len(raw))
        if ended or (not self._skip_line and not self._skip_bytes):
            self._end_skip()

    def _end_skip(self) -> None:
        reason = f"longer than {self._max_bytes} bytes; the head is kept"
        self._rejects.append(FrameReject(reason, self._skipped_head, self._skipped))
        self._skip_bytes, self._skip_line, self._skipped, self._skipped_head = 0, False, 0, b""

    def _emit(self, message: bytes) -> None:
        message = message.rstrip(_LINE_ENDS)
        if message:
            self._messages.append(message)

    def _reject(self, reason: str, raw: bytes) -> None:
        self._rejects.append(FrameReject(reason, raw[: self._max_bytes], len(raw)))


def _cut_in_arrays(lines: bytes, max_bytes: int) -> Payloads | None:
    """The lines without their ends, empty ones left out; None where they must be looked at one by one."""
    ends = _newlines(lines)
    if int(np.diff(ends, prepend=-1).max()) - 1 > max_bytes:
        return None
    for _ in range(_MAX_PASSES):
        if b"\r\n" not in lines and b"\x00\n" not in lines:
            break
        lines = lines.replace(b"\r\n", b"\n").replace(b"\x00\n", b"\n")
        ends = _newlines(lines)
    else:
        return None
    offsets = np.zeros(len(ends) + 1, dtype=np.int64)
    np.subtract(ends, np.arange(len(ends)), out=offsets[1:])
    lengths = np.diff(offsets)
    if not lengths.all():
        offsets = np.concatenate((offsets[:1], offsets[1:][lengths > 0]))
    return Payloads(lines.replace(b"\n", b""), offsets)


def _newlines(lines: bytes) -> IntArray:
    return np.flatnonzero(np.frombuffer(lines, dtype=np.uint8) == 0x0A)
