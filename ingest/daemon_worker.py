"""The worker of a process that lives long: its mapping can be changed, and it keeps what was learned by partition."""

from __future__ import annotations

from collections.abc import Mapping

from ingest.journal.seams import Partition
from ingest.lines import LineReader
from ingest.samples import SampleReader
from ingest.topology.discovery import Discovery
from ingest.topology.mapping import TopologyMapping
from ingest.worker import IngestWorker


class DaemonWorker(IngestWorker):
    """Takes up a changed mapping between two batches."""

    def use_mapping(self, mapping: TopologyMapping) -> None:
        with self._lock:
            self._discovery = Discovery(mapping, self._resolver)
            self._lines = LineReader(mapping, self._resolver, self._discovery, self._skews)
            self._samples = SampleReader(mapping, self._resolver, self._discovery)

    def snapshot(self, partition: Partition) -> Mapping[str, bytes]:  # noqa: ARG002  nothing is kept by partition yet
        return {}

    def restore(self, partition: Partition, parts: Mapping[str, bytes]) -> None:
        """Nothing is kept by partition yet."""

    def forget(self, partition: Partition) -> None:
        """Nothing is kept by partition yet."""
