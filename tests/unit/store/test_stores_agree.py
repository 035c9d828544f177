"""Any sequence of statements, in any order of time, leaves the same graph in memory and on SQLite."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from aiops.domain.graph import Entity, GraphDelta, Relation
from aiops.domain.occurrences import Alarm, Anomaly, Change, Incident
from aiops.store.memory import MemoryGraphStore
from aiops.store.sqlite import SqliteGraphStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOURCES = st.sampled_from(["lab", "kube"])
IDS = st.sampled_from([f"host:{letter}" for letter in "abcd"])
MINUTES = st.integers(0, 6).map(lambda count: NOON + timedelta(minutes=count))
ENTITIES = st.builds(
    Entity,
    IDS,
    st.sampled_from(["Host", "Unknown", "Odd`kind"]),
    st.sampled_from(["a", "ß", "it's"]),
    st.lists(st.sampled_from(["A", "ss", "z"]), max_size=2).map(tuple),
    st.dictionaries(st.sampled_from(["k", "="]), st.sampled_from(["1", "2"]), max_size=2),
)


@st.composite
def deltas(draw: st.DrawFn) -> GraphDelta:
    source = draw(SOURCES)
    relations = st.builds(
        Relation,
        IDS,
        st.sampled_from(["CALLS", "odd kind"]),
        IDS,
        st.just(source),
        st.sampled_from([0.5, 1.0]),
        valid_from=st.none() | MINUTES,
        valid_to=st.none() | st.none() | MINUTES,
        redundancy_group=st.sampled_from([None, "g"]),
    ).filter(lambda row: row.valid_from is None or row.valid_to is None or row.valid_from < row.valid_to)
    return GraphDelta(
        source,
        tuple(draw(st.lists(ENTITIES, max_size=2))),
        tuple(draw(st.lists(relations, max_size=3))),
        tuple(draw(st.lists(st.tuples(IDS, st.sampled_from(["CALLS", "odd kind"]), IDS), max_size=1))),
        draw(st.booleans()),
    )


class StoresAgree(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.memory = MemoryGraphStore()
        self.sqlite = SqliteGraphStore(Path(self.folder.name) / "graph.db")

    @rule(delta=deltas(), at=MINUTES)
    def apply(self, delta: GraphDelta, at: datetime) -> None:
        assert self.memory.apply(delta, at=at) == self.sqlite.apply(delta, at=at)
        before = self.sqlite.export()
        if not delta.closed:
            self.sqlite.apply(delta, at=at)
            self.memory.apply(delta, at=at)
            assert self.sqlite.export().entities == before.entities

    @rule(entity=IDS, begin=MINUTES, end=st.none() | MINUTES)
    def alarm(self, entity: str, begin: datetime, end: datetime | None) -> None:
        alarm = Alarm("id", entity, "Down", entity, begin, end)
        assert self.memory.put_alarms([alarm]) == self.sqlite.put_alarms([alarm])

    @rule(entity=IDS, begin=MINUTES, end=st.none() | MINUTES, score=st.sampled_from([1.0, 2.0]))
    def anomaly(self, entity: str, begin: datetime, end: datetime | None, score: float) -> None:
        anomaly = Anomaly(f"x{begin.minute}", entity, "cpu", "ewma", begin, end, score=score)
        assert self.memory.put_anomalies([anomaly]) == self.sqlite.put_anomalies([anomaly])

    @rule(number=st.integers(0, 3), begin=MINUTES, end=st.none() | MINUTES, lasting=st.booleans())
    def change(self, number: int, begin: datetime, end: datetime | None, lasting: bool) -> None:
        kind = "maintenance" if lasting else "deploy"
        change = Change("c", "argo", str(number), "t", kind, begin, end, ("host:a",))
        assert self.memory.put_changes([change]) == self.sqlite.put_changes([change])

    @rule(begin=MINUTES, before_s=st.integers(0, 120), after_s=st.integers(0, 120))
    def incident(self, begin: datetime, before_s: int, after_s: int) -> None:
        bounds = {"window_before_s": float(before_s), "window_after_s": float(after_s)}
        incident = Incident("I", "t", begin, **bounds)
        assert self.memory.put_incident(incident) == self.sqlite.put_incident(incident)

    @rule(before=MINUTES)
    def prune(self, before: datetime) -> None:
        assert self.memory.prune(before=before) == self.sqlite.prune(before=before)

    @invariant()
    def same_graph(self) -> None:
        for at in (None, NOON, NOON + timedelta(minutes=3), NOON + timedelta(minutes=9)):
            held = self.memory.export(as_of=at)
            assert held == self.sqlite.export(as_of=at)
            keys = [row.key for row in held.relations]
            assert len(keys) == len(set(keys))
        assert self.memory.counts() == self.sqlite.counts()

    @rule(seeds=st.lists(IDS, max_size=2), at=MINUTES, depth=st.integers(0, 3), limit=st.integers(0, 4))
    def same_answers(self, seeds: list[str], at: datetime, depth: int, limit: int) -> None:
        near = self.memory.neighbourhood(seeds, as_of=at, depth=depth, limit=limit)
        assert near == self.sqlite.neighbourhood(seeds, as_of=at, depth=depth, limit=limit)
        names = ["a", "SS", "IT'S", *seeds]
        assert self.memory.resolve(names) == self.sqlite.resolve(names)
        for query in ("", "a", "s", "host"):
            assert self.memory.find_entities(query, limit=limit) == self.sqlite.find_entities(
                query, limit=limit
            )
        window = {"start": at, "end": at + timedelta(minutes=1)}
        assert self.memory.alarms(**window) == self.sqlite.alarms(**window)
        assert self.memory.anomalies(**window) == self.sqlite.anomalies(**window)
        assert self.memory.changes(**window) == self.sqlite.changes(**window)
        assert self.memory.maintenance(**window) == self.sqlite.maintenance(**window)

    def teardown(self) -> None:
        self.sqlite.close()
        self.folder.cleanup()


StoresAgree.TestCase.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
TestStoresAgree = StoresAgree.TestCase
