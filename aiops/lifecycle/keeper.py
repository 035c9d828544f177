"""Keeps incidents: reads what alarms came, opens, joins, merges, resolves, and asks for analyses; one at a time in a store.

Everything it knows is a copy of what the store holds, made anew when it takes the lease, so it may be killed at any moment:
what it decides, the links, the activities and how far it has read are recorded in one transaction. Alarms that wait for company
are read again by whoever comes after it, since the cursor stays before them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from aiops.contracts import ChangeFeed, GraphStore, IncidentLedger, IncidentStore
from aiops.domain.incident_records import Activity, AlarmKey, IncidentChange, IncidentQuery, alarm_key
from aiops.domain.occurrences import Alarm, Incident
from aiops.errors import AiopsError, BackPressure, StoreConflict, StoreUnavailable
from aiops.lifecycle import transitions
from aiops.lifecycle.cases import Case, formed, is_grouped, opened
from aiops.lifecycle.grouping import Grouping, Point
from aiops.lifecycle.maintenance import Windows
from aiops.lifecycle.policy import ACTOR, GroupingPolicy
from aiops.lifecycle.surroundings import Surroundings
from aiops.lifecycle.transitions import Author

CURSOR = "grouping"
#: Set once the alarms that were there before grouping began are read.
BEGAN = "grouping-began"
LEASE_S = 20.0
#: Of alarms in one step: what is recorded at once keeps others from writing for so long.
PAGE = 500
MOST_POINTS = 200_000  # then what is remembered is made anew
AGAIN = 2000  # alarms that are looked at again when topology around them changes, at most
EVIDENCE_EVERY_S = 5.0
LOOKED_AT = 200  # open incidents whose surroundings are watched for late evidence, the newest
NAMED = 20
_QUIET_KINDS = frozenset({"analyzed", "rerooted", "analysis_failed", "commented", "feedback"})


class Records(GraphStore, IncidentStore, IncidentLedger, ChangeFeed, Protocol):
    """One database with everything."""


#: Analyses an incident and keeps the answer where it says something new; whether it was kept. Raises AiopsError.
Analyse = Callable[[Incident], bool]


@dataclass(slots=True)
class Tally:
    """What a keeper did so far."""

    read: int = 0
    opened: int = 0
    joined: int = 0
    merged: int = 0
    resolved: int = 0
    reopened: int = 0
    analysed: int = 0
    failed: int = 0
    conflicts: int = 0


@dataclass(slots=True)
class _Waiting:
    """An alarm in no incident yet: the cursor before its page, and when it was read."""

    mark: int
    since: datetime


@dataclass(slots=True)
class _Plan:
    """What is to be recorded, and what is true once it is."""

    changes: list[IncidentChange]
    cases: list[Case]
    placed: list[int]
    busy: set[str]  # incidents that are changed already


class Keeper:
    """:meth:`step` does what is due and returns; call it again and again from one thread."""

    def __init__(
        self,
        store: Records,
        analyse: Analyse,
        policy: GroupingPolicy,
        holder: str,
        *,
        executor: Executor | None = None,
        told: Callable[[], None] = lambda: None,
    ) -> None:
        """``holder`` tells this keeper from others of the same store. ``executor`` runs analyses beside; None: within a step.
        ``told`` is called when something was recorded, so that whoever listens reads on."""
        self._store = store
        self._analyse = analyse
        self._policy = policy
        self._holder = holder
        self._executor = executor
        self._told = told
        self._running: dict[str, Future[bool]] = {}
        self._book: _Book | None = None
        self._conflicts = 0
        self._leased: datetime | None = None
        self._log = structlog.get_logger("aiops.keeper")
        self.tally = Tally()

    def step(self, now: datetime) -> bool:
        """Do what is due at ``now``. Returns whether more is to be done at once. Raises StoreUnavailable; then the next step
        begins with what the store holds."""
        if self._leased is None or not timedelta() <= now - self._leased < timedelta(seconds=LEASE_S / 4):
            self._leased = None
            if not self._store.lease(CURSOR, self._holder, now=now, seconds=LEASE_S):
                self._book = None
                return False
            self._leased = now
        try:
            if self._book is None or self._book.is_full:
                self._book = _Book(self._store, self._policy, self.tally)
                self._book.load(now)
            more = self._work(self._book, now)
            self._conflicts = 0
            return more
        except StoreConflict as error:
            self.tally.conflicts += 1
            self._conflicts += 1
            self._log.info("somebody else was faster", error=str(error))
            if self._conflicts > 1:  # it was not told what they did: read everything anew
                self._book = None
            return False
        except BaseException:
            self._book = self._leased = None
            raise

    def release(self, now: datetime) -> None:
        """Let another one go on at once."""
        self._book = self._leased = None
        self._store.lease(CURSOR, self._holder, now=now, seconds=0.0)

    def _work(self, book: _Book, now: datetime) -> bool:
        book.hear(now)
        book.look_at_topology(now)
        more = book.read(now)
        if book.record(book.decide(now), now):
            self._told()
        book.watch(now)
        self._collect(book, now)
        for case in book.due(now):
            if case.incident.id not in self._running:
                self._ask(case, now)
                more = more or self._executor is None
        return more

    def _ask(self, case: Case, now: datetime) -> None:
        case.news_since = case.news_at = None
        case.urgent = False
        if self._executor is not None:
            self._running[case.incident.id] = self._executor.submit(self._analyse, case.incident)
            return
        done: Future[bool] = Future()
        try:
            done.set_result(self._analyse(case.incident))
        except AiopsError as error:
            done.set_exception(error)
        self._settle(case, done, now)

    def _collect(self, book: _Book, now: datetime) -> None:
        for incident_id, future in list(self._running.items()):
            if future.done():
                del self._running[incident_id]
                case = book.cases.get(incident_id)
                if case is not None:
                    self._settle(case, future, now)

    def _settle(self, case: Case, done: Future[bool], now: datetime) -> None:
        error = done.exception()
        if error is None:
            self.tally.analysed += done.result()
            return
        self.tally.failed += 1
        self._log.error("analysis failed", incident_id=case.incident.id, exc_info=error)
        if isinstance(error, StoreUnavailable | BackPressure):
            case.news(now)  # tried again; anything else would fail the same way until something new is known


class _Book:
    """What is known of open incidents and recent alarms."""

    def __init__(self, store: Records, policy: GroupingPolicy, tally: Tally) -> None:
        self._store = store
        self._policy = policy
        self._tally = tally
        self._now = datetime.max.replace(tzinfo=UTC)
        self._surroundings = Surroundings(store, lambda: self._now)
        self._grouping = Grouping(policy, self._surroundings)
        self._windows = Windows(store, self._surroundings)
        self.cases: dict[str, Case] = {}
        self._nodes: dict[AlarmKey, int] = {}
        self._alarms: dict[int, Alarm] = {}
        self._homes: dict[AlarmKey, str] = {}  # incident of an alarm
        self._waiting: dict[int, _Waiting] = {}
        self._held: dict[AlarmKey, tuple[Alarm, datetime]] = {}  # in maintenance until
        self._suspects: set[str] = set()  # posted or changed: is there something to take in?
        self._named: dict[str, tuple[int, object]] = {}  # a node of what a posted incident says it affects
        self._emptied: dict[str, str] = {}  # all of its alarms went to
        self._mark = self._recorded = self._activity = self._topology = 0
        self._historic = False
        self._watched_at: datetime | None = None

    @property
    def is_full(self) -> bool:
        return len(self._grouping) > MOST_POINTS and not self._waiting

    # from the store ----------------------------------------------------------------------------------------------------

    def load(self, now: datetime) -> None:
        """Read everything that is open, and recent alarms."""
        self._now = now
        store = self._store
        self._activity, self._topology = store.latest_activity(), store.topology_mark()
        self._mark = self._recorded = store.cursor(CURSOR)
        self._historic = not store.cursor(BEGAN)
        for incident in _open_incidents(store):
            self._refresh(incident.id, now, loading=True)
        since = now - timedelta(seconds=self._policy.memory_s)
        recent = store.alarms(start=since, end=now + timedelta(days=1))
        homes = store.incidents_with(
            [alarm_key(alarm) for alarm in recent if alarm_key(alarm) not in self._nodes]
        )
        for incident_id in sorted(set(homes.values()) - set(self.cases)):
            self._refresh(incident_id, now, loading=True)
        self._hold_again([alarm for alarm in recent if alarm_key(alarm) not in self._homes])

    def _hold_again(self, alarms: list[Alarm]) -> None:
        """Those in maintenance that an earlier keeper held."""
        counted = [alarm for alarm in alarms if self._policy.counts(alarm.severity)]
        if counted:
            self._windows.read(counted)
        for alarm in counted:
            until = self._windows.until(alarm)
            if until is not None:
                self._hold(alarm, until)

    def _refresh(self, incident_id: str, now: datetime, *, loading: bool = False) -> None:
        """Read an incident anew: somebody changed it, or it is seen for the first time."""
        store = self._store
        incident = store.incident(incident_id)
        if incident is None:
            return
        alarms = {alarm_key(alarm): alarm for alarm in store.incident_alarms(incident_id)}
        known = self.cases.get(incident_id)
        if known is None:
            told = store.activities(incident_id=incident_id)
            case = Case(
                incident, alarms, _is_shaped(incident, told), now, now, resolved_by=_who_resolved(told)
            )
            if loading:
                case.looks = len(self._policy.looks_s)
                case.changed_at = max((one.at for one in told), default=now)
            if loading and case.is_open and _owes_analysis(told):
                case.news(now)
            self.cases[incident_id] = case
        else:
            case = known
            if set(alarms) != set(case.alarms):
                case.changed_at = now
                if case.is_open and set(alarms) - set(case.alarms):
                    case.news(now)
            case.incident, case.alarms = incident, alarms
        for key, alarm in alarms.items():
            self._settle_in(key, alarm, case)
        self._attach_named(case)
        if not loading:
            self._suspects.add(incident_id)

    def _settle_in(self, key: AlarmKey, alarm: Alarm, case: Case) -> None:
        """``alarm`` belongs to ``case`` now, wherever it was before."""
        incident_id = case.incident.id
        before = self._homes.get(key)
        if before is not None and before != incident_id and before in self.cases:
            left = self.cases[before]
            left.alarms.pop(key, None)
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
        node = self._grouping.add(_point_of(alarm, at))
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
        changed = self._surroundings.refresh(touched)
        if not changed:
            return
        self._grouping.forget_topology()
        again = [
            (node, alarm) for node, alarm in self._alarms.items() if not changed.isdisjoint(_about(alarm))
        ][-AGAIN:]
        for node, alarm in again:
            for entity in _about(alarm):
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
        self._grouping.prefetch(_point_of(alarm, alarm.started_at) for alarm in alarms)
        self._windows.read(alarms)
        for alarm in alarms:
            until = self._windows.until(alarm)
            if until is not None:
                self._hold(alarm, until)
                continue
            node = self._add(alarm, alarm.started_at)
            self._wait(node, mark, now)

    def _wait(self, node: int, mark: int, now: datetime) -> None:
        self._waiting[node] = _Waiting(mark, now)
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
        case.alarms[key] = alarm
        if before.ended_at != alarm.ended_at:
            case.changed_at = now
            if case.is_open:
                case.news(now)

    # what becomes of it ------------------------------------------------------------------------------------------------

    def decide(self, now: datetime) -> _Plan:
        """What is to be recorded at ``now``; nothing is different until it is."""
        plan = _Plan([], [], [], set())
        for root, nodes in sorted(self._settled(now).items()):
            self._place(root, nodes, plan, now)
        for incident_id in sorted(self._suspects):
            self._take_in(incident_id, plan, now)
        for emptied, into in sorted(self._emptied.items()):
            self._dissolve(emptied, into, plan, now)
        for case in list(self.cases.values()) if self._policy.resolve_after_s is not None else ():
            if case.incident.id not in plan.busy and self._is_done(case, now):
                self._resolve(case, plan, now)
        return plan

    def _settled(self, now: datetime) -> dict[int, list[int]]:
        """Waiting alarms by group: those that have an open incident to go to, and those that waited long enough."""
        groups: dict[int, list[int]] = {}
        for node in self._waiting:
            groups.setdefault(self._grouping.root(node), []).append(node)
        settle, latest = (
            timedelta(seconds=self._policy.settle_s),
            timedelta(seconds=self._policy.settle_max_s),
        )
        return {
            root: sorted(nodes)
            for root, nodes in groups.items()
            if self._open_in(root)
            or now - max(self._waiting[node].since for node in nodes) >= settle
            or now - min(self._waiting[node].since for node in nodes) >= latest
        }

    def _open_in(self, root: int) -> list[Case]:
        """Open incidents of a group that are not full, the oldest first."""
        found = [self.cases[name] for name in self._grouping.group(root).incidents if name in self.cases]
        return sorted(
            (case for case in found if case.is_open and len(case.alarms) < self._policy.most_alarms),
            key=lambda case: case.incident.id,
        )

    def _place(self, root: int, nodes: list[int], plan: _Plan, now: datetime) -> None:
        alarms = [self._alarms[node] for node in nodes]
        cases = self._open_in(root)
        if any(case.incident.id in plan.busy for case in cases):
            return  # at the next step
        if cases:
            plan.placed += nodes
            target = self._target(cases, alarms)
            self._join(target, alarms, self._loose(cases, target), plan, now)
            return
        again = self._to_reopen(root, alarms)
        if again is not None and again.incident.id in plan.busy:
            return
        plan.placed += nodes
        if again is not None:
            self._join(again, alarms, [], plan, now, reopen=True)
            return
        self._open(root, alarms, plan, now)

    def _target(self, cases: list[Case], alarms: list[Alarm]) -> Case:
        """Of several: one that somebody posted or shaped and that is about the same things, then any such, then the oldest."""
        entities = {alarm.entity for alarm in alarms}
        return min(
            cases,
            key=lambda case: (
                not case.shaped,
                case.shaped and entities.isdisjoint(case.incident.affected),
                case.incident.id,
            ),
        )

    def _loose(self, cases: list[Case], target: Case) -> list[Case]:
        room = self._policy.most_alarms - len(target.alarms)
        found = []
        for case in cases:
            if case is not target and not case.shaped and len(case.alarms) <= room:
                found.append(case)
                room -= len(case.alarms)
        return found

    def _join(
        self,
        target: Case,
        alarms: list[Alarm],
        others: list[Case],
        plan: _Plan,
        now: datetime,
        *,
        reopen: bool = False,
    ) -> None:
        """``alarms``, and ``others`` with theirs, become a part of ``target``."""
        by = Author(ACTOR, now)
        base = target.incident
        plan.busy |= {base.id, *(case.incident.id for case in others)}
        everything = dict(target.alarms)
        everything |= {alarm_key(alarm): alarm for alarm in alarms}
        activities: list[Activity] = []
        link = [alarm_key(alarm) for alarm in alarms]
        incident = base
        if reopen and (change := transitions.reopen(base, by, comment="an alarm came back")) is not None:
            incident = change.incident
            activities += change.activities
        if others:
            named = {case.incident.id: (case.incident, list(case.alarms.values())) for case in others}
            merged, *left = transitions.merge(incident, named, by)
            activities += merged.activities
            for case in others:
                everything |= case.alarms
                link += case.alarms
            ranked = sorted(others, key=lambda case: case.incident.id)
            plan.changes += [
                replace(change, base=one.incident) for change, one in zip(left, ranked, strict=True)
            ]
            plan.cases += ranked
        if alarms:
            activities.append(_activity(base.id, "alerts_added", now, _counted(alarms)))
        grown = formed(incident, target.alarms.values(), everything.values())
        plan.changes.append(IncidentChange(grown, tuple(activities), tuple(sorted(set(link))), base=base))
        plan.cases.append(target)

    def _to_reopen(self, root: int, alarms: list[Alarm]) -> Case | None:
        """The incident that these alarms re-open by the policy, the newest."""
        policy = self._policy
        if policy.reopen == "never":
            return None
        first = min(alarm.started_at for alarm in alarms)
        prints = {alarm.fingerprint for alarm in alarms}
        found = [
            case
            for name in self._grouping.group(root).incidents
            if (case := self.cases.get(name)) is not None
            and case.incident.status == "resolved"
            and case.incident.merged_into is None
            and case.incident.ended_at is not None
            and first <= case.incident.ended_at + timedelta(seconds=policy.reopen_s)
            and (
                policy.reopen == "any"
                or (case.resolved_by == ACTOR and any(key[0] in prints for key in case.alarms))
            )
        ]
        return max(found, key=lambda case: case.incident.id, default=None)

    def _open(self, root: int, alarms: list[Alarm], plan: _Plan, now: datetime) -> None:
        incident = opened(_new_id(alarms, now), alarms)
        details = _counted(alarms)
        earlier = sorted(self._grouping.group(root).incidents & set(self.cases))
        if earlier:
            details["after"] = earlier[-1]
        activity = _activity(incident.id, "created", now, details)
        keys = tuple(sorted(alarm_key(alarm) for alarm in alarms))
        plan.changes.append(IncidentChange(incident, (activity,), link=keys))
        plan.cases.append(Case(incident, {}, False, now, now))

    def _take_in(self, incident_id: str, plan: _Plan, now: datetime) -> None:
        """Somebody posted or changed an incident: what was opened from alarms about the same becomes a part of it."""
        case = self.cases.get(incident_id)
        if case is None or not case.is_open or incident_id in plan.busy:
            return
        nodes = [self._nodes[key] for key in case.alarms if key in self._nodes]
        if incident_id in self._named:
            nodes.append(self._named[incident_id][0])
        groups = {self._grouping.root(node) for node in nodes}
        cases = {one.incident.id: one for root in groups for one in self._open_in(root)}
        others = [one for name, one in sorted(cases.items()) if name not in plan.busy and name != incident_id]
        if not case.shaped and others:
            target = self._target([case, *others], [])
            if target is not case:
                case, others = target, [one for one in (case, *others) if one is not target]
        loose = self._loose([case, *others], case)
        if loose:
            self._join(case, [], loose, plan, now)

    def _dissolve(self, emptied: str, into: str, plan: _Plan, now: datetime) -> None:
        case, target = self.cases.get(emptied), self.cases.get(into)
        if case is None or target is None or case.alarms or not case.is_open or {emptied, into} & plan.busy:
            return
        if target.is_open:
            self._join(target, [], [case], plan, now)

    def _is_done(self, case: Case, now: datetime) -> bool:
        if (
            not case.is_open
            or not case.is_over
            or (case.shaped and not self._policy.resolve_posted and not is_grouped(case.incident))
        ):
            return False
        quiet = timedelta(seconds=self._policy.resolve_after_s or 0.0)
        return now - max(case.changed_at, _last_end(case)) >= quiet

    def _resolve(self, case: Case, plan: _Plan, now: datetime) -> None:
        ended = replace(case.incident, ended_at=max(_last_end(case), case.incident.started_at))
        change = transitions.resolve(ended, Author(ACTOR, now), comment="all of its alerts have ended")
        if change is not None:
            plan.changes.append(replace(change, base=case.incident))
            plan.cases.append(case)

    def record(self, plan: _Plan, now: datetime) -> bool:
        """All of it, with how far was read, in one transaction; then it is so. Returns whether anything happened to an incident.

        Raises StoreConflict where somebody else changed one of them meanwhile; then nothing was recorded and everything is
        decided again."""
        kept = set(plan.placed)
        cursor = min(
            (one.mark for node, one in self._waiting.items() if node not in kept), default=self._mark
        )
        if not plan.changes and cursor == self._recorded:
            self._suspects.clear()
            return False
        stored = self._store.record(plan.changes, cursor=(CURSOR, cursor))
        self._recorded = cursor
        self._suspects.clear()
        self._emptied.clear()
        for incident, change, case in zip(stored, plan.changes, plan.cases, strict=True):
            self._apply(case, incident, change, now)
        for node in plan.placed:
            self._leave_waiting(node)
        return bool(plan.changes)

    def _apply(self, case: Case, incident: Incident, change: IncidentChange, now: datetime) -> None:
        kinds = {activity.kind for activity in change.activities}
        case.incident = incident
        self.cases[incident.id] = case
        self._tally.opened += "created" in kinds
        self._tally.resolved += "resolved" in kinds
        self._tally.reopened += "reopened" in kinds
        if incident.merged_into is not None:
            self._tally.merged += 1
            case.alarms = {}
        if "resolved" in kinds:
            case.resolved_by = ACTOR
        for key in change.link:
            node = self._nodes.get(key)
            alarm = self._alarms[node] if node is not None else self._store_alarm(key)
            case.alarms[key] = alarm
            self._homes[key] = incident.id
            if node is not None:
                self._grouping.group(node).incidents.add(incident.id)
        if change.link:
            self._tally.joined += len(change.link)
            case.changed_at = now
        if case.is_open and kinds & {"created", "alerts_added", "merged", "reopened"}:
            case.news(now, urgent="created" in kinds)

    def _store_alarm(self, key: AlarmKey) -> Alarm:
        home = self.cases[self._homes[key]]
        return home.alarms[key]

    # analyses ----------------------------------------------------------------------------------------------------------

    def due(self, now: datetime) -> list[Case]:
        """Open incidents whose analysis is due, those that waited longest first."""
        quiet = timedelta(seconds=self._policy.analyse_quiet_s)
        late = timedelta(seconds=self._policy.analyse_late_s)
        found = [
            case
            for case in self.cases.values()
            if case.news_since is not None
            and case.news_at is not None
            and case.incident.merged_into is None
            and (case.urgent or now - case.news_at >= quiet or now - case.news_since >= late)
        ]
        return sorted(found, key=lambda case: (case.news_since or now, case.incident.id))

    def watch(self, now: datetime) -> None:
        """Late evidence of what is open: changes, anomalies, and after a while anything else."""
        policy = self._policy
        for case in self.cases.values():
            rest = policy.looks_s[case.looks :]
            if case.is_open and rest and now - case.opened_at >= timedelta(seconds=rest[0]):
                case.looks += 1
                case.news(now)
        if self._watched_at is not None and now - self._watched_at < timedelta(seconds=EVIDENCE_EVERY_S):
            return
        self._watched_at = now
        newest = sorted(
            (case for case in self.cases.values() if case.is_open), key=lambda case: case.incident.id
        )
        for case in newest[-LOOKED_AT:]:
            seen = self._seen_around(case)
            if case.known is not None and seen != case.known:
                case.news(now)
            case.known = seen

    def _seen_around(self, case: Case) -> frozenset[object]:
        incident = case.incident
        start = incident.started_at - timedelta(seconds=incident.window_before_s)
        end = (incident.ended_at or incident.started_at) + timedelta(seconds=incident.window_after_s)
        at_s = incident.started_at.timestamp()
        near = set(incident.affected[:500])
        for entity in incident.affected[:50]:
            near.update(self._grouping.reach(entity, at_s))
        seen: set[object] = {
            (one.source, one.external_id, one.ended_at)
            for one in self._store.changes(start=start, end=end)
            if not near.isdisjoint(one.entities)
        }
        seen.update(
            (one.id, one.ended_at)
            for one in self._store.anomalies(start=start, end=end, entities=sorted(near))
        )
        return frozenset(seen)


def _open_incidents(store: IncidentLedger) -> Iterable[Incident]:
    query = IncidentQuery(status=("open", "acknowledged"), limit=500)
    while True:
        rows = store.find_incidents(query)
        yield from (row.incident for row in rows.rows)
        if rows.next is None:
            return
        query = replace(query, after=rows.next)


def _about(alarm: Alarm) -> tuple[str, ...]:
    """Entities that tie an alarm to others; none where it names nothing."""
    if alarm.entity == f"unknown:{alarm.source}":
        return ()
    return (alarm.entity,) if alarm.peer is None else (alarm.entity, alarm.peer)


def _point_of(alarm: Alarm, at: datetime) -> Point:
    return Point(_about(alarm), at.timestamp(), alarm.fingerprint)


def _is_shaped(incident: Incident, told: Iterable[Activity]) -> bool:
    return not is_grouped(incident) or any(
        one.actor != ACTOR and one.kind in ("split", "created", "reopened") for one in told
    )


def _who_resolved(told: Iterable[Activity]) -> str:
    return next((one.actor for one in reversed(tuple(told)) if one.kind == "resolved"), "")


def _owes_analysis(told: Iterable[Activity]) -> bool:
    """Whether something happened since the last analysis that an analysis should know."""
    owes = False
    for one in told:
        if one.kind in ("created", "alerts_added", "alerts_removed", "merged", "split", "reopened"):
            owes = True
        elif one.kind in ("analyzed", "analysis_failed"):
            owes = False
    return owes


def _last_end(case: Case) -> datetime:
    return max(alarm.ended_at or alarm.started_at for alarm in case.alarms.values())


def _counted(alarms: list[Alarm]) -> dict[str, str]:
    return {"alerts": str(len(alarms)), "ids": " ".join(alarm.id for alarm in alarms[:NAMED])}


def _activity(incident_id: str, kind: str, at: datetime, details: dict[str, str]) -> Activity:
    return Activity(incident_id, kind, at, ACTOR, details=details)


def _new_id(alarms: Iterable[Alarm], now: datetime) -> str:
    """A ULID: the clock's milliseconds, then a digest of the alarms, so that the same at the same time is the same."""
    digest = hashlib.sha256()
    for alarm in alarms:
        digest.update(f"{alarm.fingerprint}\x1f{alarm.started_at.isoformat()}\x1e".encode())
    return _ulid(int(now.timestamp() * 1000).to_bytes(6, "big") + digest.digest()[:10])


def _ulid(data: bytes) -> str:
    """Crockford's base 32 of 16 bytes (ULID specification)."""
    number, text = int.from_bytes(data, "big"), ""
    for _ in range(26):
        number, rest = divmod(number, 32)
        text = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[rest] + text
    return text
