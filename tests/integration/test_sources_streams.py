"""Stream and datagram sources on real sockets: bounds, broken frames, order, and what a stop leaves behind."""

from __future__ import annotations

import contextlib
import socket
import stat
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from aiops.domain.batches import Reject
from ingest.sources.inbox import Inbox
from ingest.sources.streams import CLOSED_EARLY
from ingest.sources.syslog_tcp import SyslogTcp
from ingest.sources.syslog_udp import SyslogUdp
from ingest.sources.syslog_unix import SyslogUnix
from tests.support.daemons import until
from tests.support.inboxes import Drained

pytestmark = pytest.mark.integration


@pytest.fixture
def drained() -> Iterator[Drained]:
    with Drained(Inbox()) as reading:
        yield reading


def reset(sock: socket.socket) -> None:
    """Close with RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_a_message_that_takes_too_long_ends_its_connection(drained: Drained) -> None:
    now = [0.0]
    tcp = SyslogTcp(port=0, frame_s=10.0, steady_s=lambda: now[0])
    tcp.start(drained.inbox)
    with (
        socket.create_connection(tcp.address) as counting,
        socket.create_connection(tcp.address) as lines,
        socket.create_connection(tcp.address) as skipped,
        socket.create_connection(tcp.address) as quiet,
    ):
        counting.sendall(b"50 <13>half")
        lines.sendall(b"<13>whole\n<13>no end")
        skipped.sendall(b"999999999 <13>x")
        quiet.sendall(b"<13>done\n")
        until(lambda: drained.lines() == 2)
        now[0] = 9.0
        lines.sendall(b" yet")  # does not buy time
        time.sleep(0.3)
        now[0] = 11.0
        until(lambda: tcp.connections == 1)
        assert [sock.recv(1) for sock in (counting, lines, skipped)] == [b"", b"", b""]
        quiet.sendall(b"<13>still here\n")
        until(lambda: drained.lines() == 3)
    tcp.stop()
    assert (tcp.counts()["too_slow"], tcp.counts()["broken_frames"]) == (3, 3)
    assert sorted(reject.raw for reject in drained.rejects()) == [b"50 <13>half", b"<13>no end yet", b"<13>x"]


def test_begun_messages_are_bounded_together_and_the_largest_goes(drained: Drained) -> None:
    tcp = SyslogTcp(port=0, max_buffered_bytes=100_000)
    tcp.start(drained.inbox)
    senders = [socket.create_connection(tcp.address) for _ in range(10)]
    for size, sender in enumerate(senders, start=1):
        sender.sendall(b"<13>" + b"x" * size * 2_000)
        time.sleep(0.02)
    until(lambda: tcp.counts()["cut_off"] == 1)
    assert senders[-1].recv(1) == b""
    for sender in senders[:-1]:
        sender.sendall(b"\n")
    until(lambda: drained.lines() == 9)
    for sender in senders:
        sender.close()
    tcp.stop()
    assert [len(reject.raw) for reject in drained.rejects()] == [20_004]


def test_connections_that_are_given_up_while_others_speak_leave_them_alone(drained: Drained) -> None:
    tcp = SyslogTcp(port=0, max_buffered_bytes=20_000)
    tcp.start(drained.inbox)
    senders = [socket.create_connection(tcp.address) for _ in range(100)]
    for _ in range(20):
        for sender in senders:  # all at once: a round finds many of them, and gives up some of these
            with contextlib.suppress(OSError):
                sender.send(b"x" * 1_000)
    until(lambda: tcp.connections <= 20)
    with socket.create_connection(tcp.address) as good:
        good.sendall(b"<13>still served\n")
        until(lambda: drained.lines() == 1)
    for sender in senders:
        sender.close()
    tcp.stop()
    counts = tcp.counts()
    assert counts["cut_off"] >= 80
    assert counts["broken_frames"] == len(drained.rejects())


def test_a_stop_does_not_wait_for_ever_for_a_full_inbox() -> None:
    inbox = Inbox(max_bytes=600)
    tcp = SyslogTcp(port=0)
    tcp.start(inbox)
    with contextlib.ExitStack() as stack:
        senders = [stack.enter_context(socket.create_connection(tcp.address)) for _ in range(20)]
        until(lambda: tcp.connections == 20)
        inbox.put(Reject("s", "r", 0.0, b"x" * 5_000), timeout_s=0.0)
        for number, sender in enumerate(senders):
            sender.sendall(b"0 broken %d\n" % number + b"<13>line\n")
        time.sleep(0.3)
        began_s = time.monotonic()
        tcp.stop()
        assert time.monotonic() - began_s < 60
    assert tcp.lost() == tcp.counts()["stopped_without_room"] == 40


def test_a_connection_that_breaks_inside_a_message_is_told_from_one_that_ends(drained: Drained) -> None:
    tcp = SyslogTcp(port=0)
    tcp.start(drained.inbox)
    ended = socket.create_connection(tcp.address)
    ended.sendall(b"<13>one\n<13>ends here")
    ended.close()
    broken = socket.create_connection(tcp.address)
    broken.sendall(b"<13>two\n<13>cut he")
    until(lambda: drained.lines() == 3)
    reset(broken)
    until(lambda: len(drained.rejects()) == 1)
    tcp.stop()
    assert sorted(drained.payloads()) == [b"<13>ends here", b"<13>one", b"<13>two"]
    assert [(reject.reason, reject.raw) for reject in drained.rejects()] == [(CLOSED_EARLY, b"<13>cut he")]


def test_a_full_inbox_stops_the_reading_and_counts_no_time_against_senders() -> None:
    inbox = Inbox(max_bytes=600)
    inbox.put(Reject("s", "r", 0.0, b"x" * 5_000), timeout_s=0.0)
    tcp = SyslogTcp(port=0, idle_s=0.5, frame_s=0.5)
    tcp.start(inbox)
    with socket.create_connection(tcp.address) as sender:
        sender.sendall(b"<13>held\n<13>back")
        time.sleep(1.5)
        with Drained(inbox) as drained:
            until(lambda: drained.lines() == 1)
            sender.sendall(b" but whole\n")
            until(lambda: drained.lines() == 2)
            assert tcp.counts()["too_slow"] == tcp.counts()["idle"] == 0
            tcp.stop()
            assert drained.payloads() == [b"<13>held", b"<13>back but whole"]


def test_many_connections_share_batches_and_keep_their_order(drained: Drained) -> None:
    tcp = SyslogTcp(port=0)
    tcp.start(drained.inbox)
    senders = [socket.create_connection(tcp.address) for _ in range(200)]
    for number in range(20):
        for which, sender in enumerate(senders):
            sender.sendall(b"<13>%d %d\n" % (which, number))
    until(lambda: drained.lines() == 4_000)
    for sender in senders:
        sender.close()
    tcp.stop()
    seen: Counter[int] = Counter()
    for payload in drained.payloads():
        which, number = map(int, payload[4:].split())
        assert number == seen[which]
        seen[which] += 1
    assert {batch.peer for batch in drained.batches()} == {"tcp 127.0.0.1"}
    assert len(drained.batches()) < 1_000


def test_datagrams_are_grouped_by_sender_on_several_sockets(drained: Drained) -> None:
    udp = SyslogUdp(port=0, sockets=3, batch_s=0.05)
    udp.start(drained.inbox)
    senders = []
    for which in range(1, 21):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.bind((f"127.0.1.{which}", 0))
        senders.append(sender)
    for number in range(50):
        for which, sender in enumerate(senders, start=1):
            sender.sendto(
                b"%d %d" % (which, number) + b"x" * (30_000 if number == 7 else number), udp.address
            )
    until(lambda: drained.lines() == 1_000)
    udp.stop()
    for sender in senders:
        sender.close()
    assert udp.counts() == {"received": 1_000, "kernel_drops": 0, "no_room": 0, "read_errors": 0}
    found: dict[str, list[int]] = {}
    for batch in drained.batches():
        for payload in batch.payloads:
            which, number = payload.rstrip(b"x").split()
            assert batch.peer == f"udp 127.0.1.{which.decode()}"
            found.setdefault(batch.peer, []).append(int(number))
    assert len(found) == 20
    assert {tuple(numbers) for numbers in found.values()} == {tuple(range(50))}


def test_datagrams_over_ipv6_and_the_largest_there_are(drained: Drained) -> None:
    udp = SyslogUdp("::1", 0, batch_s=0.05)
    udp.start(drained.inbox)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x" * 65_000, udp.address)
        sender.sendto(b"", udp.address)
        sender.sendto(b"y", udp.address)
    until(lambda: drained.lines() == 3)
    udp.stop()
    assert [len(payload) for payload in drained.payloads()] == [65_000, 0, 1]
    assert {batch.peer for batch in drained.batches()} == {"udp ::1"}


def test_one_listener_takes_both_families_and_says_who_spoke(drained: Drained) -> None:
    tcp, udp = SyslogTcp("::", 0), SyslogUdp("::", 0, batch_s=0.05)
    tcp.start(drained.inbox)
    udp.start(drained.inbox)
    for host in ("127.0.0.1", "::1"):
        with socket.create_connection((host, tcp.address[1])) as stream:
            stream.sendall(b"<13>x\n")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"<13>x", (host, udp.address[1]))
    until(lambda: drained.lines() == 4)
    tcp.stop()
    udp.stop()
    peers = {batch.peer for batch in drained.batches()}
    assert peers == {"tcp 127.0.0.1", "tcp ::1", "udp 127.0.0.1", "udp ::1"}


@pytest.mark.parametrize("sockets", [1, 2])
def test_a_stop_in_the_middle_of_a_flood_accounts_for_every_datagram(drained: Drained, sockets: int) -> None:
    udp = SyslogUdp(port=0, sockets=sockets, receive_buffer_bytes=65_536)
    udp.start(drained.inbox)
    sent, stop = [0], threading.Event()

    def flood() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect(udp.address)
            while not stop.is_set():
                try:
                    sender.send(b"<13>%d" % sent[0])
                except ConnectionRefusedError:  # of an earlier one that nobody took
                    return
                sent[0] += 1

    thread = threading.Thread(target=flood)
    thread.start()
    until(lambda: drained.lines() > 20_000)
    if sockets == 2:  # the sender's datagrams go to one of them, and to the other once that has ended
        stop.set()
        thread.join()
    udp.stop()
    stop.set()
    thread.join()
    stored = {int(payload[4:]) for payload in drained.payloads()}
    counts = udp.counts()
    assert len(stored) == len(drained.payloads()) == counts["received"]
    unaccounted = sent[0] - counts["received"] - counts["kernel_drops"] - counts["no_room"]
    assert (
        0 <= unaccounted <= (0 if sockets == 2 else 1)
    )  # the one that was refused, which the sender was told


def test_a_shared_port_is_still_an_error_when_somebody_else_has_it() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="in use"):
            SyslogUdp(port=other.getsockname()[1], sockets=2).start(Inbox())


def test_the_unix_socket_takes_what_programs_say(tmp_path: Path, drained: Drained) -> None:
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stale:
        stale.bind(str(path))
    unix = SyslogUnix(path, mode=0o622, batch_s=0.05)
    unix.start(drained.inbox)
    assert stat.S_IMODE(path.stat().st_mode) == 0o622
    with pytest.raises(OSError, match="another program listens"):
        SyslogUnix(path).start(Inbox())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(str(path))
        for number in range(5_000):
            sender.send(b"<13>Nov 27 00:00:00 app[1]: %d" % number)
        unix.stop()
        with pytest.raises(OSError, match=r".*"):
            sender.send(b"<13>too late")
    assert [int(payload.split()[-1]) for payload in drained.payloads()] == list(range(5_000))
    assert {batch.peer for batch in drained.batches()} == {f"unix {socket.gethostname()}"}
    assert not path.exists()
    path.write_text("a file of somebody else")
    with pytest.raises(FileExistsError):
        SyslogUnix(path).start(Inbox())
    assert path.read_text() == "a file of somebody else"


def test_programs_wait_while_the_inbox_is_full(tmp_path: Path) -> None:
    path = tmp_path / "log"
    inbox = Inbox(max_bytes=200_000)
    unix = SyslogUnix(path, batch_s=0.01)
    unix.start(inbox)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(str(path))
        sender.settimeout(0.3)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 10_000:
                sender.send(b"<13>%d " % sent + b"x" * 1_000)
                sent += 1
    assert 100 < sent < 10_000
    with Drained(inbox) as drained:
        until(lambda: drained.lines() == sent)
        unix.stop()
    assert unix.lost() == 0
