"""The catalogue before the mapping's rows: what both say is said once, and what only one says is not lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from aiops.domain.graph import Entity, GraphDelta
from aiops.store.memory import MemoryGraphStore
from aiops.wiring.config import disk_faults, load_daemon_config
from ingest.catalogue.catalogue import load_catalogue
from ingest.catalogue.reader import CatalogueReader
from ingest.catalogue.vocabulary import TypedEvent
from ingest.entities import EntityResolver
from ingest.topology.discovery import Discovery, Finding
from ingest.topology.mapping import TopologyMapping, load_mapping
from tests.support.catalogue_lines import shipped
from tests.support.ingest_sites import AT, FOREVER, IngestSite, line, lines, topology

CASES = yaml.safe_load((Path(__file__).parents[2] / "golden" / "mapping" / "lines.yaml").read_text("utf-8"))
SWITCH = Entity("device:sw-1", "Device", "sw-1")


def event_of(message: str, app: str | None = None) -> TypedEvent | None:
    columns = {"app": [app], "msgid": [None], "message": [message]}
    return (
        shipped()
        .events_of(pa.table({name: pa.array(value, pa.string()) for name, value in columns.items()}))
        .get(0)
    )


def found(message: str, event: TypedEvent | None, *, mapping: TopologyMapping | None = None) -> Finding:
    graph = MemoryGraphStore()
    graph.apply(GraphDelta("test", (SWITCH,)), at=AT)
    discovery = Discovery(mapping or load_mapping(), EntityResolver(graph))
    return discovery.line(
        SWITCH.id, SWITCH.id, {"host": "sw-1", "app": ""}, message, shipped().statements(event)
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["line"][:60])
def test_a_typed_line_says_what_the_mapping_says_of_it_and_says_it_once(case: dict[str, Any]) -> None:
    finding = found(case["line"], event_of(case["line"]))
    relations = [
        f"{r.source_id} {r.kind} {r.target_id}" for r in (learned.relation for learned in finding.relations)
    ]
    states = [f"{entity} {name}={value}" for entity, name, value in finding.states]
    expected = {text.rpartition(" ")[0] for text in case.get("relations", [])}
    assert expected <= set(relations)
    assert set(case.get("states", [])) <= set(states)
    assert sorted(set(states)) == sorted(states)
    assert finding.entity == case.get("about", SWITCH.id)
    assert [f"{provenance} {' '.join(key)}" for provenance, key in finding.closed] == case.get("closed", [])
    told = {(learned.relation.key, learned.relation.confidence) for learned in finding.relations}
    assert len(told) == len(finding.relations)


def test_the_catalogue_alone_says_all_that_its_messages_say() -> None:
    message = "%BGP-5-ADJCHANGE: peer 10.0.0.2 (AS 65001) old state OpenConfirm event Established new state Established"
    finding = found(message, event_of(message), mapping=TopologyMapping((), ()))
    assert finding.states == (("device:sw-1", "bgp_session", "10.0.0.2 up"),)
    assert [learned.relation.target_id for learned in finding.relations] == ["device:10.0.0.2"]


def test_where_both_know_the_state_the_catalogue_goes_first() -> None:
    """The row of the mapping takes the first state that it reads, which is the one before the change."""
    message = (
        "RPD_BGP_NEIGHBOR_STATE_CHANGED: BGP peer 10.0.0.2 (External AS 65001) changed state from Established to Idle "
        "(event HoldTime) (instance master)"
    )
    assert found(message, None).states == (("device:sw-1", "bgp_session", "10.0.0.2 established"),)
    assert found(message, event_of(message)).states == (("device:sw-1", "bgp_session", "10.0.0.2 down"),)


def test_a_program_that_is_known_on_its_machine_is_whom_its_failure_is_about() -> None:
    site = IngestSite()
    site.worker.take_topology(
        topology(
            [
                {"id": "host:app-1", "kind": "Host", "name": "app-1"},
                {"id": "instance:shop-api@app-1", "kind": "Instance", "name": "shop-api@app-1"},
            ],
            [{"from": "instance:shop-api@app-1", "kind": "RUNS_ON", "to": "host:app-1"}],
        )
    )
    site.worker.take_syslog(
        lines(
            [
                line("app-1", "shop-api.service: Failed with result 'exit-code'.", app="systemd"),
                line("app-1", "other.service: Failed with result 'signal'.", app="systemd"),
            ],
            peer="udp 10.0.0.4:514",
        )
    )
    states = {
        (state.entity, state.property, state.value)
        for state in site.signals.window(start=FOREVER[0], end=FOREVER[1]).states
    }
    assert ("instance:shop-api@app-1", "service.shop-api.state", "failed") in states
    assert ("host:app-1", "service.other.state", "failed") in states


def test_lldp_lines_of_any_vendor_open_and_close_the_same_relation() -> None:
    site = IngestSite()
    head = "<134>Nov 26 10:36:12 leaf-2 sr_lldp_mgr: lldp|1|1|43|I: LLDP remote peer"
    tail = "on interface ethernet-1/49: System spine-1 with chassis ID 00:50:56:00:DD:01, port ethernet-1/2"
    key = ("interface:leaf-2/ethernet-1/49", "CONNECTED_TO", "interface:00:50:56:00:DD:01/ethernet-1/2")
    site.worker.take_syslog(lines([f"{head} added {tail}"], peer="udp 10.0.0.4:514"))
    assert key in site.relations()
    site.worker.take_syslog(lines([f"{head} removed {tail}"], peer="udp 10.0.0.4:514"))
    assert key not in site.relations()


def test_a_changed_catalogue_is_taken_up_between_two_batches(tmp_path: Path) -> None:
    site = IngestSite()
    said = [line("app-1", "billing gave up", app="app")]
    site.worker.take_syslog(lines(said, peer="udp 10.0.0.4:514"))
    assert site.signals.window(start=FOREVER[0], end=FOREVER[1]).states == ()
    (tmp_path / "ours.yaml").write_text(
        "format: aiops-message/1\nid: ours\nvendor: us\nproduct: app\nsource: 'our own log'\n"
        "event: service.failed\ncontains: [gave up]\npattern: '(?P<service>\\S+) gave up'\n"
    )
    site.worker.use_mapping(load_mapping(), CatalogueReader(load_catalogue(tmp_path), telling=True))
    site.worker.take_syslog(lines(said, peer="udp 10.0.0.4:514"))
    (state,) = site.signals.window(start=FOREVER[0], end=FOREVER[1]).states
    assert (state.property, state.value) == ("service.billing.state", "failed")
    site.worker.use_mapping(load_mapping())
    site.worker.take_syslog(lines([line("app-1", "stock gave up", app="app")], peer="udp 10.0.0.4:514"))
    states = site.signals.window(start=FOREVER[0], end=FOREVER[1]).states
    assert {state.property for state in states} == {"service.billing.state", "service.stock.state"}


def test_a_wrong_message_of_a_site_is_a_fault_of_its_configuration(tmp_path: Path) -> None:
    own = tmp_path / "messages"
    own.mkdir()
    (own / "ours.yaml").write_text("format: aiops-message/1\nid: ours\n")
    config = tmp_path / "aiops.yaml"
    config.write_text(f"catalogue: [{own}]\n")
    (fault,) = disk_faults(load_daemon_config(config))
    assert (fault.file, fault.line) == (str(own / "ours.yaml"), 1)
    assert "'event' is missing" in fault.text
