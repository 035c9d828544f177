"""What a configuration becomes: sources, the journal's settings, what a service manager is told."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from aiops.errors import ConfigError
from aiops.settings import load_settings
from aiops.wiring.journals import kafka_settings
from aiops.wiring.service_manager import ServiceManager
from aiops.wiring.sources import make_sources
from ingest.config_file import parse_config
from ingest.sources.scrape import Scraper
from ingest.sources.syslog_udp import SyslogUdp

KAFKA = """
journal:
  kind: kafka
  kafka:
    servers: [a:1, b:2]
    group: workers
    tls: {ca: /ca.pem, certificate: /c.pem, key: /k.pem, verify_host: false}
    sasl: {mechanism: SCRAM-SHA-256, username: aiops, password_file: %s}
"""


def test_tls_and_sasl_pass_through(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("s3cret\n")
    given = parse_config(KAFKA % secret, "f", {}).config.journal.kafka
    settings = kafka_settings(given, given.group)
    connection = settings.connection()
    assert connection["bootstrap_servers"] == ["a:1", "b:2"]
    assert connection["security_protocol"] == "SASL_SSL"
    assert connection["ssl_cafile"] == "/ca.pem"
    assert connection["ssl_certfile"] == "/c.pem"
    assert connection["ssl_keyfile"] == "/k.pem"
    assert connection["ssl_check_hostname"] is False
    assert connection["sasl_mechanism"] == "SCRAM-SHA-256"
    assert connection["sasl_plain_username"] == "aiops"
    assert connection["sasl_plain_password"] == "s3cret"
    assert settings.member()["group_id"] == "workers"
    assert "s3cret" not in repr(settings)
    secret.write_text("")
    with pytest.raises(ConfigError, match="is empty"):
        kafka_settings(given, given.group)


@pytest.mark.parametrize(
    ("text", "protocol"),
    [("{}", "PLAINTEXT"), ("{tls: {}}", "SSL"), ("{sasl: {username: u}}", "SASL_PLAINTEXT")],
)
def test_protocols(text: str, protocol: str) -> None:
    given = parse_config(f"journal: {{kafka: {text}}}", "f", {}).config.journal.kafka
    assert kafka_settings(given, "g").security_protocol == protocol


def test_every_kind_of_source_is_made_by_its_name(tmp_path: Path) -> None:
    text = f"""
sources:
  syslog_udp: [{{listen: "127.0.0.1:0", sockets: 2, name: udp-a}}, {{listen: "127.0.0.1:0", name: udp-b}}]
  syslog_tcp: [{{listen: "127.0.0.1:0"}}]
  syslog_tls: [{{listen: "127.0.0.1:0", certificate: /c.pem, key: /k.pem}}]
  syslog_unix: [{{path: {tmp_path}/log}}]
  files: [{{paths: [{tmp_path}/*.log]}}]
  scrape: [{{job: a, targets: ["h:1"]}}, {{job: b, file_sd: ["{tmp_path}/*.json"], interval: 1m}}]
  prometheus: [{{url: "http://h:9090", selectors: [up]}}]
"""
    config = parse_config(text, "f", {}).config
    sources = make_sources(config, load_settings(data=tmp_path))
    names = ["udp-a", "udp-b", "syslog-tcp", "syslog-tls", "syslog-unix", "file", "scrape", "prometheus"]
    assert [source.name for source in sources] == names
    assert isinstance(sources[0], SyslogUdp)
    scraper = sources[6]
    assert isinstance(scraper, Scraper)
    new, gone = scraper.refresh()
    assert ([held.target.url for held in new], gone) == (["http://h:1/metrics"], [])
    for source in sources:
        assert all(isinstance(count, int) for count in source.counts().values())


def test_nobody_is_told_where_nobody_listens() -> None:
    silent = ServiceManager({})
    silent.ready("x")
    silent.alive()
    assert silent.watchdog_s is None
    gone = ServiceManager({"NOTIFY_SOCKET": "/nowhere/at/all"})
    gone.stopping()
    other = ServiceManager({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": str(os.getpid() + 1)})
    assert other.watchdog_s is None


def test_the_watchdog_is_fed_often_enough_and_not_more() -> None:
    name = f"\0aiops-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name)
        sock.settimeout(10.0)
        manager = ServiceManager({"NOTIFY_SOCKET": "@" + name[1:], "WATCHDOG_USEC": "60000000"})
        assert manager.watchdog_s == 30.0
        for _ in range(5):
            manager.alive()
        manager.ready("here")
        assert sock.recv(100) == b"WATCHDOG=1"
        assert sock.recv(100) == b"READY=1\nSTATUS=here"
