"""Which of two alarms tells of the cause and which of the consequence, whatever they are called.

An alarm is a statement of a detector: that something is wrong there, and how bad it is. Its name may be anybody's, so its
family (:mod:`ingest.evidence.families`) says little about whether it is the cause. The topology says more:

* failure travels from j to i and not back: j's alarm explains i's, unless i says that it has failed by itself and what j
  says is less: it only suffers, and is less severe,
* failure travels either way: the one that says that it has failed explains the one that lost a link, and that the one that
  only suffers; then the more severe the less severe, then the earlier the later, then the one on which more hangs.

Only entities about which nothing but a few alarms and symptoms is known are explained in this way: where series, lines,
states or alarms on every series speak, the prior weighs them; and where alarms are about single calls, it places the blame.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from aiops.domain.batches import BoolArray, FloatArray
from aiops.domain.evidence import SYMPTOM_CHANNELS, Channel, Evidence, EvidenceSet
from aiops.reasoning.spread import is_live

#: How much an alarm says of its entity itself.
SUFFERS, UNCLEAR, LINK, FAILED = 0, 1, 2, 3

#: More alarms of different names on one entity are measurements.
FEW_ALARMS = 3

_SEAM = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W\d_]+")
#: What is seen of something from outside, or what it does to those who ask: its cause may lie anywhere behind it.
_OUTSIDE = re.compile(
    r"\b(unreachable|not reachable|unresponsive|not responding|no response|no answer|silent|no data|absent|missing|"
    r"degraded|slow\w*|timeouts?|timed out|unavailable|probe|ping|sla|slo|heartbeat|lost contact|nicht erreichbar|"
    r"keine (daten|antwort)|langsam)\b"
)
#: What something says to have happened to itself.
_ITSELF = re.compile(
    r"\b(down|failed|failure|fault|faulty|failing|crash\w*|restart\w*|reboot\w*|panic|dead|died|broken|offline|outage|"
    r"stopped|killed|oom|flap\w*|not ready|notready|power|carrier|full|exhausted|evicted|corrupt\w*|overheat\w*|"
    r"ausfall|ausgefallen|defekt|abgest\w*)\b"
)
#: What no request does, only a thing.
_PLAINLY = re.compile(
    r"\b(down|crash\w*|restart\w*|reboot\w*|panic|dead|died|offline|outage|stopped|killed|oom|not ready|notready|power|"
    r"ausfall|ausgefallen|defekt)\b"
)
#: What is between two: it is lost as well where the other end has failed.
_BETWEEN = re.compile(
    r"\b(link|port|interface|carrier|uplink|neighbou?r|adjacency|session|peer|bgp|ospf|isis|bfd|lacp|lldp|tunnel|circuit)\b"
)
#: What only its own work fills: a dependency that is slow does not explain it.
_OWN_WORK = frozenset({Channel.CPU, Channel.MEMORY, Channel.DISK, Channel.SATURATION})


@dataclass(frozen=True, slots=True)
class Told:
    """What alarms say of an entity. ``says``: the most telling of SUFFERS, UNCLEAR, LINK, FAILED. ``severity``: the
    largest strength. ``own_work``: one is about a resource. ``alone``: nothing but a few alarms and symptoms is known of it.
    ``kind``: of the entity."""

    says: int
    severity: float
    own_work: bool
    alone: bool
    kind: str


def what_alarms_tell(evidence: EvidenceSet, kinds: Mapping[str, str]) -> Mapping[str, Told]:
    """By entity, of live alarms on the entity itself. ``kinds``: of entities by id."""
    alarms: dict[str, list[Evidence]] = {}
    measured: set[str] = set()
    for item in evidence.items:
        if not is_live(item):
            continue
        if item.peer is not None:
            if item.kind == "alert":
                return {}
        elif item.kind == "alert":
            alarms.setdefault(item.entity, []).append(item)
        elif item.channel not in SYMPTOM_CHANNELS and item.channel is not Channel.AVAILABILITY:
            measured.add(item.entity)
    return {
        entity: _told(items, entity not in measured, kinds.get(entity, ""))
        for entity, items in alarms.items()
    }


def _told(items: Iterable[Evidence], alone: bool, kind: str) -> Told:
    held = tuple(items)
    few = len({item.name for item in held}) <= FEW_ALARMS
    return Told(
        max(_says(item) for item in held),
        max(item.strength for item in held),
        any(item.channel in _OWN_WORK for item in held),
        alone and few,
        kind,
    )


def _says(item: Evidence) -> int:
    named = says(item.name)
    if item.channel in SYMPTOM_CHANNELS and not _PLAINLY.search(_words(item.name)):
        return SUFFERS  # requests fail, too
    return named if named != UNCLEAR else says(item.text)


@lru_cache(maxsize=65_536)
def says(text: str) -> int:
    """How much a name or a sentence says of what it is about; UNCLEAR where it has no word that we know."""
    words = _words(text)
    if _OUTSIDE.search(words):
        return SUFFERS
    if not _ITSELF.search(words):
        return UNCLEAR
    return LINK if _BETWEEN.search(words) else FAILED


def _words(text: str) -> str:
    """Lower-case words of a name or a sentence, a blank between them."""
    return " ".join(_WORD.findall(_SEAM.sub(" ", text).lower()))


def explaining(
    names: Sequence[str],
    told: Mapping[str, Told],
    between: FloatArray,
    onset_s: FloatArray,
    fan: FloatArray,
    *,
    early_s: float,
    moment_s: float,
) -> BoolArray:
    """Whose alarms (column) explain whose (row), bool [names, names]. ``between``: how plausibly failure travels from column to
    row, 0 where it does not. ``fan``: on how many things each hangs. What showed more than ``early_s`` before is not explained;
    times nearer than ``moment_s`` are in no order."""
    found = np.zeros(between.shape, dtype=np.bool_)
    for row, column in np.argwhere(between > 0).tolist():
        effect, cause = told.get(names[row]), told.get(names[column])
        if effect is None or cause is None or not effect.alone:
            continue
        lead_s = onset_s[row] - onset_s[column]
        if lead_s < -early_s:
            continue
        if between[column, row] > 0:
            found[row, column] = _before(cause, effect, lead_s, moment_s, float(fan[column] - fan[row]))
        else:
            found[row, column] = not _by_itself(effect, cause)
    return found


def _by_itself(effect: Told, cause: Told) -> bool:
    """Whether the effect tells of a failure of its own that the cause's lesser trouble does not explain."""
    if effect.own_work and cause.says == SUFFERS:
        return True
    return effect.says == FAILED and cause.says < LINK and cause.severity < effect.severity


def _before(cause: Told, effect: Told, lead_s: float, moment_s: float, fan: float) -> bool:
    """Whether ``cause`` comes first of two that may each be the other's; False where nothing tells."""
    if cause.says != effect.says and UNCLEAR not in (cause.says, effect.says):
        return cause.says > effect.says
    if cause.severity != effect.severity:
        return cause.severity > effect.severity
    if abs(lead_s) >= moment_s:
        return lead_s > 0
    return fan > 0
