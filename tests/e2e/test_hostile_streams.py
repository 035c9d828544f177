"""Hostile senders on real sockets of a real process: bounded in memory and descriptors, counted, and a sender that behaves is
served all along: its numbered lines are all there, once."""

from __future__ import annotations

import os
import random
import resource
import socket
import ssl
import struct
import time
from pathlib import Path

import pytest
import trustme

from tests.support.daemons import free_port, missing, until
from tests.support.ingest_process import IngestProcess, SteadySender, connections, now_stamp

pytestmark = pytest.mark.integration

MAX_RESIDENT_BYTES = 512 << 20
TCP, TLS = "syslog-tcp", "syslog-tls"


def tcp_source(port: int, more: str = "") -> str:
    return f"  syslog_tcp:\n    - listen: 127.0.0.1:{port}\n{more}"


def sent(port: int, pieces: list[bytes], *, reset: bool = False) -> None:
    """One connection that says ``pieces`` and ends; whether anybody listened does not matter."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
        try:
            for piece in pieces:
                sock.sendall(piece)
        except OSError:
            return
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hello_of_tls(port: int) -> None:
    """A TLS client that takes the plain port for one of its own."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=2) as raw:
        try:
            context.wrap_socket(raw, do_handshake_on_connect=True)
        except OSError:
            return


def nonsense(port: int) -> None:
    rng = random.Random(20261127)
    junk = rng.randbytes(1 << 20)
    sent(port, [b"2147483648 <13>"] + [junk.replace(b"\n", b" ")] * 32)  # an octet count of 2 GB
    sent(port, [b"999999999 <13>"] + [junk] * 32)  # the largest count of nine digits
    sent(port, [b"1" * 40 + b" <13>x\n" + b"9" * 100_000])
    sent(port, [b"0 \n00012 <13>x\n-5 <13>\n"])
    sent(port, [junk] * 8)
    sent(port, [b"\x00" * (1 << 20)] * 4)
    sent(port, [b"<13>\x00\x00\n" * 1_000])
    sent(port, [b"<" + b"9" * 1_000 + b">x\n", b"<13>" + b"[" * 100_000 + b"\n"])
    for _ in range(20):
        hello_of_tls(port)
    for _ in range(200):
        sent(port, [b"300 <13>cut in the mid"], reset=True)


def odd_but_lines(port: int) -> list[str]:
    """Lines that must be kept though something is wrong with them: what their messages must be."""
    year_s = 366 * 86_400.0
    lines = [
        (f"<13>1 {now_stamp(year_s)} odd app - - - a year ahead".encode(), "a year ahead"),
        (f"<13>1 {now_stamp(-year_s)} odd app - - - a year behind".encode(), "a year behind"),
        (b"<13>1 " + now_stamp().encode() + b" odd app - - - bad \xff\xfe utf8", "bad \ufffd\ufffd utf8"),
        (b"<13>1 " + now_stamp().encode() + b" odd app - - - nul \x00 inside", "nul \x00 inside"),
    ]
    sent(port, [b"".join(b"%d %s" % (len(line), line) for line, _message in lines)])
    return [message for _line, message in lines]


def bounded(daemon: IngestProcess, before: int) -> None:
    """The attackers are gone: so are their descriptors, and memory never passed the bound."""
    until(lambda: daemon.descriptors() <= before + 20, what="the descriptors of the attackers")
    assert daemon.peak_bytes < MAX_RESIDENT_BYTES, daemon.peak_bytes


def test_nonsense_is_counted_and_others_are_served(tmp_path: Path) -> None:
    port = free_port()
    with IngestProcess(tmp_path, tcp_source(port)) as daemon:
        before = daemon.descriptors()
        with SteadySender(port) as steady:
            nonsense(port)
            expected = odd_but_lines(port)
            until(lambda: daemon.events(TCP, "broken_frames") >= 200, what="the broken frames")
            time.sleep(0.5)
        bounded(daemon, before)
        assert daemon.events(TCP, "refused") == 0
        until(lambda: accounted(daemon, TCP), what="received = recorded + rejected + dropped")
        assert daemon.metric("aiops_receive_messages_total", source=TCP, result="dropped") == 0
    lines = daemon.stored_lines()
    assert steady.failed is None
    assert steady.numbers(lines) == list(range(steady.sent))
    assert steady.sent > 100
    for message in expected:
        assert sum(message == line.strip() for line in lines) == 1, message


def accounted(daemon: IngestProcess, source: str) -> bool:
    """What was received, by what became of it."""
    became = [
        daemon.metric("aiops_receive_messages_total", source=source, result=result)
        for result in ("recorded", "rejected", "dropped")
    ]
    return daemon.metric("aiops_receive_messages_total", source=source, result="received") == sum(became) > 0


