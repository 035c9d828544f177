"""Hostile bodies over HTTP, posted and scraped: refused or bounded, counted, and others are served all along."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import cramjam
import pytest

from aiops.domain.batches import Series
from ingest.parsers.remote_write import encode_remote_write
from tests.support.daemons import free_port, until
from tests.support.exporters import Asked, Exporter, Said
from tests.support.ingest_process import IngestProcess, SteadySender

pytestmark = pytest.mark.integration

#: Of a process that holds 100,000 series nobody wanted; a million take less than 2 GB.
MAX_RESIDENT_BYTES = 1 << 30
WRITE = "/api/v1/write"
REMOTE_WRITE = {"Content_Type": "application/x-protobuf", "Content_Encoding": "snappy"}


def declared(size: int) -> bytes:
    """A snappy block that says it holds ``size`` bytes, and does not."""
    head = bytearray()
    while size >= 0x80:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*head, size]) + b"\x00x" * 100


def body(serial: int, count: int) -> bytes:
    """``count`` series that nobody has seen before."""
    return encode_remote_write(
        (Series(f"bomb_{place % 50}", (("id", f"{serial}-{place}-{'x' * 60}"),)), one())
        for place in range(count)
    )


def one() -> list[tuple[float, float]]:
    return [(time.time(), 1.0)]


def test_bombs_by_remote_write_are_refused_or_bounded(tmp_path: Path) -> None:
    port = free_port()
    sources = f"  syslog_tcp:\n    - listen: 127.0.0.1:{port}\n"
    zeros = bytes(cramjam.snappy.compress_raw(bytes(300_000_000)))
    with IngestProcess(tmp_path, sources) as daemon:
        before = daemon.descriptors()
        with SteadySender(port) as steady:
            for bomb in (
                zeros,
                declared(1 << 31),
                declared((1 << 32) - 1),
                b"\xff" * 1_000,
                b"",
                b"\x00" * 999,
            ):
                assert daemon.post(WRITE, bomb, **REMOTE_WRITE) in (0, 400, 413)
            assert daemon.post(WRITE, b"\x00" * (20 << 20), **REMOTE_WRITE) in (413, 0)
            answers = [daemon.post(WRITE, body(serial, 20_000), **REMOTE_WRITE) for serial in range(5)]
            long = encode_remote_write([(Series("long", (("l", "v" * 1_000_000),)), one())])
            answers.append(daemon.post(WRITE, long, **REMOTE_WRITE))
            good = encode_remote_write([(Series("good", (("instance", "a:1"),)), one())])
            assert daemon.post(WRITE, good, **REMOTE_WRITE) // 100 == 2
        assert all(status // 100 == 2 or status in (400, 503) for status in answers), answers
        until(lambda: daemon.metric("aiops_journal_lag_records") == 0, what="everything processed")
        assert daemon.peak_bytes < MAX_RESIDENT_BYTES, daemon.peak_bytes
        assert daemon.descriptors() <= before + 20
    assert steady.failed is None
    assert steady.numbers(daemon.stored_lines()) == list(range(steady.sent))


def test_bombs_by_scrape_are_down_and_the_good_target_is_up(tmp_path: Path) -> None:
    scrapes = [0]
    packed = gzip.compress(b"a 1\n" * 25_000_000, 1)
    many = b"".join(b'a{i="%d"} 1\n' % number for number in range(500_000))

    def answer(request: Asked) -> Said:
        if request.path == "/gzip":
            return Said(packed, headers={"Content-Type": "text/plain", "Content-Encoding": "gzip"})
        if request.path == "/many":
            return Said(many)
        if request.path == "/new":
            scrapes[0] += 1
            return Said(b"".join(b'n{i="%d-%d"} 1\n' % (scrapes[0], number) for number in range(20_000)))
        if request.path == "/junk":
            return Said(bytes(range(256)) * 4_000)
        return Said(b"good 1\n")

    with Exporter(answer) as exporter:
        jobs = "".join(
            f"    - job: {path}\n      targets: ['{exporter.address}']\n      path: /{path}\n"
            "      interval: 2s\n      timeout: 2s\n"
            for path in ("gzip", "many", "new", "junk", "good")
        )
        port = free_port()
        sources = f"  syslog_tcp:\n    - listen: 127.0.0.1:{port}\n  scrape:\n{jobs}"
        with IngestProcess(tmp_path, sources) as daemon:
            with SteadySender(port) as steady:
                until(lambda: scrapes[0] >= 4, what="scrapes")
            assert daemon.events("scrape", "failed") >= 3
            assert daemon.peak_bytes < MAX_RESIDENT_BYTES, daemon.peak_bytes
    assert sum(asked.path == "/good" for asked in exporter.asked) >= 3
    assert steady.failed is None
    assert steady.numbers(daemon.stored_lines()) == list(range(steady.sent))
