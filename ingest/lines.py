"""Parsed lines become rows whose entity and template are known: who speaks, when, and what the line says about the
topology. Works on distinct hosts, programs, masked texts and messages, never line by line."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aiops.domain.batches import LOG_SCHEMA, FloatArray, IntArray, StateObservation
from aiops.domain.graph import Entity
from ingest.catalogue.reader import CatalogueReader
from ingest.catalogue.vocabulary import TypedEvent
from ingest.clock_skew import ClockSkews
from ingest.entities import EntityResolver
from ingest.line_candidates import LineCandidates
from ingest.template_masks import column_of
from ingest.templates import Mined, TemplateMiner
from ingest.topology.discovery import MAX_LINE_CHARS, Discovery, Finding
from ingest.topology.mapping import TopologyMapping

MAX_FINDINGS = 20_000
MAX_SPEAKERS = 100_000
#: So long a speaker is who he was without being looked up again.
SPEAKER_TTL_S = 30.0


@dataclass(frozen=True, slots=True)
class Codes:
    """A column of texts: the distinct ones in order of appearance, and for each row the place of its own."""

    text: list[str]
    code: IntArray

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> Self:
        encoded = column.combine_chunks().dictionary_encode()
        return cls(encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64))

    def column(self) -> pa.Array:
        return pa.array(self.text, pa.string()).take(pa.array(self.code))


@dataclass(slots=True)
class LineHarvest:
    """What a batch of lines gives: ``logs`` in LOG_SCHEMA with their entities and templates as codes, and what else they
    told. ``findings`` are (finding, origin, at_s); ``hosts`` are the names that spoke."""

    logs: pa.Table
    spoken: Codes | None = None
    mined: Mined | None = None
    entities: list[Entity] = field(default_factory=list)
    findings: list[tuple[Finding, str, float]] = field(default_factory=list)
    states: list[StateObservation] = field(default_factory=list)
    origins: set[str] = field(default_factory=set)
    hosts: list[str] = field(default_factory=list)
    newest_s: float = 0.0


class _Speaker(NamedTuple):
    """Who wrote a line: host and program as it names them, the machine, and whose line it is."""

    host: str
    app: str
    machine: str
    entity: str


class LineReader:
    """Finds entity, time, template and meaning of lines."""

    def __init__(
        self,
        mapping: TopologyMapping,
        resolver: EntityResolver,
        discovery: Discovery,
        *,
        catalogue: CatalogueReader | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalogue = CatalogueReader(telling=True) if catalogue is None else catalogue
        self._resolver = resolver
        self._discovery = discovery
        self._monotonic = monotonic
        self._candidates = LineCandidates(mapping.lines, max_chars=MAX_LINE_CHARS)
        self._findings: OrderedDict[tuple[str, str, str], Finding] = OrderedDict()
        self._speakers: dict[tuple[str, str, str], _Speaker] = {}
        self._speakers_hold: tuple[int, float] = (-1, 0.0)  # for this generation of names, until then

    def clear(self) -> None:
        """Names have changed: what was found before may be found otherwise now."""
        self._findings.clear()
        self._speakers.clear()

    def read(self, source: str, table: pa.Table, skews: ClockSkews, templates: TemplateMiner) -> LineHarvest:
        """What lines in EVENT_SCHEMA say, every one with a host or "". ``skews`` and ``templates`` learn from them. Stores
        nothing; entities that are met for the first time are adopted by the resolver."""
        harvest = LineHarvest(LOG_SCHEMA.empty_table())
        if not table.num_rows:
            return harvest
        hosts = Codes.of(table["host"])
        apps = Codes.of(pc.fill_null(table["app"], ""))
        harvest.hosts = hosts.text
        at_s = _times(table, hosts, skews)
        pairs, which = np.unique(hosts.code * len(apps.text) + apps.code, return_inverse=True)
        speakers = [
            (hosts.text[pair // len(apps.text)], apps.text[pair % len(apps.text)]) for pair in pairs.tolist()
        ]
        known = self._known_speakers(speakers, source, harvest)
        spoken = _merged([speaker.entity for speaker in known], which)
        messages = column_of(table["message"])
        harvest.mined = templates.learn(messages)
        typed = self._catalogue.events_of(table)
        rows = np.union1d(self._candidates.rows(messages), np.fromiter(typed, np.int64, len(typed)))
        if len(rows):
            texts = table["message"].take(pa.array(rows)).to_pylist()
            said = [known[place] for place in which[rows].tolist()]
            spoken = self._findings_of(source, rows, said, texts, typed, at_s, spoken, harvest)
        harvest.spoken = spoken
        harvest.newest_s = float(at_s.max())
        harvest.logs = pa.table(
            {
                "at_s": pa.array(at_s),
                "entity": spoken.column(),
                "severity": table["severity"],
                "source": table["app"],
                "message": table["message"],
                "template": harvest.mined.column(),
                "event_id": table["event_id"],
            },
            schema=LOG_SCHEMA,
        )
        return harvest

    def _known_speakers(
        self, pairs: Iterable[tuple[str, str]], source: str, harvest: LineHarvest
    ) -> list[_Speaker]:
        """For each host and program: the machine, and whose line it is."""
        self._let_go_of_speakers()
        found: dict[tuple[str, str], _Speaker] = {}
        machines: dict[str, str] = {}
        asked = list(pairs)
        for host, app in sorted(asked):
            speaker = self._speakers.get((source, host, app))
            if speaker is None:
                if host not in machines:
                    machines[host] = self._machine(host, source, harvest)
                machine = machines[host]
                entity = self._resolver.speaker(machine, app) if app else machine
                speaker = _Speaker(host, app, machine, entity)
                if self._resolver.generation == self._speakers_hold[0]:
                    self._speakers[source, host, app] = speaker
            harvest.origins.add(f"{source}\x1f{speaker.machine}")
            found[host, app] = speaker
        return [found[pair] for pair in asked]

    def _let_go_of_speakers(self) -> None:
        generation, until_s = self._speakers_hold
        now_s = self._monotonic()
        if generation != self._resolver.generation or now_s >= until_s or len(self._speakers) > MAX_SPEAKERS:
            self._speakers.clear()
            self._speakers_hold = (self._resolver.generation, now_s + SPEAKER_TTL_S)

    def _machine(self, host: str, source: str, harvest: LineHarvest) -> str:
        found = self._resolver.resolve({"host": host} if host else {"entity": f"unknown:{source}"})
        assert found is not None  # a host or an entity always names something
        self._discovery.adopt(found, harvest.entities)
        return found.entity

    def _findings_of(
        self,
        source: str,
        rows: IntArray,
        speakers: Sequence[_Speaker],
        texts: Sequence[str],
        typed: Mapping[int, TypedEvent],
        at_s: FloatArray,
        spoken: Codes,
        harvest: LineHarvest,
    ) -> Codes:
        """Apply the catalogue's events and the mapping's rows to the distinct ones of ``texts``. Returns whose lines they
        are after that."""
        distinct: dict[tuple[_Speaker, str], list[int]] = {}
        for row, speaker, message in zip(rows.tolist(), speakers, texts, strict=True):
            distinct.setdefault((speaker, message), []).append(row)
        entities, code = list(spoken.text), spoken.code.copy()
        place_of = {entity: place for place, entity in enumerate(entities)}
        for (speaker, message), places in distinct.items():
            said = {"host": speaker.host, "app": speaker.app}
            finding = self._finding(speaker.machine, speaker.entity, message, said, typed.get(places[0]))
            if finding.entity is not None and finding.entity != speaker.entity:
                if finding.entity not in place_of:
                    place_of[finding.entity] = len(entities)
                    entities.append(finding.entity)
                code[places] = place_of[finding.entity]
            times = sorted(at_s[places].tolist())
            harvest.entities += finding.entities
            harvest.findings.append((finding, f"{source}\x1f{speaker.machine}", times[-1]))
            harvest.states += [
                StateObservation(when_s, subject, name, value)
                for when_s in times
                for subject, name, value in finding.states
            ]
        return Codes(entities, code)

    def _finding(
        self, machine: str, speaker: str, message: str, fields: Mapping[str, str], event: TypedEvent | None
    ) -> Finding:
        """Interfaces and sessions are the machine's, complaints about others are the speaker's own."""
        key = (machine, speaker, message)
        known = self._findings.get(key)
        if known is None:
            typed = self._catalogue.statements(event)
            known = self._discovery.line(machine, speaker, fields, message, typed)
            if known.settled and not known.entities:
                self._findings[key] = known
                if len(self._findings) > MAX_FINDINGS:
                    self._findings.popitem(last=False)
        return known


def _times(table: pa.Table, hosts: Codes, skews: ClockSkews) -> FloatArray:
    """Event times, those of hosts with a wrong clock corrected."""
    received = table["received_at_s"].to_numpy()
    at_s = np.array(pc.fill_null(table["at_s"], table["received_at_s"]).to_numpy(), dtype=np.float64)
    skews.observe_all(hosts.text, hosts.code, received, at_s)
    corrections = np.array([skews.correction(host) if host else 0.0 for host in hosts.text])
    if corrections.any():
        at_s += corrections[hosts.code]
    return at_s


def _merged(entities: Sequence[str], which: IntArray) -> Codes:
    """Codes of the distinct ones of ``entities``; row i speaks for ``entities[which[i]]``."""
    place_of: dict[str, int] = {}
    places = [place_of.setdefault(entity, len(place_of)) for entity in entities]
    return Codes(list(place_of), np.array(places, dtype=np.int64)[which])
