"""From the places of fields, and from headers read one by one, to Arrow columns in order of arrival."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from aiops.domain.batches import FloatArray, IntArray
from ingest.parsers.syslog_block import LineBlock
from ingest.parsers.syslog_header import Header
from ingest.parsers.syslog_spans import FIELDS, Spans
from ingest.parsers.syslog_vendor import vendor_column

#: The text columns of :class:`HeaderColumns`.
TEXTS = ("host", "app", "procid", "msgid", "structured_data", "message", "vendor")


@dataclass(frozen=True, slots=True)
class HeaderColumns:
    """Headers of a batch, in order of arrival. ``row``: the line's place in the batch, ascending. ``priority``: -1 where
    there is none. ``device_s``: epoch seconds, NaN where the line names no time. ``text``: TEXTS, null where absent."""

    row: IntArray
    priority: npt.NDArray[np.int16]
    device_s: FloatArray
    text: dict[str, pa.StringArray]

    @classmethod
    def of_headers(cls, rows: Sequence[int], headers: Sequence[Header]) -> HeaderColumns:
        """Columns of headers that were read one by one."""
        text = {
            name: pa.array([getattr(header, name) for header in headers], pa.string())
            for name in (*FIELDS, "structured_data")
        }
        return cls(
            np.array(rows, dtype=np.int64),
            np.array(
                [-1 if header.priority is None else header.priority for header in headers], dtype=np.int16
            ),
            np.array([np.nan if header.device_s is None else header.device_s for header in headers]),
            text | {"vendor": vendor_column(text["app"], text["message"])},
        )

    @classmethod
    def of_spans(cls, block: LineBlock, spans: Spans) -> HeaderColumns:
        """Columns of what the kernel took; every field is copied once."""
        rows = np.flatnonzero(spans.taken)
        text = {name: _field(block, spans, name, rows) for name in FIELDS}
        text["structured_data"] = _documents(spans, rows)
        text["vendor"] = vendor_column(text["app"], text["message"])
        return cls(rows, spans.priority[rows], spans.device_s[rows], text)

    def merged(self, other: HeaderColumns) -> HeaderColumns:
        """Both, in order of arrival."""
        if not len(other.row):
            return self
        if not len(self.row):
            return other
        row = np.concatenate((self.row, other.row))
        order = np.argsort(row, kind="stable")
        taken = pa.array(order)
        return HeaderColumns(
            row[order],
            np.concatenate((self.priority, other.priority))[order],
            np.concatenate((self.device_s, other.device_s))[order],
            {name: pa.concat_arrays([self.text[name], other.text[name]]).take(taken) for name in TEXTS},
        )


def _field(block: LineBlock, spans: Spans, name: str, rows: IntArray) -> pa.StringArray:
    start, end = spans.start[name], spans.end[name]
    absent = None
    if name != "message":
        absent = (start == end)[rows]
        if absent.all():
            return pa.nulls(len(rows), pa.string())
        absent = absent if absent.any() else None
    offsets = np.empty(2 * len(start) + 1, dtype=np.int32)
    offsets[0:-1:2], offsets[1::2], offsets[-1] = start, end, len(block.data)
    texts = pa.StringArray.from_buffers(2 * len(start), pa.py_buffer(offsets), pa.py_buffer(block.data))
    return texts.take(pa.array(2 * rows, mask=absent))


def _documents(spans: Spans, rows: IntArray) -> pa.StringArray:
    which = spans.data_of[rows]
    if not spans.documents:
        return pa.nulls(len(rows), pa.string())
    return pa.array(spans.documents, pa.string()).take(pa.array(which, mask=which < 0))
