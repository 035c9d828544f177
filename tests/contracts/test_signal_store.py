"""What every SignalStore promises, on each of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from aiops.contracts import SignalStore
from aiops.domain.batches import LOG_SCHEMA, EntitySeries, SignalWindow, StateObservation
from aiops.errors import InputError

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
T0_S = T0.timestamp()

Make = Callable[..., SignalStore]


def series(
    entity: str, times: list[float], values: list[float] | None = None, **fields: object
) -> EntitySeries:
    at_s = T0_S + np.array(times, np.float64)
    value = np.array(times if values is None else values, np.float64)
    return EntitySeries(entity, fields.get("peer"), str(fields.get("metric", "cpu")), at_s, value)  # type: ignore[arg-type]


def lines(*rows: tuple[float, str, str]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "at_s": T0_S + at,
                "entity": entity,
                "severity": 3,
                "message": f"line {event}",
                "event_id": event,
            }
            for at, entity, event in rows
        ],
        schema=LOG_SCHEMA,
    )


def window(
    store: SignalStore, begin: float = 0, end: float = 1e6, entities: list[str] | None = None
) -> SignalWindow:
    return store.window(
        start=T0 + timedelta(seconds=begin), end=T0 + timedelta(seconds=end), entities=entities
    )


def points(found: SignalWindow) -> dict[tuple[str, str | None, str], list[tuple[float, float]]]:
    return {
        (item.entity, item.peer, item.metric): list(
            zip((item.at_s - T0_S).tolist(), item.value.tolist(), strict=True)
        )
        for item in found.series
    }


def test_samples_come_back_sorted_and_cut_to_the_window(make_signals: Make) -> None:
    store = make_signals()
    assert store.write_series([series("b", [3, 1, 2]), series("a", [1]), series("a", [1, 5], peer="b")]) == 6
    assert store.write_series([]) == store.write_series([series("c", [])]) == 0
    assert points(window(store, 1, 3)) == {
        ("a", None, "cpu"): [(1, 1)],
        ("a", "b", "cpu"): [(1, 1)],
        ("b", None, "cpu"): [(1, 1), (2, 2)],
    }
    assert list(points(window(store))) == [("a", None, "cpu"), ("a", "b", "cpu"), ("b", None, "cpu")]
    assert list(points(window(store, entities=["b", "none"]))) == [("b", None, "cpu")]
    assert points(window(store, entities=[])) == {}
    found = window(store, 1, 3)
    assert (found.start, found.end) == (T0 + timedelta(seconds=1), T0 + timedelta(seconds=3))


def test_the_same_series_and_time_is_kept_once_in_any_order(make_signals: Make) -> None:
    store = make_signals()
    assert store.write_series([series("a", [1, 2, 3])]) == 3
    assert store.write_series([series("a", [2, 3, 4], [0, 0, 4])]) == 1
    assert store.write_series([series("a", [0, 1, 2000])]) == 2
    assert store.write_series([series("b", [7, 7], [1, 2]), series("b", [7], [3])]) == 1
    assert points(window(store)) == {
        ("a", None, "cpu"): [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (2000, 2000)],
        ("b", None, "cpu"): [(7, 1)],
    }
    assert store.stats()["samples"] == 7
    assert store.stats()["series"] == 2


def test_labels_and_metric_tell_series_apart(make_signals: Make) -> None:
    store = make_signals()
    at_s, value = np.array([T0_S]), np.array([1.0])
    many = [
        EntitySeries("a", None, metric, at_s, value, labels)
        for metric in ("m", "n")
        for labels in ((), (("k", "ä=`"),), (("k", "2"),))
    ]
    assert store.write_series(many) == 6
    assert [(item.metric, item.labels) for item in window(store).series] == [
        (metric, labels) for metric in ("m", "n") for labels in ((), (("k", "2"),), (("k", "ä=`"),))
    ]


def test_values_that_are_no_numbers_are_samples_too(make_signals: Make) -> None:
    store = make_signals()
    assert store.write_series([series("a", [1, 2, 3], [float("nan"), float("inf"), -0.0])]) == 3
    (found,) = window(store).series
    assert np.array_equal(found.value, [np.nan, np.inf, 0.0], equal_nan=True)


def test_lines_are_kept_once_and_ordered_by_time_then_id(make_signals: Make) -> None:
    store = make_signals()
    assert store.write_logs(lines((5, "a", "e2"), (5, "b", "e1"), (1, "a", "e3"), (1, "a", "e3"))) == 3
    assert store.write_logs(lines((5, "a", "e2"), (900, "a", "e4"))) == 1
    assert store.write_logs(lines((77, "a", "e3"))) == 0
    assert window(store).logs["event_id"].to_pylist() == ["e3", "e1", "e2", "e4"]
    assert window(store, 5, 6, ["a"]).logs.to_pylist() == [
        {
            "at_s": T0_S + 5,
            "entity": "a",
            "severity": 3,
            "source": None,
            "message": "line e2",
            "template": None,
            "event_id": "e2",
        }
    ]
    assert window(store).logs.schema == LOG_SCHEMA
    assert window(store, 1e5).logs.schema == LOG_SCHEMA
    assert store.stats()["logs"] == 4


def test_lines_of_a_journal_are_kept_once_in_any_parts_and_order(make_signals: Make) -> None:
    store = make_signals()

    def of(*ids: str) -> pa.Table:
        return lines(*((float(len(event)), "a", event) for event in ids))

    assert store.write_logs(of("logs-0@7#0", "logs-0@7#1", "logs-0@7#4", "logs-0@8#0")) == 4
    assert store.write_logs(of("logs-0@7#1", "logs-0@7#2", "logs-0@7#2", "logs-0@9#5", "e")) == 3
    assert store.write_logs(of("logs-0@7#3", "logs-1@7#0", "logs-0@7#0")) == 2
    assert store.write_logs(of(*(f"logs-0@7#{n}" for n in range(7)), "e", "logs-0@8#0")) == 2
    # what only looks like an index is an id of its own
    assert store.write_logs(of("logs-0@7#01", "logs-0@7#+1", "logs-0@7#", "logs-0@7", "x#1", "a@b#1#2")) == 6
    assert store.write_logs(of("logs-0@7#01", "logs-0@7#99999999999", "x#1", "a@b#1#2")) == 1
    assert store.write_logs(of("logs-0@7#99999999999", "logs-0@7#-1")) == 1
    assert store.stats()["logs"] == 19
    assert len(set(window(store).logs["event_id"].to_pylist())) == 19


def test_lines_of_a_journal_over_the_bound_are_counted_and_may_come_again(make_signals: Make) -> None:
    store = make_signals(60_000)
    written = 0
    for record in range(120):
        rows = ((300.0 * record + n, "a", f"logs-0@{record}#{n}") for n in range(100))
        written += store.write_logs(lines(*rows))
    stats = store.stats()
    assert written == 12_000
    assert stats["logs"] + stats["evicted_logs"] == written
    assert stats["evicted_logs"] > 0
    assert (
        store.write_logs(lines((300.0 * 119, "a", "logs-0@119#0"), (300.0 * 119, "a", "logs-0@119#100"))) == 1
    )


def test_states_are_kept_once(make_signals: Make) -> None:
    store = make_signals()
    state = StateObservation(T0_S, "pod:a", "phase", "Running")
    later = StateObservation(T0_S + 9, "pod:a", "phase", "Failed")
    other = StateObservation(T0_S, "pod:b", "phase", "Running")
    assert store.write_states([later, state, other, state]) == 3
    assert store.write_states([state]) == 0
    assert window(store).states == (state, other, later)
    assert window(store, 1, 20, ["pod:a"]).states == (later,)
    assert window(store, entities=["pod:b"]).states == (other,)
    assert store.stats()["states"] == 3


def test_over_the_bound_the_oldest_go_and_are_counted(make_signals: Make) -> None:
    store = make_signals(200_000)
    written = 0
    for minute in range(60):
        times = [60.0 * minute + second for second in range(0, 60, 2)]
        written += store.write_series([series(f"h{n}", times) for n in range(10)])
    stats = store.stats()
    assert written == 18_000
    assert stats["samples"] + stats["evicted_samples"] == written
    assert 0 < stats["bytes"] <= 200_000
    assert stats["evicted_samples"] > 0
    held = window(store).series
    assert {item.at_s[-1] - T0_S for item in held} == {60 * 60 - 2}
    oldest = {item.at_s[0] for item in held}
    assert len(oldest) == 1
    assert sum(len(item.at_s) for item in held) == stats["samples"]


def test_lines_over_the_bound_are_counted_too(make_signals: Make) -> None:
    store = make_signals(200_000)
    written = sum(
        store.write_logs(lines(*((60.0 * minute + n, "a", f"{minute}-{n}") for n in range(100))))
        for minute in range(100)
    )
    stats = store.stats()
    assert written == 10_000
    assert stats["logs"] + stats["evicted_logs"] == written
    assert stats["evicted_logs"] > 0
    assert stats["bytes"] <= 200_000
    ids = window(store).logs["event_id"].to_pylist()
    assert ids[-1] == "99-99"
    assert len(ids) == stats["logs"]


def test_what_cannot_be_kept_is_refused_whole(make_signals: Make) -> None:
    store = make_signals()
    good = series("a", [1])
    uneven = EntitySeries("a", None, "m", np.array([1.0, 2.0]), np.array([1.0]))
    refused = [uneven, series("a", [float("nan")]), series("a", [float("inf")]), series("\ud800", [1])]
    for bad in refused:
        with pytest.raises(InputError):
            store.write_series([good, bad])
    with pytest.raises(InputError, match="columns"):
        store.write_logs(pa.table({"at_s": [1.0]}))
    with pytest.raises(InputError, match="event_id"):
        store.write_logs(pa.Table.from_pylist([{"at_s": T0_S, "entity": "a"}], schema=LOG_SCHEMA))
    with pytest.raises(InputError, match="number"):
        store.write_logs(lines((float("nan"), "a", "e")))
    with pytest.raises(InputError):
        store.window(start=T0.replace(tzinfo=None), end=T0)
    assert (store.stats()["samples"], store.stats()["logs"]) == (0, 0)


def test_a_mark_stands_for_as_long_as_the_window_does(make_signals: Make) -> None:
    store = make_signals()

    def mark() -> object:
        return store.mark(start=T0, end=T0 + timedelta(seconds=100))

    store.write_series([series("host:a", [1.0, 2.0])])
    marks = [mark()]
    assert mark() == marks[0]
    for write in (
        lambda: store.write_series([series("host:b", [3.0])]),
        lambda: store.write_logs(lines((4.0, "host:a", "one"))),
        lambda: store.write_states([StateObservation(T0_S + 5.0, "host:a", "link", "down")]),
    ):
        write()
        assert mark() not in marks
        marks.append(mark())
