"""Alarms as evidence: what some detector already said, right or wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiops.domain.evidence import Channel, Evidence, Reference, evidence_id
from aiops.domain.occurrences import Alarm
from ingest.evidence.detectors import Windows
from ingest.evidence.families import Family, direction_of, family_of, without_direction, words_of

#: Strength by severity; an alarm without one is a plain alarm.
STRENGTH: Mapping[str | None, float] = {
    "critical": 4.0,
    "major": 3.5,
    "minor": 3.0,
    "warning": 2.5,
    None: 3.0,
    "info": 0.9,  # worth listing, and no sign that anything is wrong
}
_LOG_WORDS = ("log template", "log line", "log alert", "log rate", "log anomaly")
#: Words of alerts that say that something is not there, whatever else their names say; and words that may say so.
_GONE = (
    "unreachable",
    "absent",
    "notready",
    "not ready",
    "crashloop",
    "unavailable",
    "instancedown",
    "gone silent",
)
_DOWN = ("down", "restart", "crash")


def find_alarm_evidence(alarms: Iterable[Alarm], windows: Windows) -> list[Evidence]:
    """One piece a fingerprint: the earliest firing that was open in the window. Alarms that began long before the
    window and are still open are chronic."""
    earliest: dict[tuple[str, str], Alarm] = {}
    for alarm in alarms:
        if alarm.ended_at is not None and alarm.ended_at.timestamp() < windows.base_end_s:
            continue
        if alarm.started_at.timestamp() > windows.eval_end_s:
            continue
        key = (alarm.entity, alarm.fingerprint)
        if key not in earliest or alarm.started_at < earliest[key].started_at:
            earliest[key] = alarm
    return [_evidence(earliest[key], windows) for key in sorted(earliest)]


def _evidence(alarm: Alarm, windows: Windows) -> Evidence:
    name = alarm_name(alarm)
    channel, bad = channel_of(alarm)
    said = direction_of(" ".join(words_of(alarm.name))) or direction_of(alarm.message)
    direction = said or bad or 1  # what says nothing of direction complains
    began = alarm.started_at.timestamp()
    return Evidence(
        id=evidence_id("alert", alarm.entity, alarm.peer or "", alarm.name, alarm.fingerprint, began),
        entity=alarm.entity,
        peer=alarm.peer,
        kind="alert",
        channel=channel,
        name=name,
        at_s=began,
        strength=STRENGTH.get(alarm.severity, 3.0),
        direction=direction,
        text=f"{alarm.name}: {alarm.message}" if alarm.message else alarm.name,
        ref=Reference("alarm", alarm.id),
        value=alarm.value,
        severity=alarm.severity,
        chronic=began < windows.base_end_s - 900.0,
        attributes={"adverse": str(direction * bad), "quantity": without_direction(alarm.name)},
    )


def alarm_name(alarm: Alarm) -> str:
    """The alert's name; where one name covers many lines (an unusual log template), its message tells them apart."""
    return f"{alarm.name}: {alarm.message}" if _is_log(alarm) else alarm.name


def _is_log(alarm: Alarm) -> bool:
    return any(words in alarm.name.lower() for words in _LOG_WORDS)


def channel_of(alarm: Alarm) -> tuple[Channel, int]:
    """Family of an alert by the words of its name, else of its message; and which way is bad (0: either)."""
    if _is_log(alarm):
        return Channel.LOG, 1
    lowered = alarm.name.lower()
    subject = without_direction(alarm.name)
    if lowered.startswith("http ") or "status code" in lowered:
        return Channel.ERRORS, 1
    if any(word in lowered for word in _GONE):
        return Channel.AVAILABILITY, 0
    if any(word in lowered for word in _DOWN) and _family(subject) is None:
        return Channel.AVAILABILITY, 0
    family = _family(subject) or _family(alarm.message)
    return (family.channel, family.bad) if family is not None else (Channel.OTHER, 0)


def _family(text: str) -> Family | None:
    """The family of a name or a sentence; None where it has none that says anything."""
    family = family_of(text) if text else None
    return family if family is not None and family.channel is not Channel.OTHER else None
