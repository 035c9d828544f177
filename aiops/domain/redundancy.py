"""Who backs up whom: the redundancy groups of a topology, whichever end of a relation names them first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiops.domain.graph import Relation, Spread, relation_kind


def redundancy_groups(relations: Iterable[Relation]) -> Mapping[tuple[str, str], frozenset[str]]:
    """Members of each group that has more than one, by (dependent, name of the group).

    The dependent is the end that a failure of the other end reaches (``up-1 CARRIES acc`` and ``acc DEPENDS_ON up-1`` both
    make ``acc`` lean on ``up-1``). Where failure crosses a relation in both directions, it is the end that several relations
    of the group have in common: the source, unless only the target has.
    """
    grouped = [relation for relation in relations if relation.redundancy_group is not None]
    targets: dict[tuple[str, str], set[str]] = {}
    for relation in grouped:
        targets.setdefault((relation.source_id, relation.redundancy_group or ""), set()).add(
            relation.target_id
        )
    groups: dict[tuple[str, str], set[str]] = {}
    for relation in grouped:
        name, spread = relation.redundancy_group or "", relation_kind(relation.kind).spread
        by_source = spread is Spread.TO_SOURCE or (
            spread is not Spread.TO_TARGET and len(targets[relation.source_id, name]) > 1
        )
        dependent, member = (
            (relation.source_id, relation.target_id)
            if by_source
            else (relation.target_id, relation.source_id)
        )
        groups.setdefault((dependent, name), set()).add(member)
    return {key: frozenset(members) for key, members in sorted(groups.items()) if len(members) > 1}
