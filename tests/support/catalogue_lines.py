"""Wire lines through the real parser, the catalogue and the topology: what the golden folders of messages hold."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from aiops.domain.batches import RawBatch
from aiops.store.memory import MemoryGraphStore
from ingest.catalogue.reader import CatalogueReader
from ingest.entities import EntityResolver
from ingest.parsers.syslog import parse_syslog
from ingest.topology.discovery import Discovery
from ingest.topology.mapping import TopologyMapping

MESSAGES = Path(__file__).parents[1] / "golden" / "messages"
#: 27 November 2026, shortly after the times of the golden lines.
RECEIVED_S = 1_795_737_600.0


@cache
def shipped() -> CatalogueReader:
    """The messages that ship."""
    return CatalogueReader()


def parsed(lines: list[str]) -> pa.Table:
    """Wire lines as the parser gives them. Raises AssertionError where one is no syslog."""
    raw = [line.encode() for line in lines]
    table = parse_syslog(
        RawBatch("golden", "syslog-udp", "udp 192.0.2.1", raw, [RECEIVED_S] * len(raw))
    ).table
    assert table.num_rows == len(raw), f"a line is no syslog: {lines}"
    return table


def lines_of(folder: Path) -> list[str]:
    """The wire lines of one golden folder."""
    return [line for line in (folder / "line.txt").read_text("utf-8").splitlines() if line]


def events_of_lines(file: Path, reader: CatalogueReader | None = None) -> list[dict[str, Any]]:
    """For each wire line of ``file`` its event, or what the parser made of a line that has none."""
    table = parsed(lines_of(file.parent))
    reader = reader or shipped()
    events = reader.events_of(table)
    told: list[dict[str, Any]] = []
    for place, row in enumerate(table.to_pylist()):
        event = events.get(place)
        if event is None:
            told.append({"parsed": {name: row[name] for name in ("host", "app", "msgid", "message")}})
            continue
        machine = f"host:{row['host'] or '192.0.2.1'}"
        discovery = Discovery(TopologyMapping((), ()), EntityResolver(MemoryGraphStore()))
        finding = discovery.line(machine, machine, {}, row["message"], reader.statements(event))
        told.append(
            {
                "message": event.message,
                "type": event.type,
                "fields": dict(event.fields),
                "about": finding.entity,
                "entities": sorted({f"{entity.kind} {entity.id}" for entity in finding.entities}),
                "relations": sorted(
                    f"{learned.relation.source_id} {learned.relation.kind} {learned.relation.target_id}"
                    for learned in finding.relations
                ),
                "closed": sorted(" ".join(key) for _provenance, key in finding.closed),
                "states": [f"{entity} {name}={value}" for entity, name, value in finding.states],
            }
        )
    return told
