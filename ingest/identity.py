"""Whom labels mean: the identity rules, in their order, as pure functions of the labels.

``docs/ingest.md`` lists the rules for people. Looking a name up is :mod:`ingest.entities`' work; here names are
only read and spelled out: address and port, address, full domain name, ``exported_`` labels, interface names.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiops.domain.graph import ENTITY_KINDS

#: The rules in the order in which they are tried.
IDENTITY_RULES: tuple[str, ...] = (
    *("entity", "pod", "interface", "device", "service", "node", "host", "instance", "job"),
)
#: Labels that tell apart things of one name. The first that both sides carry decides.
PLACE_LABELS: tuple[str, ...] = ("site", "datacenter", "dc", "cluster", "region", "zone")
HOST_LABELS: tuple[str, ...] = ("host", "hostname", "nodename")
INTERFACE_LABELS: tuple[str, ...] = ("interface", "ifName", "ifDescr")
#: Every label that a rule reads: what has these in common is the same entity's.
READ_LABELS: frozenset[str] = frozenset(
    (
        *PLACE_LABELS,
        *(
            f"{origin}{name}"
            for name in (
                *("entity", "namespace", "pod", "device", "service", "node", "instance", "job"),
                *(*HOST_LABELS, *INTERFACE_LABELS),
            )
            for origin in ("", "exported_")
        ),
    )
)
#: Labels that say what an alert is or who may care, never whom it is about.
NO_NAMES: frozenset[str] = frozenset(
    (
        *(
            "alertname",
            "severity",
            "priority",
            "level",
            "status",
            "state",
            "team",
            "owner",
            "env",
            "environment",
            "tenant",
        ),
        *(
            "receiver",
            "monitor",
            "prometheus",
            "replica",
            "prometheus_replica",
            "__replica__",
            "job_name",
            *PLACE_LABELS,
        ),
    )
)
#: Labels that are called like a kind of thing and have no rule of their own.
KIND_LABELS: frozenset[str] = frozenset(
    {
        *(kind.lower() for kind in ENTITY_KINDS if kind not in ("Unknown", "Site", "Namespace")),
        *(
            "vm",
            "switch",
            "router",
            "firewall",
            "server",
            "storage",
            "ups",
            "pdu",
            "lb",
        ),
    }
)
MACHINES: frozenset[str] = frozenset({"Host", "Node", "Device"})

_PORT = re.compile(r"(?P<host>\[[0-9a-fA-F:.%]+\]|[^:\[\]]+):(?P<port>\d{1,5})")
_SHORT_INTERFACE = re.compile(r"([A-Za-z]{2,3})(?=\d)")
_LONG_INTERFACES: Mapping[str, str] = {
    "gi": "GigabitEthernet",
    "te": "TenGigabitEthernet",
    "fa": "FastEthernet",
    "et": "Ethernet",
    "eth": "Ethernet",
    "fo": "FortyGigabitEthernet",
    "hu": "HundredGigE",
    "po": "port-channel",
}


@dataclass(frozen=True, slots=True)
class Reference:
    """Something that labels name. ``id`` and ``kind`` are what it becomes if nobody knows any of ``names``, which are
    tried in order; ``kinds`` are preferred where a name means several things. ``labels`` are those that were read.
    """

    id: str
    kind: str
    names: tuple[str, ...]
    kinds: frozenset[str] = frozenset()
    labels: tuple[tuple[str, str], ...] = ()


def label(labels: Mapping[str, str], name: str) -> str | None:
    """A label's value, what the target itself said (``exported_``) first; None where absent or empty."""
    return labels.get(f"exported_{name}") or labels.get(name) or None


def split_port(text: str) -> tuple[str, str | None]:
    """(host, port) of ``10.0.0.1:9100``, ``[2001:db8::1]:9100``, ``db-3:9100`` or a URL; port None where absent."""
    if "://" in text:
        try:
            parts = urlsplit(text)
            port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
            return (parts.hostname or text, None if port is None else str(port))
        except ValueError:
            return (text, None)
    match = _PORT.fullmatch(text)
    if match is None:
        return (text.strip("[]") if is_address(text.strip("[]")) else text, None)
    return (match["host"].strip("[]"), match["port"])


def is_address(text: str) -> bool:
    """Whether ``text`` is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether ``host`` names whoever says it: such a name tells nothing to anybody else."""
    if host.lower() == "localhost" or host.lower().startswith("localhost."):
        return True
    return is_address(host) and (
        ipaddress.ip_address(host).is_loopback or ipaddress.ip_address(host).is_unspecified
    )


