"""The lab's tables agree with each other: layout, topology document, faults, settings."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path

import pytest
import yaml

from aiops.domain.graph import ENTITY_KINDS, RELATION_KINDS
from scenarios.lab.datacentre import HERE
from scenarios.lab.faults import ALL, FAULTS, HELD_OUT, Fault
from scenarios.lab.layout import CALLS, HOSTS, SWITCHES, hosts_file
from scenarios.lab.network import Network
from scenarios.lab.programs import FRAMING, SETTINGS, Lab, programs_of, rsyslog_conf
from scenarios.lab.topology import served_by, topology

DOCUMENT = topology()
IDS = {entity["id"] for entity in DOCUMENT["entities"]}


def test_addresses_and_ports_are_given_out_once() -> None:
    addresses = [host.address for host in HOSTS] + [switch.address for switch in SWITCHES if switch.address]
    assert len(set(addresses)) == len(addresses)
    assert all(ipaddress.ip_address(address) in ipaddress.ip_network("10.77.0.0/16") for address in addresses)
    ends = [
        end
        for one, port, other, other_port in Network("x").links()
        for end in ((one, port), (other, other_port))
    ]
    assert len(set(ends)) == len(ends)


def test_the_hosts_file_names_everything_that_has_an_address() -> None:
    lines = hosts_file().splitlines()
    assert "10.77.3.12 app-2 app-2.dc1.example.net" in lines
    assert "10.77.0.2 core-2" in lines
    assert len(lines) == 1 + len(HOSTS) + 2


def test_topology_uses_the_vocabulary_and_is_closed() -> None:
    assert len(IDS) == len(DOCUMENT["entities"])
    assert {entity["kind"] for entity in DOCUMENT["entities"]} <= ENTITY_KINDS
    for relation in DOCUMENT["relations"]:
        assert relation["kind"] in RELATION_KINDS
        assert {relation["from"], relation["to"]} <= IDS


def test_no_alias_names_two_entities() -> None:
    names: dict[str, str] = {}
    for entity in DOCUMENT["entities"]:
        for name in (entity["name"], *entity.get("aliases", ())):
            assert names.setdefault(name, entity["id"]) == entity["id"], name


def test_topology_is_the_same_each_time_and_sorted() -> None:
    assert json.dumps(topology()) == json.dumps(DOCUMENT)
    assert [entity["id"] for entity in DOCUMENT["entities"]] == sorted(IDS)


def test_every_link_is_in_the_topology_with_both_ends() -> None:
    links = {(r["from"], r["to"]) for r in DOCUMENT["relations"] if r["kind"] == "CONNECTED_TO"}
    assert links == {(f"interface:{a}/{p}", f"interface:{b}/{q}") for a, p, b, q in Network("x").links()}
    assert ("interface:access-2/uplink", "interface:core-1/swp2") in links


def test_calls_become_relations_between_what_the_hosts_serve() -> None:
    found = {(r["from"], r["kind"], r["to"]) for r in DOCUMENT["relations"]}
    assert ("instance:shop@app-1", "CALLS", "service:catalogue") in found
    assert ("service:catalogue", "USES", "database:orders") in found
    assert ("service:web-client", "CALLS", "service:edge") in found
    assert len([r for r in DOCUMENT["relations"] if r["kind"] in ("CALLS", "USES")]) == len(CALLS)


def test_the_shop_instances_back_each_other_up() -> None:
    groups = [r for r in DOCUMENT["relations"] if r.get("redundancy_group") == "shop instances"]
    assert {(r["from"], r["kind"]) for r in groups} == {
        ("service:edge", "ROUTES_TO"),
        ("service:shop", "DEPENDS_ON"),
    }
    assert len(groups) == 4


def test_every_scraped_or_probed_address_is_an_alias() -> None:
    settings = yaml.safe_load((HERE / "config" / "prometheus.yml").read_text())
    known = {
        alias for entity in DOCUMENT["entities"] for alias in (entity["name"], *entity.get("aliases", ()))
    }
    for job in settings["scrape_configs"]:
        for group in job["static_configs"]:
            for target in group["targets"]:
                assert target.removeprefix("http://").split("/")[0] in known, target


@pytest.mark.parametrize("fault", ALL.values(), ids=lambda fault: fault.name)
def test_right_answers_and_changes_name_entities_of_the_topology(fault: Fault) -> None:
    assert fault.root_causes
    assert {entity for entity, _ in fault.root_causes} <= IDS
    for change in fault.changes:
        assert set(change.entities) <= IDS
        assert change.starts_s < change.ends_s
        assert (change.action is None) == (change.starts_s > -30), "what belongs to the fault happens with it"


def test_three_faults_ship_and_the_held_out_ones_are_marked() -> None:
    shipped = [fault.name for fault in ALL.values() if fault.ships]
    assert shipped == ["database-stopped", "access-uplink-down", "bad-proxy-config"]
    assert all(fault.name.endswith("-b") for fault in HELD_OUT)
    assert not any(fault.name.endswith("-b") for fault in FAULTS)


def test_alert_rules_know_nothing_of_the_faults() -> None:
    text = (HERE / "config" / "rules.yml").read_text()
    groups = yaml.safe_load(text)["groups"]
    assert all(rule["labels"]["severity"] for group in groups for rule in group["rules"])
    for host in HOSTS:
        assert host.name not in text
        assert host.address not in text


def test_every_host_runs_rsyslog_and_its_own_programs_with_settings_that_exist() -> None:
    lab = Lab(Path("/nowhere"), Path("/repository"), "python", seed=3)
    for host in HOSTS:
        names = [program.name for program in programs_of(host, lab)]
        assert names == ["rsyslog", "node-exporter", *host.programs]
        assert set(programs_of(host, lab)[0].as_json()) == {
            "name",
            "argv",
            "user",
            "env",
            "oom_score",
            "stop_signal",
        }
    for _, files in SETTINGS.values():
        assert all((HERE / "config" / file).is_file() for file in files)


def test_syslog_leaves_the_hosts_in_every_form() -> None:
    assert {host.syslog for host in HOSTS} == set(FRAMING)
    assert 'TCP_Framing="octet-counted"' in rsyslog_conf("rfc5424-tcp-octets", "app-1")
    assert 'localHostname="app-2.dc1.example.net"' in rsyslog_conf("rfc5424-tcp", "app-2.dc1.example.net")


def test_every_host_but_the_monitor_serves_something() -> None:
    assert {host.name: served_by(host) for host in HOSTS} == {
        "edge-1": "service:edge",
        "client-1": "service:web-client",
        "app-1": "instance:shop@app-1",
        "cat-1": "service:catalogue",
        "app-2": "instance:shop@app-2",
        "cache-1": "cache:sessions",
        "db-1": "database:orders",
        "mon-1": "service:monitoring",
    }
