"""Recorded telemetry, byte for byte: the stream files of a folder in the format ``aiops-recording/1``.

A stream file is an ordinary ``.zst`` file (RFC 8878): zstd frames one after another, each holding whole
records, so that reading needs the memory of one zstd frame and not of the stream. Uncompressed, a record is::

    float64  arrival time, seconds since the epoch     (big-endian, as all numbers here)
    uint16   length of the peer, in bytes
    bytes    peer, UTF-8: "udp 10.77.1.10:51234", "tcp 10.77.2.11:40022#1", "http 127.0.0.1:40100"
    uint32   length of the payload, in bytes
    bytes    payload

The payload is one UDP datagram or one TCP ``recv`` of syslog, one remote-write body **after** snappy
decompression, or one Alertmanager webhook body. It stands apart from the parsers because it knows nothing of
what the bytes say.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import cramjam

from aiops.errors import RecordingError

FORMAT = "aiops-recording/1"
SYSLOG_FILE = "syslog.bin.zst"
REMOTE_WRITE_FILE = "remote_write.bin.zst"
ALERTMANAGER_FILE = "alertmanager.bin.zst"
STREAM_FILES = (SYSLOG_FILE, REMOTE_WRITE_FILE, ALERTMANAGER_FILE)

#: A writer closes a zstd frame once this much is in it.
BLOCK_BYTES = 8 * 1024 * 1024
#: No zstd frame may hold more than this, decompressed; it bounds the reader's memory.
MAX_BLOCK_BYTES = 32 * 1024 * 1024
MAX_PAYLOAD_BYTES = 16 * 1024 * 1024

_MAGIC = b"\x28\xb5\x2f\xfd"
_HEAD = struct.Struct(">dH")
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Frame:
    """One arrival: when (seconds since the epoch), from whom, and exactly which bytes."""

    at: float
    peer: str
    payload: bytes


def encode_frame(frame: Frame) -> bytes:
    """The record of ``frame``, uncompressed. Raises :class:`RecordingError` for a field that is too long."""
    peer = frame.peer.encode()
    if len(peer) > 0xFFFF or len(frame.payload) > MAX_PAYLOAD_BYTES:
        raise RecordingError(
            f"a record with {len(peer)} bytes of peer and {len(frame.payload)} bytes of payload is too long",
            hint=f"at most 65535 and {MAX_PAYLOAD_BYTES} bytes",
        )
    return _HEAD.pack(frame.at, len(peer)) + peer + _LENGTH.pack(len(frame.payload)) + frame.payload


def write_frames(
    path: Path, frames: Iterable[Frame], *, level: int = 15, block_bytes: int = BLOCK_BYTES
) -> int:
    """Write ``frames`` to ``path`` and return how many there were. Memory: one block."""
    count = 0
    block = bytearray()
    with path.open("wb") as file:
        for frame in frames:
            record = encode_frame(frame)
            if block and len(block) + len(record) > block_bytes:
                file.write(_compress(block, level))
                block.clear()
            block += record
            count += 1
        if block:
            file.write(_compress(block, level))
    return count


def read_frames(path: Path) -> Iterator[Frame]:
    """The records of ``path`` in the order in which they arrived, read lazily.

    Raises :class:`RecordingError` with ``file`` and ``offset`` (bytes into the compressed file at which the
    zstd frame with the fault starts) once what is truncated or corrupt is reached; what came before has been
    yielded.
    """
    try:
        file = path.open("rb")
    except OSError as exc:
        raise RecordingError(f"cannot open {path}: {exc.strerror}", file=str(path), offset=0) from exc
    with file:
        while True:
            offset = file.tell()
            packed = _read_zstd_frame(file, path, offset)
            if packed is None:
                return
            yield from _decode_block(_decompress(packed, path, offset), path, offset)


def _compress(block: bytearray, level: int) -> bytes:
    return bytes(cramjam.zstd.compress(bytes(block), level=level))


def _fault(path: Path, offset: int, what: str) -> RecordingError:
    return RecordingError(
        f"{path}: {what} in the zstd frame at byte {offset}",
        hint="the file is damaged; fetch it again",
        file=str(path),
        offset=offset,
    )


def _take(file: BufferedReader, size: int, path: Path, offset: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise _fault(path, offset, "the file ends too early")
    return data


def _read_zstd_frame(file: BufferedReader, path: Path, offset: int) -> bytes | None:
    """One zstd frame, still compressed; None at the end. Its length follows from RFC 8878, section 3.1.1."""
    magic = file.read(4)
    if not magic:
        return None
    if magic != _MAGIC:
        raise _fault(path, offset, "no zstd magic number" if len(magic) == 4 else "the file ends too early")
    descriptor = _take(file, 1, path, offset)
    single_segment = descriptor[0] & 0x20
    size_bytes = (1 if single_segment else 0, 2, 4, 8)[descriptor[0] >> 6]
    if not size_bytes or descriptor[0] & 0x08:
        raise _fault(path, offset, "no content size")
    skipped = (0 if single_segment else 1) + (0, 1, 2, 4)[descriptor[0] & 0x03]
    header = _take(file, skipped + size_bytes, path, offset)
    content_size = int.from_bytes(header[skipped:], "little") + (256 if size_bytes == 2 else 0)
    if content_size > MAX_BLOCK_BYTES:
        raise _fault(path, offset, f"a content size of {content_size} bytes, more than {MAX_BLOCK_BYTES},")
    parts = [magic, descriptor, header]
    total = 0
    last = False
    while not last:
        block_header = _take(file, 3, path, offset)
        value = int.from_bytes(block_header, "little")
        last, kind, size = bool(value & 1), (value >> 1) & 3, value >> 3
        if kind == 3 or total > MAX_BLOCK_BYTES:
            raise _fault(path, offset, "an invalid block")
        body = _take(file, 1 if kind == 1 else size, path, offset)
        total += len(body) + 3
        parts += [block_header, body]
    if descriptor[0] & 0x04:
        parts.append(_take(file, 4, path, offset))
    return b"".join(parts)


def _decompress(packed: bytes, path: Path, offset: int) -> bytes:
    try:
        return bytes(cramjam.zstd.decompress(packed))
    except (cramjam.DecompressionError, OSError, ValueError) as exc:
        raise _fault(path, offset, f"undecodable data ({exc})") from exc


def _decode_block(block: bytes, path: Path, offset: int) -> Iterator[Frame]:
    at = 0
    while at < len(block):
        if at + _HEAD.size > len(block):
            raise _fault(path, offset, f"a record cut short at byte {at} of the decompressed data")
        arrived, peer_size = _HEAD.unpack_from(block, at)
        peer_at = at + _HEAD.size
        payload_at = peer_at + peer_size + _LENGTH.size
        if payload_at > len(block):
            raise _fault(path, offset, f"a record cut short at byte {at} of the decompressed data")
        (payload_size,) = _LENGTH.unpack_from(block, peer_at + peer_size)
        if payload_at + payload_size > len(block):
            raise _fault(path, offset, f"a record cut short at byte {at} of the decompressed data")
        try:
            peer = block[peer_at : peer_at + peer_size].decode()
        except UnicodeDecodeError as exc:
            raise _fault(
                path, offset, f"a peer that is not UTF-8 at byte {at} of the decompressed data"
            ) from exc
        yield Frame(arrived, peer, block[payload_at : payload_at + payload_size])
        at = payload_at + payload_size
