"""How long the graph store takes for what people and pages ask, on a large site, and to read that site in.

``python -m benchmarks.lookups [--quick] [--only sqlite|neo4j] [-o FILE]``; 100,000 entities and 400,000 relations, with two
aliases each, 10,000 open alarms and as many ended, 20,000 changes, 10,000 incidents; a tenth of it with ``--quick``.
Neo4j is started for the run.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Protocol

from aiops.contracts import ChangeFeed, GraphStore, IncidentLedger, IncidentStore
from aiops.domain.graph import Entity, GraphDelta
from aiops.domain.incident_records import Activity, IncidentChange, IncidentQuery, alarm_key
from aiops.domain.occurrences import Alarm, Change, Incident
from aiops.store.neo4j import Neo4jGraphStore
from aiops.store.sqlite import SqliteGraphStore
from aiops.store.sqlite_schema import groups
from benchmarks.report import Result, parser, result, write
from benchmarks.site import LEARNED, SEED, START, centres
from servers.neo4j_server import start as start_neo4j
from servers.processes import free_port

SECOND = timedelta(seconds=1)

#: Alarms, changes or incidents in one call.
ROWS = 500


class Store(GraphStore, IncidentStore, IncidentLedger, ChangeFeed, Protocol):
    """What every graph store is."""


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser(__doc__ or "").parse_args(arguments)
    size = 10_000 if options.quick else 100_000
    opened = {"sqlite": _sqlite, "neo4j": _neo4j}
    rows: list[Result] = []
    for name, opening in opened.items():
        if options.only in (None, name):
            with opening() as store:
                rows += [replace(row, name=f"{name}: {row.name}") for row in measured(store, size)]
    write(rows, seed=SEED, output=options.output)


@contextmanager
def _sqlite() -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteGraphStore(Path(folder) / "graph.db")
        yield store
        store.close()


@contextmanager
def _neo4j() -> Iterator[Store]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = start_neo4j(Path(folder), "only-for-this-run", bolt=free_port(), http=free_port())
        store = Neo4jGraphStore(server.uri, server.user, server.password)
        store.counts()
        yield store
        store.close()
        server.stop()


def named(entity: Entity, number: int) -> Entity:
    """With an address and a long name."""
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}:9100"
    return replace(entity, aliases=(address, f"{entity.name.replace('/', '.')}.example.net"))


def measured(store: Store, size: int) -> list[Result]:
    """Fill the store and ask it."""
    begun = time.perf_counter()
    number = relations = 0
    ids: list[str] = []
    for centre in centres(size):
        entities = tuple(named(entity, number + at) for at, entity in enumerate(centre.entities))
        number, relations = number + len(entities), relations + len(centre.relations)
        ids += [entity.id for entity in entities]
        store.apply(GraphDelta("site", entities, tuple(centre.relations)), at=LEARNED)
    spent = time.perf_counter() - begun
    rows = [result(f"import of {number} entities and {relations} relations", [spent], "s")]
    rows += _filled(store, ids, size)
    rows += [result(name, _times(call), "ms") for name, call in _questions(store, ids).items()]
    return rows


def _filled(store: Store, ids: Sequence[str], size: int) -> list[Result]:
    count = size // 10
    alarms = [
        Alarm(f"a{n}", f"f{n}", f"Alarm{n % 40}", ids[n * 7 % len(ids)], START + n * SECOND)
        for n in range(2 * count)
    ]
    alarms = [
        row if n % 2 else replace(row, ended_at=row.started_at + 60 * SECOND) for n, row in enumerate(alarms)
    ]
    changes = [
        Change(f"c{n}", "argo", f"{n}", "deploy", "deploy", START + n * SECOND, None, (ids[n % len(ids)],))
        for n in range(2 * count)
    ]
    incidents = [
        IncidentChange(
            Incident(
                f"I{n}",
                f"incident {n} of {ids[n]}",
                START + n * SECOND,
                affected=(ids[n],),
                labels={"team": f"{n % 9}"},
            ),
            (Activity("", "created", START, "bench"),),
            link=(alarm_key(alarms[n]),),
        )
        for n in range(count)
    ]
    fills: dict[str, list[Callable[[], object]]] = {
        "alarms": [partial(store.put_alarms, part) for part in groups(alarms, ROWS)],
        "changes": [partial(store.put_changes, part) for part in groups(changes, ROWS)],
        "incidents with an activity and an alarm": [
            partial(store.record, part) for part in groups(incidents, ROWS)
        ],
    }
    rows: list[Result] = []
    for what, calls in fills.items():
        begun = time.perf_counter()
        for call in calls:
            call()
        rows.append(result(f"{len(calls) * ROWS} {what}, {ROWS} a call", [time.perf_counter() - begun], "s"))
    return rows


def _questions(store: Store, ids: Sequence[str]) -> dict[str, Callable[[], object]]:
    last = len(ids) // 10
    start, end = START + (last - 300) * SECOND, START + last * SECOND
    some = [ids[n * 31 % len(ids)] for n in range(500)]
    page = IncidentQuery()
    touched = iter(range(10**6))

    def record() -> object:
        n = next(touched)
        incident = Incident(f"N{n}", "new", START, affected=(ids[n],))
        return store.record([IncidentChange(incident, (Activity("", "created", START, "bench"),))])

    return {
        "entity": lambda: store.entity(ids[len(ids) // 2]),
        "resolve 1 name": lambda: store.resolve([ids[-1]]),
        "resolve 500 names": lambda: store.resolve(some),
        "nearest names of a name with a slip": lambda: store.nearest_names("dc0001-r03-h0l"),
        "nearest names of a long id": lambda: store.nearest_names("pod:dc0001-ns03/app07-5c7d-9"),
        "nearest names of something else": lambda: store.nearest_names("payment gateway"),
        "search: 1 entity": lambda: store.find_entities("dc0001-ns03/app07-5c7d-3/main"),
        "search: 500 entities": lambda: store.find_entities("ns03/app07"),
        "search: all entities": lambda: store.find_entities("example.net"),
        "search: all services": lambda: store.find_entities("service:"),
        "search: two letters": lambda: store.find_entities("h0"),
        "search: nothing": lambda: store.find_entities("payment"),
        "entities of a kind": lambda: store.find_entities(kind="Volume"),
        "unmatched": lambda: store.unmatched(),
        "alarms of 500 entities in 5 minutes": lambda: store.alarms(start=start, end=end, entities=some),
        "alarms in 5 minutes": lambda: store.alarms(start=start, end=end),
        "changes in 5 minutes": lambda: store.changes(start=start, end=end),
        "changes in an hour": lambda: store.changes(start=START, end=START + timedelta(hours=1)),
        "alarms of an incident": lambda: store.incident_alarms("I500"),
        "incidents of 500 alarms": lambda: store.incidents_with(
            [(f"f{n}", START + n * SECOND) for n in range(500)]
        ),
        "list of incidents": lambda: store.find_incidents(page),
        "list: open, by severity": lambda: store.find_incidents(
            replace(page, status=("open",), sort="-severity")
        ),
        "list: by alerts": lambda: store.find_incidents(replace(page, sort="-alerts")),
        "list: words": lambda: store.find_incidents(replace(page, q="incident 777")),
        "list: label": lambda: store.find_incidents(replace(page, labels={"team": "3"})),
        "list: entity": lambda: store.find_incidents(replace(page, entity=ids[77])),
        "record an incident": record,
        "put 1 alarm": lambda: store.put_alarms(
            [Alarm("x", f"x{next(touched)}", "New", ids[9], START, labels={"site": "fra1"})]
        ),
        "alarms since": lambda: store.alarms_since(last),
        "touched since": lambda: store.touched_since(store.topology_mark() - 1),
        "neighbourhood": lambda: store.neighbourhood([ids[500]], as_of=START, depth=3, limit=2000),
        "counts": lambda: store.counts(),
    }


def _times(call: Callable[[], object], most_s: float = 4.0) -> list[float]:
    """Milliseconds of up to seven calls; fewer where they take long. The first one is not counted."""
    call()
    spent: list[float] = []
    while len(spent) < 7 and (not spent or sum(spent) < most_s * 1000):
        begun = time.perf_counter()
        done = call()
        if isinstance(done, Iterator):
            done = list(chain(done))
        spent.append(1000 * (time.perf_counter() - begun))
    return spent


if __name__ == "__main__":
    main()
