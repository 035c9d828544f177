"""What a failure of the first cause reaches, and what redundancy keeps alive."""

from __future__ import annotations

import numpy as np

from aiops.domain.analysis import Impact
from aiops.reasoning.counterfactual import reached_from
from aiops.reasoning.diagnosis import ReasoningWeights
from aiops.reasoning.groundwork import Groundwork
from aiops.reasoning.words.brief import Consequences

_SERVICE_KINDS = frozenset({"service", "ingress", "loadbalancer", "function"})
NOTHING = Consequences((), (), (), ())


def find_consequences_of(ground: Groundwork, weights: ReasoningWeights) -> Consequences:
    """Of the first cause; nothing where there is none. Redundancy counts as it stands in the window."""
    diagnosis = ground.diagnosis
    if not diagnosis.findings:
        return NOTHING
    graph, members = diagnosis.graph, diagnosis.findings[0].ranked.members
    reached = reached_from(graph, members, weights.paths.hops, weights.ranking.bounds.explains_from)
    hit = [graph.entities[column] for column in np.flatnonzero(reached)]
    struck = {*hit, *members}
    kept = {
        group.dependent
        for group in graph.redundancies
        if group.up and struck.intersection(group.members) and group.dependent not in struck
    }
    hurt = diagnosis.sighting.failing | frozenset(diagnosis.complaints.entities())
    return Consequences(
        reached=tuple(hit),
        services=tuple(entity for entity in hit if ground.known[entity].kind.lower() in _SERVICE_KINDS),
        kept=tuple(sorted(kept)),
        suffering=tuple(entity for entity in hit if entity in hurt),
    )


def measured(found: Consequences, ground: Groundwork) -> Impact:
    """The same in counts, with services by name."""
    services = sorted(ground.known[entity].name for entity in found.services)
    return Impact(len(found.reached), tuple(dict.fromkeys(services)), len(found.kept))
