"""Shifts of synthetic series whose change is known, and series that must not disturb anything."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops.domain.batches import EntitySeries
from aiops.domain.evidence import Channel
from ingest.evidence.detectors import Windows, find_shifts
from ingest.evidence.families import Family
from ingest.evidence.metrics import find_metric_evidence
from ingest.evidence.rates import growth_of, looks_like_counter, to_rates
from ingest.evidence.series import build_tracks
from ingest.evidence.silence import find_silences

BASE_END = 1_000_000.0 - 180.0
WINDOWS = Windows(base_end_s=BASE_END, eval_start_s=BASE_END, eval_end_s=1_000_300.0)


def series(
    metric: str,
    value: np.ndarray,
    *,
    entity: str = "service:a",
    peer: str | None = None,
    step: float = 10.0,
    end: float = 1_000_300.0,
    labels: tuple[tuple[str, str], ...] = (),
) -> EntitySeries:
    at = end - step * np.arange(len(value))[::-1]
    return EntitySeries(
        entity, peer, metric, at.astype(np.float64), np.asarray(value, dtype=np.float64), labels
    )


def noise(n: int, level: float, seed: int = 1) -> np.ndarray:
    return level * (1.0 + 0.05 * np.random.default_rng(seed).standard_normal(n))


def evidence_of(*many: EntitySeries):
    tracks = build_tracks(many, start_s=0.0)
    return find_metric_evidence(tracks, find_shifts(tracks, WINDOWS))


def test_a_step_is_found_with_its_time_and_direction() -> None:
    value = noise(140, 20.0)
    value[-40:] += 60.0  # 400 s before the end: 100 s before the incident
    (found,) = evidence_of(series("cpu_usage", value))
    assert found.channel is Channel.CPU
    assert found.direction == 1
    assert found.at_s == pytest.approx(1_000_300.0 - 390.0)
    assert found.strength > 4
    assert not found.chronic
    assert "against" in found.text


def test_a_fall_points_down_and_is_good_or_bad_by_family() -> None:
    value = noise(140, 50.0)
    value[-40:] *= 0.2
    (found,) = evidence_of(series("memory_free_bytes", value))
    assert found.direction == -1
    assert found.attributes["adverse"] == "1"


def test_quiet_series_say_nothing() -> None:
    assert evidence_of(series("cpu_usage", noise(140, 20.0)), series("memory_rss", np.full(140, 7.0))) == []


def test_what_happens_all_the_time_is_chronic() -> None:
    value = noise(200, 20.0)
    for start in range(0, 200, 50):
        value[start : start + 48] += np.where(np.arange(48) % 24 < 10, 60.0, 0.0)
    value[-30:] = 80.0
    found = evidence_of(series("cpu_usage", value))
    assert all(item.chronic for item in found)


def test_one_spike_is_weaker_than_a_lasting_shift() -> None:
    lasting, spike = noise(140, 20.0), noise(140, 20.0)
    lasting[-40:] += 30.0
    spike[-20] += 30.0
    (strong,) = evidence_of(series("cpu_usage", lasting))
    assert all(item.strength < strong.strength for item in evidence_of(series("cpu_usage", spike)))


def test_counters_become_rates_and_resets_do_no_harm() -> None:
    counter = np.cumsum(np.full(140, 5.0))
    counter[70:] -= counter[69]  # a restart
    assert evidence_of(series("http_requests_total", counter)) == []
    rate = to_rates(np.array([[0.0, 10.0, 20.0, 30.0]]), np.array([[5.0, 25.0, 3.0, 13.0]]))
    assert rate.tolist() == [[2.0, 0.3, 1.0]]


def test_a_counter_that_is_born_in_the_window_counts_from_zero() -> None:
    steady = series("http_requests_total", np.cumsum(np.full(140, 100.0)), labels=(("code", "200"),))
    errors = series("http_requests_total", np.cumsum(np.full(30, 20.0)), labels=(("code", "503"),))
    base = series("http_requests_total", np.zeros(140), labels=(("code", "500"),))
    found = [item for item in evidence_of(steady, errors, base) if item.channel is Channel.ERRORS]
    assert len(found) == 1
    assert found[0].direction == 1


def test_sum_over_count_is_a_mean() -> None:
    count = np.cumsum(np.full(140, 10.0))
    cost = np.full(140, 1.0)
    cost[-40:] = 8.0
    found = evidence_of(
        series("request_duration_seconds_sum", np.cumsum(cost)),
        series("request_duration_seconds_count", count),
    )
    (latency,) = [item for item in found if item.channel is Channel.LATENCY]
    assert latency.name == "request_duration_seconds_mean"
    assert latency.value == pytest.approx(0.8)
    assert latency.baseline == pytest.approx(0.1)
    assert float(latency.attributes["requests"]) == pytest.approx(1.0)


def test_availability_in_percent_is_a_failed_share() -> None:
    value = np.full(140, 100.0)
    value[-40:] = 97.0
    (found,) = evidence_of(
        series("availability.Average", value),
    )
    assert found.channel is Channel.ERRORS
    assert found.attributes["adverse"] == "1"
    assert found.value == pytest.approx(0.03)


def test_levels_are_no_counters_and_whole_numbers_that_rise_are() -> None:
    rows = growth_of(np.stack([np.arange(100.0), np.full(100, 3.0)]))
    assert looks_like_counter(rows, 0, Family(Channel.TRAFFIC), "xact_commit")
    assert not looks_like_counter(rows, 0, Family(Channel.MEMORY), "resident_bytes")
    assert not looks_like_counter(rows, 1, Family(Channel.TRAFFIC, counter=True), "request_count")


def test_a_relation_carries_its_peer() -> None:
    value = noise(140, 0.1)
    value[-40:] = 2.0
    (found,) = evidence_of(series("call_latency_mean_s", value, peer="service:b"))
    assert found.peer == "service:b"


def test_who_stops_talking_while_others_go_on_is_silent() -> None:
    talking = series("cpu_usage", noise(140, 20.0), entity="host:a")
    silent = series("cpu_usage", noise(110, 20.0), entity="host:b", end=1_000_000.0)
    (found,) = find_silences([talking, silent], WINDOWS)
    assert (found.entity, found.channel, found.direction) == ("host:b", Channel.AVAILABILITY, -1)
    assert found.at_s == 1_000_000.0


def test_when_all_data_ends_nobody_is_silent() -> None:
    both = [series("cpu_usage", noise(110, 20.0), entity=f"host:{i}", end=1_000_000.0) for i in range(3)]
    assert find_silences(both, WINDOWS) == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.floats(width=64, allow_nan=True, allow_infinity=True), max_size=40),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(
        ["cpu_usage", "http_requests_total", "availability", "errors_total", "latency_seconds_sum"]
    ),
)
def test_no_series_can_disturb(rows: list[list[float]], metric: str) -> None:
    many = [
        series(metric, np.array(row, dtype=np.float64), entity=f"service:{i}", step=30.0)
        for i, row in enumerate(rows)
    ]
    for item in evidence_of(*many):
        assert math.isfinite(item.strength)
        assert 0 <= item.strength <= 10
    find_silences(many, WINDOWS)
