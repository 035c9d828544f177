"""The list of incidents: filtered, sorted and cut in the embedded database."""
# ruff: noqa: S608 (the only things formatted into SQL here are constant names and question marks)

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiops.domain.incident_records import IncidentQuery, IncidentRow, IncidentRows
from aiops.store.incident_pages import Page, page_of
from aiops.store.sqlite_rows import INCIDENT_COLUMNS, Row, incident_of, micros
from aiops.store.sqlite_schema import SqliteDatabase, marks

#: By what expression the rows are sorted.
_KEYS: Mapping[str, str] = {
    "started_at": "i.started_at",
    "severity": "i.severity_rank",
    "status": "i.status_rank",
    "confidence": "coalesce(i.confidence, -1.0)",
    "alerts": "i.alarms",
}

_SHOWN = ", ".join(f"i.{name}" for name in INCIDENT_COLUMNS.split(", "))

#: Open alarms are counted for the rows of the page only.
_OPEN = (
    "(SELECT count(*) FROM incident_alarm l JOIN alarm a USING (fingerprint, started_at)"
    " WHERE l.incident_id = i.id AND a.ended_at IS NULL)"
)


def find_incidents(db: SqliteDatabase, query: IncidentQuery) -> IncidentRows:
    """See :meth:`aiops.contracts.IncidentLedger.find_incidents`."""
    page = page_of(query)
    limit = max(page.query.limit, 0)
    where, given = _filters(page.query)
    held = " AND ".join(["1", *where])
    behind, place = _behind(page)
    key, way = _KEYS[page.sort], "DESC" if page.descending else "ASC"
    order = (
        f"{key} {way}, i.started_at DESC, i.id DESC"
        if page.sort != "started_at"
        else f"{key} {way}, i.id DESC"
    )
    sql = (
        f"WITH page AS (SELECT i.id FROM incident i WHERE {held} AND {behind} ORDER BY {order} LIMIT ?)"
        f" SELECT {_SHOWN}, i.analysis, i.verdict, i.cause, i.cause_kind, i.confidence, i.alarms, {_OPEN}, {key}"
        f" FROM page JOIN incident i ON i.id = page.id ORDER BY {order}"
    )
    with db.read() as connection:
        (total,) = connection.execute(f"SELECT count(*) FROM incident i WHERE {held}", given).fetchone()
        rows = connection.execute(sql, (*given, *place, limit + 1)).fetchall()
    shown = rows[:limit]
    last = page.place(shown[-1][-1], shown[-1][2], shown[-1][0]) if len(rows) > limit and shown else None
    return IncidentRows(tuple(map(_line, shown)), last, int(total))


def _line(row: Row) -> IncidentRow:
    return IncidentRow(incident_of(row), *row[16:23])


def _behind(page: Page) -> tuple[str, Sequence[object]]:
    """The condition that a row comes behind the place at which the page begins."""
    if page.after is None:
        return "1", ()
    key, sign = _KEYS[page.sort], "<" if page.descending else ">"
    after = page.after
    if page.sort == "started_at" and page.descending:
        return "(i.started_at, i.id) < (?, ?)", (after.started_at, after.id)
    return (
        f"{key} {sign}= ? AND ({key} {sign} ? OR (i.started_at, i.id) < (?, ?))",
        (after.key, after.key, after.started_at, after.id),
    )


def _filters(query: IncidentQuery) -> tuple[list[str], list[object]]:
    where: list[str] = []
    given: list[object] = []

    def ask(condition: str, *values: object) -> None:
        where.append(condition)
        given.extend(values)

    if query.status:
        ask(f"i.status IN ({marks(len(query.status))})", *query.status)
    if query.severity:
        ask(f"i.severity IN ({marks(len(query.severity))})", *query.severity)
    if query.source is not None:
        ask("i.source = ?", query.source)
    if query.entity is not None:
        ask("i.id IN (SELECT incident_id FROM incident_entity WHERE entity_id = ?)", query.entity)
    for name, value in query.labels.items():
        ask("i.id IN (SELECT incident_id FROM incident_label WHERE name = ? AND value = ?)", name, value)
    if query.since is not None:
        ask("i.started_at >= ?", micros(query.since))
    if query.until is not None:
        ask("i.started_at < ?", micros(query.until))
    if query.q:
        ask("instr(i.searched, ?) > 0", query.q.casefold())
    if query.min_confidence is not None:
        ask("i.confidence >= ?", query.min_confidence)
    if query.cause is not None:
        ask("i.cause = ?", query.cause)
    if not query.merged:
        ask("i.merged_into IS NULL")
    return where, given
