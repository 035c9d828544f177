"""What ``aiops doctor --config`` looks at: the daemon's file, its journal, and the ports of its sources."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from pathlib import Path

from aiops.cli.outcomes import Check, Doubt, Row, outcomes
from aiops.errors import AiopsError, ConfigError, StoreUnavailable
from aiops.wiring.config import DaemonConfig, disk_faults, load_daemon_config
from ingest.config import IngestConfig


def check_daemon(path: Path) -> tuple[DaemonConfig | None, list[Row]]:
    """The configuration in ``path``, if it can be read, and what is wrong with it and around it."""
    read: list[DaemonConfig] = []

    def load(_: Path) -> str:
        read.append(load_daemon_config(path))
        return str(path)

    rows = outcomes((("configuration", load),), path)
    return (read[0], [*rows, *outcomes(_CHECKS, read[0])]) if read else (None, rows)


def _files(whole: DaemonConfig) -> str:
    faults = disk_faults(whole)
    if faults:
        raise ConfigError(
            f"{faults[0]}" + (f", and {len(faults) - 1} more" if len(faults) > 1 else ""),
            hint="aiops config check lists them all",
        )
    return "all that it names are there"


def _sources(whole: DaemonConfig) -> str:
    """Whether each address can be bound; one that is bound already may be the daemon's own."""
    if whole.config.role != "process" and not whole.config.sources.any():
        raise Doubt("it names no source: nothing will come in", hint="aiops config example shows all kinds")
    taken = []
    for name, kind, host, port in _addresses(whole.config):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno == errno.EACCES:
                    raise StoreUnavailable(
                        f"{name} may not bind {host}:{port}: ports below 1024 are for root",
                        hint="take another port and redirect, or give the service CAP_NET_BIND_SERVICE",
                    ) from error
                if error.errno != errno.EADDRINUSE:
                    raise StoreUnavailable(
                        f"{name} cannot bind {host}:{port}: {error.strerror}", hint="check `listen`"
                    ) from error
                taken.append(f"{name} {host}:{port}")
    if taken:
        raise Doubt(
            f"bound by another program: {', '.join(taken)}",
            hint="fine where that is `aiops ingest` itself; else it is often rsyslog: ss -lntup shows who",
        )
    return "every address can be bound"


def _addresses(config: IngestConfig) -> Iterator[tuple[str, socket.SocketKind, str, int]]:
    given = config.sources
    for udp in given.syslog_udp:
        yield udp.name, socket.SOCK_DGRAM, *udp.listen
    for tcp in (*given.syslog_tcp, *given.syslog_tls):
        yield tcp.name, socket.SOCK_STREAM, *tcp.listen


def _journal(whole: DaemonConfig) -> str:
    if whole.config.journal.kind != "kafka":
        return "a spool on this machine"
    from aiops.wiring.journals import kafka_settings
    from ingest.journal.kafka import open_kafka

    given = whole.config.journal.kafka
    try:
        open_kafka(kafka_settings(given, given.group), topics={}).close()
    except AiopsError as error:
        raise StoreUnavailable(
            f"Kafka at {given.servers}: {error.message}",
            hint="is it running? servers, tls and sasl of journal.kafka must be those of one of its advertised listeners",
        ) from error
    return f"Kafka at {given.servers} answers"


_CHECKS: tuple[Check[DaemonConfig], ...] = (("files", _files), ("sources", _sources), ("journal", _journal))
