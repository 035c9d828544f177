"""Messages out of a TCP stream: octet counting and newline framing (RFC 6587, RFC 5425), told apart per connection.

A stream whose first byte is a digit 1-9 counts octets, any other is cut at newlines; RFC 6587 section 3.4.1. A counting
stream that loses its place goes on at the next newline.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MAX_MESSAGE_BYTES = 256 << 10
MAX_COUNT_DIGITS = 9

_DIGITS = b"0123456789"


@dataclass(frozen=True, slots=True)
class FrameReject:
    """Bytes of the stream that are no message: what was kept of them, how many there were, and why."""

    reason: str
    raw: bytes
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Frames:
    """What one piece of the stream completed, in order. ``messages`` are without framing."""

    messages: tuple[bytes, ...]
    rejects: tuple[FrameReject, ...]


class SyslogFramer:
    """Cuts one connection's bytes into messages. Holds at most ``max_message_bytes`` and one piece more."""

    def __init__(
        self, *, max_message_bytes: int = MAX_MESSAGE_BYTES, max_count_digits: int = MAX_COUNT_DIGITS
    ) -> None:
        self._max_bytes = max_message_bytes
        self._max_digits = max_count_digits
        self._buffer = b""
        self._counting: bool | None = None
        self._skip_bytes = 0  # of an oversized counted message
        self._skip_line = False  # until the end of an oversized line
        self._skipped = 0
        self._skipped_head = b""
        self._messages: list[bytes] = []
        self._rejects: list[FrameReject] = []

    @property
    def held_bytes(self) -> int:
        """What is kept of a message that is not complete yet; 0 between two messages."""
        skipping = bool(self._skip_bytes or self._skip_line)
        return len(self._buffer) + len(self._skipped_head) + skipping

    def feed(self, data: bytes) -> Frames:
        """The messages that ``data`` completes."""
        self._buffer += data
        while self._step():
            pass
        return self._take()

    def close(self) -> Frames:
        """The end of the stream: a last line without its newline is a message, half a counted one is a reject."""
        if self._skip_bytes or self._skip_line:
            self._end_skip()
        elif self._buffer and self._counting:
            self._reject("the connection ended inside a counted message", self._buffer)
        elif self._buffer:
            self._emit(self._buffer)
        self._buffer = b""
        return self._take()

    def _take(self) -> Frames:
        frames = Frames(tuple(self._messages), tuple(self._rejects))
        self._messages, self._rejects = [], []
        return frames

    def _step(self) -> bool:
        """One move; False: more bytes are needed."""
        if not self._buffer:
            return False
        if self._skip_bytes:
            self._skip(min(self._skip_bytes, len(self._buffer)))
            return True
        if self._skip_line:
            end = self._buffer.find(b"\n")
            self._skip(len(self._buffer) if end < 0 else end + 1, ended=end >= 0)
            return True
        if self._counting is None:
            self._counting = self._buffer[0] in b"123456789"
        return self._count() if self._counting else self._lines()

    def _lines(self) -> bool:
        end = self._buffer.rfind(b"\n")
        if end >= 0:
            whole, self._buffer = self._buffer[:end], self._buffer[end + 1 :]
            for line in whole.split(b"\n"):
                if len(line) > self._max_bytes:
                    self._reject(f"longer than {self._max_bytes} bytes", line)
                else:
                    self._emit(line)
            return True
        if len(self._buffer) > self._max_bytes:
            self._skip_line = True
            return True
        return False

    def _count(self) -> bool:
        self._buffer = self._buffer.lstrip(b"\n\r")  # some senders add a line end to a counted message
        digits = len(self._buffer) - len(self._buffer.lstrip(_DIGITS))
        if (
            digits > self._max_digits
            or self._buffer[digits : digits + 1] not in (b"", b" ")
            or self._buffer[:1] == b"0"
        ):
            return self._resume_at_newline()
        if digits == len(self._buffer):
            return False
        size = int(self._buffer[:digits])
        if size > self._max_bytes:
            self._buffer = self._buffer[digits + 1 :]
            self._skip_bytes = size
            return True
        end = digits + 1 + size
        if len(self._buffer) < end:
            return False
        message, self._buffer = self._buffer[digits + 1 : end], self._buffer[end:]
        self._emit(message)
        return bool(self._buffer)

    def _resume_at_newline(self) -> bool:
        """No count stands where one must: give up this line, judge the framing anew after it."""
        end = self._buffer.find(b"\n")
        if end >= 0:
            line, self._buffer = self._buffer[:end], self._buffer[end + 1 :]
            self._reject("no octet count stands where one must", line)
            self._counting = None
            return True
        if len(self._buffer) > self._max_bytes:
            self._skip_line, self._counting = True, None
            return True
        return False

    def _skip(self, size: int, *, ended: bool = False) -> None:
        if not self._skipped:
            self._skipped_head = self._buffer[: min(size, self._max_bytes)]
        self._skipped += size
        self._buffer = self._buffer[size:]
        self._skip_bytes = max(0, self._skip_bytes - size)
        if ended or (not self._skip_line and not self._skip_bytes):
            self._end_skip()

    def _end_skip(self) -> None:
        reason = f"longer than {self._max_bytes} bytes; the head is kept"
        self._rejects.append(FrameReject(reason, self._skipped_head, self._skipped))
        self._skip_bytes, self._skip_line, self._skipped, self._skipped_head = 0, False, 0, b""

    def _emit(self, message: bytes) -> None:
        message = message.rstrip(b"\r\n\x00")
        if message:
            self._messages.append(message)

    def _reject(self, reason: str, raw: bytes) -> None:
        self._rejects.append(FrameReject(reason, raw[: self._max_bytes], len(raw)))


def split_frames(pieces: Iterable[bytes], *, max_message_bytes: int = MAX_MESSAGE_BYTES) -> Frames:
    """All messages of one connection, given as the pieces that were read."""
    framer = SyslogFramer(max_message_bytes=max_message_bytes)
    parts = [framer.feed(piece) for piece in pieces]
    parts.append(framer.close())
    return Frames(
        tuple(message for part in parts for message in part.messages),
        tuple(reject for part in parts for reject in part.rejects),
    )
