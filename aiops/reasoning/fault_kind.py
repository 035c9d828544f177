"""Which kind of fault a cause has: the strongest specific thing that was said of it.

1. Rules that support or pin the cause and name a kind: specific kinds before general ones
   (:mod:`aiops.domain.fault_kinds`), what was said of the cause itself before what was said of its parts (a workload's
   pods, a pod's containers, a device's ports), then by weight, by the strongest evidence that the rule matched, by its id.
2. Otherwise the channel of the strongest live evidence that is no symptom; time lost between caller and callee is a delay
   of the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiops.domain.candidates import RuleFiring
from aiops.domain.evidence import SYMPTOM_CHANNELS, Channel, Evidence
from aiops.domain.fault_kinds import is_general
from aiops.domain.graph import Subgraph
from aiops.reasoning.spread import PLACES, is_live

PART_STEPS = 3
#: ``A -KIND-> B`` that makes A a part of B, and that makes B one of A.
_PART_TO_WHOLE = frozenset({"OWNED_BY", "PART_OF"})
_WHOLE_TO_PART = frozenset({"ROUTES_TO"})
_KINDS: Mapping[Channel, str] = {Channel.OVERHEAD: "network-delay"}


def choose_kind(
    members: frozenset[str],
    parts: frozenset[str],
    evidence: Iterable[Evidence],
    firings: Iterable[RuleFiring],
    strengths: Mapping[str, float],
) -> tuple[str | None, str | None]:
    """Kind and category of the cause with these ``members`` and :func:`parts_of` them; ``evidence`` is its own,
    ``strengths`` by id of all evidence."""
    named = [
        (
            is_general(firing.kind),
            firing.entity not in members,
            -firing.weight,
            -max((strengths.get(item, 0.0) for item in firing.evidence), default=0.0),
            firing.rule,
            firing,
        )
        for firing in firings
        if firing.kind is not None
        and firing.effect in ("support", "pin")
        and (firing.entity in members or firing.entity in parts)
    ]
    if named:
        best = min(named, key=lambda one: one[:5])[-1]
        return best.kind, best.category
    live = [item for item in evidence if is_live(item)]
    telling = [item for item in live if item.channel not in SYMPTOM_CHANNELS] or live
    if not telling:
        return None, None
    strongest = min(telling, key=lambda item: (-item.strength, item.at_s, item.id))
    kind = _KINDS.get(strongest.channel, strongest.channel.value)
    return kind, "change" if strongest.channel is Channel.CHANGE else "failure"


class Parts:
    """What things of one subgraph are made of. Places are made of nothing."""

    def __init__(self, subgraph: Subgraph) -> None:
        self._places = {entity.id for entity in subgraph.entities if entity.kind.lower() in PLACES}
        self._parts: dict[str, list[str]] = {}
        for relation in subgraph.relations:
            if relation.kind in _PART_TO_WHOLE:
                self._parts.setdefault(relation.target_id, []).append(relation.source_id)
            elif relation.kind in _WHOLE_TO_PART:
                self._parts.setdefault(relation.source_id, []).append(relation.target_id)

    def of(self, members: frozenset[str]) -> frozenset[str]:
        """Parts of ``members``, over at most :data:`PART_STEPS` relations."""
        found: set[str] = set()
        here = set(members) - self._places
        for _ in range(PART_STEPS):
            near = {part for whole in here for part in self._parts.get(whole, ())}
            here = near - found - members - self._places
            found |= here
        return frozenset(found)


def parts_of(members: frozenset[str], subgraph: Subgraph) -> frozenset[str]:
    """Parts of ``members`` in ``subgraph``; who asks more than once keeps a :class:`Parts`."""
    return Parts(subgraph).of(members)
