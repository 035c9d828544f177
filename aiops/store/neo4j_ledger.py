"""What happens to incidents, in Neo4j: activities, feedback, links to alarms, cursors and leases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from aiops.domain.incident_records import (
    Activity,
    AlarmKey,
    Feedback,
    IncidentChange,
    PastIncident,
)
from aiops.domain.occurrences import Alarm, Incident
from aiops.store.ledger import (
    MAX_JUDGED,
    check_base,
    check_cursor,
    check_lease,
    check_merged,
    checked_changes,
    lease_is_free,
    settled,
    told_cause,
    told_of_each,
    told_resolution,
)
from aiops.store.merge import shortened, utc
from aiops.store.neo4j_incident_rows import (
    activity_of,
    feedback_of,
    head_of,
    incident_of,
    native,
)
from aiops.store.neo4j_incidents import (
    Neo4jIncidents,
    append_activities,
    check_known,
    lock_incidents,
    lock_origins,
    write_incidents,
)
from aiops.store.neo4j_judgements import write_feedback
from aiops.store.neo4j_labels import LOCK
from aiops.store.neo4j_links import link_alarms
from aiops.store.neo4j_rows import ALARM, alarm_of, key_of
from aiops.store.neo4j_statements import found_in_batches, rows, tuples
from aiops.store.neo4j_tenancy import ACTIVITIES, Tx, counted
from aiops.store.occurrence_merge import merged_incident

_CURSOR = "cursor:"


class Neo4jLedger(Neo4jIncidents):
    """IncidentStore and IncidentLedger."""

    def put_incident(self, incident: Incident) -> Incident:
        (stored,) = self.record([IncidentChange(incident)])
        return stored

    def record(
        self, changes: Sequence[IncidentChange], *, cursor: tuple[str, int] | None = None
    ) -> tuple[Incident, ...]:
        checked = checked_changes(changes)
        check_cursor(cursor)
        given = 0  # the number of the first activity, as the first try gave it
        tries = 0

        def work(tx: Tx) -> tuple[Incident, ...]:
            nonlocal given, tries
            tries += 1
            plan = _planned(tx, checked, again=tries > 1)
            write_incidents(tx, plan.changed)
            for incident in plan.stored:
                if incident.merged_into is not None:
                    check_known(tx, incident.merged_into)
            link_alarms(tx, [(row.id, change) for row, change in zip(plan.stored, checked, strict=True)])
            write_feedback(tx, plan.feedback)
            if not (given and _happened(tx, given, plan.activities)):
                given = append_activities(tx, plan.activities)
            if cursor is not None:
                _keep_cursor(tx, *cursor)
            return plan.stored

        return self._graph.write(work)

    def activities(
        self, *, incident_id: str | None = None, after: int = 0, limit: int = 500
    ) -> tuple[Activity, ...]:
        match = "MATCH (a:Activity {tenant: $tenant})"
        if incident_id is not None:
            match += "-[:HAPPENED_TO]->(:Incident {tenant: $tenant, id: $id})"
        cypher = f"{match} WHERE $after < a.number <= $newest RETURN properties(a) AS a ORDER BY a.number LIMIT $limit"
        given = {"after": after, "newest": self._graph.settled(ACTIVITIES), "limit": max(limit, 0)}

        def work(tx: Tx) -> tuple[Activity, ...]:
            if incident_id is not None:
                check_known(tx, incident_id)
            found = rows(tx, cypher, id=shortened(incident_id or ""), **given)
            return tuple(activity_of(row["a"]) for row in found)

        return self._graph.read(work)

    def latest_activity(self) -> int:
        return self._graph.settled(ACTIVITIES)

    def feedback(self, incident_id: str | None = None, *, limit: int = 500) -> tuple[Feedback, ...]:
        match = "MATCH (f:Feedback {tenant: $tenant})"
        if incident_id is not None:
            match += "-[:JUDGES]->(:Incident {tenant: $tenant, id: $id})"
        cypher = (
            f"{match} RETURN properties(f) AS f"
            " ORDER BY f.at DESC, coalesce(f.full_id, f.id) DESC LIMIT $limit"
        )

        def work(tx: Tx) -> tuple[Feedback, ...]:
            if incident_id is not None:
                check_known(tx, incident_id)
            found = rows(tx, cypher, id=shortened(incident_id or ""), limit=max(limit, 0))
            return tuple(feedback_of(row["f"]) for row in found)

        return self._graph.read(work)

    def incident_alarms(self, incident_id: str) -> tuple[Alarm, ...]:
        cypher = (
            "MATCH (:Incident {tenant: $tenant, id: $id})<-[:PART_OF_INCIDENT]-(n:Alarm)"
            f" RETURN {ALARM} ORDER BY n.started_at, n.fingerprint"
        )

        def work(tx: Tx) -> tuple[Alarm, ...]:
            check_known(tx, incident_id)
            return tuple(map(alarm_of, tuples(tx, cypher, id=shortened(incident_id))))

        return self._graph.read(work)

    def histories(
        self, incident_ids: Sequence[str]
    ) -> Mapping[str, tuple[tuple[Alarm, ...], tuple[Activity, ...]]]:
        wanted = {shortened(one): one for one in incident_ids}
        match = "UNWIND $ids AS id MATCH (i:Incident {tenant: $tenant, id: id})"
        alarms = (
            f"{match}<-[:PART_OF_INCIDENT]-(n:Alarm) RETURN {ALARM}, id ORDER BY n.started_at, n.fingerprint"
        )
        told = (
            f"{match}<-[:HAPPENED_TO]-(a:Activity) WHERE a.number <= $newest"
            " RETURN properties(a) AS a ORDER BY a.number"
        )
        newest = self._graph.settled(ACTIVITIES)

        def work(tx: Tx) -> Mapping[str, tuple[tuple[Alarm, ...], tuple[Activity, ...]]]:
            ids = sorted(wanted)
            known = [wanted[row[0]] for row in tuples(tx, f"{match} RETURN id", ids=ids)]
            held = [(wanted[row[-1]], alarm_of(row)) for row in tuples(tx, alarms, ids=ids)]
            happened = [activity_of(row["a"]) for row in rows(tx, told, ids=ids, newest=newest)]
            return told_of_each(known, held, happened)

        return self._graph.read(work)

    def incidents_with(self, keys: Sequence[AlarmKey]) -> Mapping[AlarmKey, str]:
        wanted = {key_of(name, at.isoformat()): (name, at) for name, at in ((k, utc(t)) for k, t in keys)}
        cypher = "MATCH (:Alarm {tenant: $tenant, key: row})-[:PART_OF_INCIDENT]->(i:Incident)"
        found = self._graph.read(
            lambda tx: found_in_batches(tx, cypher, sorted(wanted), returned="row, coalesce(i.full_id, i.id)")
        )
        return {wanted[key]: owner for key, owner in found}

    def past_incidents(self, *, before: datetime, limit: int = 500) -> tuple[PastIncident, ...]:
        cypher = (
            "MATCH (n:Incident {tenant: $tenant}) WHERE n.status = 'resolved' AND n.merged_into IS NULL"
            " AND n.started_at < $before"
            " WITH n ORDER BY n.started_at DESC, coalesce(n.full_id, n.id) DESC LIMIT $limit"
            " RETURN properties(n) AS n, [(a:Alarm)-[:PART_OF_INCIDENT]->(n) | a.name] AS names,"
            " [(a:Analysis)-[:OF]->(n) | a {.number, .at, .verdict, .cause, .cause_kind, .confidence}] AS analyses,"
            " [(f:Feedback)-[:JUDGES]->(n) | properties(f)] AS judged"
            " ORDER BY n.started_at DESC, coalesce(n.full_id, n.id) DESC"
        )
        given = {"before": utc(before), "limit": max(limit, 0)}
        return tuple(map(_past, self._graph.read(lambda tx: rows(tx, cypher, **given))))

    def cursor(self, name: str) -> int:
        return self._graph.read(lambda tx: counted(tx, _CURSOR + name))

    def lease(self, name: str, holder: str, *, now: datetime, seconds: float) -> bool:
        check_lease(name, holder, seconds)
        at = utc(now)

        def work(tx: Tx) -> bool:
            (row,) = rows(
                tx,
                "MERGE (l:AiopsLease {tenant: $tenant, name: $name})"
                f" WITH l REMOVE l.{LOCK} WITH l RETURN l.holder AS holder, l.until AS until",
                name=name,
            )
            until = native(row["until"])
            free = lease_is_free(None if until is None else (row["holder"], until), holder, at)
            if free:
                rows(
                    tx,
                    "MATCH (l:AiopsLease {tenant: $tenant, name: $name}) SET l.holder = $holder, l.until = $until",
                    name=name,
                    holder=holder,
                    until=at + timedelta(seconds=seconds),
                )
            return free

        return self._graph.write(work)


@dataclass
class _Plan:
    """What a list of changes does: the incidents that are stored after it in the order of the changes; those that change, by
    id, as (old, new); feedback and activities."""

    stored: tuple[Incident, ...] = ()
    changed: dict[str, tuple[Incident | None, Incident]] = field(default_factory=dict)
    feedback: list[Feedback] = field(default_factory=list)
    activities: list[Activity] = field(default_factory=list)


def _planned(tx: Tx, changes: Sequence[IncidentChange], *, again: bool) -> _Plan:
    """Locks the incidents that are there already. ``again``: what a change asks for may be stored by an earlier try."""
    before = lock_incidents(tx, [change.incident.id for change in changes]) | lock_origins(tx, changes)
    now = dict(before)
    plan = _Plan()
    for change in changes:
        posted = change.incident
        by_key = next((row for row in now.values() if _same_origin(row, posted)), None)
        merged = merged_incident(by_key, now.get(posted.id), posted)
        check_merged(merged)
        old = now.get(merged.id)
        if not (again and old == merged):
            check_base(change.base, old)
        now[merged.id] = merged
        plan.stored = (*plan.stored, merged)
        if change.feedback is not None:
            plan.feedback.append(replace(change.feedback, incident_id=merged.id))
        plan.activities += settled(change.activities, merged.id, existed=old is not None)
    plan.changed = {
        incident.id: (before.get(incident.id), incident)
        for incident in (now[row.id] for row in plan.stored)
        if before.get(incident.id) != incident
    }
    return plan


def _same_origin(stored: Incident, posted: Incident) -> bool:
    return posted.external_id is not None and (stored.source, stored.external_id) == (
        posted.source,
        posted.external_id,
    )


def _happened(tx: Tx, first: int, activities: Sequence[Activity]) -> bool:
    """Whether an earlier try, whose answer was lost, has written ``activities`` from the number ``first`` on."""
    last = first + len(activities) - 1
    cypher = (
        "MATCH (a:Activity {tenant: $tenant}) WHERE $first <= a.number <= $last"
        " RETURN properties(a) AS a ORDER BY a.number"
    )
    found = [activity_of(row["a"]) for row in rows(tx, cypher, first=first, last=last)]
    return [replace(row, number=0, kind="") for row in found] == [replace(row, kind="") for row in activities]


def _keep_cursor(tx: Tx, name: str, value: int) -> None:
    rows(
        tx,
        "MERGE (c:AiopsCounter {tenant: $tenant, name: $name}) SET c.value = $value",
        name=_CURSOR + name,
        value=value,
    )


def _past(row: Mapping[str, object]) -> PastIncident:
    node, names, analyses, judged = (row[name] for name in ("n", "names", "analyses", "judged"))
    assert isinstance(node, dict)
    assert isinstance(names, list)
    assert isinstance(analyses, list)
    assert isinstance(judged, list)
    told = sorted(map(feedback_of, judged), key=lambda each: (each.at, each.id), reverse=True)[:MAX_JUDGED]
    heads = sorted(map(head_of, analyses), key=lambda head: head.number)
    cause, kind, confirmed = told_cause(told, heads)
    return PastIncident(
        incident_of(node), tuple(sorted(set(names))), cause, kind, confirmed, told_resolution(told)
    )
