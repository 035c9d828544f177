"""Series under watch: shifts are told once, with their beginning and their end; noise, gaps and odd values are not."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from aiops.domain.batches import EntitySeries, FloatArray
from aiops.domain.occurrences import Anomaly
from aiops.errors import ParseError
from ingest.detection.series import SeriesWatch
from ingest.detection.settings import DetectionSettings

T0_S = 1_790_000_000.0
STEP_S = 15.0


def series(entity: str, at_s: Iterable[float], value: Iterable[float], metric: str = "load") -> EntitySeries:
    return EntitySeries(
        entity, None, metric, T0_S + np.array(list(at_s), float), np.array(list(value), float)
    )


def noise(count: int, seed: int = 1, mean: float = 100.0, scale: float = 5.0) -> FloatArray:
    return np.random.default_rng(seed).normal(mean, scale, count)


def watched(
    values: Iterable[float], watch: SeriesWatch, *, metric: str = "load", start: int = 0
) -> list[Anomaly]:
    """One sample a batch, as they come."""
    told: list[Anomaly] = []
    for place, value in enumerate(values, start=start):
        told += watch.observe([series("host:a", [place * STEP_S], [value], metric)])
    return told


def at(anomaly: Anomaly) -> float:
    return (anomaly.started_at.timestamp() - T0_S) / STEP_S


def test_a_shift_is_told_where_it_began_and_ends_when_it_is_over() -> None:
    values = noise(400)
    values[200:260] += 60.0
    told = watched(values, SeriesWatch(DetectionSettings()))
    first, last = told[0], told[-1]
    assert (first.entity, first.signal, first.direction, first.ended_at) == ("host:a", "load", "up", None)
    assert at(first) == 200
    assert first.expected == pytest.approx(100.0, abs=5.0)
    assert first.value == pytest.approx(160.0, abs=10.0)
    assert {anomaly.id for anomaly in told} == {first.id}
    assert last.ended_at is not None
    assert (last.ended_at.timestamp() - T0_S) / STEP_S == 260


def test_a_fall_is_one_too_and_noise_and_a_single_spike_are_none() -> None:
    values = noise(600, seed=2)
    values[300] = 1e6
    assert watched(values, SeriesWatch(DetectionSettings())) == []
    values = noise(300, seed=3)
    values[250:] -= 60.0
    (fall, *_more) = watched(values, SeriesWatch(DetectionSettings()))
    assert (fall.direction, at(fall)) == ("down", 250)


def test_nothing_is_told_before_the_usual_is_known() -> None:
    values = noise(40)
    values[15:] += 80.0
    assert watched(values[:30], SeriesWatch(DetectionSettings())) == []


def test_counters_are_rates_and_may_begin_anew() -> None:
    steps = np.random.default_rng(4).poisson(100, 300).astype(float)
    steps[200:] += 400.0
    counted = np.cumsum(steps)
    counted[100:] -= counted[99]  # the process began anew
    watch = SeriesWatch(DetectionSettings())
    told = watched(counted, watch, metric="requests_total")
    assert at(told[0]) == 200
    assert told[0].expected == pytest.approx(100 / STEP_S, rel=0.2)
    assert told[0].value == pytest.approx(500 / STEP_S, rel=0.2)


def test_batches_of_any_size_tell_the_same_and_late_samples_are_passed_over() -> None:
    values = noise(300, seed=5)
    values[200:] += 60.0
    single, whole = SeriesWatch(DetectionSettings()), SeriesWatch(DetectionSettings())
    one_by_one = watched(values, single)
    at_once = whole.observe([series("host:a", np.arange(300) * STEP_S, values)])
    assert at_once == one_by_one
    assert whole.observe([series("host:a", [4_400.0, 4_415.0], [1e9, 1e9])]) == []


def test_a_gap_and_what_is_no_number_do_no_harm() -> None:
    values = [*noise(100, seed=6), float("nan"), float("inf"), 1e300, *noise(60, seed=7)]
    watch = SeriesWatch(DetectionSettings())
    assert watched(values, watch) == []
    assert watched(noise(60, seed=8), watch, start=5_000) == []
    shifted = watched(noise(40, seed=9) + 60.0, watch, start=5_060)
    assert at(shifted[0]) == 5_060


def test_an_anomaly_whose_series_stops_ends_with_it() -> None:
    values = noise(250, seed=10)
    values[220:] += 60.0
    watch = SeriesWatch(DetectionSettings())
    (opened, *_more) = watched(values, watch)
    later = [series("host:b", [n * STEP_S], [1.0]) for n in range(250, 330)]
    ended = [anomaly for batch in later for anomaly in watch.observe([batch])]
    assert [(anomaly.id, anomaly.ended_at is not None) for anomaly in ended] == [(opened.id, True)]


def test_everything_is_bounded_and_what_is_over_is_counted() -> None:
    settings = DetectionSettings(max_series=20, max_open=6, max_open_per_entity=3, idle_s=100.0)
    watch = SeriesWatch(settings)
    values = noise(120, seed=11)
    values[80:] += 60.0
    told: dict[str, Anomaly] = {}
    for place, value in enumerate(values):
        batch = [series(f"host:{n % 4}", [place * STEP_S], [value], f"m{n}") for n in range(24)]
        told |= {anomaly.id: anomaly for anomaly in watch.observe(batch)}
    assert len(watch) == 20
    assert watch.unwatched >= 4 * 120
    assert len(told) == 6
    assert watch.suppressed > 0
    per_entity = [sum(a.entity == f"host:{n}" for a in told.values()) for n in range(4)]
    assert max(per_entity) <= 3
    # the idle give way: a day later others are watched
    watch.observe([series(f"host:{n}", [86_400.0], [1.0], "other") for n in range(20)])
    watch.observe([series(f"host:{n}", [90_000.0], [1.0], "other") for n in range(20)])
    assert len(watch) == 20


def test_one_clock_that_is_a_year_ahead_ends_nobody_elses_anomaly() -> None:
    values = noise(260, seed=12)
    values[220:] += 60.0
    watch = SeriesWatch(DetectionSettings())
    (opened, *_more) = watched(values, watch)
    year = 366 * 86_400.0
    told = watch.observe([series("host:b", [year], [1.0])])
    told += watched(values[:1] + 60.0, watch, start=260)
    assert [anomaly for anomaly in told if anomaly.ended_at is not None] == []
    assert opened.ended_at is None


def test_stopped_anywhere_and_restored_it_goes_on_as_if_it_had_not_stopped() -> None:
    rng = np.random.default_rng(13)
    values = rng.normal(50, 5, (200, 12))
    values[100:160, ::3] += 50.0
    batches = [
        [series(f"host:{n % 3}", [row * STEP_S], [values[row, n]], f"m{n}") for n in range(12)]
        for row in range(200)
    ]
    never = SeriesWatch(DetectionSettings())
    told = [never.observe(batch) for batch in batches]
    assert any(told)
    for stop in (0, 7, 101, 130, 163):
        first, second = SeriesWatch(DetectionSettings()), SeriesWatch(DetectionSettings())
        for batch in batches[:stop]:
            first.observe(batch)
        second.load(first.save())
        assert [second.observe(batch) for batch in batches[stop:]] == told[stop:]
        assert second.save() == never.save()


def test_what_is_no_saved_watch_is_refused_and_changes_nothing() -> None:
    watch = SeriesWatch(DetectionSettings())
    watched(noise(5), watch)
    state = watch.save()
    for bad in (b"", state[:-1], b"aiops-series-watch/9 1 2\n", state + b"x"):
        with pytest.raises(ParseError, match="series-watch"):
            watch.load(bad)
    with pytest.raises(ParseError):
        SeriesWatch(DetectionSettings(window=16)).load(state)
    assert watch.save() == state
