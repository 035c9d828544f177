"""Small sites with a fault: topology, alarms, lines, samples and changes, written into any pair of stores.

Times are seconds from :data:`START`. A site keeps what it was told and writes it on request, so that a test can write
the same things in another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from aiops.contracts import GraphStore, SignalStore
from aiops.domain.batches import LOG_SCHEMA, EntitySeries
from aiops.domain.graph import Entity, GraphDelta, Relation
from aiops.domain.occurrences import Alarm, Change, Incident, Symptom

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
IMPORTED = START - timedelta(days=1)
SOURCE = "netbox"


def moment(offset_s: float) -> datetime:
    return START + timedelta(seconds=offset_s)


@dataclass
class Site:
    """What there is and what happened. Every method returns the site, so that scenarios read as one sentence."""

    entities: dict[str, Entity] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    series: list[EntitySeries] = field(default_factory=list)
    lines: list[dict[str, object]] = field(default_factory=list)

    def add(self, *ids: str) -> Site:
        """Entities by id: ``device:edge-1`` is a Device called edge-1."""
        for identifier in ids:
            kind, name = identifier.split(":", 1)
            words = {"powerunit": "PowerUnit", "loadbalancer": "LoadBalancer"}
            self.entities[identifier] = Entity(identifier, words.get(kind, kind.capitalize()), name)
        return self

    def relate(self, source: str, kind: str, target: str, group: str | None = None, by: str = SOURCE) -> Site:
        for end in (source, target):
            if end not in self.entities:
                self.add(end)
        self.relations.append(Relation(source, kind, target, provenance=by, redundancy_group=group))
        return self

    def alarm(
        self,
        entity: str,
        offset_s: float,
        name: str = "Down",
        severity: str = "major",
        ended_s: float | None = None,
    ) -> Site:
        fingerprint = f"{name}@{entity}"
        self.alarms.append(
            Alarm(
                id=f"alarm:{fingerprint}:{offset_s:g}",
                fingerprint=fingerprint,
                name=name,
                entity=entity,
                started_at=moment(offset_s),
                ended_at=None if ended_s is None else moment(ended_s),
                severity=severity,
                message=f"{entity} {name.lower()}",
                source="alertmanager",
            )
        )
        return self

    def change(
        self, entity: str, offset_s: float, title: str, kind: str = "deploy", ended_s: float | None = None
    ) -> Site:
        self.changes.append(
            Change(
                id=f"change:{title}",
                source="pipeline",
                external_id=title,
                title=title,
                kind=kind,
                started_at=moment(offset_s),
                ended_at=None if ended_s is None else moment(ended_s),
                entities=(entity,),
                author="dana",
            )
        )
        return self

    def line(
        self, entity: str, offset_s: float, message: str, severity: int = 3, source: str = "daemon"
    ) -> Site:
        self.lines.append(
            {
                "at_s": moment(offset_s).timestamp(),
                "entity": entity,
                "severity": severity,
                "source": source,
                "message": message,
                "template": None,
                "event_id": f"event-{len(self.lines)}",
            }
        )
        return self

    def metric(
        self,
        entity: str,
        metric: str,
        *,
        normal: float,
        bad: float | None = None,
        from_s: float = 0.0,
        begin_s: float = -3600.0,
        end_s: float = 300.0,
        bad_before: tuple[float, float] | None = None,
    ) -> Site:
        """A series every 15 s with a little noise; ``bad`` from ``from_s`` on, and within ``bad_before`` too."""
        at = np.arange(begin_s, end_s, 15.0)
        noise = np.random.default_rng(len(self.series)).normal(scale=0.02, size=len(at))
        value = normal * (1.0 + noise)
        if bad is not None:
            hit = at >= from_s
            if bad_before is not None:
                hit |= (at >= bad_before[0]) & (at < bad_before[1])
            value = np.where(hit, bad * (1.0 + noise), value)
        self.series.append(EntitySeries(entity, None, metric, START.timestamp() + at, value))
        return self

    def write(
        self, graph: GraphStore, signals: SignalStore, *, alarms: Sequence[Alarm] | None = None
    ) -> Site:
        """Write everything; ``alarms`` replaces their order of arrival, one delivery each."""
        delta = GraphDelta(SOURCE, tuple(self.entities.values()), tuple(self.relations))
        graph.apply(delta, at=IMPORTED)
        for alarm in self.alarms if alarms is None else alarms:
            graph.put_alarms([alarm])
        graph.put_changes(self.changes)
        signals.write_series(self.series)
        if self.lines:
            signals.write_logs(pa.Table.from_pylist(self.lines, schema=LOG_SCHEMA))
        return self


def incident(*affected: str, offset_s: float = 0.0, symptoms: Sequence[str] = ()) -> Incident:
    """An incident that names ``affected`` and began at ``offset_s``."""
    return Incident(
        id="incident-1",
        title="something hurts",
        started_at=moment(offset_s),
        affected=tuple(sorted(affected)),
        symptoms=tuple(Symptom(entity, None, moment(offset_s)) for entity in symptoms),
    )


def chain() -> Site:
    """edge proxy -> shop -> database on a host, with an access and a core switch below."""
    return (
        Site()
        .relate("service:edge", "CALLS", "service:shop")
        .relate("service:shop", "CALLS", "database:orders")
        .relate("database:orders", "RUNS_ON", "host:db-1")
        .relate("service:shop", "RUNS_ON", "host:app-1")
        .relate("host:db-1", "DEPENDS_ON", "device:access-1")
        .relate("host:app-1", "DEPENDS_ON", "device:access-2")
        .relate("device:access-1", "DEPENDS_ON", "device:core")
        .relate("device:access-2", "DEPENDS_ON", "device:core")
    )