def test_ten_thousand_connections_and_a_thousand_slow_ones(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 10_300
    if hard != resource.RLIM_INFINITY and hard < wanted + 256:
        missing(f"needs {wanted + 256} descriptors, {hard} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    port = free_port()
    try:
        with IngestProcess(tmp_path, tcp_source(port, "      max_connections: 10200\n")) as daemon:
            before = daemon.descriptors()
            with SteadySender(port) as steady:
                with connections(port, 1_000) as slow:
                    one_byte_at_a_time(slow)
                with connections(port, 10_150) as many:  # with the steady one below the bound
                    for which, sock in enumerate(many):
                        sock.sendall(f"<13>1 {now_stamp()} many app - - - many {which:06d}\n".encode())
                    until(
                        lambda: daemon.metric("aiops_receive_messages_total", result="recorded") > 11_150,
                        what="a line of each connection",
                    )
                    with connections(port, 100) as beyond:
                        until(lambda: daemon.events(TCP, "refused") >= 50, what="refusals above the bound")
                        assert sum(refused(sock) for sock in beyond) >= 50
                    assert daemon.descriptors() < before + 10_300
            bounded(daemon, before)
            until(lambda: accounted(daemon, TCP), what="received = recorded + rejected + dropped")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    lines = daemon.stored_lines()
    assert steady.failed is None
    assert steady.numbers(lines) == list(range(steady.sent))
    for tag, count in (("slow", 1_000), ("many", 10_150)):
        assert sorted(int(line.split()[-1]) for line in lines if line.startswith(tag)) == list(range(count))


def one_byte_at_a_time(slow: list[socket.socket]) -> None:
    """Every connection says one line, a byte in turn with the others'."""
    lines = [b"<13>1 - slow app - - - slow %06d\n" % which for which in range(len(slow))]
    for sock in slow:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for place in range(len(lines[0])):
        for sock, line in zip(slow, lines, strict=True):
            sock.send(line[place : place + 1])


def refused(sock: socket.socket) -> bool:
    sock.settimeout(0.05)
    try:
        return sock.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_garbage_and_silence_on_the_tls_port(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    port = free_port()
    source = (
        f"  syslog_tls:\n    - listen: 127.0.0.1:{port}\n"
        f"      certificate: {tmp_path / 'cert.pem'}\n      key: {tmp_path / 'key.pem'}\n"
    )
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with IngestProcess(tmp_path, source) as daemon:
        before = daemon.descriptors()
        with connections(port, 500):  # say nothing: half a handshake each
            for number in range(100):
                sent(port, [b"<13>plain text %d on the TLS port\n" % number * 20])
                sent(port, [os.urandom(300)])
            with context.wrap_socket(
                socket.create_connection(("127.0.0.1", port), timeout=60), server_hostname="127.0.0.1"
            ) as good:
                for number in range(2_000):
                    good.sendall(f"<13>1 {now_stamp()} good app - - - good {number:06d}\n".encode())
                until(
                    lambda: (
                        daemon.metric("aiops_receive_messages_total", source=TLS, result="recorded") == 2_000
                    ),
                    what="the lines of the good sender",
                )
            until(lambda: daemon.events(TLS, "handshake_timeouts") == 500, what="the silent ones")
        assert daemon.events(TLS, "handshake_failures") == 200
        bounded(daemon, before)
    lines = daemon.stored_lines()
    assert sorted(int(line.split()[-1]) for line in lines if line.startswith("good")) == list(range(2_000))


@pytest.mark.parametrize(
    ("flood", "at_most"),
    [(b"<13>%d", 200_000), (b"\xff\xfe%d\x00", 200_000), (b"%d" + b"z" * 60_000, 1_500)],
    ids=["lines", "bytes", "large"],
)
def test_a_flood_by_udp_leaves_tcp_alone(tmp_path: Path, flood: bytes, at_most: int) -> None:
    port = free_port()
    sources = f"  syslog_udp:\n    - listen: 127.0.0.1:{port}\n{tcp_source(port)}"
    with IngestProcess(tmp_path, sources) as daemon:
        with SteadySender(port) as steady, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            flooded = flood_for(3.0, sender, port, flood, at_most)
            time.sleep(1.5)
        counts = {
            event: daemon.events("syslog-udp", event) for event in ("received", "kernel_drops", "no_room")
        }
        until(
            lambda: (
                daemon.events("syslog-udp", "received") + daemon.events("syslog-udp", "kernel_drops")
                == flooded
            )
        )
        until(
            lambda: daemon.metric("aiops_journal_lag_records") == 0,
            what="everything processed",
            timeout_s=200,
        )
        assert daemon.peak_bytes < MAX_RESIDENT_BYTES, (daemon.peak_bytes, counts)
    assert steady.failed is None
    assert steady.numbers(daemon.stored_lines()) == list(range(steady.sent))


def flood_for(seconds: float, sender: socket.socket, port: int, template: bytes, at_most: int) -> int:
    """As fast as it goes; how many."""
    number, end_s = 0, time.monotonic() + seconds
    while time.monotonic() < end_s and number < at_most:
        for _ in range(100):
            sender.sendto(template % number, ("127.0.0.1", port))
            number += 1
    return number
