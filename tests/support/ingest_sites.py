"""Small sites and a worker over memory stores, for the tests of the ingest room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from aiops.domain.batches import RawBatch, SampleBatch, Series
from aiops.store.memory import MemoryGraphStore, MemorySignalStore
from ingest.dead_letters import MemoryDeadLetters
from ingest.topology.mapping import load_mapping
from ingest.worker import IngestWorker

AT_S = 1_790_000_000.0
AT = datetime.fromtimestamp(AT_S, UTC)
FOREVER = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class FixedClock:
    at: datetime = AT

    def now(self) -> datetime:
        return self.at


@dataclass(slots=True)
class IngestSite:
    """A worker and what lies behind it."""

    graph: MemoryGraphStore = field(default_factory=MemoryGraphStore)
    signals: MemorySignalStore = field(default_factory=lambda: MemorySignalStore(200_000_000))
    dead_letters: MemoryDeadLetters = field(default_factory=MemoryDeadLetters)
    worker: IngestWorker = field(init=False)

    def __post_init__(self) -> None:
        self.worker = IngestWorker(self.graph, self.signals, load_mapping(), self.dead_letters, FixedClock())

    def relations(self, provenance: str | None = None) -> list[tuple[str, str, str]]:
        """Open relations as triples."""
        return [
            (r.source_id, r.kind, r.target_id)
            for r in self.graph.export().relations
            if provenance is None or r.provenance == provenance
        ]

    def owners(self) -> dict[str, tuple[str, str | None]]:
        """Whose each stored metric is."""
        window = self.signals.window(start=FOREVER[0], end=FOREVER[1])
        return {series.metric: (series.entity, series.peer) for series in window.series}

    def logs(self) -> list[tuple[str, str]]:
        """(entity, message) of every stored line."""
        table = self.signals.window(start=FOREVER[0], end=FOREVER[1]).logs
        return list(zip(table["entity"].to_pylist(), table["message"].to_pylist(), strict=True))


def samples(
    *items: tuple[str, dict[str, str], float], at_s: float = AT_S, source: str = "remote-write"
) -> SampleBatch:
    """A batch of one sample a series."""
    series = tuple(Series(metric, tuple(sorted(labels.items()))) for metric, labels, _value in items)
    return SampleBatch(
        source,
        series,
        np.arange(len(items), dtype=np.int64),
        np.full(len(items), at_s),
        np.array([value for _metric, _labels, value in items], dtype=np.float64),
    )


def lines(
    texts: Iterable[str | bytes], *, at_s: float = AT_S, peer: str = "udp 192.0.2.1:514", step_s: float = 0.0
) -> RawBatch:
    payloads = tuple(text.encode() if isinstance(text, str) else text for text in texts)
    times = tuple(at_s + step_s * place for place in range(len(payloads)))
    return RawBatch("syslog-udp", "syslog-udp", peer, payloads, times)


def line(host: str, message: str, *, app: str = "app", at_s: float = AT_S) -> str:
    """An RFC 5424 line."""
    stamp = datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")
    return f"<13>1 {stamp} {host} {app} - - - {message}"


def topology(entities: Sequence[dict[str, object]], relations: Sequence[dict[str, object]] = ()) -> object:
    return {"source": "cmdb", "entities": list(entities), "relations": list(relations)}
