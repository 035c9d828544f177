"""Parsed lines become rows whose entity is known: who speaks, when, and what the line says about the topology."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aiops.domain.batches import LOG_SCHEMA, EventBatch, FloatArray, IntArray, StateObservation
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


class _Speaker(NamedTuple):
    """Who wrote a line: host and program as it names them, the machine, and whose line it is."""

    host: str
    app: str
    machine: str
    entity: str


@dataclass(frozen=True, slots=True)
class _Codes:
    """A column of texts: the distinct ones in order of appearance, and for each row the place of its own."""

    text: list[str]
    code: IntArray

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> Self:
        encoded = column.combine_chunks().dictionary_encode()
        return cls(encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64))

    def rows(self) -> list[IntArray]:
        """For each text its rows, ascending."""
        order = np.argsort(self.code, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(self.code[order])) + 1)


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
        hosts = _Codes.of(pc.fill_null(batch.table["host"], peer))
        apps = _Codes.of(pc.fill_null(batch.table["app"], ""))
        at_s = self._times(batch.table, hosts)
        pairs, which = np.unique(hosts.code * len(apps.text) + apps.code, return_inverse=True)
        named = [
            (hosts.text[pair // len(apps.text)], apps.text[pair % len(apps.text)]) for pair in pairs.tolist()
        ]
        speakers = self._speakers(named, batch.source, harvest)
        spoken = [speakers[pair] for pair in named]
        entity = [spoken[place].entity for place in which.tolist()]
        self._findings_of(batch, [spoken[place] for place in which.tolist()], at_s, entity, harvest)
        harvest.newest_s = float(at_s.max())
        harvest.logs = pa.table(
            {
                "at_s": pa.array(at_s),
                "entity": pa.array(entity, pa.string()),
                "severity": batch.table["severity"],
                "source": batch.table["app"],
                "message": batch.table["message"],
                "template": pa.nulls(len(entity), pa.string()),
                "event_id": batch.table["event_id"],
            },
            schema=LOG_SCHEMA,
        )
        return harvest

    def _times(self, table: pa.Table, hosts: _Codes) -> FloatArray:
        """Event times, those of hosts with a wrong clock corrected."""
        received = table["received_at_s"].to_numpy()
        at_s = np.array(pc.fill_null(table["at_s"], table["received_at_s"]).to_numpy(), dtype=np.float64)
        device_s = at_s.copy()
        rows = hosts.rows()
        for host, of_host in zip(hosts.text, rows, strict=True):
            if host:
                self._skews.observe(host, received[of_host], device_s[of_host])
        for host, of_host in zip(hosts.text, rows, strict=True):
            at_s[of_host] += self._skews.correction(host) if host else 0.0
        return at_s

    def _speakers(
        self, pairs: Iterable[tuple[str, str]], source: str, harvest: LineHarvest
    ) -> dict[tuple[str, str], _Speaker]:
        """For each host and program: the machine, and whose line it is."""
        speakers: dict[tuple[str, str], _Speaker] = {}
        machines: dict[str, str] = {}
        for host, app in sorted(pairs):
            if host not in machines:
                found = self._resolver.resolve({"host": host} if host else {"entity": f"unknown:{source}"})
                assert found is not None  # a host or an entity always names something
                self._discovery.adopt(found, harvest.entities)
                machines[host] = found.entity
            machine = machines[host]
            harvest.origins.add(f"{source}\x1f{machine}")
            entity = self._resolver.speaker(machine, app) if app else machine
            speakers[host, app] = _Speaker(host, app, machine, entity)
        return speakers

    def _findings_of(
        self,
        batch: EventBatch,
        speakers: list[_Speaker],
        at_s: FloatArray,
        entity: list[str],
        harvest: LineHarvest,
    ) -> None:
        """Apply the mapping's rows for lines to the distinct messages that hold one of their texts."""
        messages = batch.table["message"]
        worth = pc.indices_nonzero(pc.match_substring_regex(messages, self._literals)).to_pylist()
        distinct: dict[tuple[_Speaker, str], list[int]] = {}
        for row, message in zip(worth, messages.take(pa.array(worth, pa.int64())).to_pylist(), strict=True):
            distinct.setdefault((speakers[row], message), []).append(row)
        for (speaker, message), rows in distinct.items():
            said = {"host": speaker.host, "app": speaker.app}
            finding = self._finding(speaker.machine, speaker.entity, message, said)
            if finding.entity is not None and finding.entity != speaker.entity:
                for row in rows:
                    entity[row] = finding.entity
            times = sorted(at_s[rows].tolist())
            harvest.entities += finding.entities
            harvest.findings.append((finding, f"{batch.source}\x1f{speaker.machine}", times[-1]))
            harvest.states += [
                StateObservation(when_s, subject, name, value)
                for when_s in times
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
