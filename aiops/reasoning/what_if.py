"""What-if: evidence and rules as they would be if some entities were healthy, or had failed, whatever was seen of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aiops.domain.candidates import RuleFiring, RuleOutcome
from aiops.domain.evidence import Channel, Evidence, EvidenceSet, Reference, evidence_id
from aiops.domain.occurrences import Incident


@dataclass(frozen=True, slots=True)
class Assumption:
    """What-if: entities to be taken as healthy, or as failed, whatever was seen of them."""

    healthy: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()

    def notes(self) -> tuple[str, ...]:
        """What every answer says that rests on it."""
        return (
            *(f"what-if: {name} is taken as healthy" for name in sorted(self.healthy)),
            *(f"what-if: {name} is taken as failed" for name in sorted(self.failed)),
        )


def suppose(rules: RuleOutcome, evidence: EvidenceSet, what_if: Assumption) -> RuleOutcome:
    """What is taken as failed has failed for certain, as if a rule had said so."""
    supposed = [
        RuleFiring(
            "WHAT-IF", item.entity, "support", 1.0, None, "failure", item.text, (item.id,), ("WHAT-IF",)
        )
        for item in evidence.items
        if item.ref.id == f"what-if:{item.entity}" and item.entity in what_if.failed
    ]
    if not supposed:
        return rules
    firings = sorted((*rules.firings, *supposed), key=lambda firing: (firing.entity, firing.rule))
    return replace(rules, firings=tuple(firings))


def assumed(evidence: EvidenceSet, what_if: Assumption, incident: Incident) -> EvidenceSet:
    """Evidence as it would be if the assumption held."""
    if not what_if.healthy and not what_if.failed:
        return evidence
    kept = [item for item in evidence.items if item.entity not in what_if.healthy]
    for entity in sorted(what_if.failed - what_if.healthy):
        kept.append(
            Evidence(
                id=evidence_id("what-if", entity),
                entity=entity,
                peer=None,
                kind="state",
                channel=Channel.AVAILABILITY,
                name="taken as failed",
                at_s=incident.started_at.timestamp(),
                strength=10.0,
                direction=-1,
                text="taken as failed (what-if)",
                ref=Reference("state", f"what-if:{entity}"),
            )
        )
    kept.sort(key=lambda item: (item.entity, item.peer or "", item.at_s, item.id))
    facts = tuple(fact for fact in evidence.facts if fact.entity not in what_if.healthy)
    return replace(evidence, items=tuple(kept), facts=facts)
