"""What a comparison reads out of an observed value: a closed list of pure functions from text to a set.

Each takes the property's path, the value and the name of the entity, and returns texts (lower case) or, in
:data:`NUMBERS`, numbers. Formats: Kubernetes' ``describe`` and manifests, ``host:port`` addresses. Every function is
linear in the value, which is cut to :data:`rules.patterns.MAX_TEXT_CHARS` before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

Taken = frozenset[str] | frozenset[float]

#: Stands for a port that was declared without a name, so that names can be compared at all.
UNNAMED = "(unnamed)"

_WORDS = re.compile(r"[\s,;|]+")
_LABEL = re.compile(r"[^\s,;]+=[^\s,;]*")
_PORT = re.compile(r":(\d{1,5})\b|(?<![\w.=:#-])(\d{1,5})(?=/(?:tcp|udp|sctp)\b|$|[\s,;])")
_PORT_NAME = re.compile(
    r"\b([a-z][a-z0-9-]{0,14})/(?:tcp|udp|sctp)\b|^([a-z][a-z0-9-]{0,14})$|:([a-z][a-z0-9-]{0,14})(?=[/\s]|$)"
)
_DECLARED = re.compile(r"\bports\.([^.]+)\.containerport$")
_TRANSPORT = re.compile(r"(?:^|/)(tcp|udp|sctp)\b")
_SCHEME = re.compile(r"^(grpc|exec|tcp-socket|http-get|https-get)\b(?: (https?):)?")
_ADDRESS = re.compile(r"^(?:[a-z][a-z0-9+.-]*://)?([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?):(\d{1,5})(?:[/?]|$)")
_QUANTITY = re.compile(r"^(\d+(?:\.\d+)?)(m|[KMGT]i|[kMGT])?(?:\s|$)")
_UNITS: Mapping[str, float] = {
    **{"": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12},
    **{"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40},
}
_DURATIONS = re.compile(r"\b(delay|period)=(\d+)s|#(failure)=(\d+)")
_SHORT_MODES: Mapping[str, str] = {
    "rwo": "readwriteonce",
    "rwx": "readwritemany",
    "rox": "readonlymany",
    "rwop": "readwriteoncepod",
}
_NOTHING = frozenset({"<unset>", "<none>", "<nil>", "none", "null", ""})


def _texts(found: Iterable[str]) -> frozenset[str]:
    return frozenset(text for text in found if text not in _NOTHING)


def _text(_prop: str, value: str, _name: str) -> frozenset[str]:
    return _texts([value.strip().lower()])


def _words(_prop: str, value: str, _name: str) -> frozenset[str]:
    words = _texts(_WORDS.split(value.strip().lower()))
    return frozenset(_SHORT_MODES.get(word, word) for word in words)


def _labels(prop: str, value: str, _name: str) -> frozenset[str]:
    """``key=value`` pairs; of a manifest's path (``nodeSelector.disk = ssd``) the last step is the key."""
    pairs = _texts(_LABEL.findall(value))
    if pairs or "." not in prop:
        return pairs
    value = value.strip()
    return frozenset({f"{_key(prop)}={value}"}) if value and value not in _NOTHING else frozenset()


def _key(prop: str) -> str:
    for parent in (".nodeselector.", ".matchlabels.", ".labels.", ".selector."):
        place = prop.lower().rfind(parent)
        if place >= 0:
            return prop[place + len(parent) :]
    return prop.rpartition(".")[2]


def _label_values(prop: str, value: str, name: str) -> frozenset[str]:
    return frozenset(pair.partition("=")[2] for pair in _labels(prop, value, name))


def _ports(prop: str, value: str, _name: str) -> frozenset[str]:
    """Port numbers, and names where the value or a manifest's path gives them; 0 is no port."""
    lowered = value.strip().lower()
    found = {a or b for a, b in _PORT.findall(lowered)} - {"0"}
    if not found:
        found |= {a or b or c for a, b, c in _PORT_NAME.findall(lowered)}
    declared = _DECLARED.search(prop.lower())
    if declared:
        found.add(UNNAMED if declared.group(1).isdigit() else declared.group(1))
    return _texts(found)


def _transports(_prop: str, value: str, _name: str) -> frozenset[str]:
    return _texts(_TRANSPORT.findall(value.strip().lower()))


def _scheme(_prop: str, value: str, _name: str) -> frozenset[str]:
    """How a probe asks: grpc, http, https, tcp or exec."""
    match = _SCHEME.match(value.strip().lower())
    if match is None:
        return frozenset()
    kind = match.group(1).removesuffix("-get").removesuffix("-socket")
    return frozenset({match.group(2) or kind})


def _host(_prop: str, value: str, _name: str) -> frozenset[str]:
    """The host of an address inside the cluster: a bare name, or the first step of a ``.svc`` name."""
    match = _ADDRESS.match(value.strip().lower())
    if match is None:
        return frozenset()
    first, _, rest = match.group(1).partition(".")
    inside = not rest or rest.endswith("svc") or ".svc." in f"{rest}."
    return frozenset({first}) if inside and not first.isdigit() and first != "localhost" else frozenset()


def _address(prop: str, value: str, name: str) -> frozenset[str]:
    """``host:port`` of an address inside the cluster."""
    match = _ADDRESS.match(value.strip().lower())
    return (
        frozenset(f"{host}:{match.group(2)}" for host in _host(prop, value, name)) if match else frozenset()
    )


def _own_address(prop: str, value: str, name: str) -> frozenset[str]:
    """The entity's name with each port of the value."""
    return frozenset(f"{_own(name)}:{port}" for port in _ports(prop, value, name))


def _own_name(_prop: str, _value: str, name: str) -> frozenset[str]:
    return frozenset({_own(name)})


def _own(name: str) -> str:
    return name.rpartition("/")[2].lower()


def _quantity(_prop: str, value: str, _name: str) -> frozenset[float]:
    """A quantity such as 250m, 1.5, 64Mi in its base unit (resource.Quantity of Kubernetes)."""
    match = _QUANTITY.match(value.strip())
    if match is None:
        return frozenset()
    return frozenset({float(match.group(1)) * _UNITS[match.group(2) or ""]})


def _patience(_prop: str, value: str, _name: str) -> frozenset[float]:
    """Seconds after its start in which a probe lets a process become well: delay + period x failures."""
    found = {a or c: float(b or d) for a, b, c, d in _DURATIONS.findall(value)}
    if not {"delay", "period", "failure"} <= found.keys():
        return frozenset()
    return frozenset({found["delay"] + found["period"] * found["failure"]})


_Take = Callable[[str, str, str], Taken]

TEXTS: Mapping[str, _Take] = {
    "text": _text,
    "words": _words,
    "labels": _labels,
    "label_values": _label_values,
    "ports": _ports,
    "transports": _transports,
    "scheme": _scheme,
    "host": _host,
    "address": _address,
    "own_address": _own_address,
    "own_name": _own_name,
}
NUMBERS: Mapping[str, _Take] = {"quantity": _quantity, "patience": _patience}
TAKES: Mapping[str, _Take] = {**TEXTS, **NUMBERS}
