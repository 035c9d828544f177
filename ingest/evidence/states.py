"""Observed states as evidence: values that mean trouble by themselves, and values that changed in the window.

:data:`STATE_RULES` is a table of what orchestrators, service managers and routers call unhealthy. A value that was the
same before the window is chronic; what a healthy cluster shows too (a cordoned control plane, an old restart) is weak.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from aiops.domain.batches import StateObservation
from aiops.domain.evidence import Channel, Evidence, Reference, evidence_id
from ingest.evidence.detectors import Windows

MAX_PER_ENTITY = 16
MAX_FACTS = 20_000
_MAX_TEXT = 300
_MAX_FACT = 1_000


@dataclass(frozen=True, slots=True)
class StateRule:
    """A property whose name fits ``property`` is unhealthy where its value fits ``bad`` and not ``but``."""

    name: str
    property: re.Pattern[str]
    bad: re.Pattern[str]
    strength: float
    channel: Channel = Channel.STATE
    but: re.Pattern[str] | None = None


def _rule(
    name: str, prop: str, bad: str, strength: float, *, channel: Channel = Channel.STATE, but: str = ""
) -> StateRule:
    return StateRule(
        name,
        re.compile(prop, re.IGNORECASE),
        re.compile(bad, re.IGNORECASE | re.DOTALL),
        strength,
        channel,
        re.compile(but, re.IGNORECASE | re.DOTALL) if but else None,
    )


#: First fit wins.
STATE_RULES: tuple[StateRule, ...] = (
    _rule(
        "condition-true-bad",
        r"conditions\.\w*(pressure|failure|unavailable)\.status$",
        r"^(true|unknown)$",
        4.0,
    ),
    _rule(
        "condition-false-bad",
        r"conditions\.(ready|containersready|available|podscheduled|initialized|progressing|podreadytostart\w*|"
        r"established|synced|healthy)\.status$",
        r"^(false|unknown)$",
        4.0,
        channel=Channel.AVAILABILITY,
    ),
    _rule("last-exit", r"last_?state\.(reason|exit_?code)$", r".", 2.5, but=r"^(completed|0)$"),
    _rule(
        "waiting-reason",
        r"state\.reason$",
        r"err|backoff|crash|oom|invalid|fail|cannot|evict|deadline|unknown",
        4.0,
        but=r"^completed$",
    ),
    _rule("starting", r"state\.reason$", r"creating|initializing", 2.5, channel=Channel.AVAILABILITY),
    _rule("exit-code", r"exit_?code$", r"^-?0*[1-9]", 3.0),
    _rule(
        "phase-bad",
        r"(^|\.)(status|phase|state)$",
        r"err|backoff|crash|oom|fail|evict|lost|unknown|not ?ready|unhealthy|degraded|refus|imagepull|invalid|terminating",
        4.0,
    ),
    _rule(
        "phase-waiting",
        r"(^|\.)(status|phase)$",
        r"^(pending|init:|.*creating|waiting|podinitializing)",
        3.5,
        channel=Channel.AVAILABILITY,
    ),
    _rule("cordoned", r"(^|\.)status$", r"schedulingdisabled", 1.0),
    _rule("cordoned", r"unschedulable$", r"^true$", 1.0),
    _rule(
        "service-manager",
        r"(systemd|service|unit)\.?.*\.(active|activestate|state)$",
        r"inactive|failed|dead|deactivating",
        5.0,
    ),
    _rule(
        "probe",
        r"^(connectivity|probe|reachability|healthcheck)",
        r"fail|refused|timed ?out|unreachable|no route|closed",
        3.5,
        channel=Channel.AVAILABILITY,
        but=r"succeed|success|open\b",
    ),
    _rule("not-found", r"not_?found|^error", r".", 4.0),
    _rule(
        "no-endpoints",
        r"^endpoints(\.addresses)?$",
        r"^\s*(<none>|none|null|\[\])?\s*$",
        4.0,
        channel=Channel.AVAILABILITY,
    ),
    _rule(
        "endpoints-not-ready",
        r"not_?ready_?addresses$",
        r"[0-9a-z]",
        3.5,
        but=r"^<none>$",
        channel=Channel.AVAILABILITY,
    ),
    _rule("replicas-missing", r"replicas$", r"\b[1-9]\d* unavailable", 3.5, channel=Channel.AVAILABILITY),
    _rule("pods-failing", r"pods_status$", r"\b[1-9]\d* (waiting|failed)", 3.5, channel=Channel.AVAILABILITY),
    _rule("taint", r"taints?$", r"unreachable|not-ready|pressure|unhealthy|noexecute", 3.0),
    _rule("session", r"^(bgp|igp)_session$", r" down$", 4.0, channel=Channel.NETWORK),
    _rule(
        "link-state",
        r"((oper|line|link|session|adj|neighbou?r|bfd|bgp|ospf|isis|admin)[\w.:/@-]*(state|status)|^state)$",
        r"down|idle|fail|lost|disabled|not-?present|inactive|err",
        4.0,
        channel=Channel.NETWORK,
    ),
)
_FRACTION = re.compile(r"^\s*(\d+)\s*/\s*(\d+)\s*$")
_QUANTITY = re.compile(r"^(\d+(?:\.\d+)?)(m|Ki|Mi|Gi|Ti|k|M|G|T)?$")
_UNITS: Mapping[str, float] = {
    **{"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12},
    **{"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40},
}
_RESTARTS = re.compile(r"^(\d+)(?: \((?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)? ago\))?$")
_RECENT_RESTART_S = 600.0


def find_state_evidence(states: Iterable[StateObservation], windows: Windows) -> list[Evidence]:
    """Unhealthy or changed states, the strongest MAX_PER_ENTITY of each entity."""
    history: dict[tuple[str, str], list[StateObservation]] = defaultdict(list)
    for state in states:
        if state.at_s <= windows.eval_end_s:
            history[(state.entity, state.property)].append(state)
    per_entity: dict[str, list[Evidence]] = defaultdict(list)
    for key in sorted(history):
        evidence = _judge(history[key], windows)
        if evidence is not None:
            per_entity[key[0]].append(evidence)
    for entity, full in _full_quotas(history).items():
        per_entity[entity].extend(full)
    return [
        item
        for entity in sorted(per_entity)
        for item in sorted(per_entity[entity], key=lambda e: (-e.strength, e.id))[:MAX_PER_ENTITY]
    ]


def find_facts(states: Iterable[StateObservation], windows: Windows) -> tuple[list[Evidence], str | None]:
    """The last observed value of every property, well or not, and what is missing where :data:`MAX_FACTS` cut them.

    Facts are kept by entity and property; at the bound, what sorts last is left out.
    """
    last: dict[tuple[str, str], StateObservation] = {}
    for state in states:
        held = last.get((state.entity, state.property))
        if state.at_s <= windows.eval_end_s and (held is None or state.at_s >= held.at_s):
            last[state.entity, state.property] = state
    facts = [_fact(last[key]) for key in sorted(last)[:MAX_FACTS]]
    left = len(last) - len(facts)
    return facts, f"{left} observed states were not compared by rules: too many" if left else None


def _fact(state: StateObservation) -> Evidence:
    value = state.value[:_MAX_FACT]
    return Evidence(
        id=evidence_id("fact", state.entity, state.property, state.at_s, state.value),
        entity=state.entity,
        peer=None,
        kind="fact",
        channel=Channel.STATE,
        name=state.property,
        at_s=state.at_s,
        strength=0.0,
        direction=0,
        text=f"{state.property} = {value}",
        ref=Reference("state", f"{state.entity}|{state.property}"),
        attributes={"property": state.property, "value": value},
    )


def _judge(seen: Sequence[StateObservation], windows: Windows) -> Evidence | None:
    before = [state for state in seen if state.at_s < windows.base_end_s]
    during = [state for state in seen if state.at_s >= windows.base_end_s]
    was = before[-1].value if before else None
    worst: tuple[float, StateObservation, str, Channel] | None = None
    for state in during or before[-1:]:
        strength, name, channel = unhealthy(state.property, state.value)
        if was is not None and during and state.value != was:
            strength, name = max(strength + 1.0, 1.5) if strength else 1.0, name or "changed"
        if strength and (worst is None or strength > worst[0]):
            worst = (strength, state, name, channel)
    if worst is None:
        return None
    strength, state, name, channel = worst
    chronic = (
        was is not None and was == state.value and unhealthy(state.property, was)[0] > 0 and bool(during)
    )
    if was is not None and not during:  # nothing was heard since, so it is as it was
        chronic = True
    changed = f" (was {was})" if was is not None and was != state.value else ""
    return Evidence(
        id=evidence_id("state", state.entity, state.property, state.at_s, state.value),
        entity=state.entity,
        peer=None,
        kind="state",
        channel=channel,
        name=name,
        at_s=state.at_s,
        strength=strength,
        direction=1,
        text=f"{state.property} = {state.value[:_MAX_TEXT]}{changed}",
        ref=Reference("state", f"{state.entity}|{state.property}"),
        chronic=chronic,
        attributes={"property": state.property, "value": state.value[:_MAX_TEXT]},
    )


@lru_cache(maxsize=65_536)
def unhealthy(prop: str, value: str) -> tuple[float, str, Channel]:
    """Strength (0: healthy), name of the rule and channel for one observed value."""
    fraction = _FRACTION.match(value) if prop.endswith("ready") else None
    if fraction and int(fraction.group(1)) < int(fraction.group(2)):
        return 3.5, "not-ready", Channel.AVAILABILITY
    if prop.endswith("restarts") or prop.endswith("restart_count"):
        return _restarts(value)
    if prop.endswith("ready") and value.strip().lower() == "false":
        return 3.5, "not-ready", Channel.AVAILABILITY
    for rule in STATE_RULES:
        if rule.property.search(prop) and rule.bad.search(value):
            if rule.but is not None and rule.but.search(value):
                continue
            return rule.strength, rule.name, rule.channel
    return 0.0, "", Channel.STATE


def _restarts(value: str) -> tuple[float, str, Channel]:
    """Restarts matter when the last one is minutes old; a count without an age is weak."""
    match = _RESTARTS.match(value.strip())
    if match is None or int(match.group(1)) == 0:
        return 0.0, "", Channel.STATE
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[1:])
    if not any(match.groups()[1:]):
        return 1.5, "restarted", Channel.AVAILABILITY
    age = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return (3.0, "restarted", Channel.AVAILABILITY) if age <= _RECENT_RESTART_S else (0.0, "", Channel.STATE)


def quantity(text: str) -> float | None:
    """A Kubernetes quantity as a number; None where it is none."""
    match = _QUANTITY.match(text.strip())
    return float(match.group(1)) * _UNITS.get(match.group(2) or "", 1.0) if match else None


def _full_quotas(history: Mapping[tuple[str, str], Sequence[StateObservation]]) -> dict[str, list[Evidence]]:
    """Quotas of which everything allowed is in use: ``X.used`` against ``X.hard``."""
    full: dict[str, list[Evidence]] = defaultdict(list)
    for (entity, prop), seen in sorted(history.items()):
        limit = history.get((entity, f"{prop[:-5]}.hard")) if prop.endswith(".used") else None
        used, hard = quantity(seen[-1].value), quantity(limit[-1].value) if limit else None
        if used is None or hard is None or used < 0.95 * hard:
            continue
        state = seen[-1]
        full[entity].append(
            Evidence(
                id=evidence_id("state", entity, prop, state.at_s, state.value),
                entity=entity,
                peer=None,
                kind="state",
                channel=Channel.STATE,
                name="quota-full",
                at_s=state.at_s,
                strength=4.5,
                direction=1,
                text=f"{prop} = {state.value} of {limit[-1].value if limit else '?'}",
                ref=Reference("state", f"{entity}|{prop}"),
                attributes={"property": prop, "value": state.value},
            )
        )
    return full
