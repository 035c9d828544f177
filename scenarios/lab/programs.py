"""How each program of the lab is started, and which settings it finds where. Pure data made from the layout."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from scenarios.lab.layout import BY_NAME, COLLECTOR, Host

POSTGRES_BIN = "/usr/lib/postgresql/15/bin"
DATA = "/var/lib/postgresql/data"
PYTHON = "/usr/bin/python3"
FRAMING = {
    "rfc3164-udp": 'protocol="udp" template="RSYSLOG_TraditionalForwardFormat"',
    "rfc5424-udp": 'protocol="udp" template="RSYSLOG_SyslogProtocol23Format"',
    "rfc5424-tcp": 'protocol="tcp" template="RSYSLOG_SyslogProtocol23Format"',
    "rfc5424-tcp-octets": 'protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format"',
}


@dataclass(frozen=True, slots=True)
class Program:
    """A command that the supervisor keeps running. ``oom_score`` is the kernel's ``oom_score_adj``."""

    name: str
    argv: tuple[str, ...]
    user: str = "root"
    env: dict[str, str] = field(default_factory=dict)
    oom_score: int = 0
    stop_signal: str = "SIGTERM"

    def as_json(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class Lab:
    """What differs from lab to lab and from machine to machine."""

    work: Path
    repository: Path
    python: str
    seed: int
    rate_per_s: float = 5.0


def rsyslog_conf(form: str, local_name: str) -> str:
    """The forwarding rule of one host."""
    return f"""global(workDirectory="/run" localHostname="{local_name}")
module(load="imuxsock" SysSock.RateLimit.Interval="0")
action(type="omfile" file="/var/log/syslog")
action(type="omfwd" target="{BY_NAME[COLLECTOR].address}" port="514" {FRAMING[form]}
  action.resumeRetryCount="-1" action.resumeInterval="5" queue.type="LinkedList" queue.size="5000")
"""


RSYSLOG = Program("rsyslog", ("rsyslogd", "-n", "-iNONE", "-f", "/etc/rsyslog.conf"))
LINKWATCH = Program("linkwatch", (PYTHON, "/srv/linkwatch.py"))
NODE_EXPORTER = Program(
    "node-exporter",
    (
        "prometheus-node-exporter",
        "--collector.disable-defaults",
        *(
            f"--collector.{name}"
            for name in (
                *("cpu", "meminfo", "loadavg", "filesystem", "netdev"),
                *("netclass", "netstat", "sockstat", "uname", "textfile", "stat"),
            )
        ),
        "--path.sysfs=/run/sysfs",
        "--collector.textfile.directory=/run/textfile",
        "--collector.filesystem.mount-points-exclude=^/($|[^v].*|var/(tmp|cache|spool).*|var/lib/(prometheus|docker|lxcfs).*)",
        "--collector.netclass.ignored-devices=^lo$",
        "--collector.netdev.device-exclude=^lo$",
        "--collector.netstat.fields=^(Tcp_(RetransSegs|OutSegs|InSegs|CurrEstab|ActiveOpens|PassiveOpens|"
        "AttemptFails|EstabResets|OutRsts)|TcpExt_(ListenDrops|TCPTimeouts)|Udp_(InErrors|NoPorts))$",
        "--web.disable-exporter-metrics",
        "--log.level=warn",
    ),
    user="nobody",
    env={"GOMAXPROCS": "1"},
)


def _service(name: str, directory: str, argv: tuple[str, ...] = (), oom_score: int = 700) -> Program:
    script = name.replace("-", "_")
    return Program(
        name,
        (PYTHON, f"/srv/{directory}/{script}.py", *argv),
        user="nobody",
        env={
            "PYTHONPATH": f"/srv/{directory}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PROMETHEUS_DISABLE_CREATED_SERIES": "True",
        },
        oom_score=oom_score,
    )


def programs_of(host: Host, lab: Lab) -> tuple[Program, ...]:
    """The programs of ``host`` in the order in which they are started."""
    table = {
        "nginx": Program("nginx", ("nginx", "-e", "/var/log/nginx-start.log"), stop_signal="SIGQUIT"),
        "nginx-exporter": Program(
            "nginx-exporter",
            ("prometheus-nginx-exporter", "-nginx.scrape-uri", "http://127.0.0.1:8080/stub_status"),
            user="nobody",
        ),
        "shop": _service("shop", "shop"),
        "catalogue": _service("catalogue", "catalogue"),
        "web-client": _service("web-client", "web-client", (str(lab.seed), str(lab.rate_per_s))),
        "redis": Program("redis", ("redis-server", "/etc/redis/redis.conf"), user="redis", oom_score=300),
        "redis-exporter": Program(
            "redis-exporter",
            (
                "prometheus-redis-exporter",
                "-redis.addr",
                "redis://127.0.0.1:6379",
                "-connection-timeout",
                "2s",
            ),
            user="nobody",
        ),
        "postgresql": Program(
            "postgresql",
            (
                f"{POSTGRES_BIN}/postgres",
                f"--config-file={'/etc/postgresql/postgresql.conf'}",
                "--hba-file=/etc/postgresql/pg_hba.conf",
                "-D",
                DATA,
            ),
            user="postgres",
            oom_score=300,
            stop_signal="SIGINT",
        ),
        "postgres-exporter": Program(
            "postgres-exporter",
            ("prometheus-postgres-exporter", "--disable-settings-metrics"),
            user="nobody",
            env={
                "DATA_SOURCE_NAME": "postgresql://postgres@127.0.0.1:5432/orders?sslmode=disable&connect_timeout=2"
            },
        ),
        "recorder": Program(
            "recorder",
            (lab.python, "-m", "scenarios.lab.recorder", str(lab.work / "received"), host.address),
            env={"PYTHONPATH": str(lab.repository), "PYTHONDONTWRITEBYTECODE": "1"},
        ),
        "alertmanager": Program(
            "alertmanager",
            (
                "prometheus-alertmanager",
                "--config.file=/etc/prometheus/alertmanager.yml",
                "--storage.path=/run/alertmanager",
                "--cluster.listen-address=",
                "--web.listen-address=127.0.0.1:9093",
                "--log.level=warn",
            ),
            user="prometheus",
        ),
        "blackbox-exporter": Program(
            "blackbox-exporter",
            (
                "prometheus-blackbox-exporter",
                "--config.file=/etc/prometheus/blackbox.yml",
                "--web.listen-address=127.0.0.1:9115",
                "--log.level=error",
            ),
        ),
        "prometheus": Program(
            "prometheus",
            (
                "prometheus",
                "--config.file=/etc/prometheus/prometheus.yml",
                "--storage.tsdb.path=/run/prometheus",
                "--web.listen-address=127.0.0.1:9090",
                "--log.level=warn",
            ),
            user="prometheus",
            env={"GOMAXPROCS": "1"},
        ),
    }
    return (RSYSLOG, NODE_EXPORTER, *(table[name] for name in host.programs))


def preparation(host: Host) -> list[dict[str, object]]:
    """Commands that run once before the programs of ``host``, inside it."""
    steps: list[dict[str, object]] = [{"argv": ["mount", "-t", "sysfs", "sysfs", "/run/sysfs"]}]
    if "postgresql" in host.programs:
        initdb = (
            f"{POSTGRES_BIN}/initdb -D {DATA} -A trust --no-sync --wal-segsize=1 --locale=C.UTF-8 -E UTF8"
            f" && echo 'CREATE DATABASE orders;' | {POSTGRES_BIN}/postgres --single -D {DATA} postgres"
            f" && {POSTGRES_BIN}/postgres --single -j -D {DATA} orders < /etc/postgresql/schema.sql"
        )
        steps.append({"argv": ["sh", "-c", initdb], "user": "postgres"})
    return steps


def directories(host: Host) -> list[tuple[str, str]]:
    """Directories made before the preparation, with their owners."""
    made = [("/run/sysfs", "root")]
    if "postgresql" in host.programs:
        made += [("/run/postgresql", "postgres"), (DATA, "postgres")]
    if "redis" in host.programs:
        made += [("/var/lib/redis", "redis")]
    if "prometheus" in host.programs:
        made += [("/run/prometheus", "prometheus"), ("/run/alertmanager", "prometheus")]
    return made


#: Settings of a program: files of ``config/`` laid into a directory that is bound over the host's own.
SETTINGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "nginx": ("/etc/nginx", ("nginx.conf",)),
    "redis": ("/etc/redis", ("redis.conf",)),
    "postgresql": ("/etc/postgresql", ("postgresql.conf", "pg_hba.conf", "schema.sql")),
    "prometheus": ("/etc/prometheus", ("prometheus.yml", "rules.yml", "alertmanager.yml", "blackbox.yml")),
}

#: Files of a service, copied into /srv/NAME of its host.
SERVICE_FILES: dict[str, tuple[str, ...]] = {
    "shop": ("services/webservice.py", "services/shop.py"),
    "catalogue": ("services/webservice.py", "services/catalogue.py", "config/release.json"),
    "web-client": ("services/webservice.py", "services/web_client.py"),
}
