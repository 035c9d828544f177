"""A topology document out of NetBox's own JSON: what its REST API lists, saved as one object.

``{"sites": [...], "racks": [...], "devices": [...], ...}`` with the lists of :data:`LISTS`, each a list, or a page of the API
as it came (``{"count", "next", "results"}``). Fields follow NetBox 3.3 to 4.x: a nested object has ``id`` and ``name`` (or
``display``), a cable lists ``a_terminations`` and ``b_terminations`` of ``{"object_type", "object"}``.
https://netboxlabs.com/docs/netbox/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from aiops.errors import TopologyError

SOURCE = "netbox"
LISTS: tuple[str, ...] = (
    *("sites", "racks", "devices", "interfaces", "cables", "power_panels", "power_feeds", "power_ports"),
    *("virtual_machines", "vm_interfaces", "ip_addresses"),
)
MAX_PROBLEMS = 100
_GONE = frozenset({"offline", "planned", "staged", "decommissioning", "decommissioned", "retired"})
#: Roles of devices that other systems call hosts; everything else is a Device.
_HOST_ROLES = ("server", "host", "hypervisor", "compute", "storage")
Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class NetboxTopology:
    """``document``: what :func:`ingest.topology.documents.parse_topology` reads. ``skipped``: (JSON pointer, why) for rows that
    name nothing we can use, such as a planned device or one end of a cable that leads out of what was exported."""

    document: dict[str, object]
    skipped: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Reading:
    """Ids by (list, NetBox id), what was made so far, and what was left out."""

    shared: frozenset[str] = frozenset()  # names of several devices or machines
    ids: dict[tuple[str, int], str] = field(default_factory=dict)
    entities: dict[str, dict[str, object]] = field(default_factory=dict)
    relations: dict[tuple[str, str, str], dict[str, object]] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def add(
        self, key: tuple[str, int], entity_id: str, kind: str, name: str, labels: Mapping[str, str]
    ) -> None:
        self.ids[key] = entity_id
        kept = {label: value for label, value in sorted(labels.items()) if value}
        self.entities[entity_id] = {"id": entity_id, "kind": kind, "name": name, "labels": kept}

    def place_of(self, row: Row) -> str:
        """A device's or machine's own name; with its site before it where another has the same."""
        name, site = _name(row), _nested(row, "site")
        return f"{site}/{name}" if name in self.shared and site else name

    def relate(self, source: str, kind: str, target: str, group: str | None = None) -> None:
        relation: dict[str, object] = {"from": source, "kind": kind, "to": target}
        if group is not None:
            relation["redundancy_group"] = group
        self.relations[(source, kind, target)] = relation

    def skip(self, pointer: str, why: str) -> None:
        self.skipped.append((pointer, why))


def read_netbox(document: object, complete: bool = False) -> NetboxTopology:
    """NetBox's lists as a topology document of source ``netbox``. Raises :class:`TopologyError` with JSON pointers where this
    is not what NetBox writes; nothing is applied in part."""
    lists = _lists(document)
    names = Counter(_name(row) for kind in ("devices", "virtual_machines") for _, row in lists.get(kind, ()))
    reading = _Reading(frozenset(name for name, count in names.items() if count > 1))
    for name, read in _READERS.items():
        for pointer, row in lists.get(name, ()):
            read(reading, pointer, row)
    _both_feeds(reading)
    entities = [reading.entities[name] for name in sorted(reading.entities)]
    relations = [reading.relations[key] for key in sorted(reading.relations)]
    made: dict[str, object] = {
        "source": SOURCE,
        "complete": complete,
        "entities": entities,
        "relations": relations,
    }
    return NetboxTopology(made, tuple(reading.skipped))


def _lists(document: object) -> dict[str, list[tuple[str, Row]]]:
    """Every known list as (pointer, row); each row has an ``id``."""
    problems: list[tuple[str, str]] = []
    if not isinstance(document, Mapping):
        raise _refusal([("", "must be an object with NetBox's lists")])
    found: dict[str, list[tuple[str, Row]]] = {}
    for name in document:
        if name not in LISTS:
            problems.append((f"/{_escaped(str(name))}", f"is no list we read; known are {', '.join(LISTS)}"))
    for name in LISTS:
        value = document.get(name, [])
        base = f"/{name}"
        if isinstance(value, Mapping) and "results" in value:
            if value.get("next"):
                problems.append((f"{base}/next", "is set: this is one page of several; ask with ?limit=0"))
            value, base = value["results"], f"{base}/results"
        if not isinstance(value, list):
            problems.append((base, "must be an array"))
            continue
        rows = found.setdefault(name, [])
        for index, row in enumerate(value):
            if not isinstance(row, Mapping) or not _is_number(row.get("id")):
                problems.append((f"{base}/{index}", "must be an object with a number as id"))
            else:
                rows.append((f"{base}/{index}", row))
    if not any(found.values()) and not problems:
        problems.append(("", f"holds none of {', '.join(LISTS)}"))
    if problems:
        raise _refusal(problems)
    return found


def _refusal(problems: list[tuple[str, str]]) -> TopologyError:
    pointer, why = problems[0]
    return TopologyError(
        f"no NetBox export: {pointer or '/'} {why}",
        hint="save the lists of NetBox's REST API as one object (docs/topology.md)",
        problems=tuple(problems[:MAX_PROBLEMS]),
        total=len(problems),
    )


def _site(reading: _Reading, pointer: str, row: Row) -> None:
    name = _name(row)
    if not name:
        return reading.skip(pointer, "has no name")
    return reading.add(("sites", _id(row)), f"site:{name}", "Site", name, {"region": _nested(row, "region")})


def _rack(reading: _Reading, pointer: str, row: Row) -> None:
    name, site = _name(row), reading.ids.get(("sites", _ref(row, "site")))
    if not name:
        return reading.skip(pointer, "has no name")
    place = f"{_nested(row, 'site')}/{name}" if _nested(row, "site") else name
    reading.add(("racks", _id(row)), f"rack:{place}", "Rack", name, {"site": _nested(row, "site")})
    if site is not None:
        reading.relate(f"rack:{place}", "PART_OF", site)
    return None


def _device(reading: _Reading, pointer: str, row: Row) -> None:
    name = _name(row)
    if not name:
        return reading.skip(pointer, "has no name")
    if (status := _value(row.get("status"))) in _GONE:
        return reading.skip(pointer, f"is {status}")
    role = (_nested(row, "role") or _nested(row, "device_role")).lower()
    kind = "Host" if any(word in role for word in _HOST_ROLES) else "Device"
    entity = f"{kind.lower()}:{reading.place_of(row)}"
    model = _nested(row, "device_type")
    labels = {
        "site": _nested(row, "site"),
        "role": role,
        "model": model,
        "platform": _nested(row, "platform"),
    }
    reading.add(("devices", _id(row)), entity, kind, name, labels)
    reading.entities[entity]["aliases"] = _addresses_of(row)
    for owner in ("racks", "sites"):
        place = reading.ids.get((owner, _ref(row, owner[:-1])))
        if place is not None:
            reading.relate(entity, "PART_OF", place)
            break
    return None


def _machine(reading: _Reading, pointer: str, row: Row) -> None:
    name = _name(row)
    if not name:
        return reading.skip(pointer, "has no name")
    if (status := _value(row.get("status"))) in _GONE:
        return reading.skip(pointer, f"is {status}")
    labels = {"site": _nested(row, "site"), "cluster": _nested(row, "cluster")}
    entity = f"host:{reading.place_of(row)}"
    reading.add(("virtual_machines", _id(row)), entity, "Host", name, labels)
    reading.entities[entity]["aliases"] = _addresses_of(row)
    hypervisor = reading.ids.get(("devices", _ref(row, "device")))
    if hypervisor is not None:
        reading.relate(entity, "RUNS_ON", hypervisor)
    return None


def _interface(owners: str, field_name: str) -> Callable[[_Reading, str, Row], None]:
    def read(reading: _Reading, pointer: str, row: Row) -> None:
        owner = reading.ids.get((owners, _ref(row, field_name)))
        name = _name(row)
        if owner is None or not name:
            return reading.skip(pointer, f"belongs to no {field_name.replace('_', ' ')} that is here")
        host = owner.partition(":")[2]
        entity = f"interface:{host}/{name}"
        own = "interfaces" if owners == "devices" else "vm_interfaces"
        reading.add(
            (own, _id(row)), entity, "Interface", name, {"description": _text(row.get("description"))}
        )
        return reading.relate(entity, "PART_OF", owner)

    return read


def _panel(reading: _Reading, pointer: str, row: Row) -> None:
    name = _name(row)
    if not name:
        return reading.skip(pointer, "has no name")
    site = _nested(row, "site")
    entity = f"powerunit:{site}/{name}" if site else f"powerunit:{name}"
    return reading.add(("power_panels", _id(row)), entity, "PowerUnit", name, {"site": site})


def _feed(reading: _Reading, pointer: str, row: Row) -> None:
    name, panel = _name(row), reading.ids.get(("power_panels", _ref(row, "power_panel")))
    if not name:
        return reading.skip(pointer, "has no name")
    entity = f"{panel}/{name}" if panel else f"powerunit:{name}"
    reading.add(("power_feeds", _id(row)), entity, "PowerUnit", name, {"site": _nested(row, "site")})
    if panel is not None:
        reading.relate(entity, "POWERED_BY", panel)
    return None


def _power_port(reading: _Reading, pointer: str, row: Row) -> None:
    """A port of a device; what it is plugged into comes from its own ``connected_endpoints`` or from a cable."""
    owner = reading.ids.get(("devices", _ref(row, "device")))
    if owner is None:
        return reading.skip(pointer, "belongs to no device that is here")
    reading.ids[("power_ports", _id(row))] = owner
    ends = row.get("connected_endpoints")
    for end in ends if isinstance(ends, list) else ():
        feed = reading.ids.get(("power_feeds", _id(end))) if isinstance(end, Mapping) else None
        if feed is not None and row.get("connected_endpoints_type") in ("dcim.powerfeed", None):
            reading.relate(owner, "POWERED_BY", feed)
    return None


_ENDS: Mapping[str, str] = {
    "dcim.interface": "interfaces",
    "dcim.powerfeed": "power_feeds",
    "dcim.powerport": "power_ports",
}


def _cable(reading: _Reading, pointer: str, row: Row) -> None:
    if (status := _value(row.get("status"))) in _GONE:
        return reading.skip(pointer, f"is {status}")
    ends = [list(_ends(row.get(side), reading)) for side in ("a_terminations", "b_terminations")]
    if not all(ends):
        return reading.skip(pointer, "leads to something that is not here")
    for kind_a, a in ends[0]:
        for kind_b, b in ends[1]:
            if kind_a == kind_b == "interfaces":
                reading.relate(min(a, b), "CONNECTED_TO", max(a, b))
            elif {kind_a, kind_b} == {"power_ports", "power_feeds"}:
                device, feed = (a, b) if kind_a == "power_ports" else (b, a)
                reading.relate(device, "POWERED_BY", feed)
    return None


def _ends(terminations: object, reading: _Reading) -> Iterator[tuple[str, str]]:
    for end in terminations if isinstance(terminations, list) else ():
        inner = end.get("object") if isinstance(end, Mapping) else None
        name = _ENDS.get(_text(end.get("object_type"))) if isinstance(end, Mapping) else None
        if name is None or not isinstance(inner, Mapping):
            continue
        found = reading.ids.get((name, _id(inner)))
        if found is not None:
            yield name, found


def _address(reading: _Reading, pointer: str, row: Row) -> None:
    """An address is one more name of the device or machine whose interface has it."""
    lists = {"dcim.interface": "interfaces", "virtualization.vminterface": "vm_interfaces"}
    owner = lists.get(_text(row.get("assigned_object_type")))
    number = row.get("assigned_object_id")
    interface = reading.ids.get((owner, number)) if owner and isinstance(number, int) else None
    text = _text(row.get("address")).partition("/")[0]
    if interface is None or not text:
        return reading.skip(pointer, "belongs to no interface that is here")
    holder = next(
        target for (source, kind, target) in reading.relations if source == interface and kind == "PART_OF"
    )
    names = reading.entities[holder].setdefault("aliases", [])
    more = [text, *filter(None, [_text(row.get("dns_name"))])]
    assert isinstance(names, list)
    names.extend(name for name in more if name not in names)
    return None


_READERS: Mapping[str, Callable[[_Reading, str, Row], None]] = {
    "sites": _site,
    "racks": _rack,
    "power_panels": _panel,
    "power_feeds": _feed,
    "devices": _device,
    "virtual_machines": _machine,
    "interfaces": _interface("devices", "device"),
    "vm_interfaces": _interface("virtual_machines", "virtual_machine"),
    "power_ports": _power_port,
    "cables": _cable,
    "ip_addresses": _address,
}


def _both_feeds(reading: _Reading) -> None:
    """Whoever draws power from several feeds lives on any of them."""
    feeds: dict[str, list[str]] = {}
    for source, kind, target in sorted(reading.relations):
        if kind == "POWERED_BY" and not source.startswith("powerunit:"):
            feeds.setdefault(source, []).append(target)
    for source, targets in feeds.items():
        for target in targets if len(targets) > 1 else ():
            reading.relate(source, "POWERED_BY", target, "power")


def _addresses_of(row: Row) -> list[str]:
    found: list[str] = []
    for name in ("primary_ip4", "primary_ip6", "primary_ip", "oob_ip"):
        inner = row.get(name)
        text = _text(inner.get("address")).partition("/")[0] if isinstance(inner, Mapping) else ""
        if text and text not in found:
            found.append(text)
    return found


def _name(row: Row) -> str:
    return _text(row.get("name")) or _text(row.get("display"))


def _nested(row: Row, name: str) -> str:
    inner = row.get(name)
    if not isinstance(inner, Mapping):
        return ""
    return _text(inner.get("name")) or _text(inner.get("model")) or _text(inner.get("display"))


def _ref(row: Row, name: str) -> int:
    inner = row.get(name)
    return _id(inner) if isinstance(inner, Mapping) else int(inner) if _is_number(inner) else -1  # type: ignore[call-overload]


def _id(row: Row) -> int:
    number = row.get("id")
    return number if isinstance(number, int) and not isinstance(number, bool) else -1


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _value(choice: object) -> str:
    """NetBox writes a choice as ``{"value", "label"}``, older versions as text."""
    return _text(choice.get("value")) if isinstance(choice, Mapping) else _text(choice)


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _escaped(step: str) -> str:
    return step[:100].replace("~", "~0").replace("/", "~1")
