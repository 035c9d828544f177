"""Past incidents, read from the ledger once and again only when something happened that may have changed them.

Every analysis asks for them, and most of what happens between two analyses (an incident is posted, another one analysed)
changes nothing about the resolved ones. The ledger's activities say what happened.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime

from aiops.contracts import IncidentLedger
from aiops.domain.incident_records import Activity, PastIncident

#: Past incidents that are compared with, the newest.
KEPT = 500
#: What may make an incident a past one. Everything else matters only where it happens to a past one.
_MAKES_PAST = frozenset({"resolved", "split"})


class RememberedHistory:
    """The ledger's :meth:`past_incidents`, with the same answers and fewer readings. Any thread may ask."""

    def __init__(self, ledger: IncidentLedger, *, kept: int = KEPT) -> None:
        self._ledger = ledger
        self._kept = kept
        self._lock = threading.Lock()
        self._mark = -1
        self._newest: tuple[PastIncident, ...] = ()
        self._ids: frozenset[str] = frozenset()

    def past_incidents(self, *, before: datetime) -> Sequence[PastIncident]:
        """Resolved incidents that began before ``before``, the newest first, at most ``kept``."""
        newest = self._up_to_date()
        found = tuple(past for past in newest if past.incident.started_at < before)
        if len(newest) < self._kept or len(found) == len(newest):
            return found
        return self._ledger.past_incidents(before=before, limit=self._kept)

    def _up_to_date(self) -> tuple[PastIncident, ...]:
        with self._lock:
            mark, newest = self._mark, self._newest
        latest = self._ledger.latest_activity()
        if latest == mark:
            return newest
        if mark >= 0 and latest - mark <= self._kept:
            happened = self._ledger.activities(after=mark, limit=self._kept)
            if happened and all(self._harmless(one) for one in happened):
                with self._lock:
                    self._mark = max(self._mark, happened[-1].number)
                return newest
        read = self._ledger.past_incidents(before=_END, limit=self._kept)
        with self._lock:
            self._mark, self._newest = latest, read
            self._ids = frozenset(past.incident.id for past in read)
        return read

    def _harmless(self, activity: Activity) -> bool:
        """Whether ``activity`` leaves the past as it is. What was split off may be resolved already."""
        made = activity.kind in _MAKES_PAST or (activity.kind == "created" and "from" in activity.details)
        return not made and activity.incident_id not in self._ids


_END = datetime(9999, 1, 1, tzinfo=UTC)
