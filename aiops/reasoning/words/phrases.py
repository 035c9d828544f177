"""Predicates: what a kind of fault is called after a name, and what a piece of evidence says of its entity."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from aiops.domain.evidence import SYMPTOM_CHANNELS, Channel, Evidence
from aiops.domain.fault_kinds import normalise_kind
from aiops.reasoning.words.names import Names, shortened
from aiops.reasoning.words.quantities import quantity, unit_of

_SILENCE = re.compile(r"(\d+ of \d+ series) of \S+:.+? ended")
#: Longest verbatim text in a sentence, in characters; the evidence has more of it.
QUOTED = 240
#: Kinds that say how it looks from outside: a symptom, never a root.
SYMPTOMATIC: frozenset[str] = frozenset(channel.value for channel in SYMPTOM_CHANNELS)
_FAULTS: Mapping[str, str] = {
    "link_down": "lost link", "link_loss": "lost link", "fiber_pulled": "lost link", "link_flapping": "goes up and down",
    "admin_down": "was shut down by an administrator", "interface_shutdown": "was shut down by an administrator",
    "transceiver_removed": "lost its transceiver", "optics_degraded": "has failing optics",
    "link_congested": "is congested", "power_failure": "lost power", "device_rebooted": "rebooted",
    "shared_parent_down": "is down", "disk_full": "ran out of disk space", "inode_exhausted": "ran out of inodes",
    "oom_kill": "ran out of memory", "oom_killed": "ran out of memory", "memory": "is short of memory",
    "memory_anomalies": "uses an unusual amount of memory", "cpu": "has an unusual load on its CPUs",
    "cpu_contention": "is short of CPU", "disk": "has an unusual load on its disks", "db_down": "went down",
    "config_change": "was changed", "config_error": "has a broken configuration",
    "change": "was changed", "deployment_failed": "was changed by a deployment that failed",
    "cache_refusing": "refuses commands", "connection_refused": "refuses connections",
    "service_unreachable": "cannot be reached", "service_stopped": "was stopped", "service_crashed": "crashed",
    "crash_loop": "crashes again and again", "pod_kill": "was killed", "pod_failure": "failed",
    "unavailable": "became unavailable", "availability": "became unavailable", "probe_failed": "fails its checks",
    "network_loss": "loses packets", "network_delay": "answers late over the network",
    "network": "has trouble on its network", "other": "shows something unusual",
    "packet_loss": "loses packets", "node_not_ready": "is not ready", "latency": "became slow",
    "errors": "began to fail requests", "traffic": "has unusual traffic", "saturation": "is saturated",
    "log": "logs unusual lines", "state": "changed its state", "pool_exhausted": "has no free connection left",
    "lock_contention": "has transactions that lock each other out", "upstream_down": "lost what stands behind it",
    "peer_timeout": "does not answer in time", "slow_queries": "has slow queries", "heap_exhausted": "ran out of heap",
    "exception": "throws exceptions", "self_time": "became slow by itself", "overhead": "answers late over the network",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """A predicate, and the part of it that is verbatim."""

    text: str
    verbatim: str = ""


def fault_phrase(name: str, kind: str | None) -> str:
    """``swp2 on core-1 lost link``. A kind without a phrase is named as it stands."""
    phrase = _FAULTS.get(normalise_kind(kind)) if kind else "shows something unusual"
    return (
        f"{name} {phrase}" if phrase else f"{name} shows {(kind or '').replace('_', ' ').replace('-', ' ')}"
    )


def is_symptomatic(kind: str | None) -> bool:
    """Whether ``kind`` is no more than slowness, errors or traffic, which whatever lies behind it has as well."""
    return kind in SYMPTOMATIC


def happened(item: Evidence, names: Names, most: int = QUOTED) -> Told:
    """What ``item`` says, after the name of its entity; the peer is named where it belongs to a relation. At most ``most``
    characters are quoted."""
    told = _told(item, most)
    if item.peer is None or item.peer == item.entity:
        return told
    return Told(f"{told.text}, towards {names.of(item.peer)}", told.verbatim)


def said_by(item: Evidence) -> str:
    """The evidence's text without ids of ours in it."""
    return without_ids(item.text) if item.kind != "log" else item.text


def without_ids(text: str) -> str:
    """``text`` without the id of whose series ended, which stands beside it by name."""
    return _SILENCE.sub(r"\1 ended", text) if " ended" in text else text


def _told(item: Evidence, most: int) -> Told:
    text = shortened(" ".join(said_by(item).split()), most)
    match item.kind:
        case "metric" if item.value is not None and item.baseline is not None:
            return Told(_against_baseline(item, item.value, item.baseline))
        case "metric" if item.channel is Channel.AVAILABILITY:
            return Told(f"went silent: {text}")
        case "log" if item.direction < 0 and item.text.startswith("no longer seen: "):
            line = text.removeprefix("no longer seen: ")
            return Told(f"stopped to log “{line}”", line)
        case "log" if item.attributes.get("break") == "1":
            return Told(f"lacks lines: “{text}”", text)
        case "log":
            return Told(f"logged “{text}”", text)
        case "alert":
            return Told(f"raised “{text}”", text)
        case "change":
            return Told(f"was changed: “{text}”", text)
        case "state" | "fact":
            return Told(f"reported “{text}”", text)
        case _:
            return Told(f"shows “{text}”", text)


def _against_baseline(item: Evidence, value: float, baseline: float) -> str:
    unit = unit_of(item.name)
    way = "rise" if value > baseline else "fall" if value < baseline else "stand out"
    now, usual = quantity(value, unit), quantity(baseline, unit)
    return f"saw {shortened(item.name, LONGEST_METRIC)} {way} to {now} from a usual {usual}"


#: Longest name of a metric in a sentence, in characters.
LONGEST_METRIC = 100
