"""The data centre as a table: switches, hosts, links, programs. Pure data; everything else is made from it.

::

              mon-1 --- core-1 ============ core-2
                        |     |             |     |
                   access-1  access-2   access-3  access-4
                   |    |    |    |     |    |     |
              edge-1 client-1 app-1 cat-1 app-2 cache-1 db-1
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SyslogForm = Literal["rfc3164-udp", "rfc5424-udp", "rfc5424-tcp", "rfc5424-tcp-octets"]
DOMAIN = "dc1.example.net"
COLLECTOR = "mon-1"


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk of the host's own: an ext4 image, mounted at ``mount``."""

    mount: str
    size_mb: int


@dataclass(frozen=True, slots=True)
class Host:
    """One machine. ``cpu_cores`` and ``memory_mb`` are hard limits of its control group."""

    name: str
    address: str
    switch: str
    port: str
    cpu_cores: float
    memory_mb: int
    syslog: SyslogForm
    programs: tuple[str, ...]
    disk: Disk | None = None
    fqdn_in_syslog: bool = False

    @property
    def fqdn(self) -> str:
        return f"{self.name}.{DOMAIN}"


@dataclass(frozen=True, slots=True)
class Switch:
    """A bridge in a namespace of its own. Only switches with an ``address`` speak (syslog of link changes)."""

    name: str
    uplink_switch: str | None = None
    uplink_port: str | None = None
    address: str | None = None


SWITCHES: tuple[Switch, ...] = (
    Switch("core-1", address="10.77.0.1"),
    Switch("core-2", "core-1", "swp9", address="10.77.0.2"),
    Switch("access-1", "core-1", "swp1"),
    Switch("access-2", "core-1", "swp2"),
    Switch("access-3", "core-2", "swp1"),
    Switch("access-4", "core-2", "swp2"),
)

HOSTS: tuple[Host, ...] = (
    Host("edge-1", "10.77.1.10", "access-1", "swp1", 0.4, 192, "rfc3164-udp", ("nginx", "nginx-exporter")),
    Host("client-1", "10.77.1.50", "access-1", "swp2", 0.4, 192, "rfc3164-udp", ("web-client",)),
    Host("app-1", "10.77.2.11", "access-2", "swp1", 0.4, 192, "rfc5424-tcp-octets", ("shop",)),
    Host("cat-1", "10.77.2.21", "access-2", "swp2", 0.4, 192, "rfc3164-udp", ("catalogue",)),
    Host("app-2", "10.77.3.12", "access-3", "swp1", 0.4, 192, "rfc5424-tcp", ("shop",), fqdn_in_syslog=True),
    Host(
        "cache-1",
        "10.77.3.31",
        "access-3",
        "swp2",
        0.4,
        192,
        "rfc3164-udp",
        ("redis", "redis-exporter"),
        Disk("/var/lib/redis", 48),
    ),
    Host(
        "db-1",
        "10.77.4.41",
        "access-4",
        "swp1",
        0.3,
        384,
        "rfc5424-tcp",
        ("postgresql", "postgres-exporter"),
        Disk("/var/lib/postgresql", 160),
    ),
    Host(
        "mon-1",
        "10.77.0.100",
        "core-1",
        "swp8",
        2.0,
        1024,
        "rfc5424-udp",
        ("recorder", "alertmanager", "blackbox-exporter", "prometheus"),
    ),
)

BY_NAME: dict[str, Host] = {host.name: host for host in HOSTS}
SWITCH_BY_NAME: dict[str, Switch] = {switch.name: switch for switch in SWITCHES}

#: Who sends requests to whom: (from host, label ``peer`` of the caller's metrics, to host, port).
CALLS: tuple[tuple[str, str, str, int], ...] = (
    ("client-1", "edge", "edge-1", 80),
    ("app-1", "catalogue", "cat-1", 8000),
    ("app-1", "orders", "db-1", 5432),
    ("app-1", "sessions", "cache-1", 6379),
    ("app-2", "catalogue", "cat-1", 8000),
    ("app-2", "orders", "db-1", 5432),
    ("app-2", "sessions", "cache-1", 6379),
    ("cat-1", "orders", "db-1", 5432),
)


def hosts_file() -> str:
    """The ``/etc/hosts`` that every host sees."""
    lines = ["127.0.0.1 localhost"]
    lines += [f"{host.address} {host.name} {host.fqdn}" for host in HOSTS]
    lines += [f"{switch.address} {switch.name}" for switch in SWITCHES if switch.address]
    return "\n".join(lines) + "\n"
