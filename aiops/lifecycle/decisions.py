"""What becomes of alarms that wait and of incidents that are over: decided first, then recorded in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aiops.domain.incident_records import Activity, AlarmKey, IncidentChange, alarm_key
from aiops.domain.occurrences import Alarm, Incident
from aiops.lifecycle import regrouping, transitions
from aiops.lifecycle.book import Book
from aiops.lifecycle.cases import Case, formed, is_grouped, opened
from aiops.lifecycle.outline import outline_of
from aiops.lifecycle.policy import ACTOR
from aiops.lifecycle.records import CURSOR
from aiops.lifecycle.transitions import Author

NAMED = 20  # ids of alarms in an activity


@dataclass(slots=True)
class Plan:
    """What is to be recorded, and what is true once it is."""

    changes: list[IncidentChange]
    cases: list[Case]
    placed: list[int]
    busy: set[str]  # incidents that are changed already


class Decisions(Book):
    """A book with what is to be done about what stands in it."""

    def decide(self, now: datetime) -> Plan:
        """What is to be recorded at ``now``; nothing is different until it is."""
        plan = Plan([], [], [], set())
        for root, nodes in sorted(self._settled(now).items()):
            self._place(root, nodes, plan, now)
        for incident_id in sorted(self._suspects):
            self._take_in(incident_id, plan, now)
        for emptied, into in sorted(self._emptied.items()):
            self._dissolve(emptied, into, plan, now)
        if self._policy.resolve_after_s is not None:
            self._end(plan, now)
        return plan

    def _end(self, plan: Plan, now: datetime) -> None:
        for incident_id in sorted(self._ending):
            case = self.cases[incident_id]
            if not self._may_end(case):
                self._ending.discard(incident_id)
            elif incident_id not in plan.busy and self._is_quiet(case, now):
                self._resolve(case, plan, now)

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

    def _place(self, root: int, nodes: list[int], plan: Plan, now: datetime) -> None:
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
        plan: Plan,
        now: datetime,
        *,
        reopen: bool = False,
    ) -> None:
        """``alarms``, and ``others`` with theirs, become a part of ``target``."""
        by = Author(ACTOR, now)
        base = target.incident
        plan.busy |= {base.id, *(case.incident.id for case in others)}
        joining = {alarm_key(alarm): alarm for alarm in alarms}
        activities: list[Activity] = []
        link = [alarm_key(alarm) for alarm in alarms]
        incident = base
        if reopen and (change := transitions.reopen(base, by, comment="an alarm came back")) is not None:
            incident = change.incident
            activities += change.activities
        if others:
            named = {case.incident.id: (case.incident, list(case.alarms.values())) for case in others}
            merged, *left = regrouping.merge(incident, named, by)
            activities += merged.activities
            for case in others:
                joining |= case.alarms
                link += case.alarms
            ranked = sorted(others, key=lambda case: case.incident.id)
            plan.changes += [
                replace(change, base=one.incident) for change, one in zip(left, ranked, strict=True)
            ]
            plan.cases += ranked
        if alarms:
            activities.append(_activity(base.id, "alerts_added", now, _counted(alarms)))
        incident = self._grown(incident, target, joining)
        plan.changes.append(IncidentChange(incident, tuple(activities), tuple(sorted(set(link))), base=base))
        plan.cases.append(target)

    def _grown(self, incident: Incident, case: Case, joining: Mapping[AlarmKey, Alarm]) -> Incident:
        """``incident``, which is that of ``case``, with the alarms ``joining`` it."""
        before = case.outline
        new = [alarm for key, alarm in joining.items() if key not in case.alarms]
        after = outline_of(new) if before is None else before.and_of(new)
        if after is None:
            return incident
        reach = self._reach((*joining, *case.alarms)) if self._outlived else None
        return formed(incident, before, after, reach)

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

    def _open(self, root: int, alarms: list[Alarm], plan: Plan, now: datetime) -> None:
        outline = outline_of(alarms)
        assert outline is not None
        incident = opened(_new_id(alarms, now), outline, self._reach(map(alarm_key, alarms)))
        details = _counted(alarms)
        earlier = sorted(name for name in self._grouping.group(root).incidents if name in self.cases)
        if earlier:
            details["after"] = earlier[-1]
        activity = _activity(incident.id, "created", now, details)
        keys = tuple(sorted(alarm_key(alarm) for alarm in alarms))
        plan.changes.append(IncidentChange(incident, (activity,), link=keys))
        plan.cases.append(Case(incident, {}, False, now, now))

    def _reach(self, keys: Iterable[AlarmKey]) -> datetime | None:
        """When the last maintenance ended that one of these outlived."""
        return max((self._outlived[key] for key in keys if key in self._outlived), default=None)

    def _take_in(self, incident_id: str, plan: Plan, now: datetime) -> None:
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

    def _dissolve(self, emptied: str, into: str, plan: Plan, now: datetime) -> None:
        case, target = self.cases.get(emptied), self.cases.get(into)
        if case is None or target is None or case.alarms or not case.is_open or {emptied, into} & plan.busy:
            return
        if target.is_open:
            self._join(target, [], [case], plan, now)

    def _may_end(self, case: Case) -> bool:
        by_itself = not case.shaped or self._policy.resolve_posted or is_grouped(case.incident)
        return case.is_open and by_itself and case.is_over

    def _is_quiet(self, case: Case, now: datetime) -> bool:
        quiet = timedelta(seconds=self._policy.resolve_after_s or 0.0)
        return now - max(case.changed_at, _last_end(case)) >= quiet

    def _resolve(self, case: Case, plan: Plan, now: datetime) -> None:
        ended = replace(case.incident, ended_at=max(_last_end(case), case.incident.started_at))
        change = transitions.resolve(ended, Author(ACTOR, now), comment="all of its alerts have ended")
        if change is not None:
            plan.changes.append(replace(change, base=case.incident))
            plan.cases.append(case)

    def record(self, plan: Plan, now: datetime) -> bool:
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
            case.hold({})
        if "resolved" in kinds:
            case.resolved_by = ACTOR
        for key in change.link:
            node = self._nodes.get(key)
            alarm = self._alarms[node] if node is not None else self._store_alarm(key)
            case.put(key, alarm)
            self._homes[key] = incident.id
            if node is not None:
                self._grouping.group(node).incidents.add(incident.id)
        if change.link:
            self._tally.joined += len(change.link)
            case.changed_at = now
        self._file(case)
        if case.is_open and kinds & {"created", "alerts_added", "merged", "reopened"}:
            self.news(case, now, urgent="created" in kinds)
        if kinds & {"created", "reopened"}:
            self._plan_look(case)

    def _store_alarm(self, key: AlarmKey) -> Alarm:
        home = self.cases[self._homes[key]]
        return home.alarms[key]


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
