"""Names from exporters everywhere, by the family they must fall into: rows of (name, channel, bad direction)."""

from __future__ import annotations

import pytest

from aiops.domain.evidence import Channel
from ingest.evidence.families import direction_of, family_of, without_direction, words_of

ROWS = [
    ("node_cpu_seconds_total", Channel.CPU, 1),
    ("container_cpu_cfs_throttled_seconds_total", Channel.CPU, 1),
    ("CpuUsageRate(%)", Channel.CPU, 1),
    ("docker_cpu_core_6_norm_pct", Channel.CPU, 1),
    ("node_load1", Channel.CPU, 1),
    ("node_memory_MemAvailable_bytes", Channel.MEMORY, -1),
    ("free-physical-memory", Channel.MEMORY, -1),
    ("docker_memory_stats_rss_huge", Channel.MEMORY, 1),
    ("container_memory_working_set_bytes", Channel.MEMORY, 1),
    ("node_filesystem_avail_bytes", Channel.DISK, -1),
    ("docker_diskio_write_wait_time", Channel.DISK, 0),
    ("node_disk_io_time_seconds_total", Channel.DISK, 0),
    ("crc-errors", Channel.NETWORK, 1),
    ("input-data-rate", Channel.NETWORK, 0),
    ("node_netstat_Tcp_RetransSegs", Channel.NETWORK, 1),
    ("net_trainsmit", Channel.NETWORK, 0),
    ("global__established-neighbors-count-total", Channel.NETWORK, -1),
    ("availability.Average", Channel.ERRORS, -1),
    ("istio_success_rate", Channel.ERRORS, -1),
    ("traces_service_graph_request_failed_total", Channel.ERRORS, 1),
    ("http_request_errors_total", Channel.ERRORS, 1),
    ("PodServerLatencyP95(s)", Channel.LATENCY, 1),
    ("p90latency", Channel.LATENCY, 1),
    ("dest_p50", Channel.LATENCY, 1),
    ("http.server.duration", Channel.LATENCY, 1),
    ("probe_duration_seconds", Channel.LATENCY, 1),
    ("istio_requests_total", Channel.TRAFFIC, 0),
    ("requests.Sum", Channel.TRAFFIC, 0),
    ("rps", Channel.TRAFFIC, 0),
    ("redis_connected_clients", Channel.SATURATION, 1),
    ("kafka_consumergroup_lag", Channel.SATURATION, 1),
    ("up", Channel.AVAILABILITY, -1),
    ("pg_up", Channel.AVAILABILITY, -1),
    ("probe_success", Channel.AVAILABILITY, -1),
    ("kube_pod_container_status_restarts_total", Channel.AVAILABILITY, 0),
    ("self_time_mean_s", Channel.SELF_TIME, 1),
    ("call_overhead_mean_s", Channel.OVERHEAD, 1),
]


@pytest.mark.parametrize(("name", "channel", "bad"), ROWS)
def test_a_metric_falls_into_its_family(name: str, channel: Channel, bad: int) -> None:
    family = family_of(name)
    assert family is not None
    assert (family.channel, family.bad) == (channel, bad)


@pytest.mark.parametrize(
    "name", ["go_gc_duration_seconds", "kube_pod_info", "http_request_seconds_bucket", "scrape_samples"]
)
def test_series_about_the_measuring_are_no_evidence(name: str) -> None:
    assert family_of(name) is None


def test_an_unknown_name_is_other() -> None:
    family = family_of("zorgle_flux")
    assert family is not None
    assert family.channel is Channel.OTHER


def test_words_are_cut_at_case_and_punctuation() -> None:
    assert words_of("PodServerLatencyP90(s)") == ("pod", "server", "latency", "p90", "s")
    assert words_of("p90latency") == ("p90latency", "p90", "latency")


@pytest.mark.parametrize(
    ("text", "direction"),
    [("cpu_usage up", 1), ("net_receive down", -1), ("THROUGHPUT_DROP", 0), ("traffic drop", -1), ("odd", 0)],
)
def test_direction_words(text: str, direction: int) -> None:
    assert direction_of(text) == direction


def test_a_direction_is_no_part_of_the_name() -> None:
    assert without_direction("net_receive up") == "net_receive"
    assert without_direction("up") == "up"
