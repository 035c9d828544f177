"""NetBox's own JSON as a topology document."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from aiops.errors import TopologyError
from ingest.topology.documents import parse_topology
from ingest.topology.netbox import read_netbox

Document = dict[str, Any]


def nested(number: int, name: str) -> Document:
    return {"id": number, "url": f"http://netbox/{number}/", "display": name, "name": name}


def export() -> Document:
    """Two racks behind one panel with two feeds; a switch, a server with both feeds, a machine on it."""
    site, switch, server = nested(1, "fra1"), nested(10, "sw-1"), nested(11, "srv-1")
    feeds = [
        {**nested(70 + number, f"feed-{letter}"), "power_panel": nested(7, "panel-1")}
        for number, letter in enumerate("ab")
    ]
    return {
        "sites": [{**site, "region": nested(3, "emea")}],
        "racks": {"count": 1, "next": None, "results": [{**nested(5, "r1"), "site": site}]},
        "power_panels": [{**nested(7, "panel-1"), "site": site}],
        "power_feeds": feeds,
        "devices": [
            {
                **switch,
                **{"site": site, "rack": nested(5, "r1"), "role": nested(2, "Access Switch")},
                "status": {"value": "active", "label": "Active"},
                "primary_ip4": {"id": 9, "address": "10.0.0.1/24"},
                "device_type": {"id": 4, "model": "QFX5120"},
            },
            {**server, "site": site, "rack": None, "device_role": nested(2, "Server"), "status": "active"},
            {**nested(12, "sw-9"), "site": site, "status": {"value": "planned", "label": "Planned"}},
        ],
        "interfaces": [
            {**nested(100, "xe-0/0/1"), "device": switch},
            {**nested(101, "eth0"), "device": server},
            {**nested(102, "xe-0/0/0"), "device": nested(12, "sw-9")},
        ],
        "power_ports": [
            {
                **nested(200, "psu0"),
                "device": server,
                "connected_endpoints": [feeds[0]],
                "connected_endpoints_type": "dcim.powerfeed",
            },
            {**nested(201, "psu1"), "device": server},
        ],
        "cables": [
            {
                "id": 300,
                "status": {"value": "connected", "label": "Connected"},
                "a_terminations": [
                    {"object_type": "dcim.interface", "object_id": 101, "object": nested(101, "eth0")}
                ],
                "b_terminations": [
                    {"object_type": "dcim.interface", "object_id": 100, "object": nested(100, "xe-0/0/1")}
                ],
            },
            {
                "id": 301,
                "status": "connected",
                "a_terminations": [{"object_type": "dcim.powerport", "object": nested(201, "psu1")}],
                "b_terminations": [{"object_type": "dcim.powerfeed", "object": nested(71, "feed-b")}],
            },
            {
                "id": 302,
                "a_terminations": [{"object_type": "dcim.interface", "object": nested(100, "xe-0/0/1")}],
                "b_terminations": [{"object_type": "circuits.circuittermination", "object": nested(1, "x")}],
            },
        ],
        "virtual_machines": [{**nested(400, "vm-1"), "site": site, "device": server, "status": "active"}],
        "vm_interfaces": [{**nested(401, "eth0"), "virtual_machine": nested(400, "vm-1")}],
        "ip_addresses": [
            {
                **{"id": 500, "address": "10.0.9.4/24", "dns_name": "vm-1.example.net"},
                **{"assigned_object_type": "virtualization.vminterface", "assigned_object_id": 401},
            },
            {"id": 501, "address": "10.0.9.5/24", "assigned_object_type": None, "assigned_object_id": None},
        ],
    }


def test_the_lists_become_entities_and_relations() -> None:
    found = read_netbox(export())
    delta = parse_topology(found.document)
    assert {(entity.id, entity.kind) for entity in delta.entities} == {
        ("site:fra1", "Site"),
        ("rack:fra1/r1", "Rack"),
        ("powerunit:fra1/panel-1", "PowerUnit"),
        ("powerunit:fra1/panel-1/feed-a", "PowerUnit"),
        ("powerunit:fra1/panel-1/feed-b", "PowerUnit"),
        ("device:sw-1", "Device"),
        ("host:srv-1", "Host"),
        ("host:vm-1", "Host"),
        ("interface:sw-1/xe-0/0/1", "Interface"),
        ("interface:srv-1/eth0", "Interface"),
        ("interface:vm-1/eth0", "Interface"),
    }
    assert {(r.source_id, r.kind, r.target_id, r.redundancy_group) for r in delta.relations} == {
        ("rack:fra1/r1", "PART_OF", "site:fra1", None),
        ("device:sw-1", "PART_OF", "rack:fra1/r1", None),
        ("host:srv-1", "PART_OF", "site:fra1", None),
        ("interface:sw-1/xe-0/0/1", "PART_OF", "device:sw-1", None),
        ("interface:srv-1/eth0", "PART_OF", "host:srv-1", None),
        ("interface:vm-1/eth0", "PART_OF", "host:vm-1", None),
        ("interface:srv-1/eth0", "CONNECTED_TO", "interface:sw-1/xe-0/0/1", None),
        ("powerunit:fra1/panel-1/feed-a", "POWERED_BY", "powerunit:fra1/panel-1", None),
        ("powerunit:fra1/panel-1/feed-b", "POWERED_BY", "powerunit:fra1/panel-1", None),
        ("host:srv-1", "POWERED_BY", "powerunit:fra1/panel-1/feed-a", "power"),
        ("host:srv-1", "POWERED_BY", "powerunit:fra1/panel-1/feed-b", "power"),
        ("host:vm-1", "RUNS_ON", "host:srv-1", None),
    }
    by_id = {entity.id: entity for entity in delta.entities}
    assert by_id["device:sw-1"].aliases == ("10.0.0.1",)
    assert by_id["device:sw-1"].labels == {"model": "QFX5120", "role": "access switch", "site": "fra1"}
    assert by_id["host:vm-1"].aliases == ("10.0.9.4", "vm-1.example.net")


def test_what_cannot_be_used_is_named() -> None:
    assert dict(read_netbox(export()).skipped) == {
        "/devices/2": "is planned",
        "/interfaces/2": "belongs to no device that is here",
        "/cables/2": "leads to something that is not here",
        "/ip_addresses/1": "belongs to no interface that is here",
    }


def test_one_name_in_two_sites_is_two_devices() -> None:
    rows = [
        {**nested(number, "sw-1"), "site": nested(number, site)}
        for number, site in ((1, "fra1"), (2, "muc2"))
    ]
    found = read_netbox({"devices": rows}).document["entities"]
    assert isinstance(found, list)
    assert [entity["id"] for entity in found] == ["device:fra1/sw-1", "device:muc2/sw-1"]


@pytest.mark.parametrize(
    ("document", "pointer", "why"),
    [
        ([], "", "must be an object"),
        ({}, "", "holds none of"),
        ({"widgets": []}, "/widgets", "is no list we read"),
        (
            {"devices": {"results": [], "next": "http://netbox/?offset=50"}},
            "/devices/next",
            "one page of several",
        ),
        ({"devices": "none"}, "/devices", "must be an array"),
        ({"devices": [{"name": "sw-1"}]}, "/devices/0", "number as id"),
        ({"sites": {"results": [1]}}, "/sites/results/0", "must be an object"),
    ],
)
def test_what_is_no_export_is_refused_with_its_place(document: object, pointer: str, why: str) -> None:
    with pytest.raises(TopologyError, match=why) as refused:
        read_netbox(document)
    assert refused.value.details["problems"][0][0] == pointer  # type: ignore[index]


def test_hostile_values_are_skipped_or_refused_and_never_crash() -> None:
    strange: list[Any] = [None, 1, "x", [], {}, True, {"id": 1}, [{"id": 1}]]
    for name in (
        "devices",
        "cables",
        "interfaces",
        "ip_addresses",
        "power_ports",
        "racks",
        "virtual_machines",
    ):
        for value in strange:
            row = {
                "id": 1,
                **dict.fromkeys(("name", "site", "device", "status", "a_terminations", "address"), value),
            }
            with suppress(TopologyError):
                assert "entities" in read_netbox({name: [row]}).document
