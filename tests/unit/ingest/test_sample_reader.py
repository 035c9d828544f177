"""The reader of samples: a slot a series, plans that are remembered, bounds, and columns that read like series."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops.domain.batches import EntitySeries, SampleBatch, Series, SeriesColumns
from aiops.domain.graph import Entity, GraphDelta
from aiops.store.memory import MemoryGraphStore
from ingest.entities import EntityResolver
from ingest.identity import READ_LABELS
from ingest.samples import PLAN_TTL_S, UNSETTLED_TTL_S, SampleReader
from ingest.series_slots import SlotBounds
from ingest.topology.discovery import Discovery
from ingest.topology.mapping import load_mapping
from tests.support.ingest_sites import AT, AT_S, samples

HOST = Entity("host:db-1", "Host", "db-1", ("10.0.0.1",))
MAPPING = load_mapping()


@dataclass(slots=True)
class Desk:
    """A reader, its clock and what it asks."""

    bounds: SlotBounds = field(default_factory=SlotBounds)
    now_s: float = 1000.0
    asked: int = 0
    graph: MemoryGraphStore = field(default_factory=MemoryGraphStore)
    resolver: EntityResolver = field(init=False)
    reader: SampleReader = field(init=False)

    def __post_init__(self) -> None:
        self.graph.apply(GraphDelta("test", (HOST,)), at=AT)
        self.resolver = EntityResolver(self.graph, monotonic=lambda: self.now_s)
        discovery = _Counted(MAPPING, self.resolver, self)
        self.reader = SampleReader(
            MAPPING, self.resolver, discovery, bounds=self.bounds, monotonic=lambda: self.now_s
        )


class _Counted(Discovery):
    def __init__(self, mapping: object, resolver: EntityResolver, desk: Desk) -> None:
        super().__init__(mapping, resolver)  # type: ignore[arg-type]
        self._desk = desk

    def series(self, series: Series, value: float) -> object:  # type: ignore[override]
        self._desk.asked += 1
        return super().series(series, value)


def load(host: str, value: float = 1.0, metric: str = "node_load1") -> tuple[str, dict[str, str], float]:
    return (metric, {"instance": f"{host}:9100", "job": "node"}, value)


def described(series: SeriesColumns) -> list[tuple[str, str, list[float], list[float]]]:
    return [(one.entity, one.metric, one.at_s.tolist(), one.value.tolist()) for one in series]


def test_a_known_series_is_worked_out_once() -> None:
    desk = Desk()
    first = desk.reader.read(samples(load("db-1"), load("10.0.0.1", 2.0, "node_load5")))
    again = desk.reader.read(samples(load("db-1", 3.0), load("10.0.0.1", 4.0, "node_load5")))
    assert [(one.entity, one.metric) for one in first.series] == [
        ("host:db-1", "node_load1"),
        ("host:db-1", "node_load5"),
    ]
    assert again.series.value.tolist() == [3.0, 4.0]
    assert (desk.asked, len(desk.reader.slots)) == (2, 2)
    assert all(mine is theirs for mine, theirs in zip(first.series.keys, again.series.keys, strict=True))
    assert (
        first.origins
        == again.origins
        == {"remote-write\x1fnode\x1fdb-1:9100", "remote-write\x1fnode\x1f10.0.0.1:9100"}
    )


def test_a_plan_ends_with_its_time_and_with_new_names() -> None:
    desk = Desk()
    batch = samples(load("db-1"), load("other"))
    desk.reader.read(batch)
    assert desk.asked == 2
    desk.now_s += UNSETTLED_TTL_S + 1
    desk.reader.read(batch)
    assert desk.asked == 3  # only the host that nobody knows
    desk.now_s += PLAN_TTL_S
    desk.reader.read(batch)
    assert desk.asked == 5
    desk.reader.clear()
    desk.reader.read(batch)
    assert (desk.asked, len(desk.reader.slots)) == (7, 2)


def test_samples_are_put_in_order_and_what_is_no_value_is_dropped() -> None:
    series = (Series("a", (("instance", "db-1:1"),)), Series("b", (("instance", "db-1:1"),)), Series("c", ()))
    batch = SampleBatch(
        "s",
        series,
        np.array([1, 0, 1, 0, 2], dtype=np.int64),
        np.array([5.0, 4.0, 3.0, 2.0, 1.0]),
        np.array([1.0, 2.0, 3.0, 4.0, np.nan]),
        stale=((2, 1.0),),
        ignored=3,
    )
    harvest = Desk().reader.read(batch)
    assert described(harvest.series) == [
        ("host:db-1", "a", [2.0, 4.0], [4.0, 2.0]),
        ("host:db-1", "b", [3.0, 5.0], [3.0, 1.0]),
    ]
    assert (harvest.samples, harvest.dropped, harvest.newest_s) == (4, 5, 5.0)
    nothing = Desk().reader.read(replace(batch, value=np.full(5, np.nan)))
    assert (len(nothing.series), nothing.samples, nothing.dropped) == (0, 0, 9)


def test_new_series_past_a_bound_are_dropped_and_counted_until_old_ones_have_aged() -> None:
    desk = Desk(SlotBounds(max_per_source=3, idle_s=100.0))
    ours = samples(*(load("db-1", 1.0, f"m{n}") for n in range(3)))
    theirs = samples(load("db-1", 1.0, "x"), source="scrape")
    bomb = samples(*(load("db-1", float(n), f"m{n}") for n in range(50)))
    assert desk.reader.read(ours).samples == 3
    harvest = desk.reader.read(bomb)
    assert (harvest.samples, harvest.dropped) == (3, 47)
    assert harvest.series.value.tolist() == [0.0, 1.0, 2.0]
    assert desk.reader.read(theirs).samples == 1
    assert desk.reader.slots.refused == {"too many active series of the source": 47}
    assert desk.reader.slots.held() == {"remote-write": 3, "scrape": 1}
    desk.now_s += 101
    late = desk.reader.read(samples(*(load("db-1", 1.0, f"n{n}") for n in range(50))))
    assert (late.samples, late.dropped, desk.reader.slots.evicted) == (3, 47, 4)
    assert desk.reader.slots.held() == {"remote-write": 3, "scrape": 0}
    assert desk.reader.read(ours).samples == 0


def test_one_target_that_invents_labels_leaves_room_for_the_others() -> None:
    desk = Desk(SlotBounds(max_per_target=5))
    bomb = samples(*(load("db-1", 1.0, f"m{n}") for n in range(50)), load("10.0.0.1"))
    harvest = desk.reader.read(bomb)
    assert (harvest.samples, harvest.dropped) == (6, 45)
    assert desk.reader.slots.refused == {"too many active series of the target": 45}


def test_a_series_that_nothing_fits_is_refused_whole() -> None:
    harvest = Desk(SlotBounds(max_series=0)).reader.read(samples(load("db-1")))
    assert (harvest.samples, harvest.dropped, len(harvest.series)) == (0, 1, 0)


def test_relations_and_states_are_told_with_every_batch() -> None:
    desk = Desk()
    pod = {"namespace": "shop", "pod": "cart-0", "node": "n1", "pod_ip": "10.1.0.9", "uid": "u"}
    batch = samples(("kube_pod_info", pod, 1.0), load("db-1"))
    for _ in range(2):
        harvest = desk.reader.read(batch)
        ((finding, origin, at_s),) = harvest.findings
        assert [learned.relation.kind for learned in finding.relations] == ["RUNS_ON", "IDENTIFIES"]
        assert (origin, at_s) == ("remote-write\x1f\x1f", AT_S)
    assert desk.asked == 2


def test_a_series_as_another_object_has_the_same_slot() -> None:
    desk = Desk()
    one, other = samples(load("db-1")), samples(load("db-1"))
    assert one.series[0] is not other.series[0]
    both = SampleBatch(
        "remote-write",
        (one.series[0], other.series[0]),
        np.arange(2),
        np.array([1.0, 2.0]),
        np.array([1.0, 2.0]),
    )
    assert desk.reader.read(both).samples == 2
    for batch in (one, other, one):
        desk.reader.read(batch)
    assert (len(desk.reader.slots), desk.asked) == (1, 1)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_columns_read_like_series(count: int) -> None:
    bounds = np.cumsum([0, *range(count)]).astype(np.int64)
    numbers = np.arange(float(bounds[-1]))
    columns = SeriesColumns([(f"e{n}", None, "m", ()) for n in range(count)], bounds, numbers, -numbers)
    made = list(columns)
    assert (len(columns), bool(columns)) == (count, count > 0)
    assert [len(one.at_s) for one in made] == list(range(count))
    assert all(isinstance(one, EntitySeries) and (one.value == -one.at_s).all() for one in made)
    assert columns[:2] == made[:2]


IDENTITIES = st.builds(
    lambda metric, host: Series(metric, (("instance", f"{host}:1"), ("job", "j"))),
    st.sampled_from(["a", "b", "up", "scrape_x"]),
    st.sampled_from(["db-1", "x", "y"]),
)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.tuples(IDENTITIES, st.floats(0, 9), st.floats()), max_size=6), max_size=5))
def test_every_sample_is_kept_or_counted(batches: list[list[tuple[Series, float, float]]]) -> None:
    desk = Desk(SlotBounds(max_series=4, max_per_source=3))
    for rows in batches:
        distinct = tuple(dict.fromkeys(series for series, _, _ in rows))
        batch = SampleBatch(
            "s",
            distinct,
            np.array([distinct.index(series) for series, _, _ in rows], dtype=np.int64),
            np.array([at for _, at, _ in rows]),
            np.array([value for _, _, value in rows]),
        )
        harvest = desk.reader.read(batch)
        kept = sorted(
            (one.metric, one.labels, at, value)
            for one in harvest.series
            for at, value in zip(one.at_s.tolist(), one.value.tolist(), strict=True)
        )
        sent = [(s.metric, s.labels, at, value) for s, at, value in rows if not np.isnan(value)]
        assert harvest.samples + harvest.dropped == len(rows)
        assert len(kept) == harvest.samples
        assert all(row in sent for row in kept)
        assert len(desk.reader.slots) <= 3


LABELS = st.dictionaries(
    st.sampled_from([*sorted(READ_LABELS), "le", "mode", "path", "exported_le", "app"]),
    st.sampled_from(["db-1", "10.0.0.1:9", "x", "eth0", "shop", "s1"]),
    max_size=4,
)


@settings(deadline=None, max_examples=200)
@given(st.lists(LABELS, min_size=2, max_size=6))
def test_series_that_are_alike_have_the_owner_they_would_have_alone(sets: list[dict[str, str]]) -> None:
    """What is used again for equal labels of identity is what the rules give for each."""
    desk, thorough = Desk(), Desk()
    thorough.reader = _Thorough(
        MAPPING,
        thorough.resolver,
        Discovery(MAPPING, thorough.resolver),
        monotonic=lambda: thorough.now_s,
    )
    batch = samples(*((f"{'node_' if n % 2 else ''}m{n}", labels, 1.0) for n, labels in enumerate(sets)))
    for _ in range(3):
        found, expected = desk.reader.read(batch), thorough.reader.read(batch)
        assert found.series.keys == expected.series.keys
        assert found.entities == expected.entities
        desk.now_s = thorough.now_s = desk.now_s + PLAN_TTL_S + 1


class _Thorough(SampleReader):
    """Asks for every series."""

    def _plain_rules(self, metric: str) -> tuple[str, ...] | None:
        return None


def test_plain_series_of_one_target_are_worked_out_once() -> None:
    desk = Desk()
    batch = samples(*(load("db-1", 1.0, f"m{n}") for n in range(100)))
    assert {one.entity for one in desk.reader.read(batch).series} == {"host:db-1"}
    assert desk.asked == 1


def test_series_become_columns_and_columns_stay_as_they_are() -> None:
    one = EntitySeries("e", None, "m", np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    empty = EntitySeries("e", "p", "m", np.empty(0), np.empty(0))
    columns = SeriesColumns.of(item for item in (empty, one, one))
    assert columns.keys == [one.key, one.key]
    assert columns.starts.tolist() == [0, 2, 4]
    assert columns.value.tolist() == [3.0, 4.0, 3.0, 4.0]
    assert SeriesColumns.of(columns) is columns
    assert len(SeriesColumns.of([empty])) == 0
