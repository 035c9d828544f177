"""How sure the answer is: verdict, confidence and its band.

``inconclusive`` names no cause; it is for incidents in which nothing, or next to nothing, speaks for anyone.
``confirmed`` needs direct evidence on the cause, the right order in time, and most complaints explained over observed
hops. Everything between is ``likely``. The raw confidence is a documented mixture; where a :class:`Calibration` is in
force it becomes the probability that the cause is the right one, and the analysis says how that was measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiops.domain.analysis import ReasoningPath
from aiops.domain.candidates import RuleFiring
from aiops.domain.evidence import SYMPTOM_CHANNELS, Channel, Evidence
from aiops.reasoning.calibration import Calibration
from aiops.reasoning.ranking import Ranked
from aiops.reasoning.spread import Sighting, is_live

#: Channels that say what happened to the entity itself.
STATE_CHANNELS: frozenset[Channel] = frozenset({Channel.AVAILABILITY, Channel.STATE, Channel.CHANGE})


@dataclass(frozen=True, slots=True)
class VerdictWeights:
    """Mixture of the raw confidence (sums to 0.95) and the thresholds. ``calibration`` None: the raw value stands.

    ``mass`` is of the share of the cause among all candidates, at ``sharpness``. ``inconclusive_below``: a first cause
    whose calibrated confidence is below this, and whose evidence is thin (no live evidence of strength ``thin`` or more,
    no rule, no inference), is not named."""

    base: float = 0.05
    evidence: float = 0.1
    coverage: float = 0.15
    margin: float = 0.1
    rule: float = 0.15
    mass: float = 0.4
    sharpness: float = 6.0
    strong: float = 5.0  # evidence of this strength counts in full
    full_margin: float = 0.5  # a lead of this much over the next counts in full
    faint_rule: float = 0.1  # rules that add no more than this to the total say nothing
    full_rule: float = 0.3  # and this much counts in full
    inferred: float = 0.7  # factor where the cause itself was never seen
    unseen: float = 0.3  # most that a cause without evidence gets
    high: float = 0.7
    medium: float = 0.4
    confirmed_coverage: float = 0.75
    confirmed_confidence: float = 0.6
    inconclusive_below: float = 0.25
    thin: float = 2.0
    clock_tolerance_s: float = 60.0
    calibration: Calibration | None = None


def carries_evidence(cause: Ranked, evidence: Iterable[Evidence]) -> bool:
    """Whether anything speaks for this cause: live evidence on it, a rule, or what only it explains."""
    if cause.inferred or cause.score["rule"] > 0 or cause.pinned is not None:
        return True
    return any(is_live(item) for item in evidence)


def raw_confidence(
    cause: Ranked,
    runner_up: float | None,
    share: float,
    mass: float,
    evidence: Sequence[Evidence],
    weights: VerdictWeights,
) -> float:
    """In [0, 1]. ``share`` of complaints explained, ``mass`` the cause's share among all candidates, ``runner_up`` the
    next cause's total; lower ranks lead nobody."""
    lead = weights.full_margin if runner_up is None else cause.total - runner_up
    mixed = (
        weights.base
        + weights.evidence * min(1.0, _strength(evidence) / weights.strong)
        + weights.coverage * min(1.0, share)
        + weights.margin * min(1.0, max(0.0, lead) / weights.full_margin)
        + weights.rule * _rule_says(cause, weights)
        + weights.mass * mass
    )
    if cause.inferred:
        mixed *= weights.inferred
    elif not carries_evidence(cause, evidence):
        mixed = min(mixed, weights.unseen)
    return min(1.0, mixed)


def is_sure(cause: Ranked) -> bool:
    """Whether something says for certain that it has failed itself, so that it stands above what it explains."""
    return cause.score.get("over", 0.0) > 0


def _rule_says(cause: Ranked, weights: VerdictWeights) -> float:
    """How plainly rules name the cause, in [0, 1]; 1 where one says for certain that it has failed itself."""
    if is_sure(cause):
        return 1.0
    beyond = cause.score["rule"] - weights.faint_rule
    return min(1.0, max(0.0, beyond / (weights.full_rule - weights.faint_rule)))


def confidence(raw: float, rank: int, weights: VerdictWeights) -> float:
    """The probability that the cause at ``rank`` (from 1) is right, or ``raw`` itself where there is no calibration."""
    if weights.calibration is not None:
        raw = (weights.calibration.first if rank == 1 else weights.calibration.later)(raw)
    return round(raw, 4)


def is_thin(cause: Ranked, evidence: Iterable[Evidence], weights: VerdictWeights) -> bool:
    """Whether no more than weak evidence speaks for a cause: no rule, no inference, nothing live of strength ``thin``."""
    speaks = cause.inferred or cause.score["rule"] > 0 or cause.pinned is not None
    return not speaks and _strength(evidence) < weights.thin


def too_thin(cause: Ranked, value: float, evidence: Iterable[Evidence], weights: VerdictWeights) -> bool:
    """Whether too little speaks for the first cause to name it. Only where confidence is a probability."""
    if weights.calibration is None or value >= weights.inconclusive_below:
        return False
    return is_thin(cause, evidence, weights)


def _strength(evidence: Iterable[Evidence]) -> float:
    return max((item.strength for item in evidence if is_live(item)), default=0.0)


def band(value: float, weights: VerdictWeights) -> str:
    """``high``, ``medium`` or ``low``."""
    return "high" if value >= weights.high else "medium" if value >= weights.medium else "low"


def direct_evidence(
    evidence: Iterable[Evidence], firings: Iterable[RuleFiring], entities: Iterable[str]
) -> tuple[str, ...]:
    """Ids of what says directly what happened: a state change on the cause, or what a rule of
    weight above 0 with a kind matched."""
    members = frozenset(entities)
    found = {
        item.id
        for item in evidence
        if is_live(item)
        and (
            item.channel in STATE_CHANNELS
            or (item.kind == "log" and item.channel not in SYMPTOM_CHANNELS and item.strength >= 3)
        )
    }
    for firing in firings:
        if (
            firing.entity in members
            and firing.effect in ("support", "pin")
            and firing.kind is not None
            and firing.weight > 0
        ):
            found.update(firing.evidence)
    return tuple(sorted(found))


def decide(
    cause: Ranked,
    value: float,
    share: float,
    direct: Sequence[str],
    paths: Sequence[ReasoningPath],
    sighting: Sighting,
    first_complaint_s: float | None,
    weights: VerdictWeights,
) -> str:
    """``confirmed`` or ``likely`` for the first cause."""
    onset = min((sighting.onset_s[m] for m in cause.members if m in sighting.onset_s), default=None)
    in_order = onset is not None and (
        first_complaint_s is None or onset <= first_complaint_s + weights.clock_tolerance_s
    )
    observed = all(hop.observed for path in paths[:1] for hop in path.hops)
    sure = value >= weights.confirmed_confidence and share >= weights.confirmed_coverage
    return "confirmed" if direct and in_order and observed and sure and not cause.inferred else "likely"
