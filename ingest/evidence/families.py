"""Which family a metric's name belongs to, for names as they come from anywhere.

A name is cut into lower-case words at punctuation, case changes and between letters and digits, and the first rule of
:data:`FAMILY_RULES` of which a word fits decides. The rules speak of what things are called in operations in general
(node_exporter, cAdvisor, Docker and Metricbeat, Istio, OpenTelemetry, X-Ray, blackbox and database exporters, IOS-XR
telemetry); no rule knows a site, a service or a data set.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from aiops.domain.evidence import Channel


@dataclass(frozen=True, slots=True)
class Family:
    """What a metric tells. ``bad``: +1 bad when it rises, -1 bad when it falls, 0 unusual either way.

    ``counter``: grows for ever by its name, so its rate counts. ``weight`` in (0, 1]: how much a shift of it says.
    """

    channel: Channel
    bad: int = 0
    counter: bool = False
    weight: float = 1.0


#: Series about the measuring itself, or constants: never evidence.
_IGNORED = re.compile(
    r"^(go|promhttp|prometheus|scrape|python|alertmanager|net_conntrack_dialer|process_(start|max|virtual))_|"
    r"_(info|created|bucket)$|^(node_(scrape|time|timex|textfile|exporter|cooling|hwmon|schedstat|softnet|entropy|"
    r"boot|dmi|os|uname|forks|intr|context|nf_conntrack_entries_limit|selinux|arp|procs_running))|^ALERTS|^count:up|"
    r"_(start_time|config|build|version|mtu_bytes|speed_bytes|iface_id|address_assign_type|protocol_type|flags|"
    r"device_id|name_assign_type|net_dev_group|iface_link|iface_link_mode|dormant|limit|max|hard|files|readonly|"
    r"guest_seconds_total)$"
)
_FREE = re.compile(r"^(free|avail|available|idle|unused|remaining|headroom|budget)$")
_CUT = re.compile(r"[^A-Za-z0-9%]+|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_COUNTER_WORDS = re.compile(r"(_total|_sum|_count|-total)$")

_NET = (
    r"net|network|networking|if|receive|received|transmit|trainsmit|transmitted|rx|tx|tcp|udp|icmp|ip|packet|packets|"
    r"interface|carrier|crc|input|output|link|bandwidth|nic|eth|ethernet|socket|sockets|sock|netstat|conntrack|bgp|"
    r"bfd|ospf|isis|route|routes|neighbor|neighbors|path|paths|arp|duplex|resets|retransmit|octets|multicast|mtu|"
    r"discard|vrf"
)
_DISK = (
    r"disk|diskio|fs|filesystem|io|blkio|iops|inode|inodes|volume|storage|hdd|ssd|nvme|raid|md|iowait|iotime|"
    r"writeback|wal|fsync|quota"
)
_MEM = (
    r"mem|memory|rss|oom|heap|swap|pgfault|pgmajfault|pgpgin|pgpgout|anon|workingset|ram|slab|hugepages|vmstat|buffer|"
    r"buffers|mmap"
)
_CPU = r"cpu|cpus|cfs|throttl\w*|core|cores|steal|loadavg|pressure|runqueue"
_LATENCY = (
    r"latency|latencies|lat|duration|durations|rtt|delay|elapsed|ttfb|apdex|slow|slowest|p50|p75|p90|p95|p99|p999|"
    r"quantile|percentile|seconds|millis|milliseconds|took|wait|waiting|hop"
)
_TRAFFIC = (
    r"request|requests|req|reqs|rps|qps|tps|ops|throughput|traffic|workload|load|lod|calls|call|hits|queries|query|"
    r"transactions|xact|commit|commits|commands|messages|msgs|workloads|invocations|rq|http|grpc|served|processed|tup"
)
_ERRORS = (
    r"error|errors|err|errs|fail|failed|fails|failure|failures|failing|exception|exceptions|timeout|timeouts|timedout|"
    r"refused|rejected|rejects|reject|abort|aborted|denied|5xx|4xx|500|503|fault|faults|deadlock|deadlocks|rollback|"
    r"unsuccessful|bad|invalid|panic|panics|crash|conflicts|evicted"
)
_LOST = r"drop|drops|dropped|discard|discards|discarded|lost|loss|retrans\w*|retans|reset|resets|overrun|overruns|transitions"
_SATURATION = (
    r"queue|queues|queued|lag|backlog|pending|pool|connections|connection|conns|clients|threads|thread|fd|fds|"
    r"saturation|utilization|inflight|active|waiting|blocked|locks|lock|backends|sessions|handlers|goroutines|entries"
)
_HEALTH = r"up|health|healthy|ready|alive|reachable|success|online|running|status|established|operational"
_RESTART = r"restart|restarts|restarted|evictions|kills|oomkilled|uptime|terminations"


@dataclass(frozen=True, slots=True)
class FamilyRule:
    """``words`` (any must fit), ``but`` (none may fit) -> family."""

    words: re.Pattern[str]
    but: re.Pattern[str] | None
    family: Family


def _rule(words: str, channel: Channel, bad: int = 0, *, but: str = "", weight: float = 1.0) -> FamilyRule:
    return FamilyRule(
        re.compile(rf"^(?:{words})$"),
        re.compile(rf"^(?:{but})$") if but else None,
        Family(channel, bad, weight=weight),
    )


#: First fit wins.
FAMILY_RULES: tuple[FamilyRule, ...] = (
    _rule("overhead", Channel.OVERHEAD, +1),
    _rule("self|exclusive|own", Channel.SELF_TIME, +1, but=_CPU),
    _rule("syscall|syscalls", Channel.OTHER),
    _rule("availability|success|successrate", Channel.ERRORS, -1, but="probe"),
    _rule(_RESTART, Channel.AVAILABILITY, 0, but=_NET),
    _rule("probe", Channel.AVAILABILITY, -1, but=f"{_LATENCY}|http|dns|ip|ssl|tls|failed"),
    _rule("up|healthy|ready|alive|reachable|online", Channel.AVAILABILITY, -1, but=f"{_CPU}|{_MEM}|{_DISK}"),
    _rule(_LOST, Channel.NETWORK, +1, but=f"{_MEM}|{_DISK}|{_TRAFFIC}"),
    _rule("established|neighbors|neighbor|carrier", Channel.NETWORK, -1, but="reset|resets|transitions"),
    _rule(_ERRORS, Channel.NETWORK, +1, but=rf"(?!{_NET}).*"),
    _rule(_CPU, Channel.CPU, +1, but="wait|iowait"),
    _rule(r"load\d+|load1|load5|load15", Channel.CPU, +1),
    _rule(_MEM, Channel.MEMORY, +1),
    _rule(_DISK, Channel.DISK, 0, but="http|rps|grpc"),
    _rule(_NET, Channel.NETWORK, 0, but=f"{_TRAFFIC}|{_LATENCY}|{_ERRORS}"),
    _rule(_ERRORS, Channel.ERRORS, +1),
    _rule(_LATENCY, Channel.LATENCY, +1),
    _rule(r"p?\d{2,3}|\d{2,3}th|average|mean|avg|median", Channel.LATENCY, +1, but=_TRAFFIC),
    _rule(_SATURATION, Channel.SATURATION, +1),
    _rule(_TRAFFIC, Channel.TRAFFIC, 0),
    _rule("count|rate|sum", Channel.TRAFFIC, 0),
    _rule(_NET + "|bytes", Channel.NETWORK, 0),
    _rule("read|reads|write|writes|written", Channel.DISK, 0),
    _rule(_HEALTH, Channel.AVAILABILITY, -1),
)
_OTHER = Family(Channel.OTHER, 0)


def words_of(name: str) -> tuple[str, ...]:
    """``PodServerLatencyP90(s)`` -> pod, server, latency, p90, s."""
    words: list[str] = []
    for word in _CUT.split(name):
        if not word:
            continue
        lowered = word.lower()
        words.append(lowered)
        inner = re.fullmatch(r"(p\d{2,3})([a-z]{3,})", lowered)
        if inner:
            words.extend(inner.groups())
    return tuple(words)


@lru_cache(maxsize=65_536)
def family_of(name: str) -> Family | None:
    """The family of metric ``name``; None where it says nothing about a failure. Unknown names are OTHER."""
    if _IGNORED.search(name):
        return None
    words = words_of(name)
    for rule in FAMILY_RULES:
        if any(rule.words.match(word) for word in words):
            if rule.but is not None and _blocked(rule, words):
                continue
            return _oriented(rule.family, name, words)
    return Family(_OTHER.channel, 0, bool(_COUNTER_WORDS.search(name)))


def _blocked(rule: FamilyRule, words: tuple[str, ...]) -> bool:
    """Whether a word forbids the rule; the network-error rule forbids names in which *no* word is of the network."""
    assert rule.but is not None
    if rule.but.pattern.startswith("^(?:(?!"):
        return all(rule.but.match(word) for word in words)
    return any(rule.but.match(word) for word in words)


def _oriented(family: Family, name: str, words: tuple[str, ...]) -> Family:
    bad = -family.bad if any(_FREE.match(word) for word in words) else family.bad
    counter = bool(_COUNTER_WORDS.search(name))
    return Family(
        family.channel, bad or (-1 if any(_FREE.match(w) for w in words) else 0), counter, family.weight
    )


#: Words at the end of an alert's name that give its direction, so that ``X up`` and ``X down`` are told apart.
_UP = re.compile(
    r"\b(up|high|above|rise|risen|rising|spike|increase\w*|saturat\w*|degradation|excessive|too many)\b", re.I
)
_DOWN = re.compile(r"\b(down|low|below|drop\w*|fall\w*|fell|decrease\w*|missing|absent|lost|less)\b", re.I)


def direction_of(text: str) -> int:
    """+1 rises, -1 falls, 0 not said."""
    up, down = bool(_UP.search(text)), bool(_DOWN.search(text))
    return int(up) - int(down)


def without_direction(name: str) -> str:
    """``net_receive up`` is about ``net_receive``; ``up`` alone stays what it is."""
    head, _, last = name.rpartition(" ")
    return head if head and last.lower() in {"up", "down", "high", "low"} else name
