"""Topology documents: what is right is read whole and comes back, what is wrong is refused whole with its places."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops.domain.graph import Entity, Relation, Subgraph
from aiops.errors import TopologyError
from ingest.topology import documents
from ingest.topology.documents import document_time, parse_topology, topology_document

EDGE = {
    "id": "device:edge-1",
    "kind": "Device",
    "name": "edge-1",
    "aliases": ["10.0.0.1"],
    "labels": {"site": "a"},
}
PORT = {"id": "interface:edge-1/ge-0", "kind": "interface", "name": "ge-0"}
PART = {"from": "interface:edge-1/ge-0", "kind": "PART_OF", "to": "device:edge-1"}


def problems(document: object) -> list[tuple[str, str]]:
    with pytest.raises(TopologyError) as caught:
        parse_topology(document)
    return list(caught.value.details["problems"])  # type: ignore[call-overload]


def test_a_document_becomes_a_delta() -> None:
    delta = parse_topology(
        {
            "source": "netbox",
            "complete": True,
            "at": "2026-11-22T10:00:00Z",
            "entities": [EDGE, PORT],
            "relations": [{**PART, "redundancy_group": "uplinks", "confidence": 0.5}],
        }
    )
    assert delta.source == "netbox"
    assert delta.complete
    assert delta.entities == (
        Entity("device:edge-1", "Device", "edge-1", ("10.0.0.1",), {"site": "a"}),
        Entity("interface:edge-1/ge-0", "Interface", "ge-0", (), {}),
    )
    assert delta.relations == (
        Relation(
            "interface:edge-1/ge-0",
            "PART_OF",
            "device:edge-1",
            provenance="netbox",
            confidence=0.5,
            redundancy_group="uplinks",
            labels={},
        ),
    )


def test_the_fewer_fields_of_a_case_are_enough_and_unknown_kinds_are_kept() -> None:
    delta = parse_topology({"entities": [{"id": "x:1", "kind": "Flux_Capacitor"}], "relations": []})
    assert delta.entities[0] == Entity("x:1", "Flux_Capacitor", "1", (), {})
    assert (delta.source, delta.complete) == ("import", False)


def test_relations_may_end_at_what_the_store_knows() -> None:
    delta = parse_topology({"entities": [PORT], "relations": [PART]}, known=lambda i: i == "device:edge-1")
    assert len(delta.relations) == 1


@pytest.mark.parametrize(
    ("document", "pointer", "part"),
    [
        ([], "", "expected an object, got an array"),
        (None, "", "got null"),
        ({"entities": {}}, "/entities", "expected an array, got an object"),
        ({"entities": [3]}, "/entities/0", "got a number"),
        ({"surprise": 1}, "/surprise", "unknown field"),
        ({"a/b~c": 1}, "/a~1b~0c", "unknown field"),
        ({"complete": "yes"}, "/complete", "expected true or false"),
        ({"source": 3}, "/source", "expected a string"),
        ({"at": "yesterday"}, "/at", "expected a time"),
        ({"at": "2026-11-22T10:00:00"}, "/at", "expected a time"),
        ({"entities": [{"kind": "Host"}]}, "/entities/0/id", "is missing"),
        ({"entities": [{"id": " ", "kind": "Host"}]}, "/entities/0/id", "is empty"),
        ({"entities": [{"id": "a\n", "kind": "Host"}]}, "/entities/0/id", "control character"),
        ({"entities": [{"id": "\ud800", "kind": "Host"}]}, "/entities/0/id", "surrogate"),
        ({"entities": [{"id": "a" * 513, "kind": "Host"}]}, "/entities/0/id", "too many"),
        ({"entities": [{"id": "a", "kind": "Host) DELETE"}]}, "/entities/0/kind", "expected a kind"),
        ({"entities": [{"id": "a", "kind": "Host"}] * 2}, "/entities/1/id", "the same id as /entities/0"),
        ({"entities": [{**EDGE, "aliases": "x"}]}, "/entities/0/aliases", "array of strings"),
        ({"entities": [{**EDGE, "aliases": ["x"] * 129}]}, "/entities/0/aliases", "too many"),
        ({"entities": [{**EDGE, "aliases": [1]}]}, "/entities/0/aliases/0", "expected a string"),
        ({"entities": [{**EDGE, "labels": [1]}]}, "/entities/0/labels", "object of strings"),
        ({"entities": [{**EDGE, "labels": {"a": 1}}]}, "/entities/0/labels/a", "expected a string"),
        ({"entities": [{**EDGE, "labels": {"a": "x" * 5000}}]}, "/entities/0/labels/a", "at most"),
        (
            {"entities": [{**EDGE, "labels": {f"l{i}": "" for i in range(200)}}]},
            "/entities/0/labels",
            "too many",
        ),
        ({"entities": [EDGE], "relations": [PART]}, "/relations/0/from", "no entity"),
        (
            {"entities": [EDGE, PORT], "relations": [PART, PART]},
            "/relations/1",
            "the same relation as /relations/0",
        ),
        (
            {"entities": [EDGE, PORT], "relations": [{**PART, "confidence": 2}]},
            "/relations/0/confidence",
            "0 to 1",
        ),
        ({"relations": ["x"]}, "/relations/0", "got a string"),
        (
            {
                "entities": [EDGE, PORT],
                "relations": [
                    {**PART, "valid_from": "2026-01-02T00:00:00Z", "valid_to": "2026-01-01T00:00:00Z"}
                ],
            },
            "/relations/0/valid_to",
            "before valid_from",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_pointer(document: object, pointer: str, part: str) -> None:
    found = problems(document)
    assert any(place == pointer and part in text for place, text in found), found


def test_all_problems_are_named_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TopologyError) as caught:
        parse_topology({"entities": [{"id": f"e{i}", "kind": "?"} for i in range(250)]})
    assert len(caught.value.details["problems"]) == documents.MAX_PROBLEMS  # type: ignore[arg-type]
    assert caught.value.details["total"] == 250
    monkeypatch.setattr(documents, "MAX_ENTITIES", 1)
    assert "too many" in problems({"entities": [EDGE, PORT]})[0][1]


def test_its_time() -> None:
    assert document_time({"at": "2026-11-22T11:00:00+01:00"}) == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert document_time({}) is None
    assert document_time([]) is None


names = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=12)
times = st.none() | st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def subgraphs(draw: st.DrawFn) -> Subgraph:
    ids = draw(st.lists(names, min_size=1, max_size=6, unique=True))
    entities = tuple(
        Entity(
            i,
            draw(st.sampled_from(["Host", "Service", "Flux"])),
            draw(names),
            tuple(sorted(set(draw(st.lists(names, max_size=3))))),
            draw(
                st.dictionaries(
                    names, st.text(max_size=5).filter(lambda t: "\x00" not in t and t.isprintable())
                )
            ),
        )
        for i in sorted(ids)
    )
    relations = {}
    for source, target in draw(st.lists(st.tuples(st.sampled_from(ids), st.sampled_from(ids)), max_size=6)):
        relation = Relation(
            source,
            draw(st.sampled_from(["CALLS", "PART_OF"])),
            target,
            provenance=draw(names),
            confidence=draw(st.floats(0, 1)),
            first_seen=draw(times),
            last_seen=draw(times),
            valid_from=draw(times),
            redundancy_group=draw(st.none() | names),
            labels={},
        )
        relations[relation.key] = relation
    at = datetime(2026, 11, 22, tzinfo=UTC)
    return Subgraph(at, entities, tuple(relations[key] for key in sorted(relations)))


@given(subgraphs())
@settings(max_examples=60, deadline=None)
def test_what_is_exported_is_imported_as_the_same(subgraph: Subgraph) -> None:
    delta = parse_topology(json.loads(json.dumps(topology_document(subgraph))))
    assert delta.entities == subgraph.entities
    assert delta.relations == subgraph.relations


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
fields = st.sampled_from(
    ["source", "at", "complete", "entities", "relations", "id", "kind", "name", "from", "to"]
)
items: Any = st.dictionaries(fields, json_values, max_size=6)


@given(
    st.one_of(
        json_values,
        st.fixed_dictionaries(
            {"entities": st.lists(items, max_size=4), "relations": st.lists(items, max_size=4)}
        ),
    )
)
@settings(max_examples=150, deadline=None)
def test_hostile_documents_are_read_or_refused_and_nothing_else(document: object) -> None:
    try:
        delta = parse_topology(document)
    except TopologyError as error:
        str(error).encode()
        named = error.details["total"]
    else:
        named = len(delta.entities) + 1
        assert all(entity.id and entity.kind for entity in delta.entities)
    assert named
