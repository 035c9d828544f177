"""The list of incidents: filtered, sorted and cut in Neo4j."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiops.domain.incident_records import IncidentQuery, IncidentRow, IncidentRows
from aiops.store.incident_pages import Page, page_of
from aiops.store.merge import shortened
from aiops.store.neo4j_incident_rows import incident_of, native
from aiops.store.neo4j_rows import pairs
from aiops.store.neo4j_statements import rows
from aiops.store.neo4j_tenancy import TenantGraph, Tx
from aiops.store.sqlite_rows import micros, moment

#: By what expression the rows are sorted.
_KEYS: Mapping[str, str] = {
    "started_at": "n.started_at",
    "severity": "n.severity_rank",
    "status": "n.status_rank",
    "confidence": "coalesce(n.confidence, -1.0)",
    "alerts": "coalesce(n.alarms, 0)",
}

_ID = "coalesce(n.full_id, n.id)"

#: Conditions of the members of a query that are asked for by a parameter.
_FILTERS: Mapping[str, str] = {
    "status": "n.status IN $status",
    "severity": "n.severity IN $severity",
    "source": "n.source = $source",
    "labels": "all(label IN $labels WHERE label IN n.labels)",
    "since": "n.started_at >= $since",
    "until": "n.started_at < $until",
    "q": "n.searched CONTAINS $q",
    "min_confidence": "n.confidence >= $min_confidence",
    "cause": "n.cause = $cause",
}


#: That index, named: the planner takes a smaller one where there are filters, and reads every node for them.
_HINT = " USING INDEX n:Incident(tenant, listed, started_at, status, severity)"
#: By whether merged incidents are wanted too: conditions under which an index has every incident.
_INDEXED: Mapping[bool, Sequence[str]] = {
    True: ("n.tenant = $tenant", "n.started_at IS NOT NULL"),
    False: (
        "n.tenant = $tenant",
        "n.listed = true",
        "n.started_at IS NOT NULL",
        "n.status IS NOT NULL",
        "n.severity IS NOT NULL",
    ),
}


def find_incidents(graph: TenantGraph, query: IncidentQuery) -> IncidentRows:
    """See :meth:`aiops.contracts.IncidentLedger.find_incidents`."""
    page = page_of(query)
    limit = max(page.query.limit, 0)
    match, given = _asked(page.query)
    key, way = _KEYS[page.sort], "DESC" if page.descending else "ASC"
    behind, place = _behind(page)
    order = f"{key} {way}, {'n.started_at DESC, ' if page.sort != 'started_at' else ''}{_ID} DESC"
    first = "".join(f"{name} {way}, " for name in _before(page))
    listed = (
        f"{match}{behind} WITH n ORDER BY {first}{order} LIMIT $limit"
        f" RETURN properties(n) AS n, {key} AS key,"
        " COUNT { (n)<-[:PART_OF_INCIDENT]-(a:Alarm) WHERE a.ended_at IS NULL } AS open"
        f" ORDER BY {order}"
    )

    def work(tx: Tx) -> tuple[int, list[Mapping[str, Any]]]:
        (counted,) = rows(tx, f"{match} RETURN count(n) AS total", **given)
        return int(counted["total"]), rows(tx, listed, **given, **place, limit=limit + 1)

    total, found = graph.read(work)
    shown = found[:limit]
    more = len(found) > limit and shown
    return IncidentRows(tuple(map(_line, shown)), _place(page, shown[-1]) if more else None, total)


def _line(row: Mapping[str, Any]) -> IncidentRow:
    node = row["n"]
    return IncidentRow(
        incident_of(node),
        node.get("analysis"),
        node.get("verdict"),
        node.get("cause"),
        node.get("cause_kind"),
        node.get("confidence"),
        node.get("alarms", 0),
        row["open"],
    )


def _place(page: Page, row: Mapping[str, Any]) -> str:
    began = native(row["n"]["started_at"])
    assert began is not None
    started_at = micros(began)
    key = started_at if page.sort == "started_at" else row["key"]
    return page.place(key, started_at, row["n"].get("full_id") or row["n"]["id"])


def _behind(page: Page) -> tuple[str, Mapping[str, object]]:
    """The condition that a node comes behind the place at which the page begins."""
    if page.after is None:
        return "", {}
    key, sign, after = _KEYS[page.sort], "<" if page.descending else ">", page.after
    began = moment(after.started_at)
    condition = (
        f" AND {key} {sign}= $key AND ({key} {sign} $key OR n.started_at < $began"
        f" OR (n.started_at = $began AND {_ID} < $id))"
    )
    by_time = page.sort == "started_at"
    return condition, {"key": began if by_time else after.key, "began": began, "id": after.id}


def _asked(query: IncidentQuery) -> tuple[str, Mapping[str, object]]:
    """The beginning of a statement that finds what is asked for, and its parameters."""
    given: dict[str, object] = {
        "status": list(query.status),
        "severity": list(query.severity),
        "source": query.source,
        "labels": pairs(query.labels),
        "since": query.since,
        "until": query.until,
        "q": query.q.casefold(),
        "min_confidence": query.min_confidence,
        "cause": query.cause,
    }
    used = {name: value for name, value in given.items() if value not in (None, "", [])}
    match, always = f"MATCH (n:Incident){'' if query.merged else _HINT}", list(_INDEXED[query.merged])
    if query.entity is not None:
        match = "MATCH (:Entity {tenant: $tenant, id: $entity})<-[:AFFECTS]-(n:Incident)"
        always = ["n.tenant = $tenant", *([] if query.merged else ["n.listed = true"])]
        used["entity"] = shortened(query.entity)
    conditions = [condition for name, condition in _FILTERS.items() if name in used]
    return f"{match} WHERE {' AND '.join([*always, *conditions])}", used


def _before(page: Page) -> Sequence[str]:
    """What all rows have in common and the index that gives them in order begins with: named, so that the database need not
    sort all to know the first."""
    if page.sort != "started_at" or page.query.entity is not None:
        return ()
    return ("n.tenant",) if page.query.merged else ("n.tenant", "n.listed")
