"""Alerts in the shapes that people have them in, as Prometheus would post them.

A webhook of Alertmanager or Grafana (version 4), a list as its API v2 gives it (``amtool alert query -o json``), a single
alert, or any of these one a line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import orjson

from aiops.errors import InputError

#: What one incident takes.
MAX_ALERTS = 1000
_ZERO = "0001-01-01T00:00:00Z"
_RANKS = ("critical", "major", "minor", "warning", "info")
_KEPT = ("labels", "annotations", "startsAt", "endsAt", "generatorURL")


def read_alerts(data: bytes, name: Path) -> list[dict[str, object]]:
    """Every alert in ``data``. Raises :class:`InputError` naming the line or the place."""
    try:
        documents = [("", orjson.loads(data))]
    except orjson.JSONDecodeError:
        documents = list(_lines(data, name))
    return [alert for where, document in documents for alert in alerts_of(document, f"{name}{where}")]


def alerts_of(document: object, where: str) -> Iterator[dict[str, object]]:
    """Alerts of one document, without what only Alertmanager needs."""
    if isinstance(document, Mapping) and isinstance(document.get("alerts"), list):
        document = document["alerts"]
    items = document if isinstance(document, list) else [document]
    for place, item in enumerate(items):
        if not isinstance(item, Mapping) or not isinstance(item.get("labels"), Mapping) or not item["labels"]:
            raise InputError(
                f"{where}: item {place} is no alert: it has no labels",
                hint="give Alertmanager's webhook, a list of its API v2, or an alert a line",
            )
        kept = {key: item[key] for key in _KEPT if item.get(key)}
        if is_open(item):
            kept.pop("endsAt", None)
        yield kept


def is_open(alert: Mapping[str, object]) -> bool:
    """Whether it still fires: Alertmanager writes the year 1, or a time to come, as the end of those that do."""
    status = alert.get("status")
    state = status.get("state") if isinstance(status, Mapping) else status
    return state in ("firing", "active", "suppressed") or alert.get("endsAt", _ZERO) == _ZERO


def incident_of(alerts: Sequence[Mapping[str, object]], *, title: str | None = None) -> dict[str, object]:
    """An incident that these alerts are. Raises :class:`InputError` on none, and on more than one incident takes."""
    if not alerts:
        raise InputError("there is no alert in it", hint="give at least one")
    if len(alerts) > MAX_ALERTS:
        raise InputError(
            f"{len(alerts)} alerts, and an incident takes {MAX_ALERTS}",
            hint="send them with `aiops alerts send -f FILE`, then analyse the incident that they become",
        )
    labels = [one["labels"] for one in alerts]
    names = list(
        dict.fromkeys(str(each.get("alertname", "alert")) for each in labels if isinstance(each, Mapping))
    )
    severities = {str(each.get("severity", "")) for each in labels if isinstance(each, Mapping)}
    worst = next((rank for rank in _RANKS if rank in severities), "major")
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    said = title or (f"{len(alerts)} alerts: {shown}" if len(alerts) > 1 else shown)
    return {"title": said[:512], "severity": worst, "alerts": list(alerts)}


def _lines(data: bytes, name: Path) -> Iterator[tuple[str, object]]:
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            yield f" line {number}", orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise InputError(f"{name} line {number} is no JSON: {error.msg}") from error
