"""Single records and connections that go wrong: a poison record in Kafka, a connection that is cut in the middle of a frame."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from kafka import KafkaConsumer, KafkaProducer

from aiops.settings import Settings
from aiops.wiring.stores import open_stores
from benchmarks.fault_site import FaultSite, until
from servers.kafka_server import KafkaServer
from servers.processes import free_port

pytestmark = pytest.mark.integration
POISON = b"\x00\xff no envelope of ours"
FOREVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))


def test_a_poison_record_stalls_nobody_and_is_kept_with_its_reason(
    tmp_path: Path, kafka_server: KafkaServer
) -> None:
    prefix = f"poison{time.time_ns()}."
    kafka = {"servers": [kafka_server.bootstrap], "prefix": prefix, "group": prefix, "partitions": 1}
    site = FaultSite(tmp_path, kafka=kafka_server.bootstrap, more={"journal": {"kafka": kafka}})
    daemon = site.daemon()
    try:
        daemon.start()
        site.wait_ready()
        site.begin()
        time.sleep(2.0)
        producer = KafkaProducer(bootstrap_servers=[kafka_server.bootstrap])
        for topic in ("logs", "samples", "alerts"):
            producer.send(f"{prefix}{topic}", POISON).get(30)
        producer.close()
        until(lambda: site.metric("aiops_process_poison_records_total") == 3.0, "three poison records")
        time.sleep(2.0)
        site.end()
        assert daemon.stop() == 0
    finally:
        site.close()
    counts = site.counts()
    assert all(count.acknowledged and (count.gaps, count.doubles) == (0, 0) for count in counts.values()), (
        counts
    )
    reader = KafkaConsumer(
        f"{prefix}dead-letters",
        bootstrap_servers=[kafka_server.bootstrap],
        auto_offset_reset="earliest",
        consumer_timeout_ms=5_000,
    )
    letters = [orjson.loads(record.value) for record in reader]
    reader.close()
    assert sorted(letter["source"] for letter in letters) == [
        "journal-alerts",
        "journal-logs",
        "journal-samples",
    ]
    assert all("@" in letter["reason"] and letter["size"] == len(POISON) for letter in letters)


def test_a_connection_cut_in_the_middle_of_a_frame_costs_that_frame_only(tmp_path: Path) -> None:
    port = free_port()
    sources = {"syslog_tcp": [{"listen": f"127.0.0.1:{port}"}]}
    site = FaultSite(tmp_path)
    site.more = {"sources": sources}
    daemon = site.daemon()

    def frame(number: int) -> bytes:
        line = f"<11>1 2026-11-22T10:00:00Z web-1 app 7 - - number {number} by tcp".encode()
        return b"%d %s" % (len(line), line)

    try:
        daemon.start()
        site.wait_ready()
        for connection in range(10):
            with socket.create_connection(("127.0.0.1", port)) as sock:
                whole = b"".join(frame(connection * 10 + n) for n in range(9))
                sock.sendall(whole + frame(connection * 10 + 9)[:20])
        until(lambda: site.metric("aiops_receive_messages_total") >= 200.0, "all that was whole")
        assert daemon.stop() == 0
    finally:
        site.close()
    stores = open_stores(Settings(data=tmp_path / "data"))
    texts = stores.signals.window(start=FOREVER[0], end=FOREVER[1]).logs["message"].to_pylist()
    stores.close()
    wanted = [f"number {c * 10 + n} by tcp" for c in range(10) for n in range(9)]
    assert sorted(texts) == sorted(wanted)
    log = (tmp_path / "daemon.log").read_text()
    assert "syslog-tcp: 100 received = 90 stored + 10 rejected + 0 dropped" in log
