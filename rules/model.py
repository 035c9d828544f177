"""What a rule is once it is read: frozen, checked, ready to compile. Knows neither YAML nor CLIPS."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiops.domain.candidates import RuleAction
from rules.documents import Place

EFFECTS: tuple[str, ...] = ("support", "oppose", "veto", "pin")


@dataclass(frozen=True, slots=True)
class ValueMatch:
    """A test of an observed value. Each part that is given must hold; texts compare without regard to case."""

    equals: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    regex: str | None = None
    above: float | None = None
    below: float | None = None


@dataclass(frozen=True, slots=True)
class EvidenceMatch:
    """A test of one piece of evidence. Empty parts hold for everything; ``any_of`` holds if one member does.

    ``names`` are globs, ``text`` is a regular expression in RE2's language. ``before_s``/``after_s``: seconds around the
    incident's start in which the evidence must have shown first.
    """

    kinds: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    text: str | None = None
    direction: int | None = None
    min_strength: float = 0.0
    min_severity: str | None = None
    attributes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    chronic: bool = False
    peer: bool | None = None
    value: ValueMatch | None = None
    before_s: float | None = None
    after_s: float | None = None
    any_of: tuple[EvidenceMatch, ...] = ()
    _hash: int = field(default=0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        texts = (self.kinds, self.channels, self.names, self.text, self.direction)
        object.__setattr__(self, "_hash", hash((*texts, self.attributes, self.value, self.any_of)))

    def __hash__(self) -> int:
        """Made once: an evaluation looks a match up hundreds of times."""
        return self._hash


@dataclass(frozen=True, slots=True)
class EntityMatch:
    """A test of an entity: its kind is one of ``kinds``, each label matches one of its globs."""

    kinds: tuple[str, ...] = ()
    labels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    _hash: int = field(default=0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.kinds, self.labels)))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class ConclusionMatch:
    """A test of another rule's conclusion about an entity. Resolved to rules when the set is compiled."""

    rules: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    effects: tuple[str, ...] = ("support", "pin")


@dataclass(frozen=True, slots=True)
class OwnCondition:
    """The bound entity has at least ``at_least`` pieces of such evidence."""

    alias: str
    evidence: EvidenceMatch
    at_least: int
    negated: bool
    place: Place


@dataclass(frozen=True, slots=True)
class NearCondition:
    """At least ``at_least`` neighbours satisfy all that is given.

    ``direction`` cause: failure of the neighbour reaches the bound entity; effect: the other way round; any.
    ``named_by``: alias of own evidence whose text or peer names the neighbour.
    """

    alias: str
    direction: str
    over: tuple[str, ...]
    entity: EntityMatch
    evidence: EvidenceMatch | None
    concluded: ConclusionMatch | None
    named_by: str | None
    at_least: int
    negated: bool
    place: Place


@dataclass(frozen=True, slots=True)
class CompareSide:
    """What one side of a comparison is read from: the facts ``names`` (globs) through ``take`` (:data:`rules.takes.TAKES`).

    Without ``kinds`` and ``way`` of the bound entity itself; with ``way`` of it and of what is passed on the way over one
    relation a step, in any direction, as far as it is of ``kinds``; with ``kinds`` alone of all entities of these kinds.
    ``same_place``: only in its namespace.
    ``where``: only of entities with such a fact. ``values``: constants instead of facts.
    """

    names: tuple[str, ...] = ()
    take: str = "text"
    kinds: tuple[str, ...] = ()
    way: tuple[tuple[str, ...], ...] = ()
    same_place: bool = False
    where: EvidenceMatch | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CompareCondition:
    """``left`` and ``right`` stand to each other as ``test`` says (:data:`rules.comparisons.TESTS`).

    ``quoted_by``: alias of own evidence whose text must quote one of the values that make the difference.
    """

    alias: str
    left: CompareSide
    test: str
    right: CompareSide
    quoted_by: str | None
    negated: bool
    place: Place


@dataclass(frozen=True, slots=True)
class ConcludedCondition:
    """Another rule spoke about the bound entity."""

    match: ConclusionMatch
    negated: bool
    place: Place


@dataclass(frozen=True, slots=True)
class OrderCondition:
    """``first`` showed no later than ``then``, and at most ``within_s`` seconds before it."""

    first: str
    then: str
    within_s: float
    place: Place


Condition = OwnCondition | NearCondition | CompareCondition | ConcludedCondition | OrderCondition


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a rule says. ``about`` is None for the bound entity, else the alias of a neighbour condition."""

    about: str | None
    effect: str
    weight: float
    kind: str | None
    category: str | None
    statement: str
    actions: tuple[RuleAction, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``id`` is unique in a set."""

    id: str
    title: str
    description: str
    pack: str
    entity: EntityMatch
    conditions: tuple[Condition, ...]
    conclusion: Conclusion
    place: Place


@dataclass(frozen=True, slots=True)
class Pack:
    """Rules that are shipped and versioned together. ``digest`` is SHA-256 of the canonical form of its YAML."""

    name: str
    version: str
    description: str
    rules: tuple[Rule, ...]
    digest: str
    file: str


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Packs that are evaluated together, in an order in which every rule follows those whose conclusions it reads.

    ``strata[i]`` is the length of the longest chain below ``rules[i]``. ``premises[i]``: for each condition of
    ``rules[i]`` that reads conclusions, the indexes of the rules it may read, in order of the conditions.
    """

    packs: tuple[Pack, ...]
    rules: tuple[Rule, ...]
    strata: tuple[int, ...]
    premises: tuple[tuple[tuple[int, ...], ...], ...]
    version: str = field(default="")
