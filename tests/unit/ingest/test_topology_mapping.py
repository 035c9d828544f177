"""The mapping: what each row finds, as a table; and that a wrong file is refused with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from aiops.domain.graph import Entity, GraphDelta
from aiops.errors import ConfigError
from aiops.store.memory import MemoryGraphStore
from ingest.entities import EntityResolver
from ingest.parsers.exposition import parse_exposition
from ingest.topology.discovery import Discovery, Finding
from ingest.topology.label_templates import parse_template
from ingest.topology.mapping import load_mapping, parse_mapping
from tests.support.ingest_sites import AT

GOLDEN = Path(__file__).parents[2] / "golden" / "mapping"
MAPPING = load_mapping()


def cases(name: str) -> list[Any]:
    return list(yaml.safe_load((GOLDEN / name).read_text()))


def discovery(*entities: Entity) -> Discovery:
    graph = MemoryGraphStore()
    if entities:
        graph.apply(GraphDelta("test", entities), at=AT)
    return Discovery(MAPPING, EntityResolver(graph))


def written(finding: Finding) -> dict[str, Any]:
    """A finding in the words of the golden files."""
    merged: dict[str, tuple[str, set[str]]] = {}
    for entity in finding.entities:
        merged.setdefault(entity.id, (entity.kind, set()))[1].update(entity.aliases)
        merged[entity.id] = (entity.kind, merged[entity.id][1])
    return {
        "entities": [f"{i} {kind} {','.join(sorted(a))}".strip() for i, (kind, a) in sorted(merged.items())],
        "relations": sorted(
            {
                f"{r.source_id} {r.kind} {r.target_id} {r.confidence}"
                for r in (learned.relation for learned in finding.relations)
            }
        ),
        "closed": sorted(f"{provenance} {' '.join(key)}" for provenance, key in finding.closed),
        "states": sorted(f"{entity} {name}={value}" for entity, name, value in finding.states),
    }


@pytest.mark.parametrize("case", cases("metrics.yaml"), ids=lambda c: c["sample"][:60])
def test_what_a_sample_says(case: dict[str, Any]) -> None:
    batch = parse_exposition((case["sample"] + "\n").encode(), source="test", received_at_s=0.0)
    finding = discovery().series(batch.series[0], float(batch.value[0]))
    found = written(finding)
    owner = f"{finding.entity} -> {finding.peer}" if finding.peer else finding.entity
    assert (found["entities"], found["relations"], owner, found["states"]) == (
        case["entities"],
        case["relations"],
        case["owner"],
        case.get("states", []),
    )


@pytest.mark.parametrize("case", cases("lines.yaml"), ids=lambda c: c["line"][:60])
def test_what_a_line_says(case: dict[str, Any]) -> None:
    finding = discovery(Entity("device:sw-1", "Device", "sw-1")).line(
        "device:sw-1", "device:sw-1", {"host": "sw-1", "app": "x"}, case["line"]
    )
    found = written(finding)
    assert {
        "relations": found["relations"],
        "closed": found["closed"],
        "states": found["states"],
        "about": finding.entity,
    } == {
        "relations": case.get("relations", []),
        "closed": case.get("closed", []),
        "states": case.get("states", []),
        "about": case.get("about", "device:sw-1"),
    }


def test_every_row_has_a_case() -> None:
    """A row that no golden case reaches is a row that nobody has tried."""
    tried = {
        row.row.name
        for case in cases("metrics.yaml")
        for batch in [parse_exposition((case["sample"] + "\n").encode(), source="t", received_at_s=0.0)]
        for row in MAPPING.rows_for(batch.series[0].metric)
    }
    assert {row.row.name for row in MAPPING.metrics} - tried == set()


def test_known_names_are_used_instead_of_new_ids() -> None:
    cart = Entity("service:eu/cart", "Service", "cart")
    stock = Entity("instance:stock-1", "Instance", "stock-1", ("stock:8080",))
    batch = parse_exposition(
        b'http_client_requests_total{service="cart",server_address="stock",server_port="8080"} 1\n',
        source="t",
        received_at_s=0.0,
    )
    finding = discovery(cart, stock).series(batch.series[0], 1.0)
    assert written(finding)["relations"] == ["service:eu/cart CALLS instance:stock-1 0.8"]
    assert finding.settled
    assert finding.entities == ()


def test_an_alias_never_moves_from_one_host_to_another() -> None:
    apart = discovery(
        Entity("host:a", "Host", "a", ("10.0.0.1:9100",)), Entity("host:b", "Host", "b", ("node-b",))
    )
    batch = parse_exposition(
        b'node_uname_info{nodename="node-b",instance="10.0.0.1:9100"} 1\n', source="t", received_at_s=0.0
    )
    finding = apart.series(batch.series[0], 1.0)
    assert finding.entity == "host:a"
    assert {alias for entity in finding.entities for alias in entity.aliases} == {"10.0.0.1"}


def test_a_firewalls_flow_joins_machines_that_are_known() -> None:
    known = [Entity("host:a", "Host", "a", ("10.0.0.4",)), Entity("host:b", "Host", "b", ("192.0.2.9",))]
    lines = [
        "%ASA-6-302013: Built outbound TCP connection 7 for outside:192.0.2.9/443 (192.0.2.9/443)"
        " to inside:10.0.0.4/511 (10.0.0.4/511)",
        "RT_FLOW_SESSION_CREATE: session created 192.0.2.9/443->10.0.0.4/511 None",
    ]
    for line in lines:
        finding = discovery(*known).line("device:fw", "device:fw", {"host": "fw", "app": "x"}, line)
        assert written(finding)["relations"] == ["host:b TALKS_TO host:a 0.8"]


HEAD = "format: aiops-mapping/1\n"
ROW = "metrics:\n  - name: r\n    match: [m]\n"


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("", 1, "empty"),
        ("format: other\n", 1, "expected 'aiops-mapping/1'"),
        (HEAD + "rows: []\n", 2, "unknown key 'rows'"),
        (HEAD + "metrics: 3\n", 2, "expected a list"),
        (HEAD + "metrics:\n  - 3\n", 3, "expected a mapping"),
        (HEAD + "metrics:\n  - match: [m]\n", 3, "'name' is missing"),
        (HEAD + "metrics:\n  - name: r\n    name: s\n    match: [m]\n", 4, "twice"),
        (HEAD + "metrics:\n  - name: r\n    match: ['(']\n", 4, "no regular expression"),
        (HEAD + ROW + "    when: {x: 3}\n", 5, "expected a regular expression"),
        (HEAD + ROW + "    above: high\n", 5, "expected a number"),
        (HEAD + ROW + "    identity: [planet]\n", 5, "unknown identity rule 'planet'"),
        (HEAD + ROW + "    entities: {a: {id: 'x:{y}', kind: 'No Kind'}}\n", 5, "is no kind"),
        (HEAD + ROW + "    entities: {a: {id: 'x:{y|shout}', kind: K}}\n", 5, "unknown filter"),
        (HEAD + ROW + "    entities: {a: {id: 'x:{y', kind: K}}\n", 5, "cannot read"),
        (HEAD + ROW + "    entities: {a: {id: 'x', kind: K, existing: 1}}\n", 5, "true or false"),
        (HEAD + ROW + "    entities: {self: {id: 'x', kind: K}}\n", 5, "choose another name"),
        (
            HEAD + ROW + "    relations:\n      - {from: self, kind: K, to: b}\n",
            6,
            "none of the row's entities",
        ),
        (HEAD + ROW + "    relations:\n      - {from: self, kind: 'a b', to: self}\n", 6, "is no kind"),
        (HEAD + ROW + "    series: {entity: b}\n", 5, "none of the row's entities"),
        (HEAD + ROW + "  - name: r\n    match: [n]\n", 5, "is taken by line 3"),
        (HEAD + "lines:\n  - {name: l, contains: [], pattern: x}\n", 3, "at least one text"),
        (HEAD + "lines:\n  - {name: l, contains: [x], pattern: x, about: b}\n", 3, "none of the row's"),
        (
            HEAD + "lines:\n  - name: l\n    contains: [x]\n    pattern: x\n    states:\n"
            "      - {entity: self, property: p, value: '{y}'}\n",
            3,
            "{y} is no group",
        ),
        (HEAD + "metrics: &a []\n", 2, "anchors"),
        (HEAD + "metrics: !!python/object:x []\n", 2, "tags"),
        (HEAD + "metrics: [\n", 3, "expected"),
        (HEAD + "? [a]\n: b\n", 2, "key"),
        (HEAD + "metrics: " + "[" * 30 + "]" * 30 + "\n", 2, "nested deeper"),
        ("x: " + "y" * (1024 * 1024), 1, "larger than"),
    ],
)
def test_a_wrong_mapping_is_refused_with_its_line(text: str, line: int, part: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_mapping(text, "site.yaml")
    assert part in caught.value.message
    assert (caught.value.details["file"], caught.value.details["line"]) == ("site.yaml", line)


def test_a_site_may_name_its_own_file(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(HEAD + ROW)
    assert [row.row.name for row in load_mapping(path).metrics] == ["r"]
    with pytest.raises(ConfigError):
        load_mapping(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("template", "labels", "made"),
    [
        ("a:{x}", {"x": "1"}, "a:1"),
        ("a:{x}", {}, None),
        ("a:{x}", {"x": ""}, None),
        ("{x}", {"x": "here", "exported_x": "there"}, "there"),
        ("{x,y}", {"y": "2"}, "2"),
        ("{x|host}", {"x": "db:5432"}, "db"),
        ("{x|host}", {"x": "localhost:5432"}, None),
        ("{x|port}", {"x": "[2001:db8::1]:53"}, "53"),
        ("{x|short}", {"x": "db.example.net"}, "db"),
        ("{x|short}", {"x": "10.0.0.1"}, "10.0.0.1"),
        ("{x|lower}", {"x": "UP"}, "up"),
        ("{x|before_dash}", {"x": "cart"}, None),
        ("{x|nfs_host}", {"x": "/local"}, None),
        ("{x|whole}", {"x": "3.0"}, "3"),
        ("{x|whole}", {"x": "v3"}, "v3"),
        ("{x|unquoted|lower}", {"x": '"Et1",'}, "et1"),
    ],
)
def test_templates(template: str, labels: dict[str, str], made: str | None) -> None:
    assert parse_template(template).fill(labels) == made
