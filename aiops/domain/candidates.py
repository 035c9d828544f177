"""The table on which candidates are scored: one row an entity, one unit-free column a channel.

Made by the prior, read by the rules' scorer and the network, which know nothing of each other.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiops.domain.batches import FloatArray, IntArray

#: Texts kept a candidate, the strongest.
TEXTS_KEPT = 8


@dataclass(frozen=True, slots=True)
class TemplateText:
    """What a log template, an alarm or a state says, in words: digits, ids and names of entities are masked.

    ``weight``: strength of the evidence in [0, 10]; negative where lines of this kind no longer come.
    """

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Token:
    """Something that was seen of a candidate, by a name that means the same in every incident of one site; ``weight`` > 0."""

    name: str
    weight: float


@dataclass(frozen=True, slots=True)
class CandidateTable:
    """n candidates, c node features, m directed edges, d edge features.

    ``entities``: n ids, sorted. ``features``: float64 [n, c], unit-free, roughly in [-1, 1], named by ``feature_names``.
    ``prior``: float64 [n], the unlearned score, >= 0, largest is 1 unless nothing speaks for anyone (all 0).
    ``edges``: int64 [2, m], row 0 the index of the possible cause, row 1 of the possible effect (failure flows 0 -> 1).
    ``edge_features``: float64 [m, d], named by ``edge_feature_names``. ``group``: int64 [n], index of the candidate that
    stands for this one in the ranking (itself, or e.g. the service that a pod is part of). ``tokens``: what was seen of
    each row's group, sorted by name; ``siblings``: the rows that stand for its replicas; ``texts``: for every row at most
    :data:`TEXTS_KEPT` texts, strongest first. The last three are empty where nobody made them.
    """

    entities: tuple[str, ...]
    feature_names: tuple[str, ...]
    features: FloatArray
    prior: FloatArray
    edges: IntArray
    edge_feature_names: tuple[str, ...]
    edge_features: FloatArray
    group: IntArray
    tokens: tuple[tuple[Token, ...], ...] = ()
    siblings: tuple[tuple[int, ...], ...] = ()
    texts: tuple[tuple[TemplateText, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Correction:
    """What the network adds: ``delta[i]`` in [-bound, bound] for row i. ``attention``: float64 [m], mean over heads of
    the last layer, what the model looked at. ``edge_delta``: float64 [m] in [-edge_bound, edge_bound], what it adds to the log
    weight of the way from cause to effect; None where it has no say. ``model`` names weights and manifest."""

    delta: FloatArray
    attention: FloatArray
    bound: float
    model: str
    edge_delta: FloatArray | None = None
    edge_bound: float = 0.0


@dataclass(frozen=True, slots=True)
class RuleAction:
    """Something an engineer can do. ``type``: diagnostic | mitigation; ``risk``: safe | low | high."""

    title: str
    type: str
    risk: str
    command: str | None = None
    undo: str | None = None
    runbook: str | None = None


@dataclass(frozen=True, slots=True)
class RuleFiring:
    """A rule spoke about an entity. ``effect``: support | oppose | veto | pin. ``kind`` names the fault (``disk_full``).

    ``weight`` in [0, 1]. ``evidence`` are the ids of the evidence it matched, ``statement`` the sentence it contributes,
    ``trace`` the chain of rule ids that led here (this one last).
    """

    rule: str
    entity: str
    effect: str
    weight: float
    kind: str | None
    category: str | None
    statement: str
    evidence: tuple[str, ...]
    trace: tuple[str, ...]
    actions: tuple[RuleAction, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """All firings, sorted by (entity, rule), and the version of the rule set: semver+sha256 of the canonical YAML."""

    firings: tuple[RuleFiring, ...]
    version: str
    gaps: tuple[str, ...] = ()