def endpoint_names(text: str) -> tuple[str, ...]:
    """The names under which the owner of an endpoint may be known, the most exact first."""
    text = text.strip()
    host, port = split_port(text)
    host = _plain_host(host)
    names = [text]
    if port is not None:
        names.append(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    if not is_loopback(host):
        names.append(host)
    return tuple(dict.fromkeys(names))


def _plain_host(host: str) -> str:
    """A name without the dot of the root behind it, an address as RFC 5952 writes it."""
    if is_address(host):
        return str(ipaddress.ip_address(host))
    return host[:-1] if host.endswith(".") and len(host) > 1 else host


def interface_names(name: str) -> tuple[str, ...]:
    """An interface's name as given and, where it is a usual abbreviation, written out (``Gi0/1``)."""
    match = _SHORT_INTERFACE.match(name)
    long = _LONG_INTERFACES.get(match[1].lower()) if match else None
    return (name, f"{long}{name[match.end() :]}") if match and long else (name,)


def places(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels that say where something is."""
    return {name: labels[name] for name in PLACE_LABELS if labels.get(name)}


def references(labels: Mapping[str, str], rules: tuple[str, ...] = IDENTITY_RULES) -> Iterator[Reference]:
    """What ``labels`` name, by each of ``rules`` that applies. ``interface`` is left to the resolver: it needs the
    device first."""
    for rule in rules:
        reference = _READERS[rule](labels)
        if reference is not None:
            yield reference


def _entity(labels: Mapping[str, str]) -> Reference | None:
    value = labels.get("entity")
    return Reference(value, "Unknown", (value,), labels=(("entity", value),)) if value else None


def _pod(labels: Mapping[str, str]) -> Reference | None:
    pod, namespace = label(labels, "pod"), label(labels, "namespace")
    if not pod:
        return None
    if not namespace:
        return Reference(f"pod:{pod}", "Unknown", (f"pod:{pod}", pod), frozenset({"Pod"}), (("pod", pod),))
    names = (f"pod:{namespace}/{pod}", f"{namespace}/{pod}", f"pod:{pod}")
    read = (("namespace", namespace), ("pod", pod))
    return Reference(names[0], "Unknown", names, frozenset({"Pod"}), read)


def _nothing(_labels: Mapping[str, str]) -> Reference | None:
    return None


def _device(labels: Mapping[str, str]) -> Reference | None:
    device = label(labels, "device")
    if not device:
        return None
    return Reference(f"device:{device}", "Unknown", (device,), MACHINES, (("device", device),))


def _service(labels: Mapping[str, str]) -> Reference | None:
    service, namespace = label(labels, "service"), label(labels, "namespace")
    if not service:
        return None
    kinds = frozenset({"Service"})
    if not namespace:
        return Reference(
            f"service:{service}", "Unknown", (f"service:{service}", service), kinds, (("service", service),)
        )
    names = (
        f"service:{namespace}/{service}",
        f"{namespace}/{service}",
        f"service:{service}",
        service,
    )
    return Reference(names[0], "Unknown", names, kinds, (("namespace", namespace), ("service", service)))


def _machine(labels: Mapping[str, str], name: str) -> Reference | None:
    value = (label(labels, name) or "").strip()
    if not value:
        return None
    return Reference(
        f"host:{_plain_host(value)}", "Unknown", endpoint_names(value), MACHINES, ((name, value),)
    )


def _node(labels: Mapping[str, str]) -> Reference | None:
    return _machine(labels, "node")


def _host(labels: Mapping[str, str]) -> Reference | None:
    return next((found for name in HOST_LABELS if (found := _machine(labels, name)) is not None), None)


def _instance(labels: Mapping[str, str]) -> Reference | None:
    value = label(labels, "instance")
    if not value:
        return None
    return Reference(f"instance:{value}", "Unknown", endpoint_names(value), labels=(("instance", value),))


def _job(labels: Mapping[str, str]) -> Reference | None:
    """What was summed up over a job's instances is about the service that the job is called after."""
    value = label(labels, "job")
    if not value:
        return None
    return Reference(f"service:{value}", "Unknown", (value,), frozenset({"Service"}), (("job", value),))


_READERS = {
    "entity": _entity,
    "pod": _pod,
    "interface": _nothing,
    "device": _device,
    "service": _service,
    "node": _node,
    "host": _host,
    "instance": _instance,
    "job": _job,
}
