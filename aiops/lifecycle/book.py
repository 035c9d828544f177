"""What is known of open incidents and recent alarms: a copy of what the store holds, kept up with what others do."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aiops.domain.incident_records import Activity, AlarmKey, alarm_key
from aiops.domain.occurrences import Alarm, Incident
from aiops.lifecycle.cases import Case, is_grouped
from aiops.lifecycle.grouping import Grouping, Point
from aiops.lifecycle.maintenance import Windows
from aiops.lifecycle.marks import Marks
from aiops.lifecycle.policy import ACTOR, GroupingPolicy
from aiops.lifecycle.records import (
    BEGAN,
    CURSOR,
    Records,
    Tally,
    about,
    is_shaped,
    open_incidents,
    owes_analysis,
    pages_of,
    point_of,
    who_resolved,
)
from aiops.lifecycle.surroundings import Near, Surroundings

#: Of alarms in one step: what is recorded at once keeps others from writing for so long.
PAGE = 500
MOST_POINTS = 200_000  # then what is remembered is made anew, unless most of it is open
AGAIN = 2000  # alarms that are looked at again when topology around them changes, at most
_QUIET_KINDS = frozenset({"analyzed", "rerooted", "analysis_failed", "commented", "feedback"})


@dataclass(slots=True)
class Waiting:
    """An alarm in no incident yet: the cursor before its page, and when it was read."""

    mark: int
    since: datetime


class Book:
    """Made for one lease. :meth:`load` first; then :meth:`hear`, :meth:`look_at_topology` and :meth:`read` at every step."""

    def __init__(self, store: Records, policy: GroupingPolicy, tally: Tally, topology: Near) -> None:
        self._store = store
        self._policy = policy
        self._tally = tally
        self._now = datetime.max.replace(tzinfo=UTC)
        self._surroundings = Surroundings(topology, lambda: self._now)
        self._grouping = Grouping(policy, self._surroundings)
        self._windows = Windows(store, self._surroundings)
        self.cases: dict[str, Case] = {}
        self._live: set[str] = set()  # ids of cases that are open
        self._ending: set[str] = set()  # those of them whose alarms may all have ended
        self._telling: set[str] = set()  # cases of which there are news
        self._looks: list[tuple[datetime, str]] = []  # when which case is to be looked at, a heap
        self._alarmed, self._moved = Marks(0), Marks(0)  # what alarms and topology said of entities
        self._loaded = 0
        self._nodes: dict[AlarmKey, int] = {}
        self._alarms: dict[int, Alarm] = {}
        self._homes: dict[AlarmKey, str] = {}  # incident of an alarm
        self._waiting: dict[int, Waiting] = {}
        self._held: dict[AlarmKey, tuple[Alarm, datetime]] = {}  # in maintenance until
        self._outlived: dict[AlarmKey, datetime] = {}  # the maintenance ended then, and it still hurt
        self._suspects: set[str] = set()  # posted or changed: is there something to take in?
        self._named: dict[str, tuple[int, object]] = {}  # a node of what a posted incident says it affects
        self._emptied: dict[str, str] = {}  # all of its alarms went to
        self._mark = self._recorded = self._activity = self._topology = 0
        self._historic = False

    @property
    def is_full(self) -> bool:
        return len(self._grouping) > max(MOST_POINTS, 2 * self._loaded) and not self._waiting

    # from the store ----------------------------------------------------------------------------------------------------

    def load(self, now: datetime) -> None:
        """Read everything that is open, and recent alarms."""
        self._now = now
        store = self._store
        self._activity, self._topology = store.latest_activity(), store.topology_mark()
        self._mark = self._recorded = store.cursor(CURSOR)
        self._alarmed, self._moved = Marks(self._mark), Marks(self._topology)
        self._historic = not store.cursor(BEGAN)
        for page in pages_of(open_incidents(store)):
            self._load(page, now)
        since = now - timedelta(seconds=self._policy.memory_s)
        recent = store.alarms(start=since, end=now + timedelta(days=1))
        homes = store.incidents_with(
            [alarm_key(alarm) for alarm in recent if alarm_key(alarm) not in self._nodes]
        )
        known = (store.incident(name) for name in sorted(set(homes.values()) - set(self.cases)))
        for page in pages_of(incident for incident in known if incident is not None):
            self._load(page, now)
        self._hold_again([alarm for alarm in recent if alarm_key(alarm) not in self._homes])
        self._loaded = len(self._grouping)

    def news(self, case: Case, now: datetime, *, urgent: bool = False) -> None:
        """Something that the analysis of ``case`` does not know."""
        case.news(now, urgent=urgent)
        self._telling.add(case.incident.id)

    def _file(self, case: Case) -> None:
        """Its incident or its alarms are different now."""
        for ids in (self._live, self._ending):
            (ids.add if case.is_open else ids.discard)(case.incident.id)

    def _plan_look(self, case: Case) -> None:
        rest = self._policy.looks_s[case.looks :]
        if rest:
            heapq.heappush(self._looks, (case.opened_at + timedelta(seconds=rest[0]), case.incident.id))

    def _hold_again(self, alarms: list[Alarm]) -> None:
        """Those in maintenance that an earlier keeper held."""
        counted = [alarm for alarm in alarms if self._policy.counts(alarm.severity)]
        if counted:
            self._windows.read(counted)
        for alarm in counted:
            until = self._windows.until(alarm)
            if until is not None:
                self._hold(alarm, until)

    def _load(self, incidents: Sequence[Incident], now: datetime) -> None:
        """Those that were there before; with few questions."""
        histories = self._store.histories([incident.id for incident in incidents])
        self._grouping.prefetch(
            point_of(alarm, alarm.started_at) for alarms, _ in histories.values() for alarm in alarms
        )
        for incident in incidents:
            held, told = histories.get(incident.id, ((), ()))
            case = self._new_case(incident, {alarm_key(alarm): alarm for alarm in held}, told, now)
            case.looks = len(self._policy.looks_s)
            case.changed_at = max((one.at for one in told), default=now)
            if case.is_open and owes_analysis(told):
                self.news(case, now)
            self._settle_case(case)

    def _new_case(
        self, incident: Incident, alarms: dict[AlarmKey, Alarm], told: Sequence[Activity], now: datetime
    ) -> Case:
        case = Case(incident, alarms, is_shaped(incident, told), now, now, resolved_by=who_resolved(told))
        self.cases[incident.id] = case
        return case

    def _refresh(self, incident_id: str, now: datetime) -> None:
        """Read an incident anew: somebody changed it, or it is seen for the first time."""
        store = self._store
        incident = store.incident(incident_id)
        if incident is None:
            return
        alarms = {alarm_key(alarm): alarm for alarm in store.incident_alarms(incident_id)}
        case = self.cases.get(incident_id)
        if case is None:
            case = self._new_case(incident, alarms, store.activities(incident_id=incident_id), now)
            self._plan_look(case)
        else:
            if set(alarms) != set(case.alarms):
                case.changed_at = now
                if case.is_open and set(alarms) - set(case.alarms):
                    self.news(case, now)
            back = not case.is_open
            case.incident = incident
            case.hold(alarms)
            if back and case.is_open:
                self._plan_look(case)
        self._grouping.prefetch(
            point_of(alarm, alarm.started_at) for key, alarm in alarms.items() if key not in self._nodes
        )
        self._settle_case(case)
        self._suspects.add(incident_id)

    def _settle_case(self, case: Case) -> None:
        """Its alarms are its own."""
        for key, alarm in list(case.alarms.items()):
            self._settle_in(key, alarm, case)
        self._attach_named(case)
        self._file(case)

    def _settle_in(self, key: AlarmKey, alarm: Alarm, case: Case) -> None:
        """``alarm`` belongs to ``case`` now, wherever it was before."""
        incident_id = case.incident.id
        before = self._homes.get(key)
        if before is not None and before != incident_id and before in self.cases:
            left = self.cases[before]
            left.drop(key)
            self._file(left)
            if not left.alarms and is_grouped(left.incident) and left.is_open:
                self._emptied[before] = incident_id
        self._homes[key] = incident_id
        node = self._nodes.get(key)
        if node is None:
            if not self._policy.counts(alarm.severity):
                return
            node = self._add(alarm, alarm.started_at)
        self._leave_waiting(node)
        self._grouping.group(node).incidents.add(incident_id)

    def _attach_named(self, case: Case) -> None:
        """What a posted incident says that it affects attracts alarms as if it had one."""
        incident = case.incident
        said = (incident.affected, incident.started_at)
        if is_grouped(incident) or not case.is_open or self._named.get(incident.id, (0, None))[1] == said:
            return
        at_s = incident.started_at.timestamp()
        self._grouping.prefetch([Point(incident.affected, at_s)])
        node = self._grouping.add(Point(incident.affected, at_s))
        self._grouping.group(node).incidents.add(incident.id)
        self._named[incident.id] = (node, said)

    def _add(self, alarm: Alarm, at: datetime) -> int:
        node = self._grouping.add(point_of(alarm, at))
        self._nodes[alarm_key(alarm)] = node
        self._alarms[node] = alarm
        return node

    def _leave_waiting(self, node: int) -> None:
        self._waiting.pop(node, None)
        self._grouping.group(node).waiting.discard(node)

    def hear(self, now: datetime) -> None:
        """What others did to incidents."""
        self._now = now
        while True:
            told = self._store.activities(after=self._activity, limit=PAGE)
            changed = {one.incident_id for one in told if one.actor != ACTOR and one.kind not in _QUIET_KINDS}
            for one in told:
                if one.kind == "resolved" and one.incident_id in self.cases:
                    self.cases[one.incident_id].resolved_by = one.actor
                if one.kind in ("split", "created") and one.actor != ACTOR and one.incident_id in self.cases:
                    self.cases[one.incident_id].shaped = True
            for incident_id in sorted(changed):
                self._refresh(incident_id, now)
            if told:
                self._activity = told[-1].number
            if len(told) < PAGE:
                return

    def look_at_topology(self, now: datetime) -> None:
        """What changed around alarms: they may have something in common that nobody knew."""
        mark, touched = self._store.touched_since(self._topology)
        if mark == self._topology:
            return
        self._topology = mark
        if touched is not None:
            touched = touched | {one.target_id for one in self._store.relations_from(sorted(touched))}
            self._moved.tell(touched, mark)
        else:
            self._moved.tell_all(mark)
        changed = self._surroundings.refresh(touched)
        if not changed:
            return
        self._grouping.forget_topology()
        again = [
            (node, alarm) for node, alarm in self._alarms.items() if not changed.isdisjoint(about(alarm))
        ][-AGAIN:]
        self._grouping.prefetch(point_of(alarm, alarm.started_at) for _, alarm in again)
        for node, alarm in again:
            for entity in about(alarm):
                self._grouping.look_again(entity, alarm.started_at.timestamp(), node)
            home = self.cases.get(self._homes.get(alarm_key(alarm), ""))
            if home is not None and home.is_open:
                home.news(now)
                self._suspects.add(home.incident.id)

    def read(self, now: datetime) -> bool:
        """Take in alarms that came or changed. Returns whether there are more."""
        self._release_held(now)
        before = self._mark
        mark, alarms = self._store.alarms_since(before, limit=PAGE)
        if mark == before:
            if self._historic:
                self._historic = False
                self._store.record((), cursor=(BEGAN, 1))
            return False
        self._take(alarms, before, now)
        self._alarmed.tell((entity for one in alarms for entity in (one.entity, one.peer) if entity), mark)
        self._mark = mark
        self._tally.read += len(alarms)
        return len(alarms) == PAGE

    def _take(self, alarms: Iterable[Alarm], mark: int, now: datetime) -> None:
        new: dict[AlarmKey, Alarm] = {}
        for alarm in alarms:
            key = alarm_key(alarm)
            if key in self._held:
                self._hold(alarm, self._held[key][1])
            elif key in self._nodes or key in self._homes:
                self._update(key, alarm, now)
            else:
                new[key] = alarm
        homes = self._store.incidents_with(list(new)) if new else {}
        for incident_id in sorted(set(homes.values())):
            self._refresh(incident_id, now)
        fresh = [
            alarm
            for key, alarm in new.items()
            if key not in homes and self._policy.counts(alarm.severity) and not self._is_past(alarm, now)
        ]
        self._admit(fresh, mark, now)

    def _is_past(self, alarm: Alarm, now: datetime) -> bool:
        """It was over before grouping began."""
        ended = alarm.ended_at
        return self._historic and ended is not None and ended < now - timedelta(seconds=self._policy.memory_s)

    def _admit(self, alarms: list[Alarm], mark: int, now: datetime) -> None:
        """New alarms, but for those in maintenance, which are kept until it is over."""
        if not alarms:
            return
        self._grouping.prefetch(point_of(alarm, alarm.started_at) for alarm in alarms)
        self._windows.read(alarms)
        for alarm in alarms:
            until = self._windows.until(alarm)
            if until is not None:
                self._hold(alarm, until)
                continue
            node = self._add(alarm, alarm.started_at)
            self._wait(node, mark, now)

    def _wait(self, node: int, mark: int, now: datetime) -> None:
        self._waiting[node] = Waiting(mark, now)
        self._grouping.group(node).waiting.add(node)

    def _hold(self, alarm: Alarm, until: datetime) -> None:
        if alarm.ended_at is None or alarm.ended_at > until:
            self._held[alarm_key(alarm)] = (alarm, until)
        else:
            self._held.pop(alarm_key(alarm), None)

    def _release_held(self, now: datetime) -> None:
        """What still hurts when its maintenance is over counts from then on."""
        for key, (alarm, until) in list(self._held.items()):
            if until <= now:
                del self._held[key]
                self._outlived[key] = until
                node = self._add(alarm, max(alarm.started_at, until))
                self._wait(node, self._mark, now)

    def _update(self, key: AlarmKey, alarm: Alarm, now: datetime) -> None:
        node = self._nodes.get(key)
        if node is not None:
            self._alarms[node] = alarm
        case = self.cases.get(self._homes.get(key, ""))
        if case is None or key not in case.alarms:
            return
        before = case.alarms[key]
        case.put(key, alarm)
        if before.ended_at != alarm.ended_at:
            case.changed_at = now
            self._file(case)
            if case.is_open:
                self.news(case, now)
