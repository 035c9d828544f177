"""Everything that comes in goes through here: parsed, given its entities, stored, counted; then it is acknowledged.

Every method returns only once what it stored is durable, and raises otherwise (:class:`aiops.errors.StoreError`,
:class:`aiops.errors.BackPressure`) with nothing counted: the sender tries again, and every write is idempotent.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from aiops.contracts import ApplyResult, Clock, GraphStore, SignalStore
from aiops.domain.batches import CLOCK_SKEW, EventBatch, RawBatch, Reject, SampleBatch, StateObservation
from aiops.domain.graph import Entity, GraphDelta, Relation
from aiops.domain.occurrences import Change
from ingest.alarms import AlarmMemory, alarm_of
from ingest.clock_skew import ClockSkews
from ingest.counters import Counters, Reading, Taken
from ingest.dead_letters import DeadLetters
from ingest.entities import EntityResolver
from ingest.identity import split_port
from ingest.lines import LineHarvest, LineReader
from ingest.parsers.alertmanager import AlertBatch, PostedAlert
from ingest.parsers.syslog import parse_syslog
from ingest.samples import SampleReader
from ingest.states import StateMemory
from ingest.topology.discovery import Discovery
from ingest.topology.documents import document_time, parse_topology
from ingest.topology.mapping import TopologyMapping
from ingest.topology.relation_table import Key, RelationTable, Sighting, Writes


class IngestWorker:
    """One a process; its methods may be called from several threads and take turns."""

    def __init__(
        self,
        graph: GraphStore,
        signals: SignalStore,
        mapping: TopologyMapping,
        dead_letters: DeadLetters,
        clock: Clock,
    ) -> None:
        self._graph = graph
        self._signals = signals
        self._dead_letters = dead_letters
        self._clock = clock
        self._resolver = EntityResolver(graph)
        self._discovery = Discovery(mapping, self._resolver)
        self._relations = RelationTable()
        self._skews = ClockSkews()
        self._lines = LineReader(mapping, self._resolver, self._discovery, self._skews)
        self._samples = SampleReader(mapping, self._resolver, self._discovery)
        self._alarms = AlarmMemory()
        self._states = StateMemory()
        self._counters = Counters()
        self._lock = threading.RLock()

    def take_syslog(self, *batches: RawBatch) -> Taken:
        """Lines as they came, of one sender or of several; where a line names no host, the peer speaks."""
        return self._take_lines([(parse_syslog(batch), _peer_address(batch.peer)) for batch in batches])

    def take_events(self, batch: EventBatch, *, peer: str = "") -> Taken:
        """Lines that were parsed elsewhere."""
        return self._take_lines([(batch, peer)])

    def _take_lines(self, batches: Sequence[tuple[EventBatch, str]]) -> Taken:
        """What they say about the topology is learned batch by batch; the lines of all are stored at once."""
        with self._lock:
            read = [self._read_lines(batch, peer) for batch, peer in batches]
            logs = [harvest.logs for harvest in read if harvest.logs.num_rows]
            if logs:
                self._signals.write_logs(pa.concat_tables(logs))
            taken = Taken()
            for (batch, _peer), harvest in zip(batches, read, strict=True):
                self._store_states([*harvest.states, *self._wrong_clocks(batch, harvest.newest_s)])
                taken += self._done(batch.source, harvest.logs.num_rows, batch.rejects)
            return taken

    def _read_lines(self, batch: EventBatch, peer: str) -> LineHarvest:
        harvest = self._lines.read(batch, peer)
        sightings = {
            learned.relation.key: Sighting(learned, origin, at_s)
            for finding, origin, at_s in harvest.findings
            for learned in finding.relations
        }
        closed = [key for finding, _origin, _at in harvest.findings for key in finding.closed]
        self._relations.heard(harvest.origins, harvest.newest_s)
        self._learn(harvest.entities, sightings, closed, harvest.newest_s)
        return harvest

    def take_samples(self, batch: SampleBatch) -> Taken:
        """Samples of a scrape or of a remote write. Values stay as they are: counters count, gauges gauge."""
        with self._lock:
            harvest = self._samples.read(batch)
            sightings = {
                learned.relation.key: Sighting(learned, origin, at_s)
                for finding, origin, at_s in harvest.findings
                for learned in finding.relations
            }
            self._relations.heard(sorted(harvest.origins), harvest.newest_s)
            self._learn(harvest.entities, sightings, (), harvest.newest_s)
            if harvest.series:
                self._signals.write_series(harvest.series)
            self._store_states(harvest.states)
            return self._done(batch.source, harvest.samples, batch.rejects, dropped=harvest.dropped)

    def take_alerts(self, batch: AlertBatch, *, source: str = "alertmanager") -> Taken:
        """Alerts in any order and any number of times. What the sender left out (a truncated group) counts as dropped."""
        with self._lock:
            entities: list[Entity] = []
            relations: list[Relation] = []
            alarms = []
            for posted in batch.alerts:
                found = self._resolver.resolve(posted.labels)
                if found is None:
                    found = self._resolver.resolve({"entity": f"unknown:{source}"})
                assert found is not None  # an id was given
                self._discovery.adopt(found, entities)
                relations += found.relations
                alarms.append(alarm_of(posted, entity=found.entity, peer=self._peer(posted), source=source))
            news = self._alarms.news(alarms)
            if news or entities:
                at_s = max((alarm.started_at.timestamp() for alarm in alarms), default=0.0)
                self._apply("labels", entities, relations, (), at_s)
                self._graph.put_alarms(news)
                self._alarms.commit(news)
            return self._done(source, len(alarms), batch.rejects, dropped=batch.truncated)

    def take_changes(self, changes: Iterable[Change], *, source: str = "changes") -> Taken:
        """Changes whose ``entities`` may be ids or any other name; a name that means nothing or several things gets an
        entity of its own, which is listed."""
        with self._lock:
            entities: list[Entity] = []
            taken: list[Change] = []
            for change in changes:
                ids: set[str] = set()
                for name in change.entities:
                    found = self._resolver.resolve({"entity": name})
                    if found is not None:
                        self._discovery.adopt(found, entities)
                        ids.add(found.entity)
                taken.append(replace(change, entities=tuple(sorted(ids))))
            if taken:
                self._apply("changes", entities, (), (), max(c.started_at.timestamp() for c in taken))
                self._graph.put_changes(taken)
            return self._done(source, len(taken), ())

    def take_states(self, states: Sequence[StateObservation], *, source: str = "states") -> Taken:
        """Observed properties; what is as it was is not written again."""
        with self._lock:
            self._store_states(states)
            return self._done(source, len(states), ())

    def take_topology(self, document: object, *, at: datetime | None = None) -> Taken:
        """A topology document, applied as of its own ``at``, else ``at``, else now. ``applied`` says what changed.

        Raises :class:`aiops.errors.TopologyError`; then nothing of it was applied.
        """
        with self._lock:
            delta = parse_topology(document, known=lambda i: self._graph.entity(i) is not None)
            applied = self._graph.apply(delta, at=document_time(document) or at or self._clock.now())
            self._resolver.forget(delta.entities)
            self._samples.clear()
            self._lines.clear()
            count = len(delta.entities) + len(delta.relations)
            return replace(self._done(f"topology:{delta.source}", count, ()), applied=applied)

    def reject(self, reject: Reject) -> Taken:
        """Bytes of which nothing could be used, for example a whole body."""
        with self._lock:
            return self._done(reject.source, 0, (reject,))

    def lost(self, source: str, count: int) -> Taken:
        """``count`` messages are known to have been lost before they got here (a full receive buffer)."""
        taken = Taken(received=count, dropped=count)
        self._counters.add(source, taken)
        return taken

    def maintain(self, at: datetime) -> int:
        """Close the relations that their sources, though heard, have not spoken of for longer than they hold.

        Returns how many. Call it every minute or so, with the time of the data (``now`` for live data).
        """
        with self._lock:
            expired = self._relations.expired()
            self._close_relations(expired, at)
            for relation in expired:
                self._relations.drop(relation.key)
            return len(expired)

    def skews(self) -> Mapping[str, float]:
        """Hosts whose clock is more than a minute off, and by how many seconds it runs ahead (negative: behind)."""
        with self._lock:
            return self._skews.skews()

    def ambiguous(self) -> Mapping[str, tuple[str, ...]]:
        """Names that mean several entities, and which."""
        with self._lock:
            return self._resolver.ambiguous()

    def candidates(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Ids of stored entities that ``labels`` may mean, sorted; several where they are ambiguous. Makes none."""
        with self._lock:
            found = self._resolver.resolve(labels)
            if found is None:
                return ()
            known = found.matched or self._resolver.entity(found.entity) is not None
            return found.ambiguous or ((found.entity,) if known else ())

    def entity_of(self, labels: Mapping[str, str]) -> str | None:
        """The stored entity that an alert with ``labels`` is kept on, be it one that nobody had named before."""
        with self._lock:
            found = self._resolver.resolve(labels)
            return found.entity if found is not None and self._resolver.entity(found.entity) else None

    def counters(self) -> Mapping[str, Taken]:
        """What was taken so far, by source."""
        return self._counters.by_source()

    def reading(self, *, queue_bytes: int = 0) -> Reading:
        """The numbers behind our own metrics."""
        with self._lock:
            return Reading(
                sources=self._counters.by_source(),
                reject_reasons=self._dead_letters.counts(),
                relations=len(self._relations),
                ambiguous=len(self._resolver.ambiguous()),
                skewed_hosts=len(self._skews.skews()),
                queue_bytes=queue_bytes,
            )

    def _wrong_clocks(self, batch: EventBatch, at_s: float) -> list[StateObservation]:
        """Which of the batch's hosts have a wrong clock, by how many minutes: kept, so that an analysis can say so."""
        found: list[StateObservation] = []
        for host in pc.unique(batch.table["host"]).drop_null().to_pylist():
            minutes = round(-self._skews.correction(host) / 60.0)
            machine = self._resolver.resolve({"host": host}) if minutes else None
            if machine is not None:
                found.append(StateObservation(at_s, machine.entity, CLOCK_SKEW, f"{minutes:+d} min"))
        return found

    def _peer(self, posted: PostedAlert) -> str | None:
        """Whom an alert about ``entity -> peer`` names in its label ``peer``; only someone who is known."""
        name = posted.labels.get("peer")
        ids = self._resolver.ids(name) if name else ()
        return ids[0] if len(ids) == 1 else None

    def _learn(
        self,
        entities: Sequence[Entity],
        sightings: Mapping[Key, Sighting],
        closed: Iterable[tuple[str, tuple[str, str, str]]],
        at_s: float,
    ) -> None:
        """Tell the graph what is new, and only that."""
        writes = self._relations.plan(sightings)
        state = [
            replace(relation, valid_from=_time(at_s)) if self._relations.moved(relation) else relation
            for relation in writes.state
        ]
        closing = [*closed, *((r.provenance, (r.source_id, r.kind, r.target_id)) for r in writes.close)]
        self._apply("ingest", entities, state, closing, at_s)
        self._relations.commit(sightings, Writes(tuple(state), writes.close))
        for provenance, key in closed:
            self._relations.drop((*key, provenance))

    def _apply(
        self,
        source: str,
        entities: Sequence[Entity],
        relations: Iterable[Relation],
        closed: Iterable[tuple[str, tuple[str, str, str]]],
        at_s: float,
    ) -> None:
        """One delta for each provenance, the entities first. If the store refuses, adopted entities are forgotten."""
        deltas: dict[str, tuple[list[Relation], list[tuple[str, str, str]]]] = {}
        for relation in relations:
            deltas.setdefault(relation.provenance, ([], []))[0].append(relation)
        for provenance, key in closed:
            deltas.setdefault(provenance, ([], []))[1].append(key)
        try:
            if entities:
                self._graph.apply(GraphDelta(source, tuple(entities)), at=_time(at_s))
            for provenance, (stated, ended) in sorted(deltas.items()):
                delta = GraphDelta(provenance, (), tuple(stated), tuple(ended))
                self._graph.apply(delta, at=_time(at_s))
        except BaseException:
            self._resolver.forget(entities)
            self._samples.clear()
            self._lines.clear()
            raise

    def _close_relations(self, relations: Iterable[Relation], at: datetime) -> ApplyResult | None:
        by_provenance: dict[str, list[tuple[str, str, str]]] = {}
        for relation in relations:
            by_provenance.setdefault(relation.provenance, []).append(relation.key[:3])
        result = None
        for provenance, keys in sorted(by_provenance.items()):
            result = self._graph.apply(GraphDelta(provenance, closed=tuple(keys)), at=at)
        return result

    def _store_states(self, states: Sequence[StateObservation]) -> None:
        news = self._states.news(states)
        if news:
            self._signals.write_states(news)
            self._states.commit(news)

    def _done(self, source: str, stored: int, rejects: Sequence[Reject], *, dropped: int = 0) -> Taken:
        """Everything is durable: keep the rejects, then count."""
        rejected = self._dead_letters.put(rejects) if rejects else 0
        taken = Taken(stored + rejected + dropped, stored, rejected, dropped)
        self._counters.add(source, taken)
        return taken


def _time(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)


def _peer_address(peer: str) -> str:
    """``10.77.1.10`` of ``udp 10.77.1.10:51234``."""
    return split_port(peer.rsplit(" ", 1)[-1].split("#", 1)[0])[0]
