"""What happened around an incident, in order of its own time: the newest analysis, the alerts as they are now, what was done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiops.api.documents import written
from aiops.domain.incident_records import Activity
from aiops.domain.occurrences import Alarm

Document = dict[str, Any]
#: Activities of the analyses; everything else is something that somebody did.
_DETECTION = frozenset({"analyzed", "rerooted", "analysis_failed"})
_SAID: Mapping[str, str] = {
    "created": "incident created",
    "updated": "incident changed",
    "acknowledged": "acknowledged",
    "resolved": "resolved",
    "reopened": "reopened",
    "commented": "comment",
    "merged": "merged",
    "split": "split",
    "alerts_added": "alerts added",
    "alerts_removed": "alerts taken out",
    "analyzed": "analysed",
    "rerooted": "another first cause",
    "analysis_failed": "analysis failed",
    "feedback": "feedback",
}


def timeline(
    analysis: Mapping[str, Any] | None,
    alarms: Sequence[Alarm],
    activities: Iterable[Activity],
    *,
    most: int,
) -> tuple[list[Document], bool]:
    """Moments by time and then lane, at most so many of the earliest; and whether some were left out.

    An alert that the analysis tells of already is not told twice.
    """
    told = [dict(moment) for moment in (analysis or {}).get("timeline", ())]
    cited = _alarms_cited(analysis)
    told += [_alarm(alarm) for alarm in alarms if alarm.id not in cited]
    told += [_activity(activity) for activity in activities]
    told.sort(key=lambda moment: (moment["at"], moment["lane"], moment["entity"] or "", moment["text"]))
    return told[:most], len(told) > most


def _alarms_cited(analysis: Mapping[str, Any] | None) -> frozenset[str]:
    """Ids of alarms that moments of the analysis are made from."""
    if analysis is None:
        return frozenset()
    pieces = [*analysis.get("evidence", ())]
    alarm_of = {piece["id"]: piece["ref"]["id"] for piece in pieces if piece["ref"]["type"] == "alarm"}
    cited = (name for moment in analysis.get("timeline", ()) for name in moment["evidence"])
    return frozenset(alarm_of[name] for name in cited if name in alarm_of)


def _alarm(alarm: Alarm) -> Document:
    text = f"{alarm.name}: {alarm.message}" if alarm.message else alarm.name
    return _moment(written(alarm.started_at), "alert", alarm.entity, text, until=written(alarm.ended_at))


def _activity(activity: Activity) -> Document:
    lane = "detection" if activity.kind in _DETECTION else "state"
    said = f"{_SAID[activity.kind]} by {activity.actor}"
    entity = activity.details.get("entity")
    if activity.kind in _DETECTION and entity:
        said = f"{_SAID[activity.kind]}: {entity}"
    text = f"{said}: {activity.text}" if activity.text else said
    return _moment(written(activity.at), lane, entity, text)


def _moment(at: str | None, lane: str, entity: str | None, text: str, **more: object) -> Document:
    extra = {"until": None, "skew_s": None, "detected_at": None, **more}
    return {"at": at, "lane": lane, "entity": entity, "text": text, "evidence": [], **extra}
