"""Relations that only the failure shows: "forbidden: exceeded quota: NAME" says what stands in the way, and by name.

A refused object is loud and the thing that refused it is quiet, so the refusal must become a relation before anyone
ranks: the chain of evidence then leads to the obstacle, and the refused object is its consequence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from aiops.domain.evidence import Evidence, EvidenceSet
from aiops.domain.graph import Relation, Subgraph

#: Provenance of relations that were read from a message.
STATED = "message"
RELATION = "LIMITED_BY"
#: How admission control names it: k8s.io/apiserver, plugin/resourcequota, "exceeded quota: %s, requested: ...".
_NAMES = re.compile(r"exceeded quota:\s*([a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)")
#: Object counts that a quota limits, by the kind of entity that then cannot be created; kubernetes.io, "Resource Quotas".
_COUNTED: Mapping[str, str] = {
    "services.used": "service",
    "count/services.used": "service",
    "pods.used": "pod",
    "count/pods.used": "pod",
    "persistentvolumeclaims.used": "volumeclaim",
    "count/persistentvolumeclaims.used": "volumeclaim",
}
_KINDS = frozenset({"quota", "resourcequota"})
#: What the scheduler says of a pod whose claim was never made, and which limits keep a claim from being made.
_NO_CLAIM = re.compile(r"persistentvolumeclaim \S+ not found")
_CLAIM_LIMITS = ("requests.storage.hard", "persistentvolumeclaims.hard")


def with_obstacles(subgraph: Subgraph, evidence: EvidenceSet) -> Subgraph:
    """``subgraph`` with a relation from everything that was refused to what refused it; itself where nothing was.

    A name counts in the namespace of who was refused, or anywhere if it is the only one.
    """
    quotas = [entity for entity in subgraph.entities if entity.kind.lower() in _KINDS]
    if not quotas:
        return subgraph
    by_name: dict[str, list[str]] = {}
    for quota in quotas:
        by_name.setdefault(quota.name.rpartition("/")[2], []).append(quota.id)
    kinds = {entity.id: entity.kind.lower() for entity in subgraph.entities}
    stated = {
        (item.entity, obstacle)
        for item, name in _refusals(evidence.items)
        if item.entity in kinds
        and (obstacle := _same_place(item.entity, by_name.get(name, []))) is not None
        and obstacle != item.entity
    }
    stated |= _missing(evidence.items, kinds)
    stated |= _unmade_claims(evidence, kinds)
    if not stated:
        return subgraph
    found = (Relation(source, RELATION, target, provenance=STATED) for source, target in stated)
    relations = sorted((*subgraph.relations, *found), key=lambda relation: relation.key)
    return replace(subgraph, relations=tuple(relations))


def obstacles(subgraph: Subgraph) -> tuple[tuple[str, str], ...]:
    """(obstacle, who was refused) of every stated relation, sorted."""
    return tuple(
        sorted(
            (relation.target_id, relation.source_id)
            for relation in subgraph.relations
            if relation.provenance == STATED and relation.kind == RELATION
        )
    )


def _refusals(items: Iterable[Evidence]) -> Iterable[tuple[Evidence, str]]:
    for item in items:
        if item.kind in ("log", "state") and item.direction >= 0:
            for name in _NAMES.findall(item.text):
                yield item, name


def _missing(items: Iterable[Evidence], kinds: Mapping[str, str]) -> set[tuple[str, str]]:
    """(object that does not exist, the full quota on objects of its kind in its namespace)."""
    full, missing = [], []
    for item in items:
        if item.name == "quota-full" and (kind := _COUNTED.get(item.attributes.get("property", ""))):
            full.append((item.entity, kind))
        elif item.name == "not-found" and item.kind == "state":
            missing.append(item.entity)
    return {
        (entity, quota)
        for entity in missing
        for quota, kind in full
        if kinds.get(entity) == kind and _place(entity) == _place(quota)
    }


def _unmade_claims(evidence: EvidenceSet, kinds: Mapping[str, str]) -> set[tuple[str, str]]:
    """(whoever waits for a claim that does not exist, each quota of its namespace that limits claims or storage)."""
    limits = {fact.entity for fact in evidence.facts if fact.name.endswith(_CLAIM_LIMITS)}
    waiting = {item.entity for item in evidence.items if item.kind == "log" and _NO_CLAIM.search(item.text)}
    return {
        (entity, quota)
        for entity in waiting
        for quota in limits
        if kinds.get(quota) in _KINDS and entity in kinds and _place(entity) == _place(quota)
    }


def _place(entity: str) -> str:
    """The namespace in an id such as ``service:shop/web``."""
    return entity.partition(":")[2].partition("/")[0]


def _same_place(entity: str, candidates: list[str]) -> str | None:
    here = [one for one in candidates if _place(one) == _place(entity)]
    if here:
        return here[0]
    return candidates[0] if len(candidates) == 1 else None
