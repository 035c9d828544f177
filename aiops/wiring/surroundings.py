"""What analyses read of the graph: the store, or the store with its topology in memory."""

from __future__ import annotations

from typing import cast

from aiops.contracts import GraphStore, Surroundings
from aiops.settings import Settings
from aiops.store.snapshot import Source, TopologySnapshot

_FEED = (
    "topology_mark",
    "touched_since",
    "entities_by_id",
    "relations_from",
    "every_relation",
    "every_entity",
)


def surroundings(settings: Settings, graph: GraphStore) -> Surroundings:
    """``graph`` with its topology in memory, where the settings want that and the store tells what was written since."""
    if settings.topology_snapshot and all(hasattr(graph, name) for name in _FEED):
        return TopologySnapshot(cast(Source, graph))
    return graph
