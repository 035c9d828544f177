"""A batch of lines as one block of bytes: where each begins and ends, and looks at many places of it at once.

The kernels work on arrays of places in this block. They never make an object a line, and copy nothing before the columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from aiops.domain.batches import IntArray, Payloads

BoolArray = npt.NDArray[np.bool_]
WordArray = npt.NDArray[np.uint64]

#: Zero bytes after the last line, so that a window at any place stays inside the block.
PADDING = 64
#: A place beyond every line.
NOWHERE = 1 << 62

_LINE_ENDS = (0x0A, 0x0D, 0x00)
_MAX_LINE_ENDS = 4
_LAST_BYTES = np.array(
    [0xFFFFFFFFFFFFFFFF << 8 * (8 - size) & 0xFFFFFFFFFFFFFFFF for size in range(9)], dtype=np.uint64
)


@dataclass(frozen=True, slots=True)
class LineBlock:
    """Line ``i`` is ``data[start[i]:end[i]]``, its line end (CR, LF, NUL) cut off.

    ``sound``: the lines that a kernel may take: UTF-8, not too long, and with at most four bytes of line end.
    ``garbled``: the lines that are no UTF-8. ``data`` has PADDING zero bytes more than the lines need.
    """

    data: bytes
    start: IntArray
    end: IntArray
    sound: BoolArray
    garbled: IntArray
    ascii_only: bool
    _places: dict[int, IntArray] = field(default_factory=dict, repr=False)
    _rows: dict[bytes, IntArray] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, payloads: Payloads, *, max_line_bytes: int) -> LineBlock:
        """The block of ``payloads``: their bytes are copied once, to add the padding."""
        data = payloads.data + bytes(PADDING)
        buffer = np.frombuffer(data, dtype=np.uint8)
        start, end = payloads.offsets[:-1], payloads.offsets[1:].copy()
        sound = end - start <= max_line_bytes
        for _ in range(_MAX_LINE_ENDS):
            last = buffer[end - 1]
            trailing = (last <= _LINE_ENDS[1]) & (end > start)
            if not trailing.any():
                break
            trailing &= np.isin(last, _LINE_ENDS)
            end -= trailing
        else:
            sound &= ~((end > start) & np.isin(buffer[end - 1], _LINE_ENDS))
        garbled = np.zeros(0, dtype=np.int64)
        ascii_only = payloads.data.isascii()
        if not ascii_only:
            garbled = _garbled(payloads, buffer)
            sound[garbled] = False
        return cls(data, start, end, sound, garbled, ascii_only)

    def bytes_at(self, at: IntArray) -> npt.NDArray[np.uint8]:
        """The byte at each place."""
        found: npt.NDArray[np.uint8] = np.frombuffer(self.data, dtype=np.uint8)[at]
        return found

    def words_at(self, at: IntArray, count: int = 1) -> WordArray:
        """The ``8 * count`` bytes from each place on, as ``count`` little-endian numbers: shape (places, count)."""
        size = 8 * count
        windows = np.ndarray((len(self.data) - size + 1,), f"V{size}", self.data, strides=(1,))
        return windows[at].view("<u8").reshape(len(at), count)

    def places_of(self, byte: int) -> IntArray:
        """Where ``byte`` stands, ascending, and eight times NOWHERE."""
        known = self._places.get(byte)
        if known is None:
            buffer = np.frombuffer(self.data, dtype=np.uint8)
            known = np.concatenate((np.flatnonzero(buffer == byte), np.full(8, NOWHERE)))
            self._places[byte] = known
        return known

    def places_unprintable(self) -> IntArray:
        """Where a byte stands that is neither a blank nor printable ASCII, ascending, and NOWHERE; the padding left out."""
        buffer = np.frombuffer(self.data, dtype=np.uint8)[:-PADDING]
        return np.append(np.flatnonzero((buffer - np.uint8(32)) > 94), NOWHERE)

    def rows_with(self, text: bytes) -> IntArray:
        """The lines that contain ``text``, ascending."""
        known = self._rows.get(text)
        if known is None:
            places: list[int] = []
            at = self.data.find(text)
            while at >= 0:
                places.append(at)
                at = self.data.find(text, at + 1)
            known = np.unique(np.searchsorted(self.start, np.array(places, dtype=np.int64), side="right") - 1)
            self._rows[text] = known
        return known


def rows_told_inside(
    block: LineBlock, rows: IntArray, nameless: BoolArray, timeless: BoolArray | None
) -> IntArray:
    """Lines whose message may name a host or a time that counts: ``devname=`` always, the others among those of ``rows``
    whose header has none. The exact parser looks closer."""
    told = block.rows_with(b"devname=")
    if timeless is not None and timeless.any():
        told = np.union1d(told, np.intersect1d(rows[timeless], block.rows_with(b"time=")))
    if nameless.any():
        signs = [b"device_name=", b"dvchost="]
        if b'"' in block.data:
            signs += [b'"appliance"', b'"hostname"', b'"host"']
        spoken = np.concatenate([block.rows_with(sign) for sign in signs])
        told = np.union1d(told, np.intersect1d(rows[nameless], spoken))
    return told


def are_digits(block: LineBlock, end: IntArray, size: IntArray) -> BoolArray:
    """Whether the ``size`` bytes, none to eight, before ``end`` are digits."""
    words = block.words_at(np.maximum(end - 8, 0))[:, 0] ^ np.uint64(0x3030303030303030)
    counted = words & _LAST_BYTES[size]
    good: BoolArray = ((counted + np.uint64(0x7676767676767676)) | counted) & np.uint64(
        0x8080808080808080
    ) == 0
    return good & (end >= 8)


def judge_texts(block: LineBlock, start: IntArray, end: IntArray, accept: Callable[[str], bool]) -> BoolArray:
    """Whether each text is accepted; the distinct ones are asked about once."""
    texts = spans_of(block.data, start, end).dictionary_encode()
    verdicts = np.array([accept(text) for text in distinct_of(texts)], dtype=np.bool_)
    return verdicts[texts.indices.to_numpy()] if len(verdicts) else np.zeros(0, dtype=np.bool_)


def distinct_of(texts: pa.DictionaryArray) -> list[str]:
    """The distinct ones; a span of hostile bytes may begin or end inside a character."""
    return [text.decode(errors="replace") for text in texts.dictionary.cast(pa.binary()).to_pylist()]


def spans_of(data: bytes | pa.Buffer, start: IntArray, end: IntArray) -> pa.StringArray:
    """The texts ``data[start[i]:end[i]]``; ``start`` and ``end`` ascend together and do not overlap."""
    offsets = np.empty(2 * len(start) + 1, dtype=np.int32)
    offsets[0:-1:2], offsets[1::2], offsets[-1] = start, end, end[-1] if len(end) else 0
    spans = pa.StringArray.from_buffers(2 * len(start), pa.py_buffer(offsets), pa.py_buffer(data))
    return spans.take(pa.array(np.arange(0, 2 * len(start), 2)))


def _garbled(payloads: Payloads, buffer: npt.NDArray[np.uint8]) -> IntArray:
    """The rows of the payloads that are no UTF-8."""
    high = np.flatnonzero(buffer >= 0x80)
    rows = np.unique(np.searchsorted(payloads.offsets, high, side="right") - 1)
    start, end = payloads.offsets[rows], payloads.offsets[rows + 1]
    try:
        spans_of(payloads.data, start, end).cast(pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        return np.array([row for row in rows.tolist() if not _is_utf8(payloads[row])], dtype=np.int64)
    return np.zeros(0, dtype=np.int64)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
