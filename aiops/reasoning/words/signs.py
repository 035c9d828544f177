"""Which piece of evidence speaks for an entity in a sentence, and when it showed.

The first thing that was ever unusual is often a weak sign of something else, minutes ahead; a chain told with it runs
backwards. So the **telling sign** of an entity is the earliest that is nearly as strong as its strongest one, and of an
effect the earliest of those that did not show before its cause.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from aiops.domain.analysis import ReasoningPath
from aiops.domain.candidates import RuleFiring
from aiops.domain.evidence import SYMPTOM_CHANNELS, Evidence
from aiops.reasoning.spread import is_live

#: A sign counts as telling from this part of the strongest one's strength.
TELLING = 0.6
#: Evidence that says in words what happened; it is told rather than a metric that showed so little earlier, seconds.
SPOKEN = frozenset({"log", "alert", "state", "change"})
WORDS_WAIT_S = 20.0
#: Clocks differ by so much; what showed less before its cause is taken to have shown with it, seconds.
SAME_MOMENT_S = 5.0


class Signs:
    """Telling signs by entity, worked out when asked for."""

    def __init__(self, evidence: Iterable[Evidence]) -> None:
        self._live: dict[str, list[Evidence]] = {}
        for item in evidence:
            if is_live(item):
                self._live.setdefault(item.entity, []).append(item)
        self._telling: dict[str, tuple[Evidence, ...]] = {}

    def live(self, entity: str) -> tuple[Evidence, ...]:
        """All live evidence on ``entity``."""
        return tuple(self._live.get(entity, ()))

    def of(self, entity: str, after_s: float | None = None, *, but: str = "") -> Evidence | None:
        """The telling sign of ``entity``: of those that showed after ``after_s`` where there is one, and another than the one
        called ``but`` where there is one. None: nothing was seen."""
        telling = self._telling.get(entity)
        if telling is None:
            telling = self._telling[entity] = _telling(self._live.get(entity, ()))
        telling = tuple(item for item in telling if item.id != but) or telling
        if after_s is not None:
            later = (item for item in telling if item.at_s >= after_s - SAME_MOMENT_S)
            found = next(later, None)
            if found is not None:
                return found
        return telling[0] if telling else None


def sign_of_cause(
    members: Iterable[str],
    kind: str | None,
    evidence: Iterable[Evidence],
    firings: Iterable[RuleFiring],
    items: Mapping[str, Evidence],
) -> Evidence | None:
    """What says most plainly what happened to a cause: the earliest that a rule matched which names its ``kind``; else the
    earliest that is nearly as strong as the strongest live evidence and of its channel, or says in words what is wrong."""
    named = [firing for firing in firings if firing.kind == kind and firing.effect in ("support", "pin")]
    matched = {name: items[name] for firing in named for name in firing.evidence if name in items}
    if matched:
        return _earliest(matched.values())
    own = frozenset(members)
    live = [item for item in evidence if is_live(item) and item.entity in own]
    live = live or [item for item in evidence if is_live(item)]
    telling = [item for item in live if item.channel not in SYMPTOM_CHANNELS] or live
    strongest = min(telling, key=lambda item: (-item.strength, item.at_s, item.id), default=None)
    if strongest is None:
        return None
    alike = [
        item
        for item in telling
        if item.strength >= TELLING * strongest.strength
        and (item.channel is strongest.channel or (item.kind in SPOKEN and speaks_of_harm(item)))
    ]
    return _earliest(alike)


def _earliest(matched: Iterable[Evidence]) -> Evidence:
    """The earliest of ``matched``, live before not; words rather than a number where they come nearly as soon. Numbers that are
    much weaker than the strongest are too common to be told."""
    every = tuple(matched)
    least = TELLING * max(item.strength for item in every)
    telling = [item for item in every if item.kind in SPOKEN or item.strength >= least]
    live = sorted(telling, key=lambda item: (not is_live(item), item.at_s, item.id))
    first = live[0]
    spoken = (item for item in live if item.kind in SPOKEN and is_live(item) == is_live(first))
    return next((item for item in spoken if item.at_s <= first.at_s + WORDS_WAIT_S), first)


def with_lags(path: ReasoningPath, signs: Signs, cause: Evidence | None) -> ReasoningPath:
    """``path`` with each hop's lag between telling signs; None where an end is silent. ``cause``: the first end's sign."""
    hops = []
    at_s = None if cause is None else cause.at_s
    known = cause is not None
    for hop in path.hops:
        effect = signs.of(hop.effect_id, at_s, but="" if cause is None else cause.id)
        both = hop.observed and known and effect is not None and at_s is not None
        lag_s = round(effect.at_s - at_s, 3) if both and effect is not None and at_s is not None else None
        hops.append(replace(hop, lag_s=lag_s))
        known = effect is not None
        at_s = at_s if effect is None else effect.at_s
    return replace(path, hops=tuple(hops))


def _telling(live: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """By time; changes and metrics that moved in no bad way only where there is nothing else."""
    items = list(live)
    items = [item for item in items if speaks_of_harm(item)] or items
    least = TELLING * max((item.strength for item in items), default=0.0)
    return tuple(sorted((i for i in items if i.strength >= least), key=lambda i: (i.at_s, i.id)))


def speaks_of_harm(item: Evidence) -> bool:
    """Changes, metrics that moved in no bad way and lines that say nothing wrong speak only where nothing else does."""
    if item.kind == "metric":
        return item.attributes.get("adverse") not in ("0", "-1")
    return item.kind != "change" and item.attributes.get("wrong") != "0"
