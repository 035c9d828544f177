"""Protobuf's wire format by hand, for messages that are read as columns: varints, fields, varints of a whole array.

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from aiops.domain.batches import IntArray

ByteArray = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]

_MASK = 0xFFFFFFFFFFFFFFFF


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The varint at ``at`` and the position after it. Raises ValueError where there is none within ten bytes."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("a number is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _MASK, at
    raise ValueError("a number is longer than ten bytes")


def write_varint(value: int) -> bytes:
    """``value`` as a varint; negative numbers as their 64-bit complement."""
    out = bytearray()
    value &= _MASK
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value: int) -> int:
    """An int64 out of the unsigned number that a varint is."""
    return value - (1 << 64) if value >> 63 else value


def fields(data: bytes) -> tuple[tuple[int, int | bytes], ...]:
    """(field number, value) of a message: varints as numbers, everything else as bytes. Raises ValueError."""
    found: list[tuple[int, int | bytes]] = []
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        wire = tag & 7
        value: int | bytes
        if wire == 0:
            value, at = read_varint(data, at)
        elif wire in (1, 2, 5):
            size = {1: 8, 5: 4}.get(wire, 0)
            if wire == 2:
                size, at = read_varint(data, at)
            value, at = data[at : at + size], at + size
            if at > len(data):
                raise ValueError("a field is cut off")
        else:
            raise ValueError(f"wire type {wire} is not used here")
        found.append((tag >> 3, value))
    return tuple(found)


def check_count(data: bytes, path: Sequence[tuple[int, ...]], limit: int) -> None:
    """Raises ValueError where the messages along ``path`` (field numbers of each level, the outermost first) have more than
    ``limit`` fields: a generated class makes an object of each, however short. Bytes that are no message are left to its parser.
    """
    left = limit
    spans = [(0, len(data))]
    for numbers in path:
        tags = frozenset(number << 3 | 2 for number in numbers)
        inner: list[tuple[int, int]] = []
        for start, stop in spans:
            at = start
            while at < stop:
                left -= 1
                if left < 0:
                    raise ValueError(f"more than {limit} parts")
                try:
                    tag, at = read_varint(data, at)
                    size = {0: 0, 1: 8, 5: 4}.get(tag & 7, 0)
                    if tag & 7 in (0, 2):
                        size, at = read_varint(data, at)
                except ValueError:
                    return
                if tag in tags:
                    inner.append((at, at + size))
                if tag & 7 != 0:
                    at += size
        spans = inner


def field(number: int, data: bytes) -> bytes:
    """A length-delimited field."""
    return write_varint(number << 3 | 2) + write_varint(len(data)) + data


def varints_of_six(block: ByteArray) -> tuple[BoolArray, IntArray]:
    """For rows of six bytes: which rows are one varint of exactly six bytes (42 bits), and its value."""
    wide = block.astype(np.int64)
    usual = np.all(block[:, :5] >= 0x80, axis=1) & (block[:, 5] < 0x80)
    value = wide[:, 5] << 35
    for column in range(5):
        value |= (wide[:, column] & 0x7F) << (7 * column)
    return usual, value


def packed_varints(data: ByteArray) -> tuple[IntArray, IntArray]:
    """The varints that stand one after the other in ``data``, and the position after each.

    Raises ValueError where one is longer than five bytes (a uint32) or the last is cut off.
    """
    ends = np.flatnonzero(data < 0x80) + 1
    if len(data) and (not len(ends) or ends[-1] != len(data)):
        raise ValueError("a number is cut off")
    starts = np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]]) if len(ends) else ends
    sizes = ends - starts
    value = (data[starts] & 0x7F).astype(np.int64) if len(ends) else ends
    longest = int(sizes.max(initial=1))
    if longest > 5:
        raise ValueError("a number is longer than five bytes")
    for place in range(1, longest):
        more = np.flatnonzero(sizes > place)
        value[more] |= (data[starts[more] + place] & 0x7F).astype(np.int64) << (7 * place)
    return value, ends
