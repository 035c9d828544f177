"""The faults: how each is made, and what the right answer is. The only place that knows both."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Site(Protocol):
    """What a fault needs of a running lab."""

    def shell(self, host: str, *argv: str, user: str = "root") -> str:
        """Run a command on a host; raises LabError if it fails."""

    def ask(self, host: str, **request: object) -> dict[str, object]:
        """A request to a host's supervisor."""

    def in_network(self, name: str, *argv: str, text: str | None = None) -> str:
        """Run a command in the network namespace of a host or switch."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change record. ``starts_s`` and ``ends_s`` are relative to the injection, in seconds."""

    external_id: str
    title: str
    kind: str
    entities: tuple[str, ...]
    author: str
    starts_s: float
    ends_s: float
    action: Callable[[Site], None] | None = None  # for changes other than the fault itself


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. ``root_causes`` are (entity id, kind): any one of them is a right answer."""

    name: str
    what: str
    inject: Callable[[Site], None]
    root_causes: tuple[tuple[str, str], ...]
    changes: tuple[Change, ...] = ()
    ships: bool = False


# -- the ways of breaking things ------------------------------------------------------------------


def stop(host: str, program: str) -> Callable[[Site], None]:
    def inject(site: Site) -> None:
        site.ask(host, op="stop", program=program)

    return inject


def link_down(switch: str, port: str) -> Callable[[Site], None]:
    def inject(site: Site) -> None:
        site.in_network(switch, "ip", "link", "set", port, "down")

    return inject


def packet_loss(switch: str, port: str, percent: int) -> Callable[[Site], None]:
    """Drop ``percent`` of the frames that cross ``port`` of ``switch``, in each direction."""
    rules = f"""table bridge faulty {{
 chain cable {{
  type filter hook forward priority 0; policy accept;
  iifname "{port}" numgen random mod 100 < {percent} drop
  oifname "{port}" numgen random mod 100 < {percent} drop
 }}
}}
"""

    def inject(site: Site) -> None:
        site.in_network(switch, "nft", "-f", "-", text=rules)

    return inject


def congestion(switch: str, port: str, host: str, rate: str) -> Callable[[Site], None]:
    """Let ``rate`` through the link between ``host`` and its switch, with a deep queue at each end."""

    def inject(site: Site) -> None:
        for name, device in ((switch, port), (host, "eth0")):
            shape = ("tbf", "rate", rate, "burst", "3000", "latency", "1500ms")
            site.in_network(name, "tc", "qdisc", "add", "dev", device, "root", *shape)

    return inject


GREEDY_WRITER = """
import os, sys, time
with open(sys.argv[1], "wb", buffering=0) as file:
    size = 1 << 20
    while True:
        try:
            file.write(b"0" * size)
            os.fsync(file.fileno())
        except OSError:
            size = max(size // 4, 512)
            time.sleep(0.05)
"""


def fill_disk(host: str, file: str) -> Callable[[Site], None]:
    """Start a dump that never ends and takes whatever room there is, also what becomes free later."""

    def inject(site: Site) -> None:
        site.ask(host, op="spawn", argv=["/usr/bin/python3", "-c", GREEDY_WRITER, file])

    return inject


def burn_cpu(host: str, workers: int) -> Callable[[Site], None]:
    def inject(site: Site) -> None:
        site.ask(
            host,
            op="spawn",
            argv=["stress-ng", "--cpu", str(workers), "--quiet", "--temp-path", "/dev/shm"],
            user="nobody",
        )

    return inject


def leak_memory(host: str, kilobytes: int) -> Callable[[Site], None]:
    """Let each request to the shop on ``host`` keep ``kilobytes``, also after a restart."""

    def inject(site: Site) -> None:
        write(site, host, "/srv/shop/flags.json", json.dumps({"receipt_kb": kilobytes}))

    return inject


def write(site: Site, host: str, path: str, text: str) -> None:
    site.shell(
        host, "/usr/bin/python3", "-c", "import sys; open(sys.argv[1], 'w').write(sys.argv[2])", path, text
    )


def edit_and_reload_proxy(old: str, new: str) -> Callable[[Site], None]:
    def inject(site: Site) -> None:
        site.shell("edge-1", "sed", "-i", f"s/{old}/{new}/", "/etc/nginx/nginx.conf")
        reload_proxy(site)

    return inject


def reload_proxy(site: Site) -> None:
    site.shell("edge-1", "nginx", "-e", "/var/log/nginx-start.log", "-s", "reload")


def limit_cache_clients(site: Site) -> None:
    commands = "config set maxclients 1\\nclient kill type normal skipme yes\\n"
    site.shell("cache-1", "sh", "-c", f"printf '{commands}' | redis-cli")


def tune_cache(site: Site) -> None:
    site.shell("cache-1", "redis-cli", "config", "set", "slowlog-max-len", "256")


def release_catalogue(version: str, items: str) -> Callable[[Site], None]:
    def inject(site: Site) -> None:
        release = {
            "version": version,
            "items_query": items,
            "price_query": "SELECT price FROM items WHERE id = %s",
        }
        write(site, "cat-1", "/srv/catalogue/release.json", json.dumps(release))
        site.ask("cat-1", op="restart", program="catalogue")

    return inject


def lock_orders(site: Site) -> None:
    sql = "BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1200); COMMIT;"
    command = ["psql", "-h", "/run/postgresql", "-d", "orders", "-c", sql]
    site.ask("db-1", op="spawn", argv=command, user="postgres")


# -- changes that did nothing wrong ---------------------------------------------------------------

HARMLESS_RELOAD = Change(
    "CHG-2204", "Reload the edge proxy after certificate renewal", "maintenance", ("service:edge",), "n.abara",
    -230, -215, reload_proxy,
)  # fmt: skip
HARMLESS_TUNING = Change(
    "CHG-2211", "Keep more slow commands in the cache's slow log", "config", ("cache:sessions",), "p.lind",
    -150, -140, tune_cache,
)  # fmt: skip


def _link_ends(switch: str, port: str, host: str, kind: str) -> tuple[tuple[str, str], ...]:
    return (
        (f"interface:{switch}/{port}", kind),
        (f"interface:{host}/eth0", kind),
        (f"host:{host}", kind),
    )


#: Recorded first; the rules and the prior may be tried on these.
FAULTS: tuple[Fault, ...] = (
    Fault(
        "database-stopped", "PostgreSQL on db-1 is stopped.", stop("db-1", "postgresql"),
        (("database:orders", "stopped"),), (HARMLESS_RELOAD,), ships=True,
    ),
    Fault(
        "access-uplink-down", "The uplink of access-2 (app-1, cat-1) loses its link.", link_down("access-2", "uplink"),
        (
            ("interface:access-2/uplink", "link_down"),
            ("interface:core-1/swp2", "link_down"),
            ("device:access-2", "link_down"),
        ),
        ships=True,
    ),
    Fault(
        "bad-proxy-config", "nginx is reloaded with upstream ports on which nobody listens.",
        edit_and_reload_proxy("\\(server 10.*\\):8000", "\\1:8001"), (("service:edge", "bad_config"),),
        (
            HARMLESS_TUNING,
            Change("CHG-2219", "Move the shop's upstreams in the edge proxy", "config", ("service:edge",),
                   "n.abara", -4, 6),
        ),
        ships=True,
    ),
    Fault(
        "link-loss", "A third of the frames on the link of cat-1 is lost.", packet_loss("access-2", "swp2", 33),
        _link_ends("access-2", "swp2", "cat-1", "packet_loss"),
    ),
    Fault(
        "link-congestion", "The link of db-1 passes no more than 24 kbit/s.",
        congestion("access-4", "swp1", "db-1", "24kbit"), _link_ends("access-4", "swp1", "db-1", "congestion"),
        (HARMLESS_TUNING,),
    ),
    Fault(
        "disk-full", "A forgotten dump fills the data disk of db-1.",
        fill_disk("db-1", "/var/lib/postgresql/nightly.dump"),
        (("disk:db-1/data", "disk_full"), ("host:db-1", "disk_full")),
    ),
    Fault(
        "cpu-hog", "A batch job takes the processors of db-1.", burn_cpu("db-1", 12),
        (("host:db-1", "cpu_saturation"),), (HARMLESS_RELOAD,),
    ),
    Fault(
        "memory-leak", "The shop on app-1 leaks until the kernel kills it, again and again.",
        leak_memory("app-1", 640), (("instance:shop@app-1", "memory_leak"),),
    ),
    Fault(
        "cache-refuses", "Redis takes no more than one client.", limit_cache_clients,
        (("cache:sessions", "connections_refused"),),
    ),
    Fault(
        "bad-release", "Release 5.2.0 of the catalogue asks for a column that is not there.",
        release_catalogue("5.2.0", "SELECT id, name, list_price FROM items ORDER BY id LIMIT 20"),
        (("service:catalogue", "bad_release"),),
        (
            HARMLESS_RELOAD,
            Change("REL-5.2.0", "Release catalogue 5.2.0", "deploy", ("service:catalogue",), "ci", -3, 12),
        ),
    ),
    Fault(
        "table-lock", "A migration holds an exclusive lock on the table of orders.", lock_orders,
        (("database:orders", "lock_contention"),),
        (Change("CHG-2230", "Migrate table orders", "maintenance", ("database:orders",), "d.osei", -5, 900),),
    ),
)  # fmt: skip

#: Recorded for honest figures only: nothing is tuned on these.
HELD_OUT: tuple[Fault, ...] = (
    Fault(
        "catalogue-stopped-b", "The catalogue on cat-1 is stopped.", stop("cat-1", "catalogue"),
        (("service:catalogue", "stopped"),), (HARMLESS_TUNING,),
    ),
    Fault(
        "access-uplink-down-b", "The uplink of access-3 (app-2, cache-1) loses its link.",
        link_down("access-3", "uplink"),
        (
            ("interface:access-3/uplink", "link_down"),
            ("interface:core-2/swp1", "link_down"),
            ("device:access-3", "link_down"),
        ),
    ),
    Fault(
        "bad-proxy-config-b", "nginx is reloaded so that it listens on port 8088 instead of 80.",
        edit_and_reload_proxy("listen 80;", "listen 8088;"), (("service:edge", "bad_config"),),
        (Change("CHG-2251", "Prepare the edge proxy for a second listener", "config", ("service:edge",), "n.abara", -4, 6),),
    ),
    Fault(
        "link-loss-b", "Two fifths of the frames on the link of cache-1 are lost.",
        packet_loss("access-3", "swp2", 40), _link_ends("access-3", "swp2", "cache-1", "packet_loss"),
    ),
    Fault(
        "link-congestion-b", "The link of cat-1 passes no more than 32 kbit/s.",
        congestion("access-2", "swp2", "cat-1", "32kbit"), _link_ends("access-2", "swp2", "cat-1", "congestion"),
        (HARMLESS_RELOAD,),
    ),
    Fault(
        "disk-full-b", "A forgotten dump fills the data disk of cache-1.", fill_disk("cache-1", "/var/lib/redis/old.rdb"),
        (("disk:cache-1/data", "disk_full"), ("host:cache-1", "disk_full")),
    ),
    Fault(
        "cpu-hog-b", "A batch job takes the processors of cat-1.", burn_cpu("cat-1", 48),
        (("host:cat-1", "cpu_saturation"),),
    ),
    Fault(
        "memory-leak-b", "The shop on app-2 leaks until the kernel kills it, again and again.",
        leak_memory("app-2", 400), (("instance:shop@app-2", "memory_leak"),), (HARMLESS_RELOAD,),
    ),
    Fault(
        "cache-stopped-b", "Redis on cache-1 is stopped.", stop("cache-1", "redis"), (("cache:sessions", "stopped"),),
    ),
)  # fmt: skip

ALL: dict[str, Fault] = {fault.name: fault for fault in (*FAULTS, *HELD_OUT)}
