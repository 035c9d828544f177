"""Lines tried by hand: parsed as if they had come over the wire, typed, and applied to a graph that knows nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiops.domain.batches import RawBatch
from aiops.store.memory import MemoryGraphStore
from ingest.catalogue.catalogue import load_catalogue
from ingest.catalogue.events import event_types
from ingest.catalogue.reader import CatalogueReader
from ingest.catalogue.vocabulary import TypedEvent
from ingest.entities import EntityResolver
from ingest.parsers.syslog import parse_syslog
from ingest.topology.discovery import Discovery
from ingest.topology.mapping import TopologyMapping

#: What is said of a line; ``message`` is None where the catalogue does not know it.
COLUMNS: tuple[str, ...] = (
    "host",
    "app",
    "message",
    "type",
    "tone",
    "fields",
    "about",
    "states",
    "relations",
    "text",
)
_PEER = "192.0.2.1"


def try_lines(
    lines: Sequence[str], directories: Sequence[Path] = (), *, received_at_s: float
) -> list[dict[str, object]]:
    """For each wire line what the parser, the catalogue and the topology make of it; what is no syslog comes last."""
    reader = CatalogueReader(load_catalogue(*directories))
    raw = [line.encode() for line in lines]
    batch = parse_syslog(RawBatch("trial", "syslog-udp", f"udp {_PEER}", raw, [received_at_s] * len(raw)))
    events = reader.events_of(batch.table)
    tried = [_tried(row, events.get(place)) for place, row in enumerate(batch.table.to_pylist())]
    tried += [
        {
            **dict.fromkeys(COLUMNS),
            "text": reject.raw.decode(errors="replace"),
            "fields": f"no syslog: {reject.reason}",
        }
        for reject in batch.rejects
    ]
    return tried


def _tried(row: dict[str, Any], event: TypedEvent | None) -> dict[str, object]:
    told: dict[str, object] = {
        **dict.fromkeys(COLUMNS),
        "host": row["host"],
        "app": row["app"],
        "text": row["message"],
    }
    if event is None:
        return told
    machine = f"host:{row['host'] or _PEER}"
    discovery = Discovery(TopologyMapping((), ()), EntityResolver(MemoryGraphStore()))
    finding = discovery.line(machine, machine, {}, row["message"], CatalogueReader.statements(event))
    return {
        **told,
        "message": event.message,
        "type": event.type,
        "tone": event_types()[event.type].tone.value,
        "fields": dict(event.fields),
        "about": finding.entity,
        "states": [f"{name} = {value}" for _entity, name, value in finding.states],
        "relations": [
            f"{said.relation.source_id} {said.relation.kind} {said.relation.target_id}"
            for said in finding.relations
        ],
    }
