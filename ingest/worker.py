"""Everything that comes in goes through here: parsed, given its entities and templates, watched, stored, counted; then it is
acknowledged.

Every method returns only once what it stored is durable, and raises otherwise (:class:`aiops.errors.StoreError`,
:class:`aiops.errors.BackPressure`) with nothing counted: the sender tries again, and every write is idempotent. What was
learned from a batch is learned once: the same batch tried again is stored, not learned again.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from aiops.contracts import ApplyResult, Clock, GraphStore, SignalStore
from aiops.domain.batches import CLOCK_SKEW, EventBatch, RawBatch, Reject, SampleBatch, StateObservation
from aiops.domain.graph import Entity, GraphDelta, Relation
from aiops.domain.occurrences import Alarm, Anomaly, Change
from ingest.alarms import alarm_of
from ingest.catalogue.reader import CatalogueReader
from ingest.counters import Counters, Reading, Taken
from ingest.dead_letters import DeadLetters
from ingest.detection.settings import DetectionSettings
from ingest.entities import EntityResolver
from ingest.identity import split_port
from ingest.journal.seams import Partition
from ingest.lines import LineHarvest, LineReader
from ingest.parsers.alertmanager import AlertBatch, PostedAlert
from ingest.parsers.syslog import parse_syslog
from ingest.partition_state import PartitionState, PartitionStates, partition_of
from ingest.samples import SampleHarvest, SampleReader
from ingest.topology.discovery import Discovery
from ingest.topology.documents import document_time, parse_topology
from ingest.topology.mapping import TopologyMapping
from ingest.topology.relation_table import Key, Sighting, Writes
from ingest.unstored import Learned, Unstored

_DETECTION = DetectionSettings()


@dataclass(frozen=True, slots=True)
class _Lines:
    """Batches of one source and partition, read as one: ``table`` with a host for every line, or ""."""

    source: str
    partition: str
    key: tuple[str, Hashable]
    table: pa.Table
    rejects: tuple[Reject, ...]


class IngestWorker:
    """One a process; its methods may be called from several threads and take turns.

    What is learned belongs to the partition that a batch's ``position`` names: :meth:`snapshot`, :meth:`restore` and
    :meth:`forget` hand it from one worker to another.
    """

    def __init__(
        self,
        graph: GraphStore,
        signals: SignalStore,
        mapping: TopologyMapping,
        dead_letters: DeadLetters,
        clock: Clock,
        *,
        detection: DetectionSettings = _DETECTION,
        catalogue: CatalogueReader | None = None,
    ) -> None:
        self._graph = graph
        self._signals = signals
        self._dead_letters = dead_letters
        self._clock = clock
        self._resolver = EntityResolver(graph)
        self._discovery = Discovery(mapping, self._resolver)
        self._catalogue = CatalogueReader(telling=True) if catalogue is None else catalogue
        self._lines = LineReader(mapping, self._resolver, self._discovery, catalogue=self._catalogue)
        self._samples = SampleReader(mapping, self._resolver, self._discovery)
        self._partitions = PartitionStates(detection)
        self._unstored_lines: Unstored[LineHarvest] = Unstored()
        self._unstored_samples: Unstored[SampleHarvest] = Unstored()
        self._counters = Counters()
        self._lock = threading.RLock()

    def use_mapping(self, mapping: TopologyMapping, catalogue: CatalogueReader | None = None) -> None:
        """Take up a changed mapping, and a changed message catalogue where one is given, between two batches."""
        with self._lock:
            self._catalogue = catalogue or self._catalogue
            self._discovery = Discovery(mapping, self._resolver)
            self._lines = LineReader(mapping, self._resolver, self._discovery, catalogue=self._catalogue)
            self._samples = SampleReader(mapping, self._resolver, self._discovery)

    def take_syslog(self, *batches: RawBatch) -> Taken:
        """Lines as they came, of one sender or of several; where a line names no host, the peer speaks. Several batches at
        once cost less than one by one, and are stored with one transaction."""
        return self._take_lines([(parse_syslog(batch), batch.peer, batch) for batch in batches])

    def take_events(self, *batches: EventBatch, peer: str = "") -> Taken:
        """Lines that were parsed elsewhere; several batches as with :meth:`take_syslog`."""
        return self._take_lines([(batch, peer, batch) for batch in batches])

    def _take_lines(self, batches: Sequence[tuple[EventBatch, str, RawBatch | EventBatch]]) -> Taken:
        with self._lock:
            groups = list(_grouped(batches))
            read = [self._read_lines(group, batches) for group in groups]
            logs = [learned.harvest.logs for learned in read if learned.harvest.logs.num_rows]
            if logs:
                self._signals.write_logs(pa.concat_tables(logs))
            taken = Taken()
            for group, learned in zip(groups, read, strict=True):
                harvest, state = learned.harvest, self._partitions.of(group.partition)
                self._store_anomalies(learned.anomalies)
                self._store_states(
                    state, [*harvest.states, *self._wrong_clocks(state, harvest.hosts, harvest.newest_s)]
                )
                taken += self._done(group.source, harvest.logs.num_rows, group.rejects)
                self._unstored_lines.stored(group.key)
            return taken

    def _read_lines(self, group: _Lines, batches: object) -> Learned[LineHarvest]:
        """Read and learn from lines once, however often they are tried; tell the graph what they say."""
        state = self._partitions.of(group.partition)
        again = group.key in self._unstored_lines
        learned = self._unstored_lines.learn(group.key, lambda: self._learn_lines(state, group, batches))
        harvest = learned.harvest
        closed = [key for finding, _origin, _at in harvest.findings for key in finding.closed]
        self._tell(state, harvest, closed, again=again)
        return learned

    def _learn_lines(self, state: PartitionState, group: _Lines, batches: object) -> Learned[LineHarvest]:
        harvest = self._lines.read(group.source, group.table, state.skews, state.templates)
        if harvest.spoken is None or harvest.mined is None:
            return Learned(harvest, (), batches)
        spoken = harvest.spoken
        anomalies = state.line_rates.observe(harvest.logs, spoken.text, spoken.code, harvest.mined)
        return Learned(harvest, tuple(anomalies), batches)

    def take_samples(self, batch: SampleBatch) -> Taken:
        """Samples of a scrape or of a remote write. Values stay as they are: counters count, gauges gauge."""
        with self._lock:
            partition = partition_of(batch.position)
            state = self._partitions.of(partition)
            key = (partition, batch.position or id(batch))
            again = key in self._unstored_samples
            learned = self._unstored_samples.learn(key, lambda: self._learn_samples(state, batch))
            harvest = learned.harvest
            self._tell(state, harvest, (), again=again)
            if harvest.series:
                self._signals.write_series(harvest.series)
            self._store_anomalies(learned.anomalies)
            self._store_states(state, harvest.states)
            self._unstored_samples.stored(key)
            return self._done(batch.source, harvest.samples, batch.rejects, dropped=harvest.dropped)

    def _learn_samples(self, state: PartitionState, batch: SampleBatch) -> Learned[SampleHarvest]:
        harvest = self._samples.read(batch)
        return Learned(harvest, tuple(state.series.observe(harvest.series)), batch)

    def _tell(
        self,
        state: PartitionState,
        harvest: LineHarvest | SampleHarvest,
        closed: Iterable[tuple[str, tuple[str, str, str]]],
        *,
        again: bool,
    ) -> None:
        """Tell the graph what a batch says. ``again``: what it brought was forgotten when the store refused it."""
        if again:
            for entity in harvest.entities:
                self._resolver.adopt(entity)
        state.relations.heard(sorted(harvest.origins), harvest.newest_s)
        self._learn(state, harvest.entities, _sightings(harvest), tuple(closed), harvest.newest_s)

    def _store_anomalies(self, anomalies: Sequence[Anomaly]) -> None:
        if anomalies:
            self._graph.put_anomalies(anomalies)

    def take_alerts(self, batch: AlertBatch, *, source: str = "alertmanager", position: str = "") -> Taken:
        """Alerts in any order and any number of times. What the sender left out (a truncated group) counts as dropped."""
        with self._lock:
            state = self._partitions.of(partition_of(position))
            entities: list[Entity] = []
            relations: list[Relation] = []
            alarms = []
            for posted in batch.alerts:
                found = self._resolver.resolve_any(posted.labels)
                if found is None:
                    found = self._resolver.resolve({"entity": f"unknown:{source}"})
                assert found is not None  # an id was given
                self._discovery.adopt(found, entities)
                relations += found.relations
                alarms.append(alarm_of(posted, entity=found.entity, peer=self._peer(posted), source=source))
            news = state.alarms.news(alarms)
            if news or entities:
                at_s = max((alarm.started_at.timestamp() for alarm in alarms), default=0.0)
                self._apply("labels", entities, relations, (), at_s)
                self._graph.put_alarms(news)
                state.alarms.commit(news)
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
            self._store_states(self._partitions.of(""), states)
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

    def open_alarm(self, fingerprint: str) -> Alarm | None:
        """The newest open alarm with this fingerprint."""
        now = self._clock.now()
        found = self._graph.alarms(start=now, end=now + timedelta(microseconds=1))
        return next((alarm for alarm in reversed(found) if alarm.fingerprint == fingerprint), None)

    def noted(self, source: str) -> Taken:
        """Something came that is kept elsewhere, such as an acknowledgement in its incident's history."""
        with self._lock:
            return self._done(source, 1, ())

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
            count = 0
            for state in self._partitions:
                expired = state.relations.expired()
                self._close_relations(expired, at)
                for relation in expired:
                    state.relations.drop(relation.key)
                count += len(expired)
            return count

    def snapshot(self, partition: Partition | None = None) -> Mapping[str, bytes]:
        """What was learned of ``partition`` (None: of what came without a journal), for :meth:`restore` of any worker. To be
        taken between batches: everything before it is contained, nothing after it."""
        with self._lock:
            return self._partitions.snapshot(_name(partition))

    def restore(self, partition: Partition | None, parts: Mapping[str, bytes]) -> None:
        """Go on where the worker that made ``parts`` was. Raises :class:`aiops.errors.ParseError` where they cannot be used;
        then nothing has changed."""
        with self._lock:
            self._partitions.restore(_name(partition), parts)

    def forget(self, partition: Partition | None = None) -> None:
        """Somebody else goes on with ``partition``."""
        with self._lock:
            name = _name(partition)
            self._partitions.forget(name)
            self._unstored_lines.forget(name)
            self._unstored_samples.forget(name)

    def skews(self) -> Mapping[str, float]:
        """Hosts whose clock is more than a minute off, and by how many seconds it runs ahead (negative: behind)."""
        with self._lock:
            return self._skews()

    def ambiguous(self) -> Mapping[str, tuple[str, ...]]:
        """Names that mean several entities, and which."""
        with self._lock:
            return self._resolver.ambiguous()

    def candidates(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Ids of stored entities that ``labels`` may mean, sorted; several where they are ambiguous. Makes none."""
        with self._lock:
            found = self._resolver.resolve_any(labels)
            if found is None:
                return ()
            known = found.matched or self._resolver.entity(found.entity) is not None
            return found.ambiguous or ((found.entity,) if known else ())

    def entity_of(self, labels: Mapping[str, str]) -> str | None:
        """The stored entity that an alert with ``labels`` is kept on, be it one that nobody had named before."""
        with self._lock:
            found = self._resolver.resolve_any(labels)
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
                relations=sum(len(state.relations) for state in self._partitions),
                ambiguous=len(self._resolver.ambiguous()),
                skewed_hosts=len(self._skews()),
                queue_bytes=queue_bytes,
                templates=sum(len(state.templates) for state in self._partitions),
                watched_series=sum(len(state.series) for state in self._partitions),
                last_seen=self._counters.last_seen(),
            )

    def _skews(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for state in self._partitions:
            found |= state.skews.skews()
        return dict(sorted(found.items()))

    def _wrong_clocks(
        self, state: PartitionState, hosts: Sequence[str], at_s: float
    ) -> list[StateObservation]:
        """Which of ``hosts`` have a wrong clock, by how many minutes: kept, so that an analysis can say so."""
        found: list[StateObservation] = []
        for host in hosts:
            minutes = round(-state.skews.correction(host) / 60.0) if host else 0
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
        partition: PartitionState,
        entities: Sequence[Entity],
        sightings: Mapping[Key, Sighting],
        closed: Iterable[tuple[str, tuple[str, str, str]]],
        at_s: float,
    ) -> None:
        """Tell the graph what is new, and only that."""
        table = partition.relations
        writes = table.plan(sightings)
        state = [
            replace(relation, valid_from=_time(at_s)) if table.moved(relation) else relation
            for relation in writes.state
        ]
        closing = [*closed, *((r.provenance, (r.source_id, r.kind, r.target_id)) for r in writes.close)]
        self._apply("ingest", entities, state, closing, at_s)
        table.commit(sightings, Writes(tuple(state), writes.close))
        for provenance, key in closed:
            table.drop((*key, provenance))

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

    def _store_states(self, state: PartitionState, states: Sequence[StateObservation]) -> None:
        news = state.states.news(states)
        if news:
            self._signals.write_states(news)
            state.states.commit(news)

    def _done(self, source: str, stored: int, rejects: Sequence[Reject], *, dropped: int = 0) -> Taken:
        """Everything is durable: keep the rejects, then count."""
        rejected = self._dead_letters.put(rejects) if rejects else 0
        taken = Taken(stored + rejected + dropped, stored, rejected, dropped)
        self._counters.add(source, taken, at=self._clock.now())
        return taken


def _time(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)


def _peer_address(peer: str) -> str:
    """``10.77.1.10`` of ``udp 10.77.1.10:51234``."""
    return split_port(peer.rsplit(" ", 1)[-1].split("#", 1)[0])[0]


def _grouped(batches: Sequence[tuple[EventBatch, str, RawBatch | EventBatch]]) -> Iterator[_Lines]:
    """Batches of the same source and partition together, in order of the first of each."""
    groups: dict[tuple[str, str], list[tuple[EventBatch, str, RawBatch | EventBatch]]] = {}
    for parsed, peer, given in batches:
        groups.setdefault((parsed.source, partition_of(given.position)), []).append((parsed, peer, given))
    for (source, partition), members in groups.items():
        tables = [_with_host(parsed.table, _peer_address(peer)) for parsed, peer, _given in members]
        yield _Lines(
            source,
            partition,
            (partition, (source, *(given.position or id(given) for _parsed, _peer, given in members))),
            pa.concat_tables(tables),
            tuple(reject for parsed, _peer, _given in members for reject in parsed.rejects),
        )


def _with_host(table: pa.Table, peer: str) -> pa.Table:
    """``table`` with ``peer`` as host of the lines that name none."""
    host = table["host"]
    if not host.null_count:
        return table
    return table.set_column(table.schema.get_field_index("host"), "host", pc.fill_null(host, peer))


def _sightings(harvest: LineHarvest | SampleHarvest) -> dict[Key, Sighting]:
    return {
        learned.relation.key: Sighting(learned, origin, at_s)
        for finding, origin, at_s in harvest.findings
        for learned in finding.relations
    }


def _name(partition: Partition | None) -> str:
    return "" if partition is None else str(partition)
