"""Many datagrams a system call: ``recvmmsg(2)`` into one preallocated block.

A call a datagram holds a busy process back: each call gives the interpreter lock away and waits to get it again. Here one
call brings up to ``per_call`` datagrams, and Python touches each only to cut its bytes out of the block.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aiops.domain.batches import IntArray

PER_CALL = 512
MAX_DATAGRAM_BYTES = 65_535
_NAME_BYTES = 28  # sizeof(struct sockaddr_in6)
_SLOT_BYTES = 65_536
_TOUCHED_BYTES = 4 << 20  # more of the block than this in use is given back to the system
_MAX_ADDRESSES = 65_536  # whose text is remembered
_MSG_WAITFORONE = 0x10000  # linux/socket.h


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """``struct msghdr`` of recvmsg(2)."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("iovec", ctypes.c_void_p),
        ("iovec_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Header(ctypes.Structure):
    """``struct mmsghdr`` of recvmmsg(2)."""

    _fields_ = (("message", _Message), ("length", ctypes.c_uint32))


@dataclass(frozen=True, slots=True)
class Datagrams:
    """What one call brought of one sender: payloads back to back, their lengths, the sender's address ("" for a Unix socket)."""

    address: str
    data: bytes
    lengths: IntArray


class DatagramReader:
    """Reads ``sock``, which must block at the level of the system. For one thread. Raises OSError where there is no recvmmsg."""

    def __init__(self, sock: socket.socket, *, wait_s: float, per_call: int = PER_CALL) -> None:
        try:
            self._recvmmsg = ctypes.CDLL(None, use_errno=True).recvmmsg
        except AttributeError as exc:
            raise OSError(
                errno.ENOSYS, "datagrams are read with recvmmsg(2), which this system lacks"
            ) from exc
        sock.setblocking(True)
        whole_s = int(wait_s)
        sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", whole_s, int((wait_s - whole_s) * 1e6))
        )
        self._socket = sock
        self._per_call = per_call
        self._addresses: dict[bytes, str] = {}
        self._block = mmap.mmap(-1, per_call * _SLOT_BYTES)
        self._view = memoryview(self._block)
        self._headers = (_Header * per_call)()
        self._iovecs = (_Iovec * per_call)()
        self._names = (ctypes.c_char * (_NAME_BYTES * per_call))()
        self._point()
        columns = np.dtype(
            {
                "names": ["name_length", "length"],
                "formats": [np.uint32, np.uint32],
                "offsets": [_Message.name_length.offset, _Header.length.offset],
                "itemsize": ctypes.sizeof(_Header),
            }
        )
        table = np.frombuffer(memoryview(self._headers).cast("B"), dtype=columns)
        self._name_lengths, self._lengths = table["name_length"], table["length"]
        self._name_rows: npt.NDArray[np.uint8] = np.frombuffer(
            memoryview(self._names).cast("B"), dtype=np.uint8
        ).reshape(per_call, _NAME_BYTES)

    def _point(self) -> None:
        """Header i gets iovec i, which points to slot i of the block, and name i."""
        block = ctypes.addressof(ctypes.c_char.from_buffer(self._block))
        names, iovecs = ctypes.addressof(self._names), ctypes.addressof(self._iovecs)
        for slot, (header, iovec) in enumerate(zip(self._headers, self._iovecs, strict=True)):
            iovec.base, iovec.length = block + slot * _SLOT_BYTES, MAX_DATAGRAM_BYTES
            header.message.name = names + slot * _NAME_BYTES
            header.message.iovec = iovecs + slot * ctypes.sizeof(_Iovec)
            header.message.iovec_count = 1

    def read(self, *, wait: bool = True) -> tuple[int, Sequence[Datagrams]]:
        """How many datagrams came (0 after ``wait_s``, or at once without ``wait``), and what they were, by sender."""
        self._name_lengths[:] = _NAME_BYTES
        flags = _MSG_WAITFORONE if wait else socket.MSG_DONTWAIT
        count = self._recvmmsg(self._socket.fileno(), self._headers, self._per_call, flags, None)
        if count < 0:
            code = ctypes.get_errno()
            if code in (errno.EAGAIN, errno.EINTR, errno.ECONNREFUSED):
                return 0, ()
            raise OSError(code, os.strerror(code))
        lengths = self._lengths[:count].astype(np.int64)
        groups = tuple(self._of(address, slots, lengths) for address, slots in self._senders(count))
        if lengths.sum() > _TOUCHED_BYTES:
            self._block.madvise(mmap.MADV_DONTNEED)
        return count, groups

    def _senders(self, count: int) -> list[tuple[str, IntArray]]:
        """The slots of each sender."""
        every = np.arange(count)
        if self._socket.family == socket.AF_UNIX:
            return [("", every)]
        start, end = (4, 8) if self._socket.family == socket.AF_INET else (8, 24)
        addresses = np.ascontiguousarray(self._name_rows[:count, start:end])
        if (addresses == addresses[0]).all():
            return [(self._address(addresses[0].tobytes()), every)]
        keys = addresses.view(np.dtype((np.void, end - start))).ravel()
        _distinct, first, which = np.unique(keys, return_index=True, return_inverse=True)
        return [
            (self._address(addresses[first[sender]].tobytes()), np.flatnonzero(which == sender))
            for sender in np.argsort(first)
        ]

    def _address(self, packed: bytes) -> str:
        known = self._addresses.get(packed)
        if known is None:
            if len(self._addresses) >= _MAX_ADDRESSES:
                self._addresses.clear()
            known = self._addresses[packed] = _address_text(packed)
        return known

    def _of(self, address: str, slots: IntArray, lengths: IntArray) -> Datagrams:
        sizes = lengths[slots]
        view = self._view
        starts = slots * _SLOT_BYTES
        pieces = [
            view[start:end] for start, end in zip(starts.tolist(), (starts + sizes).tolist(), strict=True)
        ]
        return Datagrams(address, b"".join(pieces), sizes)


def _address_text(packed: bytes) -> str:
    """``10.0.0.1``, ``2001:db8::1``; an IPv4 address that came through an IPv6 socket is written as IPv4."""
    if len(packed) == 16 and packed.startswith(b"\0" * 10 + b"\xff\xff"):
        packed = packed[12:]
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
