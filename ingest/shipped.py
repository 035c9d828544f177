"""Topics that other shippers fill: many small records at once, each with an id made of its own position.

The records of a poll are read as one batch; a replay may cut them otherwise, so that no id may depend on what came along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa

from aiops.domain.batches import EventBatch, FloatArray
from ingest.journal.seams import Delivered
from ingest.parsers.shippers import parse_shipped
from ingest.parsers.syslog import parse_syslog
from ingest.processor import Processor

_TICK_S = 1e-6


class ShippedProcessor(Processor):
    """As :class:`ingest.processor.Processor`, for records that are lines and documents of others. A record that is neither is a
    reject with its bytes."""

    #: How the counters call it.
    source = "kafka"

    def _effects(self, records: Sequence[Delivered]) -> None:
        """Where a batch breaks the worker, its records are tried one by one, so that only what is poisonous is set aside."""
        try:
            self._insist(partial(self._take_shipped, records))
        except self.unstoppable:
            raise
        except Exception:  # noqa: BLE001 - the records' boundary: each of them is tried by itself below
            for record in records:
                self._insist(partial(self._guarded, record, partial(self._take_shipped, [record])))

    def _take_shipped(self, records: Sequence[Delivered]) -> None:
        for batch in read_shipped(records, self.source):
            self._worker.take_events(batch)


def shipped_processor(source: str) -> type[ShippedProcessor]:
    """The class for topics that the counters call ``source``."""
    return type("ShippedProcessor", (ShippedProcessor,), {"source": source})


def read_shipped(records: Sequence[Delivered], source: str) -> list[EventBatch]:
    """Events of ``records``, which are of one partition and ascend: documents first, then lines. Empty batches are left out."""
    arrivals = _arrivals(records)
    shipped = parse_shipped([record.value for record in records], source=source, received_at_s=arrivals)
    lines = parse_syslog(shipped.lines)
    position = records[0].position
    found = []
    for kind, batch in (("d", shipped.events), ("l", lines)):
        if batch.table.num_rows or batch.rejects:
            table = _named(batch.table, records, arrivals)
            found.append(replace(batch, table=table, position=f"{position}{kind}"))
    return found


def _arrivals(records: Sequence[Delivered]) -> FloatArray:
    """When each record was appended, moved by a microsecond where that is needed to tell them apart."""
    times = np.array([record.appended_at_s for record in records], dtype=np.float64)
    steps = np.arange(len(times)) * _TICK_S
    moved: FloatArray = np.maximum.accumulate(times - steps) + steps
    return moved


def _named(table: pa.Table, records: Sequence[Delivered], arrivals: FloatArray) -> pa.Table:
    """``table`` with ids that name the record of each row."""
    rows = np.searchsorted(arrivals, table["received_at_s"].to_numpy())
    ids = pa.array([records[row].position for row in np.minimum(rows, len(records) - 1)], pa.string())
    place = table.schema.get_field_index("event_id")
    return table.set_column(place, table.schema.field(place), ids)
