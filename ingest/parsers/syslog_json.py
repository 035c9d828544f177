"""Columns of syslog headers as lines of JSON, joined column by column: only texts that need an escape are looked at singly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from aiops.domain.batches import FloatArray, IntArray
from ingest.parsers.syslog_columns import HeaderColumns

_MEMBERS = ("host", "app", "procid", "msgid", "structured_data", "message", "vendor")
_NULL = pa.scalar("null")


def json_of_headers(headers: HeaderColumns, stamp: Callable[[float], str | None]) -> pa.StringArray:
    """``{"facility", "severity", "at", "host", "app", "procid", "msgid", "structured_data", "message", "vendor"}`` and a
    line end for every header. ``stamp`` writes whole epoch seconds as ``2026-02-03T04:05:06Z``."""
    pieces: list[pa.StringArray | str] = [_priorities(headers.priority.astype(np.int64))]
    pieces += _times(headers.device_s, stamp)
    for name in _MEMBERS:
        pieces.append(f',"{name}":')
        pieces += _member(headers.text[name], raw=name == "structured_data")
    pieces.append("}\n")
    return pc.binary_join_element_wise(*_joined(pieces), "")


def _joined(pieces: list[pa.StringArray | str]) -> list[pa.StringArray | pa.StringScalar]:
    """Neighbouring constants as one."""
    found: list[pa.StringArray | str] = []
    for piece in pieces:
        if isinstance(piece, str) and found and isinstance(found[-1], str):
            found[-1] += piece
        else:
            found.append(piece)
    return [pa.scalar(piece) if isinstance(piece, str) else piece for piece in found]


def _priorities(priority: IntArray) -> pa.StringArray:
    texts = ['{"facility":null,"severity":null,"at":']
    texts += [f'{{"facility":{value >> 3},"severity":{value & 7},"at":' for value in range(192)]
    return pa.array(texts, pa.string()).take(pa.array(priority + 1))


def _times(device_s: FloatArray, stamp: Callable[[float], str | None]) -> list[pa.StringArray | str]:
    """Texts in quotes, or null. The distinct seconds are written once."""
    known = ~np.isnan(device_s)
    micros = np.rint(np.where(known, device_s, 0.0) * 1e6)
    whole_s = np.floor_divide(micros, 1_000_000)
    part = (micros - whole_s * 1_000_000).astype(np.int64)
    distinct, which = np.unique(whole_s, return_inverse=True)
    texts = [stamp(second) for second in distinct.tolist()]
    known &= np.array([text is not None for text in texts], dtype=np.bool_)[which]
    if not known.any():
        return ["null"]
    heads = pa.array(["" if text is None else f'"{text[:-1]}' for text in texts], pa.string()).take(
        pa.array(which)
    )
    if not part.any():
        if known.all():
            return [heads, 'Z"']
        return [pc.if_else(pa.array(known), pc.binary_join_element_wise(heads, pa.scalar('Z"'), ""), _NULL)]
    written = pc.binary_join_element_wise(heads, _fractions(part), pa.scalar('Z"'), "")
    return [written if known.all() else pc.if_else(pa.array(known), written, _NULL)]


def _fractions(micros: IntArray) -> pa.StringArray:
    """``.5`` of 500000; nothing of 0."""
    digits = np.empty((len(micros), 7), dtype=np.uint8)
    digits[:, 0] = ord(".")
    left = micros
    for place in range(6, 0, -1):
        left, digit = np.divmod(left, 10)
        digits[:, place] = digit + ord("0")
    offsets = np.arange(0, digits.size + 1, 7, dtype=np.int32)
    texts = pa.StringArray.from_buffers(len(micros), pa.py_buffer(offsets), pa.py_buffer(digits.tobytes()))
    return pc.ascii_rtrim(pc.ascii_rtrim(texts, "0"), ".")


def _member(column: pa.StringArray, *, raw: bool) -> list[pa.StringArray | str]:
    """The value of one member; ``raw``: it is JSON already."""
    if column.null_count == len(column):
        return ["null"]
    if raw:
        return [pc.fill_null(column, _NULL)]
    escaped, rows = _escaped(column)
    if not rows.size and not column.null_count:
        return ['"', column, '"']
    quoted = pc.binary_join_element_wise(pa.scalar('"'), column, pa.scalar('"'), "")
    if rows.size:
        mask = np.zeros(len(column), dtype=np.bool_)
        mask[rows] = True
        quoted = pc.replace_with_mask(quoted, pa.array(mask), pa.array(escaped, pa.string()))
    return [pc.fill_null(quoted, _NULL) if column.null_count else quoted]


def _escaped(column: pa.StringArray) -> tuple[list[str], IntArray]:
    """The texts that hold a quote, a backslash or a control character as JSON strings, and their rows."""
    _, offsets, data = column.buffers()
    none: IntArray = np.zeros(0, dtype=np.int64)
    if data is None or not data.size:
        return [], none
    begin = np.frombuffer(offsets, dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    texts = np.frombuffer(data, dtype=np.uint8)[begin[0] : begin[-1]]
    places = np.flatnonzero((texts < 0x20) | (texts == 0x22) | (texts == 0x5C))
    if not places.size:
        return [], none
    rows = np.unique(np.searchsorted(begin, places + begin[0], side="right") - 1)
    return [orjson.dumps(text).decode() for text in column.take(pa.array(rows)).to_pylist()], rows
