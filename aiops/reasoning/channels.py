"""Evidence as columns: how much each channel of each thing stands out in this case.

Formulas, for one channel (rises and falls of a resource are two channels):

    weight(e)    = strength, a third of it if chronic; log lines and their like by deviation, not its logarithm
    rarity(name) = log((things with evidence + 1) / soft count of things that have evidence of this name)
    lead(name,t) = the same over those that had it when t showed it: who was first tells more than who followed
    column(t)    = p-norm over t's names of weight x mean(rarity, lead)     (p = 2; 4 for logs, where one line says it all)
    scaled(t)    = column / max x sqrt(column / sum) x confidence (a channel that everyone has tells nobody apart)
    contrast(t)  = scaled of column minus the mean over t's siblings
    confidence   = strongest weight of the channel / 10 for measured evidence, 1 for alarms and states worth it
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from aiops.domain.batches import FloatArray
from aiops.domain.evidence import SYMPTOM_CHANNELS, Channel, Evidence
from aiops.reasoning.things import Things

#: Channels of which rising and falling say different things.
TWO_SIDED = frozenset({Channel.CPU, Channel.MEMORY, Channel.NETWORK, Channel.DISK, Channel.SATURATION})
CHRONIC_WEIGHT = 0.3
FULL_STRENGTH = 10.0
#: Evidence whose time says who was first: a shift of a series is known to its sampling interval, a state to its snapshot.
_TIMED = frozenset({"alert"})
#: A deviation of log lines that needs no second look.
FULL_DEVIATION = 4.0
#: Weights below these are what nothing at all looks like; only what is beyond counts.
NOISE = 1.0
LOG_NOISE = 1.5
LOG_NORM = 4.0
#: Lines that no longer follow what they always followed are a column of their own: they have a cause here, where lines that
#: merely come more often may be what others caused.
BREAK = "break"
FULL_BREAK = 8.0
NORM = 2.0
MIN_RARITY = 0.05
#: How much of the rarity of a name is that at the moment when a thing showed it.
LEAD = 0.5
#: Onsets this near to each other are one moment: clocks differ.
SAME_MOMENT_S = 5.0
#: What a network carried, apart from what it lost: bytes and packets rise and fall with the load.
VOLUME = "volume"
#: An alarm or a state below this strength (a cordoned host, a value that merely changed) does not vouch for its channel.
WORTH_A_CHANNEL = 1.5


@dataclass(frozen=True, slots=True)
class Column:
    """``value[t]`` >= 0: what a channel says of each thing, unscaled; ``confidence`` in [0, 1] in the channel as such."""

    value: FloatArray
    confidence: float


def column_name(evidence: Evidence) -> str:
    """``cpu+``, ``memory-``, ``log`` ...; direction is what is bad about it where the family knows, else which way it went."""
    if BREAK in evidence.attributes:
        return BREAK
    return _column_name(evidence.channel, evidence.direction, int(evidence.attributes.get("adverse", "0")))


@lru_cache(maxsize=256)
def _column_name(channel: Channel, direction: int, adverse: int) -> str:
    if channel in TWO_SIDED or channel in SYMPTOM_CHANNELS:
        rises = adverse > 0 if adverse else direction >= 0
        carried = channel is Channel.NETWORK and not adverse
        return f"{VOLUME if carried else channel.value}{'+' if rises else '-'}"
    return channel.value


def weight_of(evidence: Evidence) -> float:
    """How much one piece counts before rarity."""
    weight = evidence.strength
    if evidence.kind == "metric":
        weight = max(0.0, weight - NOISE)
    elif evidence.channel is Channel.LOG and "z" in evidence.attributes:
        deviation = max(0.0, abs(float(evidence.attributes["z"])) - LOG_NOISE)
        full = FULL_BREAK if BREAK in evidence.attributes else FULL_DEVIATION
        weight = min(FULL_STRENGTH, FULL_STRENGTH / full * deviation)
    return weight * (CHRONIC_WEIGHT if evidence.chronic else 1.0)


def build_columns(items: Iterable[Evidence], things: Things) -> dict[str, Column]:
    """Columns by name over evidence on things themselves (not on relations)."""
    names: dict[tuple[str, str, int], dict[int, tuple[float, float]]] = defaultdict(dict)
    strongest: dict[str, float] = defaultdict(float)
    active: set[int] = set()
    for item in items:
        thing = things.thing(item.entity)
        if thing is None:
            continue
        active.add(thing)
        if item.peer is not None or item.channel is Channel.CHANGE:
            continue
        column = column_name(item)
        weight = weight_of(item)
        held = names[(column, item.name, item.direction)]
        before, onset = held.get(thing, (0.0, math.inf))
        held[thing] = (max(before, weight), min(onset, item.at_s if item.kind in _TIMED else 0.0))
        measured = item.kind in ("metric", "log") or weight < WORTH_A_CHANNEL
        strongest[column] = max(strongest[column], weight if measured else FULL_STRENGTH)
    powers: dict[str, FloatArray] = defaultdict(lambda: np.zeros(len(things)))
    for (column, _, _), held in sorted(names.items()):
        holders = np.fromiter(held, dtype=np.int64)
        weight, onset = np.array(list(held.values())).T
        powers[column][holders] += (weight * _rarity(weight, onset, len(active))) ** _norm(column)
    return {
        column: Column(powers[column] ** (1.0 / _norm(column)), min(1.0, strongest[column] / FULL_STRENGTH))
        for column in sorted(powers)
    }


def _norm(column: str) -> float:
    return LOG_NORM if column in (Channel.LOG.value, BREAK) else NORM


def _rarity(weight: FloatArray, onset: FloatArray, active: int) -> FloatArray:
    """Of one name for each of its holders: float64 [holders], half rarity among all, half among the earlier ones."""
    largest = float(weight.max())
    if largest <= 0:
        return np.zeros(len(weight))
    order = np.argsort(onset, kind="stable")
    so_far = np.concatenate(([0.0], np.cumsum(weight[order] / largest)))
    earlier = np.searchsorted(onset[order], onset + SAME_MOMENT_S, side="right")
    lead = np.log((active + 1) / np.maximum(1.0, so_far[earlier]))
    among = math.log((active + 1) / so_far[-1])
    return np.asarray((1.0 - LEAD) * max(MIN_RARITY, among) + LEAD * np.maximum(MIN_RARITY, lead))


def concentrated(value: FloatArray, of: float | None = None) -> FloatArray:
    """Share of the largest times the root of the share of all: 1 where one thing has it all, small where all have it.

    ``of``: measure against this instead of the largest, where ``value`` is what is left of something larger.
    """
    clipped = np.maximum(value, 0.0)
    total, largest = float(clipped.sum()), float(clipped.max(initial=0.0))
    largest = max(largest, of or 0.0)
    if total <= 0:
        return np.zeros_like(clipped)
    return np.asarray(clipped / largest * np.sqrt(clipped / total))


def contrast(value: FloatArray, things: Things) -> FloatArray:
    """What a thing has beyond the mean of its siblings; without siblings, all it has."""
    out = value.copy()
    for alike, siblings in things.kindred:
        out[alike] = value[alike] - value[siblings].mean(axis=1)
    return np.maximum(out, 0.0)
