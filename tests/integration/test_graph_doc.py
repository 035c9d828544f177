"""The ten queries of docs/graph.md, on a real Neo4j that holds a small shop."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from aiops.domain.graph import ENTITY_KINDS
from servers.neo4j_server import Neo4jServer
from tests.support.graph_shop import NOON, fill_shop
from tests.support.neo4j_server import empty, query

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def shop(neo4j_server: Neo4jServer) -> Iterator[Neo4jServer]:
    fill_shop(neo4j_server)
    yield neo4j_server
    empty(neo4j_server)


DOC = Path(__file__).parents[2] / "docs" / "graph.md"
DEPLOYED = DOC.parents[1] / "deploy" / "neo4j"


def section(name: str) -> list[tuple[str, str, str]]:
    """Number, title and query of each item of a section."""
    text = DOC.read_text("utf-8").split(f"## {name}\n")[1].split("\n## ")[0]
    found = re.findall(r"^(\d+)\. (.*?)\n\n```cypher\n(.*?)^```", text, flags=re.S | re.M)
    return [(number, " ".join(title.split()), query) for number, title, query in found]


def queries() -> list[str]:
    return [query for _number, _title, query in section("Ten questions")]


def test_the_favourites_and_the_guide_hold_the_queries_of_the_page() -> None:
    said = [("question", *item) for item in section("Ten questions")]
    said += [("picture", *item) for item in section("Pictures")]
    files = sorted((DEPLOYED / "guide").glob("*.cypher"))
    assert len(files) == len(said)
    for kind, number, title, asked in said:
        (text,) = (
            file.read_text("utf-8") for file in files if file.name.startswith(f"{kind}-{int(number):02d}-")
        )
        assert text == f"// {kind.capitalize()} {int(number):02d}: {title}\n{asked}"
    guide = (DEPLOYED / "guide.html").read_text("utf-8")
    runnable = re.findall(r'<pre class="pre-scrollable code runnable">\n(.*?)</pre>', guide, flags=re.S)
    assert [html.unescape(text) for text in runnable] == [query for *_, query in said]


def test_every_kind_has_a_style() -> None:
    style = (DEPLOYED / "browser-style.grass").read_text("utf-8")
    styled = set(re.findall(r"^node\.(\w+) \{", style, flags=re.M))
    assert styled >= {
        *ENTITY_KINDS,
        "Entity",
        "Other",
        "Name",
        "Alarm",
        "Anomaly",
        "Change",
        "Incident",
        "Analysis",
        "Activity",
        "Feedback",
        "AiopsCounter",
        "AiopsLease",
        "AiopsWrite",
    }
    assert set(re.findall(r"^relationship\.(\w+) \{", style, flags=re.M)) >= {
        "ON",
        "AFFECTS",
        "ROOT_CAUSE",
        "TOUCHES",
        "PART_OF_INCIDENT",
        "HAPPENED_TO",
        "JUDGES",
        "CONFIRMED_CAUSE",
        "MERGED_INTO",
    }


@pytest.mark.parametrize("number", range(4))
def test_the_picture_is_drawn(shop: Neo4jServer, number: int) -> None:
    _number, _title, picture = section("Pictures")[number]
    assert len(query(shop, picture)) >= (2, 2, 7, 4)[number]


EXPECTED: list[list[list[object]]] = [
    [["database:orders"], ["process:postgres"]],
    [["CALLS", "database:orders"], ["RUNS_ON", "host:app-1"]],
    [["host:app-1", "CONNECTED_TO", "device:core-2", NOON + timedelta(minutes=5)]],
    [["DiskFull", "host:db-1", 2]],
    [["service:shop/cart", "host:app-1", "device:core-1"]],
    [["host:db-1", 2], ["database:orders", 1], ["host:app-1", 1]],
    [["host:app-1", "uplinks", 1, 2]],
    [["raise cache", "host:db-1", NOON - timedelta(minutes=9)]],
    [["I1", 1, "host:db-1", 0.9], ["I1", 2, "device:core-1", 0.2]],
    [["process:postgres", ["lab"]]],
]


def test_there_are_ten() -> None:
    assert len(queries()) == len(EXPECTED) == 10


@pytest.mark.parametrize("number", range(10))
def test_the_query_answers(shop: Neo4jServer, number: int) -> None:
    rows = [list(row.values()) for row in query(shop, queries()[number])]
    found = [[value.to_native() if hasattr(value, "to_native") else value for value in row] for row in rows]
    expected = EXPECTED[number]
    assert found == ([[row] for row in expected] if number == 4 else expected)


def test_the_graph_reads_like_the_domain(shop: Neo4jServer) -> None:
    (host,) = query(shop, "MATCH (e:Host {id: 'host:db-1'}) RETURN labels(e) AS labels, properties(e) AS e")
    assert host == {
        "labels": ["Entity", "Host"],
        "e": {
            "tenant": "default",
            "id": "host:db-1",
            "kind": "Host",
            "kind_key": "Host",
            "name": "db-1",
            "aliases": ["10.0.0.1:9100"],
            "labels": [],
        },
    }
    types = query(
        shop, "MATCH (a)-[r]->(b) RETURN DISTINCT labels(a)[0] AS a, type(r) AS r, labels(b)[0] AS b"
    )
    assert {(row["a"], row["r"], row["b"]) for row in types} == {
        ("Entity", "CALLS", "Entity"),
        ("Entity", "RUNS_ON", "Entity"),
        ("Entity", "CONNECTED_TO", "Entity"),
        ("Name", "NAMES", "Entity"),
        ("Alarm", "ON", "Entity"),
        ("Anomaly", "ON", "Entity"),
        ("Change", "TOUCHES", "Entity"),
        ("Incident", "AFFECTS", "Entity"),
        ("Incident", "ROOT_CAUSE", "Entity"),
        ("Analysis", "OF", "Incident"),
        ("Alarm", "PART_OF_INCIDENT", "Incident"),
        ("Activity", "HAPPENED_TO", "Incident"),
        ("Feedback", "JUDGES", "Incident"),
        ("Incident", "CONFIRMED_CAUSE", "Entity"),
    }
