"""What the kernels find: for every line of a batch the places of its fields, filled in by rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt

from aiops.domain.batches import FloatArray, IntArray
from ingest.parsers.syslog_block import BoolArray

#: The fields that are bytes of the line itself.
FIELDS = ("host", "app", "procid", "msgid", "message")


@dataclass(frozen=True, slots=True)
class Spans:
    """Arrays by row of the batch; they mean something where ``taken``.

    ``start``, ``end``: by field, the places of its bytes; equal where the line does not have it (``message``: is empty).
    ``priority``: -1 where there is none. ``device_s``: epoch seconds, NaN where the line names no time.
    ``data_of``: index into ``documents``, the structured data as JSON; -1 where there is none.
    """

    taken: BoolArray
    priority: npt.NDArray[np.int16]
    device_s: FloatArray
    start: dict[str, IntArray]
    end: dict[str, IntArray]
    data_of: IntArray
    documents: list[str] = field(default_factory=list)

    @classmethod
    def empty(cls, line_start: IntArray, priority: npt.NDArray[np.int16]) -> Self:
        """Nothing taken yet: fields are empty, at the beginning of their lines."""
        size = len(line_start)
        return cls(
            np.zeros(size, dtype=np.bool_),
            priority,
            np.full(size, np.nan),
            {name: line_start.copy() for name in FIELDS},
            {name: line_start.copy() for name in FIELDS},
            np.full(size, -1, dtype=np.int64),
        )

    def put(self, name: str, rows: IntArray, start: IntArray, end: IntArray) -> None:
        """The places of one field in ``rows``."""
        self.start[name][rows] = start
        self.end[name][rows] = end

    def put_documents(self, rows: IntArray, which: IntArray, documents: list[str]) -> None:
        """Structured data: that of row ``rows[i]`` is ``documents[which[i]]``."""
        self.data_of[rows] = which + len(self.documents)
        self.documents.extend(documents)
