"""The evidence of the first cause, piece by piece: what speaks for it and what against, strongest first; then its effects."""

from __future__ import annotations

from collections.abc import Set

from aiops.domain.analysis import Citation
from aiops.domain.evidence import Evidence
from aiops.domain.explanation import Sentence
from aiops.reasoning.words.brief import Brief

#: Pieces told of the cause itself, and of what follows from it.
OWN_TOLD, EFFECTS_TOLD = 8, 4


def tell_evidence(brief: Brief) -> tuple[Sentence, ...]:
    """Each piece with its time, source, sign and weight."""
    members = frozenset(brief.finding.ranked.members)
    sign = brief.signs_of_causes[0]
    first = "" if sign is None else sign.id
    kind = brief.first.kind
    proof = {name for firing in brief.firings() if firing.kind == kind for name in firing.evidence}
    own = [citation for citation in brief.first.citations if _own(citation.evidence, members, proof)]
    own.sort(key=lambda citation: (citation.evidence.id != first, citation.evidence.id not in proof))
    others = [citation for citation in brief.first.citations if citation not in own]
    chosen = own[:OWN_TOLD] + others[: EFFECTS_TOLD + max(0, OWN_TOLD - len(own))]
    return tuple(_piece(brief, citation) for citation in chosen)


def _own(item: Evidence, members: frozenset[str], proof: Set[str]) -> bool:
    return item.entity in members or item.peer in members or item.id in proof


def _piece(brief: Brief, citation: Citation) -> Sentence:
    item = citation.evidence
    side = "for" if citation.supports else "against"
    why = ", as bad before" if item.chronic else ""
    return brief.said(item, after=f" ({item.kind}, {side}{why}, weight {citation.weight:.2f})", mark=side)
