"""A drawing in the formats that graph tools read: Cytoscape.js JSON, GraphML, DOT and NetJSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal
from xml.etree import ElementTree as XML

import orjson

from aiops.api.incident_graph import Drawing, drawing_data, edge_data, node_data

GraphFormat = Literal["cytoscape", "graphml", "dot", "netjson"]
#: Fill colours by health in DOT, readable in print: text stays black.
COLOURS: Mapping[str, str] = {
    "cause": "#f4a6a0",
    "symptom": "#f7d9a8",
    "alarm": "#f9c784",
    "healthy": "#d5ead0",
    "silent": "#d9d9d9",
    "maintenance": "#bcd3ec",
}
_GRAPHML = "http://graphml.graphdrawing.org/xmlns"
#: Characters that XML 1.0 (section 2.2) cannot hold.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TYPES: Mapping[type, str] = {bool: "boolean", int: "int", float: "double", str: "string"}


def cytoscape(drawing: Drawing) -> bytes:
    """Cytoscape.js JSON: ``elements`` of ``nodes`` and ``edges``, each with its ``data``."""
    return orjson.dumps(
        {
            "data": drawing_data(drawing),
            "elements": {
                "nodes": [{"data": node_data(node)} for node in drawing.nodes],
                "edges": [{"data": edge_data(edge)} for edge in drawing.edges],
            },
        }
    )


def netjson(drawing: Drawing) -> bytes:
    """A NetJSON NetworkGraph (netjson.org, section 4); every link costs 1."""
    nodes = [
        {"id": data.pop("id"), "label": data.pop("label"), "properties": data}
        for data in map(node_data, drawing.nodes)
    ]
    links = [
        {"source": data.pop("source"), "target": data.pop("target"), "cost": 1.0, "properties": data}
        for data in map(edge_data, drawing.edges)
    ]
    return orjson.dumps(
        {
            "type": "NetworkGraph",
            "protocol": "static",
            "version": None,
            "metric": None,
            "label": drawing.title,
            "properties": drawing_data(drawing),
            "nodes": nodes,
            "links": links,
        }
    )


def graphml(drawing: Drawing) -> bytes:
    """GraphML 1.0. What is null has no ``data``; lists are written with spaces between."""
    root = XML.Element("graphml", xmlns=_GRAPHML)
    graph = XML.Element("graph", id=_xml(drawing.incident), edgedefault="directed")
    keys: dict[tuple[str, str], str] = {}

    def put(parent: XML.Element, side: str, data: Mapping[str, object]) -> None:
        for name, value in data.items():
            plain = " ".join(map(str, value)) if isinstance(value, list) else value
            if plain is None or name in ("source", "target", "id"):
                continue
            key = keys.setdefault((side, name), f"{side}-{name}")
            if key not in declared:
                declared.add(key)
                kind = "double" if name in ("confidence", "lag_s") else _TYPES.get(type(plain), "string")
                XML.SubElement(root, "key", {"id": key, "for": side, "attr.name": name, "attr.type": kind})
            text = str(plain).lower() if isinstance(plain, bool) else str(plain)
            XML.SubElement(parent, "data", key=key).text = _xml(text)

    declared: set[str] = set()
    put(graph, "graph", drawing_data(drawing))
    for node in drawing.nodes:
        put(XML.SubElement(graph, "node", id=_xml(node.entity.id)), "node", node_data(node))
    for edge in drawing.edges:
        ends = {"id": _xml(edge.id), "source": _xml(edge.source), "target": _xml(edge.target)}
        put(XML.SubElement(graph, "edge", ends), "edge", edge_data(edge))
    root.append(graph)
    return bytes(XML.tostring(root, encoding="utf-8", xml_declaration=True))


def dot(drawing: Drawing) -> bytes:
    """Graphviz DOT: coloured by health; the first cause's path is bold, and dashed where it is inferred."""
    lines = [
        f"digraph {_quoted(drawing.incident)} {{",
        f"  label={_quoted(drawing.title)};",
        '  node [shape=box, style="rounded,filled", fontname="sans-serif"];',
        '  edge [fontname="sans-serif", fontsize=10];',
    ]
    for node in drawing.nodes:
        label = f"{node.entity.name}\n{node.entity.kind}, {node.health}"
        lines.append(
            f"  {_quoted(node.entity.id)} [label={_quoted(label)}, fillcolor={_quoted(COLOURS[node.health])}];"
        )
    for edge in drawing.edges:
        style = "dashed" if edge.stale or not edge.observed else "solid"
        width = 3 if edge.on_path else 1
        lines.append(
            f"  {_quoted(edge.source)} -> {_quoted(edge.target)}"
            f" [label={_quoted(edge.kind)}, style={style}, penwidth={width}];"
        )
    return "\n".join([*lines, "}", ""]).encode("utf-8", "replace")


#: Content type and writer of each format.
WRITERS: Mapping[GraphFormat, tuple[str, Callable[[Drawing], bytes]]] = {
    "cytoscape": ("application/json", cytoscape),
    "graphml": ("application/graphml+xml", graphml),
    "dot": ("text/vnd.graphviz; charset=utf-8", dot),
    "netjson": ("application/json", netjson),
}


def _quoted(text: str) -> str:
    """A DOT string: quotes and backslashes escaped, lines as ``\\n``, other control characters as spaces."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + "".join(char if char >= " " else " " for char in escaped) + '"'


def _xml(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)
