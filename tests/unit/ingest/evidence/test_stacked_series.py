"""What is reckoned for many series at once is what a plain loop over single series gives, bit for bit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops.domain.batches import EntitySeries
from aiops.domain.evidence import Channel
from ingest.evidence.detectors import Shift, Windows, find_shifts
from ingest.evidence.families import Family, family_of
from ingest.evidence.rates import SampleBook, growth_of, looks_like_counter
from ingest.evidence.series import Track, build_tracks
from ingest.evidence.silence import find_silences
from ingest.evidence.stacks import MAX_SAMPLES, grouped_medians, medians, quantiles, stack_up

WINDOWS = Windows(base_end_s=1200.0, eval_start_s=1200.0, eval_end_s=1800.0)
METRICS = (
    "cpu_usage",
    "memory_rss_bytes",
    "http_requests_total",
    "errors",
    "request_seconds_sum",
    "request_seconds_count",
    "availability",
    "queue_length",
)


def plain_rate(at_s: np.ndarray, value: np.ndarray, *, start_s: float) -> tuple[list[float], list[float]]:
    """Increase per second, one sample after the other; a fall counts from zero, a late first sample is an increase."""
    step = float(np.median(np.diff(at_s)))
    times, rates = [], []
    if step > 0 and at_s[0] > start_s + 3 * step:
        times.append(float(at_s[0]))
        rates.append(float(value[0] / max(step, 1e-3)))
    for before in range(len(value) - 1):
        rise = value[before + 1] - value[before]
        rise = value[before + 1] if rise < 0 else rise
        times.append(float(at_s[before + 1]))
        rates.append(float(rise / max(at_s[before + 1] - at_s[before], 1e-3)))
    return times, rates


def plain_counter(value: np.ndarray, family: Family, name: str) -> bool:
    if name.endswith("_total"):
        return True
    rises = np.diff(value)
    resets = value[1:][rises < 0] < 0.5 * value[:-1][rises < 0]
    if len(resets) > max(1, len(value) // 50) or not resets.all():
        return False
    if family.channel in (Channel.MEMORY, Channel.LATENCY, Channel.SELF_TIME, Channel.OVERHEAD):
        return False
    rising = int((rises > 0).sum())
    if family.counter or "errors" in name:
        return rising >= 3
    return bool((value == np.floor(value)).all()) and rising >= max(3, int(0.5 * len(rises)))


def plain_shift(index: int, track: Track, scale: float) -> Shift:
    """The shift of one track by its definition; ``scale`` has its floors already."""
    before, within = track.at_s < WINDOWS.base_end_s, track.at_s >= WINDOWS.eval_start_s
    base, seen = track.value[before][-600:], track.value[within & (track.at_s <= WINDOWS.eval_end_s)]
    center = float(np.median(base))

    def reached(values: np.ndarray) -> tuple[float, float]:
        place = min(len(values) - 1, round(0.7 * (len(values) - 1) + 0.25))
        return float(np.sort(values)[place]), float(np.sort(values)[len(values) - 1 - place])

    length = min(len(seen), max(1, len(base) // 4))
    blocks = [
        reached(base[start : start + length])
        for start in range(0, len(base) - length + 1, max(1, length // 2))
    ]
    top, bottom = reached(seen)
    up, down = (top - center) / scale, (bottom - center) / scale
    z, level = (up, top) if abs(up) >= abs(down) else (down, bottom)
    past = [block[0] if z == up else block[1] for block in blocks]
    worse = sum(value >= level if z >= 0 else value <= level for value in past)
    most = max((value - center) / scale if z >= 0 else (center - value) / scale for value in past)
    half = center + 0.5 * (level - center)
    crossed = [place for place, value in enumerate(seen) if (value >= half if z >= 0 else value <= half)]
    return Shift(
        index,
        z,
        (1 + worse) / (1 + len(blocks)),
        level,
        center,
        int(within.argmax()) + (crossed[0] if crossed else 0),
        min(1.0, max(0.0, most / abs(z))) if z else 0.0,
        float(seen.mean()),
    )


def plain_scales(tracks: list[Track], judged: list[int]) -> dict[int, float]:
    """The scale of each judged track with its floors, metric after metric."""
    own: dict[int, tuple[float, float]] = {}
    for index in judged:
        base = tracks[index].value[tracks[index].at_s < WINDOWS.base_end_s][-600:]
        low, middle, high = np.quantile(base, [0.25, 0.5, 0.75])
        own[index] = (float(middle), float((high - low) / 1.349))
    scales = {}
    for name in {tracks[index].name for index in judged}:
        members = [index for index in judged if tracks[index].name == name]
        pooled = float(np.median([own[index][1] for index in members]))
        level = float(np.median([abs(own[index][0]) for index in members]))
        largest = max(float(np.abs(tracks[index].value).max()) for index in members)
        resource = tracks[members[0]].family.channel in (
            Channel.CPU,
            Channel.MEMORY,
            Channel.DISK,
            Channel.SATURATION,
        )
        for index in members:
            center, scale = own[index]
            floor = max(0.25 * pooled, 0.02 * abs(center), 0.1 * 0.02 * level)
            scales[index] = max(scale, floor, (1e-2 if resource else 1e-3) * largest + 1e-12)
    return scales


def random_site(seed: int) -> list[EntitySeries]:
    """Series of several lengths and offsets: levels, counters with resets, births in the window, constants, gaps."""
    rng = np.random.default_rng(seed)
    series = []
    for number in range(24):
        for metric in METRICS:
            step = float(rng.choice([10.0, 15.0]))
            at_s = np.arange(float(rng.choice([0.0, 3.0, 700.0, 1300.0])), 1800.0, step)
            value = rng.normal(50.0, 5.0, len(at_s))
            kind = int(rng.integers(5))
            if kind == 0:
                value = np.cumsum(rng.integers(0, 9, len(at_s))).astype(np.float64)
                if len(value) > 60:
                    value[60:] -= value[60]
            elif kind == 1:
                value = np.full(len(at_s), float(rng.integers(0, 3)))
            elif kind == 2:
                value[at_s >= 1230.0] *= float(rng.choice([0.1, 3.0]))
            elif kind == 3:
                value[rng.integers(len(value), size=3)] = rng.choice([np.nan, np.inf, 1e200], size=3)
            if metric == "availability":
                value = np.clip(value, 0.0, 100.0)
            kept = rng.random(len(at_s)) > (0.1 if number % 3 == 0 else 0.0)
            series.append(EntitySeries(f"service:s{number:02}", None, metric, at_s[kept], value[kept]))
    return series


@pytest.mark.parametrize("seed", range(4))
def test_shifts_are_those_of_a_loop_over_tracks(seed: int) -> None:
    tracks = build_tracks(random_site(seed), start_s=0.0)
    judged = [
        index
        for index, track in enumerate(tracks)
        if (track.at_s < WINDOWS.base_end_s).sum() >= 4 and (track.at_s >= WINDOWS.eval_start_s).any()
    ]
    scales = plain_scales(tracks, judged)
    shifts = find_shifts(tracks, WINDOWS)
    assert len(judged) > 100
    assert len({len(track.at_s) for track in tracks}) > 10
    assert [shifts[row] for row in range(len(shifts))] == [
        plain_shift(index, tracks[index], scales[index]) for index in judged
    ]


@pytest.mark.parametrize("seed", range(4))
def test_rates_and_counters_are_those_of_a_loop_over_series(seed: int) -> None:
    series = [
        EntitySeries(one.entity, one.peer, one.metric, one.at_s[usable], one.value[usable])
        for one in random_site(seed)
        if (usable := np.abs(one.value) < 1e100).any()
    ]
    book = SampleBook(series, stack_up(series), start_s=0.0)
    counters = 0
    for place, one in enumerate(series):
        family = family_of(one.metric)
        assert family is not None
        counters += book.is_counter(place, family)
        assert book.is_counter(place, family) == plain_counter(one.value, family, one.metric)
        at_s, rate = book.rates(place)
        assert (at_s.tolist(), rate.tolist()) == plain_rate(one.at_s, one.value, start_s=0.0)
        assert book.levels(place)[1] is one.value
    assert 20 < counters < len(series) - 20


def test_samples_that_are_no_numbers_are_left_out_of_tracks() -> None:
    at_s = np.arange(0.0, 100.0, 10.0)
    value = np.arange(10.0) + 0.5
    value[[2, 5, 7]] = [np.nan, -np.inf, 1e101]
    good = EntitySeries("host:b", None, "cpu_usage", at_s, np.arange(10.0) + 0.5)
    broken = EntitySeries("host:a", None, "cpu_usage", at_s, value)
    track, other = build_tracks([broken, good], start_s=0.0)
    assert other.value is good.value
    assert track.value.tolist() == [0.5, 1.5, 3.5, 4.5, 6.5, 8.5, 9.5]
    assert track.at_s.tolist() == [0.0, 10.0, 30.0, 40.0, 60.0, 80.0, 90.0]


def test_series_of_one_sample_or_none_disturb_nobody() -> None:
    short = [
        EntitySeries("host:a", None, metric, np.arange(float(n)), np.arange(float(n)))
        for n, metric in (
            (0, "http_requests_total"),
            (1, "http_requests_total"),
            (0, "wait_sum"),
            (1, "cpu_usage"),
        )
    ]
    tracks = build_tracks(short, start_s=0.0)
    assert [(track.name, track.value.tolist()) for track in tracks] == [("cpu_usage", [0.0])]
    assert len(find_shifts(tracks, WINDOWS)) == 0
    assert len(find_shifts([], WINDOWS)) == 0
    assert find_silences(short, WINDOWS) == []


_ROWS = st.integers(1, 12).flatmap(
    lambda n: st.lists(st.lists(st.floats(-1e9, 1e9), min_size=n, max_size=n), min_size=1, max_size=6)
)


@settings(max_examples=80, deadline=None)
@given(_ROWS, st.floats(0.0, 1.0))
def test_medians_and_quantiles_are_those_of_numpy(rows: list[list[float]], share: float) -> None:
    values = np.array(rows, dtype=np.float64)
    assert medians(values).tolist() == np.median(values, axis=1).tolist()
    (found,) = quantiles(values, (share,))
    assert found.tolist() == pytest.approx(np.quantile(values, share, axis=1).tolist(), rel=1e-12, abs=1e-300)


def test_the_usual_quantiles_are_those_of_numpy_to_the_bit() -> None:
    rng = np.random.default_rng(11)
    for n in range(1, 40):
        values = rng.normal(size=(7, n))
        for share, found in zip((0.25, 0.5, 0.75), quantiles(values, (0.25, 0.5, 0.75)), strict=True):
            assert found.tolist() == np.quantile(values, share, axis=1).tolist()


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.floats(-1e9, 1e9)), max_size=30))
def test_medians_of_groups_are_those_of_numpy(pairs: list[tuple[int, float]]) -> None:
    groups = np.array([group for group, _ in pairs], dtype=np.int64)
    values = np.array([value for _, value in pairs], dtype=np.float64)
    for group, found in enumerate(grouped_medians(values, groups, 5).tolist()):
        of = values[groups == group]
        assert found == float(np.median(of)) if len(of) else math.isnan(found)


def test_stacks_hold_every_series_once_by_length() -> None:
    series = [EntitySeries("host:a", None, f"m{n}", np.arange(float(n)), np.ones(n)) for n in (3, 0, 2, 3)]
    stacks = list(stack_up(series))
    assert [stack.places.tolist() for stack in stacks] == [[2], [0, 3]]
    assert [stack.value.shape for stack in stacks] == [(1, 2), (2, 3)]
    assert stacks[1].at_s.tolist() == [[0.0, 1.0, 2.0]] * 2


def test_one_small_reset_is_no_counter() -> None:
    rows = growth_of(np.array([[10.0, 20.0, 30.0, 1.0, 5.0], [10.0, 20.0, 30.0, 29.0, 35.0]]))
    family = Family(Channel.TRAFFIC, counter=True)
    assert looks_like_counter(rows, 0, family, "calls_count")
    assert not looks_like_counter(rows, 1, family, "calls_count")


def test_no_stack_holds_more_than_its_bound_and_nothing_is_lost() -> None:
    length = MAX_SAMPLES // 3
    series = [
        EntitySeries("host:a", None, f"m{n}", np.arange(float(length)), np.full(length, n)) for n in range(8)
    ]
    stacks = list(stack_up(series))
    assert [stack.places.tolist() for stack in stacks] == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert [stack.value[:, 0].tolist() for stack in stacks] == [[0, 1, 2], [3, 4, 5], [6, 7]]
    longer = EntitySeries("host:a", None, "m", np.arange(2.0 * MAX_SAMPLES), np.ones(2 * MAX_SAMPLES))
    assert [stack.value.shape for stack in stack_up([longer])] == [(1, 2 * MAX_SAMPLES)]
