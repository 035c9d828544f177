"""Sources, inbox, daemon, dead letters and clocks: bounded, counted, and stopped without losing what was received."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from aiops.domain.batches import RawBatch, Reject
from aiops.errors import ConfigError, InputError, StoreUnavailable
from ingest.clock_skew import ClockSkews
from ingest.counters import IngestMetrics, Taken
from ingest.daemon import ThreadFailed
from ingest.dead_letters import DeadLetterFile, MemoryDeadLetters
from ingest.sources.inbox import Inbox
from ingest.sources.scrape import ScrapeTarget
from ingest.sources.syslog_tcp import SyslogTcp
from ingest.sources.syslog_udp import SyslogUdp, kernel_drops
from tests.support.daemon_runs import daemon_run
from tests.support.ingest_sites import AT_S, IngestSite, line, lines, samples


def until(done: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.05)


def test_the_inbox_is_bounded_in_bytes_and_lets_one_large_item_in() -> None:
    inbox = Inbox(max_bytes=3_000)
    assert inbox.put(Reject("s", "r", 0.0, b"x" * 10_000), timeout_s=0.0)
    assert not inbox.offer(lines(["a"]))
    assert not inbox.has_room()
    assert isinstance(inbox.take(0.0), Reject)
    inbox.done()
    assert inbox.size_bytes == 0
    assert inbox.offer(lines(["a" * 1000]))
    assert inbox.offer(samples(("m", {}, 1.0)))
    assert inbox.take(0.0) is inbox.take(0.0)
    inbox.done()
    inbox.done()
    assert inbox.take(0.01) is None


def test_the_daemon_stores_what_arrives_by_udp_and_tcp_and_drains_when_it_stops(tmp_path: Path) -> None:
    site = IngestSite()
    udp, tcp = SyslogUdp(port=0, batch_s=0.05), SyslogTcp(port=0)
    with daemon_run([udp, tcp], site.worker, site.dead_letters, tmp_path) as daemon:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in range(50):
                sender.sendto(line("h1", f"udp {number}").encode(), udp.address)
        counted = line("h2", "counted").encode()
        with socket.create_connection(tcp.address) as stream:
            stream.sendall(b"%d %s" % (len(counted), counted))
        with socket.create_connection(tcp.address) as stream:
            for byte in (line("h3", "slow") + "\n").encode():
                stream.sendall(bytes([byte]))
        with socket.create_connection(tcp.address) as stream:
            stream.sendall(b"99 cut short")
        until(lambda: sum(taken.received for taken in daemon.totals().values()) >= 53)
    counters = daemon.totals()
    assert (
        counters["syslog-udp"].received
        == counters["syslog-udp"].stored + counters["syslog-udp"].dropped
        == 50
    )
    assert counters["syslog-tcp"] == Taken(3, 2, 1, 0)
    assert {message for _entity, message in site.logs()} >= {"counted", "slow"}
    registry = CollectorRegistry()
    registry.register(IngestMetrics(site.worker.reading))
    text = generate_latest(registry).decode()
    assert 'aiops_ingest_messages_total{result="stored",source="syslog-tcp"} 2.0' in text
    assert "aiops_ingest_parse_failures_total" in text


def test_a_full_inbox_loses_datagrams_by_count_and_holds_streams_back() -> None:
    inbox = Inbox(max_bytes=600)
    inbox.put(Reject("s", "r", 0.0, b"x" * 5_000), timeout_s=0.0)
    udp, tcp = SyslogUdp(port=0, batch_s=0.02), SyslogTcp(port=0)
    udp.start(inbox)
    tcp.start(inbox)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(5):
            sender.sendto(b"<13>x", udp.address)
    lost = 0

    def all_lost() -> bool:
        nonlocal lost
        lost += udp.lost()
        return lost == 5

    until(all_lost)
    with socket.create_connection(tcp.address) as stream:
        stream.sendall(b"<13>held back\n")
        time.sleep(0.3)
        assert isinstance(inbox.take(0.0), Reject)
        inbox.done()
        until(lambda: isinstance(inbox.take(0.0), RawBatch))
    tcp.stop()
    udp.stop()
    assert tcp.lost() == 0


def test_connections_are_bounded_and_idle_ones_closed() -> None:
    now = [1000.0]
    tcp = SyslogTcp(port=0, max_connections=1, idle_s=5.0, steady_s=lambda: now[0])
    tcp.start(Inbox())
    with socket.create_connection(tcp.address) as first:
        until(lambda: tcp.connections == 1)
        with socket.create_connection(tcp.address) as second:
            assert second.recv(10) == b""
        now[0] += 60
        assert first.recv(10) == b""
    tcp.stop()
    assert (tcp.counts()["refused"], tcp.counts()["idle"], tcp.connections) == (1, 1, 0)


def test_an_address_that_is_taken_is_an_error_at_once() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        udp = SyslogUdp(port=other.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            udp.start(Inbox())


def test_kernel_drops_are_read_from_the_sockets_line(tmp_path: Path) -> None:
    table = tmp_path / "udp"
    table.write_text("head\n 1: 0100007F:15B3 0:0 07 0:0 00:0 0 0 0 4242 2 ffff 17\n")
    assert kernel_drops(4242, (tmp_path / "absent", table)) == 17
    assert kernel_drops(1, (table,)) == 0


def test_wrong_targets_are_refused() -> None:
    with pytest.raises(ConfigError):
        ScrapeTarget("shop", "file:///etc/passwd")
    with pytest.raises(ConfigError):
        ScrapeTarget("shop", "http://user:password@x/")
    with pytest.raises(ConfigError):
        ScrapeTarget("shop", "http://x/", timeout_s=20, interval_s=10)


def test_dead_letters_are_kept_whole_bounded_and_counted(tmp_path: Path) -> None:
    letters = DeadLetterFile(tmp_path / "dead" / "letters.jsonl", max_bytes=4_000, max_raw_bytes=100)
    first = Reject("udp", "no syslog", AT_S, b"\xff\x00junk", 3)
    assert letters.put([first]) == 1
    assert letters.put([]) == 0
    assert list(letters.read()) == [first]
    assert letters.put([Reject("udp", "too long", AT_S, b"y" * 5_000)]) == 1
    assert len(list(letters.read())[-1].raw) == 100
    for number in range(200):
        letters.put([Reject("udp", "no syslog", AT_S, b"%d" % number)])
    held = list(letters.read())
    assert held[-1].raw == b"199"
    assert len(held) < 200
    assert sum(path.stat().st_size for path in (tmp_path / "dead").iterdir()) <= 4_000
    assert letters.counts() == {("udp", "no syslog"): 201, ("udp", "too long"): 1}
    letters.close()


def test_a_torn_line_is_left_out_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "letters.jsonl"
    path.write_bytes(b'{"half')
    letters = DeadLetterFile(path)
    assert list(letters.read()) == []
    letters.put([Reject("s", "r", AT_S, b"x")])
    with pytest.raises(InputError, match="line 1"):
        list(letters.read())
    blocked = DeadLetterFile(path / "below" / "a file")
    with pytest.raises(StoreUnavailable):
        blocked.put([Reject("s", "r", AT_S, b"x")])


def test_dead_letters_in_memory_keep_the_newest_and_bound_their_reasons() -> None:
    letters = MemoryDeadLetters(max_items=2)
    letters.put([Reject("s", f"r{i}", AT_S, b"") for i in range(1_500)])
    assert [r.reason for r in letters.read()] == ["r1498", "r1499"]
    assert letters.counts()[("s", "other")] == 500
    letters.close()


def observed(skews: ClockSkews, host: str, offsets: list[float], step_s: float = 10.0) -> None:
    for place, offset in enumerate(offsets):
        received = AT_S + place * step_s
        skews.observe(host, np.array([received]), np.array([received - offset]))


def test_clocks_that_are_wrong_and_clocks_that_only_look_wrong() -> None:
    skews = ClockSkews()
    for host in ("a", "b", "c"):
        observed(skews, host, [0.1] * 10)
    observed(skews, "ahead", [-420.0])
    observed(skews, "behind", [300.0, 300.2, 299.9, 300.1, 300.0, 300.3])
    observed(skews, "backlog", [300.0, 240.0, 180.0, 120.0, 90.0, 80.0])
    observed(skews, "burst", [300.0] * 9, step_s=0.01)
    assert {host: round(skew) for host, skew in skews.skews().items()} == {"ahead": 420, "behind": -300}
    old = ClockSkews(max_hosts=3)
    for host in ("x", "y", "z", "w"):
        observed(old, host, [86_400.0] * 10)
    assert old.skews() == {}
    old.observe("nothing", np.array([]), np.array([]))
    assert old.correction("x") == 0.0


def test_a_source_that_ends_by_a_defect_ends_the_daemon(tmp_path: Path) -> None:
    site = IngestSite()
    ran: list[str] = []

    class Broken(SyslogUdp):
        def _receive(self, *given: object) -> None:
            ran.append("begun")
            raise ValueError("a defect")

    broken, sound = Broken(port=0), SyslogTcp(port=0)
    with (
        pytest.raises(ThreadFailed, match="the source syslog-udp-0 has ended: ValueError"),
        daemon_run([broken, sound], site.worker, site.dead_letters, tmp_path, drain_s=5.0) as running,
    ):
        until(lambda: running.receiving.inbox.failure is not None)
    assert ran == ["begun"]
