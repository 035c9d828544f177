"""Posted alerts as alarms, through the traps of their delivery: repeats, replicas, resolved before firing, lost endings."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from datetime import datetime

import orjson

from aiops.domain.evidence import evidence_id
from aiops.domain.occurrences import Alarm, severity_named
from ingest.parsers.alertmanager import PostedAlert, label_fingerprint
from ingest.partition_parts import packed_part, unpacked_part

#: Labels by which replicas of one Prometheus differ; the alert they send is one.
REPLICA_LABELS: frozenset[str] = frozenset({"replica", "prometheus_replica", "__replica__"})
#: Starts of one alert that are nearer to each other are one: two replicas evaluate within a minute.
SAME_START_S = 60.0
MAX_REMEMBERED = 100_000
_MAX_STARTS = 8
_FORMAT = "aiops-alarms/1"
_MESSAGE_ANNOTATIONS = ("summary", "description", "message", "title")
_MAX_MESSAGE = 4096


def alarm_of(posted: PostedAlert, *, entity: str, peer: str | None, source: str) -> Alarm:
    """``posted`` as our own value; its id depends on nothing but fingerprint and start."""
    labels = {name: value for name, value in posted.labels.items() if name not in REPLICA_LABELS}
    alike = len(labels) == len(posted.labels)
    fingerprint = posted.fingerprint if alike else label_fingerprint(labels)
    message = next((text for name in _MESSAGE_ANNOTATIONS if (text := posted.annotations.get(name))), "")
    return Alarm(
        id=f"alarm-{evidence_id(fingerprint, posted.starts_at.isoformat())[1:]}",
        fingerprint=fingerprint,
        name=labels.get("alertname", "alert"),
        entity=entity,
        started_at=posted.starts_at,
        ended_at=posted.ends_at if posted.status == "resolved" else None,
        severity=severity_named(labels.get("severity", "")),
        peer=peer if peer != entity else None,
        value=_number(posted.annotations.get("value")),
        message=message[:_MAX_MESSAGE],
        source=source,
        labels=dict(sorted(labels.items())),
    )


class AlarmMemory:
    """What was posted lately: tells repeats apart and ends alarms whose ending was lost. Bounded by fingerprints."""

    def __init__(self, max_remembered: int = MAX_REMEMBERED) -> None:
        self._max_remembered = max_remembered
        self._known: OrderedDict[str, dict[datetime, Alarm]] = OrderedDict()

    def news(self, alarms: Iterable[Alarm]) -> tuple[Alarm, ...]:
        """What has to be stored: of several statements about one alarm the one that ends it, nothing that is known
        already, and every older alarm of the same fingerprint that a newer one shows to be over. Changes nothing."""
        by_fingerprint: dict[str, dict[datetime, Alarm]] = {}
        for told in alarms:
            group = by_fingerprint.setdefault(told.fingerprint, dict(self._known.get(told.fingerprint, {})))
            alarm = _as_known(told, group)
            before = group.get(alarm.started_at)
            group[alarm.started_at] = alarm if before is None else _united(before, alarm)
        news: list[Alarm] = []
        for fingerprint, group in sorted(by_fingerprint.items()):
            known = self._known.get(fingerprint, {})
            starts = sorted(group)
            for started_at, following in zip(starts, [*starts[1:], None], strict=True):
                alarm = group[started_at]
                if alarm.ended_at is None and following is not None:
                    alarm = replace(alarm, ended_at=following)
                if known.get(started_at) != alarm:
                    news.append(alarm)
        return tuple(news)

    def commit(self, stored: Iterable[Alarm]) -> None:
        """These were stored."""
        for alarm in stored:
            group = self._known.setdefault(alarm.fingerprint, {})
            group[alarm.started_at] = alarm
            while len(group) > _MAX_STARTS:
                del group[min(group)]
            self._known.move_to_end(alarm.fingerprint)
        while len(self._known) > self._max_remembered:
            self._known.popitem(last=False)

    def save(self) -> bytes:
        """Everything that is remembered, for :meth:`load`."""
        alarms = [
            {**{one.name: getattr(alarm, one.name) for one in fields(alarm)}, "labels": dict(alarm.labels)}
            for group in self._known.values()
            for alarm in group.values()
        ]
        return packed_part(_FORMAT, orjson.dumps(alarms))

    def load(self, part: bytes) -> None:
        """Become what was saved. Raises :class:`aiops.errors.ParseError` for bytes that :meth:`save` did not make."""
        alarms = [
            Alarm(**{**row, "started_at": _time(row["started_at"]), "ended_at": _time(row["ended_at"])})
            for row in unpacked_part(_FORMAT, part, orjson.loads)
        ]
        self._known = OrderedDict()
        for alarm in alarms:
            self._known.setdefault(alarm.fingerprint, {})[alarm.started_at] = alarm


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _united(before: Alarm, after: Alarm) -> Alarm:
    """A resolved alarm stays resolved; of two endings the later one was sent with more knowledge."""
    if before.ended_at is None:
        return after
    if after.ended_at is None:
        return replace(after, ended_at=before.ended_at)
    return after if after.ended_at >= before.ended_at else before


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and math.isfinite(value) else None


def _as_known(alarm: Alarm, known: Mapping[datetime, Alarm]) -> Alarm:
    """``alarm`` as the one of ``known`` (its fingerprint's, by start) that began within :data:`SAME_START_S` of it and was not
    over before: replicas look at different moments, and each says when it saw the alert first."""
    if alarm.started_at in known:
        return alarm
    for started_at, one in sorted(known.items()):
        near = abs((started_at - alarm.started_at).total_seconds()) <= SAME_START_S
        if near and (one.ended_at is None or one.ended_at > alarm.started_at):
            return replace(alarm, id=one.id, started_at=started_at)
    return alarm
