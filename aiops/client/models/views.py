"""Documents of ``views``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from datetime import datetime

from aiops.client.documents import Answered, JsonObject
from aiops.client.models.explanations import Moment, SimilarIncident


class DrawingData(Answered):
    """``truncated``: more is near than is shown."""

    incident: str
    title: str
    analysis: int | None
    as_of: datetime
    truncated: bool


class DrawnEdge(Answered):
    """``on_path``: of the first cause. ``observed`` false: inferred. ``stale``: it ended since, or nobody
    confirmed it lately.
    """

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
    ranks: tuple[int, ...]


class EdgeElement(Answered):
    """An edge of Cytoscape.js."""

    data: DrawnEdge


class DrawnNode(Answered):
    """``rank``: of the cause that it is. ``ranks``: of the causes whose best path leads over it. ``alarms``:
    how many are on it.
    """

    id: str
    label: str
    kind: str
    health: str
    rank: int | None
    alarms: int
    affected: bool
    ranks: tuple[int, ...]


class NodeElement(Answered):
    """A node of Cytoscape.js."""

    data: DrawnNode


class Elements(Answered):
    """Nodes and edges by id."""

    nodes: tuple[NodeElement, ...]
    edges: tuple[EdgeElement, ...]


class CytoscapeDocument(Answered):
    """What Cytoscape.js reads."""

    data: DrawingData
    elements: Elements


class NetJsonLink(Answered):
    """A link of NetJSON."""

    source: str
    target: str
    cost: float
    properties: JsonObject


class NetJsonNode(Answered):
    """A node of NetJSON; ``properties`` are those of Cytoscape's ``data``."""

    id: str
    label: str
    properties: JsonObject


class NetJsonDocument(Answered):
    """A NetJSON NetworkGraph."""

    type: str
    protocol: str
    label: str
    properties: DrawingData
    nodes: tuple[NetJsonNode, ...]
    links: tuple[NetJsonLink, ...]
    version: None = None
    metric: None = None


class SimilarIncidents(Answered):
    """The likest first, as the analysis of this number found them; null: none yet."""

    incident_id: str
    analysis: int | None
    items: tuple[SimilarIncident, ...]


class Timeline(Answered):
    """In order of time. ``analysis``: the number of the one that it is made from, beside alerts and
    activities; null: none yet. ``truncated``: the latest were left out.
    """

    incident_id: str
    analysis: int | None
    items: tuple[Moment, ...]
    truncated: bool
