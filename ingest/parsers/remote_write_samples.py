"""Samples of remote write as columns: value bits and milliseconds, out of windows of the body or of single messages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from aiops.domain.batches import IntArray
from ingest.parsers.protobuf_wire import BoolArray, fields, signed, varints_of_six

BitArray = npt.NDArray[np.uint64]

#: The NaN that says "this series has ended" (Prometheus, model/value).
STALE_NAN_BITS = 0x7FF0000000000002
#: ``0x09 double 0x10 varint`` of six bytes: every time from 2004 to 2109.
SAMPLE_BYTES = 16
#: The same with the value 0 left out, as protobuf does.
ZERO_BYTES = 7


def samples_at(data: bytes, starts: IntArray) -> tuple[BitArray, IntArray, BoolArray]:
    """Value bits and milliseconds of the samples of :data:`SAMPLE_BYTES` at ``starts``; False where it is no such sample."""
    windows = np.lib.stride_tricks.sliding_window_view(np.frombuffer(data, np.uint8), SAMPLE_BYTES)
    block = windows[starts]
    usual, millis = varints_of_six(block[:, 10:])
    usual &= (block[:, 0] == 0x09) & (block[:, 9] == 0x10)
    bits = np.ascontiguousarray(block[:, 1:9]).view("<u8").reshape(-1).astype(np.uint64, copy=False)
    return bits, millis, usual


def zeros_at(data: bytes, starts: IntArray) -> tuple[IntArray, BoolArray]:
    """Milliseconds of the samples of :data:`ZERO_BYTES` at ``starts``; False where it is no such sample."""
    windows = np.lib.stride_tricks.sliding_window_view(np.frombuffer(data, np.uint8), ZERO_BYTES)
    block = windows[starts]
    usual, millis = varints_of_six(block[:, 1:])
    return millis, usual & (block[:, 0] == 0x10)


def read_sample(raw: bytes) -> tuple[int, int]:
    """(value bits, milliseconds) of a ``Sample`` of any shape. Raises ValueError."""
    bits = millis = 0
    for number, value in fields(raw):
        if number == 1 and isinstance(value, bytes) and len(value) == 8:
            bits = int.from_bytes(value, "little")
        elif number == 2 and isinstance(value, int):
            millis = signed(value)
        elif number in (1, 2):
            raise ValueError("a sample's field is of another type")
    return bits, millis


def read_histogram(raw: bytes) -> tuple[float, int, int]:
    """(count, bits of the sum, milliseconds) of a native ``Histogram``; its buckets are not looked at. Raises ValueError."""
    count: float | None = None
    bits = millis = 0
    for number, value in fields(raw):
        if number == 1 and isinstance(value, int):
            count = float(value)
        elif number == 2 and isinstance(value, bytes) and len(value) == 8:
            count = float(np.frombuffer(value, "<f8")[0])
        elif number == 3 and isinstance(value, bytes) and len(value) == 8:
            bits = int.from_bytes(value, "little")
        elif number == 15 and isinstance(value, int):
            millis = signed(value)
        elif number in (1, 2, 3, 15):
            raise ValueError("a histogram's field is of another type")
    if count is None:
        raise ValueError("a histogram has no count")
    return count, bits, millis


def sample_columns(raw: Sequence[bytes]) -> tuple[BitArray, IntArray, dict[int, str]]:
    """Value bits and milliseconds of raw ``Sample`` messages, and what was wrong with which of them."""
    data = b"".join(raw)
    sizes = np.fromiter(map(len, raw), dtype=np.int64, count=len(raw))
    starts = np.cumsum(sizes) - sizes
    bits, millis = np.zeros(len(raw), dtype=np.uint64), np.zeros(len(raw), dtype=np.int64)
    done = np.zeros(len(raw), dtype=np.bool_)
    full, zero = np.flatnonzero(sizes == SAMPLE_BYTES), np.flatnonzero(sizes == ZERO_BYTES)
    if full.size:
        bits[full], millis[full], done[full] = samples_at(data, starts[full])
    if zero.size:
        millis[zero], done[zero] = zeros_at(data, starts[zero])
    wrong: dict[int, str] = {}
    for row in np.flatnonzero(~done).tolist():
        try:
            row_bits, row_millis = read_sample(raw[row])
        except ValueError as problem:
            wrong[row] = str(problem)
        else:
            bits[row], millis[row] = row_bits, row_millis
    return bits, millis, wrong
