"""Parsed lines become rows whose entity is known: who speaks, when, and what the line says about the topology."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pyarrow as pa

from aiops.domain.batches import LOG_SCHEMA, EventBatch, FloatArray, StateObservation
from aiops.domain.graph import Entity
from ingest.clock_skew import ClockSkews
from ingest.entities import EntityResolver
from ingest.topology.discovery import Discovery, Finding
from ingest.topology.mapping import TopologyMapping

MAX_FINDINGS = 20_000


@dataclass(slots=True)
class LineHarvest:
    """What a batch of lines gives: ``logs`` in LOG_SCHEMA, and what else they told. ``findings`` are (finding, origin, at_s)."""

    logs: pa.Table
    entities: list[Entity] = field(default_factory=list)
    findings: list[tuple[Finding, str, float]] = field(default_factory=list)
    states: list[StateObservation] = field(default_factory=list)
    origins: set[str] = field(default_factory=set)
    newest_s: float = 0.0


class LineReader:
    """Finds entity, time and meaning of lines. Works on distinct hosts, programs and messages, never line by line."""

    def __init__(
        self, mapping: TopologyMapping, resolver: EntityResolver, discovery: Discovery, skews: ClockSkews
    ) -> None:
        self._resolver = resolver
        self._discovery = discovery
        self._skews = skews
        self._literals = "|".join(re.escape(text) for text in mapping.literals) or r"\A\z[^\s\S]"
        self._findings: OrderedDict[tuple[str, str, str], Finding] = OrderedDict()

    def clear(self) -> None:
        """Names have changed: what was found before may be found otherwise now."""
        self._findings.clear()

    def read(self, batch: EventBatch, peer: str) -> LineHarvest:
        """What ``batch`` says; ``peer`` is the address that speaks where a line names no host. Stores nothing;
        entities that are met for the first time are adopted by the resolver."""
        harvest = LineHarvest(LOG_SCHEMA.empty_table())
        if not batch.table.num_rows:
            return harvest
        lines = pl.DataFrame(pl.from_arrow(batch.table)).with_row_index("row")
        lines = lines.with_columns(pl.col("host").fill_null(peer), pl.col("app").fill_null(""))
        at_s = self._times(lines)
        speakers = self._speakers(lines, batch.source, harvest)
        lines = lines.with_columns(pl.Series("at_s", at_s)).join(
            speakers, on=["host", "app"], how="left", maintain_order="left"
        )
        entity = lines["entity"].to_list()
        self._findings_of(lines, batch.source, entity, harvest)
        harvest.newest_s = float(at_s.max())
        harvest.logs = pa.table(
            {
                "at_s": pa.array(at_s),
                "entity": pa.array(entity, pa.string()),
                "severity": batch.table["severity"],
                "source": batch.table["app"],
                "message": batch.table["message"],
                "template": pa.nulls(lines.height, pa.string()),
                "event_id": batch.table["event_id"],
            },
            schema=LOG_SCHEMA,
        )
        return harvest

    def _times(self, lines: pl.DataFrame) -> FloatArray:
        """Event times, those of hosts with a wrong clock corrected."""
        received = lines["received_at_s"].to_numpy()
        at_s = np.array(lines["at_s"].fill_null(lines["received_at_s"]).to_numpy(), dtype=np.float64)
        device_s = at_s.copy()
        groups = lines.group_by("host", maintain_order=True).agg(pl.col("row"))
        for host, rows in zip(groups["host"].to_list(), groups["row"].to_list(), strict=True):
            if host:
                self._skews.observe(host, received[rows], device_s[rows])
        for host, rows in zip(groups["host"].to_list(), groups["row"].to_list(), strict=True):
            at_s[rows] += self._skews.correction(host) if host else 0.0
        return at_s

    def _speakers(self, lines: pl.DataFrame, source: str, harvest: LineHarvest) -> pl.DataFrame:
        """One row for each host and program: the machine, whose line it is, and the origin."""
        pairs = lines.select("host", "app").unique(maintain_order=True).sort("host", "app")
        rows: list[tuple[str, str, str, str]] = []
        machines: dict[str, str] = {}
        for host, app in pairs.iter_rows():
            if host not in machines:
                found = self._resolver.resolve({"host": host} if host else {"entity": f"unknown:{source}"})
                assert found is not None  # a host or an entity always names something
                self._discovery.adopt(found, harvest.entities)
                machines[host] = found.entity
            machine = machines[host]
            harvest.origins.add(f"{source}\x1f{machine}")
            rows.append((host, app, machine, self._resolver.speaker(machine, app) if app else machine))
        return pl.DataFrame(
            rows,
            schema={"host": pl.String, "app": pl.String, "machine": pl.String, "entity": pl.String},
            orient="row",
        )

    def _findings_of(self, lines: pl.DataFrame, source: str, entity: list[str], harvest: LineHarvest) -> None:
        """Apply the mapping's rows for lines to the distinct messages that hold one of their texts."""
        worth = lines.filter(pl.col("message").str.contains(self._literals))
        if not worth.height:
            return
        distinct = worth.group_by("machine", "entity", "message", "host", "app", maintain_order=True).agg(
            pl.col("row"), pl.col("at_s")
        )
        for machine, speaker, message, host, app, rows, times in distinct.iter_rows():
            finding = self._finding(machine, speaker, message, {"host": host, "app": app})
            if finding.entity is not None and finding.entity != speaker:
                for row in rows:
                    entity[row] = finding.entity
            harvest.entities += finding.entities
            harvest.findings.append((finding, f"{source}\x1f{machine}", max(times)))
            harvest.states += [
                StateObservation(at_s, subject, name, value)
                for at_s in sorted(times)
                for subject, name, value in finding.states
            ]

    def _finding(self, machine: str, speaker: str, message: str, fields: Mapping[str, str]) -> Finding:
        """Interfaces and sessions are the machine's, complaints about others are the speaker's own."""
        key = (machine, speaker, message)
        known = self._findings.get(key)
        if known is None:
            known = self._discovery.line(machine, speaker, fields, message)
            if known.settled and not known.entities:
                self._findings[key] = known
                if len(self._findings) > MAX_FINDINGS:
                    self._findings.popitem(last=False)
        return known
