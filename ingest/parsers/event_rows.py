"""Events that come one document each (OTLP, CloudEvents, JSON of other shippers), gathered into an EventBatch.

**Time.** As for syslog: the document's own time unless it is missing or cannot be right (more than a day after arrival, or more
than ``MAX_AGE_S`` before it); then it is the arrival time. **Identity.** 128 bits of XXH3 over source, arrival and the document's
bytes, and the occurrence among equal documents of the batch from the second on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import orjson
import pyarrow as pa
import xxhash

from aiops.domain.batches import EVENT_SCHEMA, EventBatch, Reject

DAY_S = 86_400.0
#: A time older than this at arrival is a clock that was never set.
MAX_AGE_S = 366 * DAY_S
#: A message longer than this is a reject.
MAX_MESSAGE_BYTES = 256 << 10

#: Names of severities as programs write them, to RFC 5424 table 2.
SEVERITY_WORDS: dict[str, int] = {
    **dict.fromkeys(("emergency", "emerg", "panic"), 0),
    **dict.fromkeys(("alert",), 1),
    **dict.fromkeys(("critical", "crit", "fatal"), 2),
    **dict.fromkeys(("error", "err", "severe"), 3),
    **dict.fromkeys(("warning", "warn"), 4),
    **dict.fromkeys(("notice",), 5),
    **dict.fromkeys(("informational", "information", "info"), 6),
    **dict.fromkeys(("debug", "trace", "verbose"), 7),
}


def severity_of_word(text: str) -> int | None:
    """The severity that ``text`` names (``err``, ``WARNING``, ``3``), or None."""
    word = text.strip().lower()
    if len(word) == 1 and word in "01234567":
        return int(word)
    return SEVERITY_WORDS.get(word)


def structured(groups: dict[str, dict[str, str]]) -> str | None:
    """The column ``structured_data``: ``{id: {name: value}}`` without the empty groups."""
    kept = {name: values for name, values in groups.items() if values}
    return orjson.dumps(kept).decode() if kept else None


@dataclass(slots=True)
class EventRows:
    """Columns while they are filled; :meth:`batch` makes the EventBatch."""

    source: str
    received_at_s: float
    rejects: list[Reject] = field(default_factory=list)
    _rows: list[tuple[object, ...]] = field(default_factory=list)  # EVENT_SCHEMA without the last column
    _raw: list[bytes] = field(default_factory=list)

    def add(
        self,
        raw: bytes,
        message: str,
        *,
        at_s: float | None = None,
        host: str | None = None,
        app: str | None = None,
        procid: str | None = None,
        msgid: str | None = None,
        facility: int | None = None,
        severity: int | None = None,
        structured_data: str | None = None,
    ) -> None:
        """One event; ``raw`` are the bytes that it was made of. A message that is too long is a reject."""
        if len(message) > MAX_MESSAGE_BYTES:
            self.reject(raw, f"the message is longer than {MAX_MESSAGE_BYTES} characters")
            return
        arrival = self.received_at_s
        sane = at_s is not None and arrival - MAX_AGE_S <= at_s <= arrival + DAY_S
        self._rows.append(
            (
                at_s if sane else arrival,
                arrival,
                host or None,
                app or None,
                procid or None,
                msgid or None,
                facility,
                severity,
                structured_data,
                message,
                None,
            )
        )
        self._raw.append(raw)

    def reject(self, raw: bytes, reason: str) -> None:
        """One part that cannot be used."""
        self.rejects.append(Reject(self.source, reason, self.received_at_s, raw))

    def batch(self) -> EventBatch:
        """Everything that was added, in its order."""
        columns = zip(*self._rows, strict=True) if self._rows else ((),) * (len(EVENT_SCHEMA) - 1)
        arrays = [pa.array(column, named.type) for column, named in zip(columns, EVENT_SCHEMA, strict=False)]
        table = pa.Table.from_arrays([*arrays, pa.array(self._event_ids(), pa.string())], schema=EVENT_SCHEMA)
        return EventBatch(self.source, table, tuple(self.rejects))

    def _event_ids(self) -> list[str]:
        arrival = int(np.float64(self.received_at_s).view(np.uint64))
        seed = xxhash.xxh3_64_intdigest(self.source.encode()) ^ arrival
        ids = [xxhash.xxh3_128_hexdigest(raw, seed) for raw in self._raw]
        if len(set(ids)) == len(ids):
            return ids
        seen: Counter[str] = Counter()
        for place, name in enumerate(ids):
            seen[name] += 1
            if seen[name] > 1:
                ids[place] = f"{name}-{seen[name]}"
        return ids
