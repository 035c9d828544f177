"""What is seen of an incident from one side: in time, as a graph, beside the past."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from aiops.api.schemas.explanations import Moment, SimilarIncident
from aiops.api.schemas.primitives import Open, example


class Timeline(Open):
    """In order of time. ``analysis``: the number of the one that it is made from, beside alerts and activities; null: none yet.
    ``truncated``: the latest were left out."""

    model_config = example(
        Open,
        {
            "incident_id": "01KAJ4Q2R6C8B4D1F3G5H7J9KM",
            "analysis": 1,
            "items": [
                {
                    "at": "2026-11-22T10:00:10Z",
                    "lane": "alert",
                    "entity": "host:db-1",
                    "text": "HostDown",
                    "evidence": [],
                }
            ],
            "truncated": False,
        },
    )
    incident_id: str
    analysis: int | None
    items: list[Moment]
    truncated: bool


class SimilarIncidents(Open):
    """The likest first, as the analysis of this number found them; null: none yet."""

    model_config = example(
        Open,
        {
            "incident_id": "01KAJ4Q2R6C8B4D1F3G5H7J9KM",
            "analysis": 1,
            "items": [
                {
                    "incident_id": "01K9Z0P7Q8R9S0T1V2W3X4Y5Z6",
                    "title": "Orders slow",
                    "similarity": 0.88,
                    "confirmed_cause": "host:db-1",
                    "cause": "host:db-1",
                    "cause_kind": "disk_full",
                    "confirmed": True,
                    "resolution": "old logs deleted",
                    "shared": ["the same alerts: HostDown"],
                    "evidence": "e0a1b2c3d4e5",
                }
            ],
        },
    )
    incident_id: str
    analysis: int | None
    items: list[SimilarIncident]


class DrawnNode(Open):
    """``rank``: of the cause that it is. ``ranks``: of the causes whose best path leads over it. ``alarms``: how many
    are on it."""

    id: str
    label: str
    kind: str
    health: Literal["cause", "symptom", "alarm", "healthy", "silent", "maintenance"]
    rank: int | None
    alarms: int
    affected: bool
    ranks: list[int]


class DrawnEdge(Open):
    """``on_path``: of the first cause. ``observed`` false: inferred. ``stale``: it ended since, or nobody confirmed it lately."""

    id: str
    source: str
    target: str
    kind: str
    provenance: str
    confidence: float
    on_path: bool
    observed: bool
    stale: bool
    lag_s: float | None
    ranks: list[int]


class NodeElement(Open):
    """A node of Cytoscape.js."""

    data: DrawnNode


class EdgeElement(Open):
    """An edge of Cytoscape.js."""

    data: DrawnEdge


class Elements(Open):
    """Nodes and edges by id."""

    nodes: list[NodeElement]
    edges: list[EdgeElement]


class DrawingData(Open):
    """``truncated``: more is near than is shown."""

    incident: str
    title: str
    analysis: int | None
    as_of: datetime
    truncated: bool


class CytoscapeDocument(Open):
    """What Cytoscape.js reads."""

    model_config = example(
        Open,
        {
            "data": {
                "incident": "01KAJ4Q2R6C8B4D1F3G5H7J9KM",
                "title": "Orders fail",
                "analysis": 1,
                "as_of": "2026-11-22T10:00:00Z",
                "truncated": False,
            },
            "elements": {"nodes": [], "edges": []},
        },
    )
    data: DrawingData
    elements: Elements


class NetJsonNode(Open):
    """A node of NetJSON; ``properties`` are those of Cytoscape's ``data``."""

    id: str
    label: str
    properties: dict[str, Any]


class NetJsonLink(Open):
    """A link of NetJSON."""

    source: str
    target: str
    cost: float
    properties: dict[str, Any]


class NetJsonDocument(Open):
    """A NetJSON NetworkGraph."""

    type: Literal["NetworkGraph"]
    protocol: Literal["static"]
    version: None = None
    metric: None = None
    label: str
    properties: DrawingData
    nodes: list[NetJsonNode]
    links: list[NetJsonLink] = Field(description="each costs 1")
