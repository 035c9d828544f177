"""A load with kill -9 of the API, and of Neo4j, in it: what was acknowledged is there at the end, exactly once.

``python -m benchmarks.load [--quick] [--only sqlite|neo4j] [-o FILE]``
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import orjson

from aiops.domain.incident_records import IncidentQuery, alarm_key
from aiops.domain.occurrences import Alarm
from aiops.store.neo4j import Neo4jGraphStore
from aiops.store.sqlite import SqliteGraphStore
from benchmarks.report import Result, parser, result, write
from benchmarks.served import Served, Wire
from servers.neo4j_server import Neo4jServer, start
from servers.processes import free_port

SEED = 11
HOSTS = 200
PASSWORD = "only-for-this-run"
ALERTS = 5  # in a delivery
EVERY_S = 0.1
KILL_S = (6.0, 18.0)
RETRY_S = 0.2
GROUPED_WITHIN_S = 600.0
QUIET_S = 5.0

Store = SqliteGraphStore | Neo4jGraphStore


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser(__doc__ or "").parse_args(arguments)
    seconds = 60.0 if options.quick else 900.0
    rows: list[Result] = []
    for store in ("sqlite", "neo4j"):
        if options.only in (None, store):
            with tempfile.TemporaryDirectory(prefix="aiops-load-", ignore_cleanup_errors=True) as folder:
                rows += run(Path(folder), store, seconds)
            write(rows, seed=SEED, output=options.output)


@dataclass(slots=True)
class Acknowledged:
    """What the server said that it has."""

    alerts: set[str] = field(default_factory=set)
    incidents: dict[str, str] = field(default_factory=dict)  # title: id
    feedback: dict[str, str] = field(default_factory=dict)  # comment: incident
    owners: dict[str, str] = field(default_factory=dict)  # incident: owner
    waits_ms: list[float] = field(default_factory=list)
    repeats: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    odd: list[str] = field(default_factory=list)  # answers that are neither done nor "try again"


@dataclass(slots=True)
class Verdict:
    """What is wrong at the end; nothing: all is well."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)


def run(folder: Path, store: str, seconds: float, seed: int = SEED) -> list[Result]:
    """The load on one store, and what it found. Raises AssertionError where anything was lost or doubled."""
    neo4j = (
        start(folder / "neo4j", PASSWORD, bolt=free_port(), http=free_port()) if store == "neo4j" else None
    )
    server = _server(folder, neo4j)
    # A server goes with the thread that started it, so that thread lives until the store was checked.
    starter = ThreadPoolExecutor(1)
    try:
        server.start()
        done, neo4j = asyncio.run(_load(folder, server, neo4j, seconds, random.Random(seed), starter))
        with closing(_opened(folder, neo4j)) as opened:
            grouped_s = _until_grouped(opened)
            server.kill()
            verdict = check(opened, done)
    finally:
        server.kill()
        if neo4j is not None:
            neo4j.stop()
        starter.shutdown()
    for what, found in (("lost", verdict.lost), ("doubled", verdict.doubled), ("odd answers", done.odd)):
        assert not found, f"{what}: {len(found)}, among them {found[:20]}"
    counted = {
        "alerts acknowledged": len(done.alerts),
        "incidents acknowledged": len(done.incidents),
        "feedback acknowledged": len(done.feedback),
        "changes acknowledged": len(done.owners),
        "deliveries sent again": done.repeats,
        "kill -9 of the API": done.kills["api"],
        "kill -9 of Neo4j": done.kills["neo4j"],
        "lost": len(verdict.lost),
        "doubled": len(verdict.doubled),
    }
    about = f"load on {store}, {seconds:.0f} s"
    return [
        *(result(f"{about}: {name}", [float(n)], "") for name, n in counted.items()),
        result(f"{about}: until every alert is in an incident", [grouped_s], "s"),
    ]


def _server(folder: Path, neo4j: Neo4jServer | None) -> Served:
    server = Served(folder / "data", {"AIOPS_MODEL_ENABLED": "false"}, port=free_port())
    if neo4j is not None:
        server.arguments = ("--store", "neo4j")
        server.environment = {
            **server.environment,
            "AIOPS_NEO4J_URI": neo4j.uri,
            "AIOPS_NEO4J_USER": neo4j.user,
            "AIOPS_NEO4J_PASSWORD": neo4j.password,
        }
    return server


async def _load(
    folder: Path,
    server: Served,
    neo4j: Neo4jServer | None,
    seconds: float,
    rng: random.Random,
    starter: Executor,
) -> tuple[Acknowledged, Neo4jServer | None]:
    done = Acknowledged()
    run_on = asyncio.get_running_loop().run_in_executor
    topology = {
        "source": "load",
        "at": "2026-01-01T00:00:00Z",
        "entities": [{"id": f"host:h{n}", "kind": "Host", "name": f"h{n}"} for n in range(HOSTS)]
        + [{"id": f"device:d{n}", "kind": "Device", "name": f"d{n}"} for n in range(HOSTS // 10)],
        "relations": [
            {"from": f"host:h{n}", "kind": "DEPENDS_ON", "to": f"device:d{n // 10}"} for n in range(HOSTS)
        ],
    }
    sender = Sender(server, done)
    await sender.insist("POST", "/api/v1/topology:import", topology)
    ends = time.monotonic() + seconds
    senders = [
        asyncio.create_task(work(Sender(server, done), random.Random(rng.random()), ends))
        for work in (_alerts, _alerts, _keyed, _natural, _judge, _change)
    ]
    while time.monotonic() < ends - 10.0:
        await asyncio.sleep(min(rng.uniform(*KILL_S), max(0.0, ends - 10.0 - time.monotonic())))
        if neo4j is not None and (not done.kills["neo4j"] or rng.random() < 0.4):
            done.kills["neo4j"] += 1
            await run_on(starter, neo4j.kill)
            bolt, http = (int(uri.rsplit(":", 1)[1]) for uri in (neo4j.uri, neo4j.http))
            again = partial(start, folder / "neo4j", PASSWORD, bolt=bolt, http=http)
            neo4j = await run_on(starter, again)
        else:
            done.kills["api"] += 1
            await run_on(starter, server.kill)
            await run_on(starter, server.start)
    await asyncio.gather(*senders)
    return done, neo4j


class Sender:
    """Sends one thing after the other, each again and again until it is acknowledged."""

    def __init__(self, server: Served, done: Acknowledged) -> None:
        self._wire = Wire(server.port)
        self.done = done

    async def insist(
        self, method: str, path: str, document: object, headers: dict[str, str] | None = None
    ) -> dict[str, object] | None:
        """The answer; None where there never will be one, which is kept among the odd ones."""
        body, begun = orjson.dumps(document), time.perf_counter()
        while True:
            try:
                status, said = await asyncio.wait_for(self._wire.ask(method, path, body, headers), 30.0)
            except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError):
                status, said = 0, b""
            if 200 <= status < 300:
                self.done.waits_ms.append((time.perf_counter() - begun) * 1000)
                return dict(orjson.loads(said)) if said else {}
            if status not in (0, 409, 429, 500, 502, 503, 504):
                self.done.odd.append(f"{method} {path}: {status} {said[:300]!r}")
                return None
            if time.perf_counter() - begun > 240.0:
                self.done.odd.append(f"{method} {path}: never acknowledged, at last {status} {said[:300]!r}")
                return None
            self.done.repeats += 1
            await asyncio.sleep(RETRY_S)


async def _alerts(sender: Sender, rng: random.Random, ends: float) -> None:
    own, number = f"{rng.getrandbits(32):08x}", 0
    while time.monotonic() < ends:
        names = [f"{own}-{number + one}" for one in range(ALERTS)]
        number += ALERTS
        now = datetime.now(UTC)
        alerts = [
            {
                "labels": {"alertname": "Down", "host": f"h{rng.randrange(HOSTS)}", "number": name},
                "startsAt": now.isoformat(),
                "endsAt": (now + timedelta(hours=1)).isoformat(),
            }
            for name in names
        ]
        if await sender.insist("POST", "/api/v2/alerts", alerts) is not None:
            sender.done.alerts.update(names)
        await asyncio.sleep(EVERY_S)


def _incident(rng: random.Random, title: str) -> dict[str, object]:
    return {
        "title": title,
        "source": "load",
        "affected": [{"ref": f"host:h{rng.randrange(HOSTS)}"}],
        "analyze": rng.random() < 0.3,
    }


async def _keyed(sender: Sender, rng: random.Random, ends: float) -> None:
    while time.monotonic() < ends:
        title = f"keyed {rng.getrandbits(64):016x}"
        answer = await sender.insist(
            "POST", "/api/v1/incidents?wait=0s", _incident(rng, title), {"Idempotency-Key": title}
        )
        if answer is not None:
            sender.done.incidents[title] = str(answer["id"])
        await asyncio.sleep(EVERY_S * 3)


async def _natural(sender: Sender, rng: random.Random, ends: float) -> None:
    while time.monotonic() < ends:
        title = f"natural {rng.getrandbits(64):016x}"
        document = {**_incident(rng, title), "external_id": title}
        for _ in range(2):
            answer = await sender.insist("POST", "/api/v1/incidents?wait=0s", document)
            if answer is not None:
                sender.done.incidents[title] = str(answer["id"])
        await asyncio.sleep(EVERY_S * 3)


async def _judge(sender: Sender, rng: random.Random, ends: float) -> None:
    while time.monotonic() < ends:
        await asyncio.sleep(EVERY_S * 3)
        if sender.done.incidents:
            comment = f"feedback {rng.getrandbits(64):016x}"
            incident_id = rng.choice(sorted(sender.done.incidents.values()))
            answer = await sender.insist(
                "POST",
                f"/api/v1/incidents/{incident_id}/feedback",
                {"verdict": "unknown", "comment": comment},
                {"Idempotency-Key": comment},
            )
            if answer is not None:
                sender.done.feedback[comment] = incident_id


async def _change(sender: Sender, rng: random.Random, ends: float) -> None:
    while time.monotonic() < ends:
        await asyncio.sleep(EVERY_S * 3)
        keyed = {one for title, one in sender.done.incidents.items() if title.startswith("keyed")}
        fresh = sorted(keyed - set(sender.done.owners))
        if fresh:
            incident_id, owner = rng.choice(fresh), f"owner {rng.getrandbits(32):08x}"
            answer = await sender.insist("PATCH", f"/api/v1/incidents/{incident_id}", {"owner": owner})
            if answer is not None:
                sender.done.owners[incident_id] = owner


def _until_grouped(store: Store) -> float:
    """Until each acknowledged alert is in an incident, as the keeper still reads what came last; how many seconds that took."""
    begun = time.monotonic()
    while time.monotonic() - begun < GROUPED_WITHIN_S:
        if not _homeless(store, _alarms(store)) and time.monotonic() - begun > QUIET_S:
            break
        time.sleep(2.0)
    return time.monotonic() - begun


def _alarms(store: Store) -> list[Alarm]:
    now = datetime.now(UTC)
    return list(store.alarms(start=now - timedelta(days=1), end=now + timedelta(days=1)))


def _homeless(store: Store, alarms: Sequence[Alarm]) -> list[str]:
    homes = store.incidents_with([alarm_key(alarm) for alarm in alarms])
    return [alarm.id for alarm in alarms if alarm_key(alarm) not in homes]


def _opened(folder: Path, neo4j: Neo4jServer | None) -> Store:
    if neo4j is None:
        return SqliteGraphStore(folder / "data" / "graph.sqlite")
    return Neo4jGraphStore(neo4j.uri, neo4j.user, neo4j.password)


def check(store: Store, done: Acknowledged) -> Verdict:
    """Reads the store itself: each acknowledged thing once, each alarm in one incident."""
    verdict = Verdict()
    alarms = _alarms(store)
    seen = Counter(alarm.labels.get("number", "") for alarm in alarms)
    _compare(verdict, "alert", done.alerts, seen)
    verdict.lost += [f"alert in no incident: {alarm_id}" for alarm_id in _homeless(store, alarms)]
    titles: Counter[str] = Counter()
    query = IncidentQuery(limit=500)
    while True:
        page = store.find_incidents(query)
        for row in page.rows:
            one = row.incident
            titles[one.title] += one.source == "load"
            if done.incidents.get(one.title, one.id) != one.id:
                verdict.doubled.append(f"incident {one.title} has another id")
            if done.owners.get(one.id, one.owner) != one.owner:
                verdict.lost.append(f"owner of {one.id}: {one.owner!r}")
        if page.next is None:
            break
        query = IncidentQuery(limit=500, after=page.next)
    _compare(verdict, "incident", set(done.incidents), titles)
    comments: Counter[str] = Counter()
    for incident_id in sorted(set(done.feedback.values())):
        comments.update(one.comment for one in store.feedback(incident_id))
    _compare(verdict, "feedback", set(done.feedback), comments)
    return verdict


def _compare(verdict: Verdict, what: str, acknowledged: set[str], seen: Counter[str]) -> None:
    verdict.lost += [f"{what} {name}" for name in sorted(acknowledged) if not seen[name]]
    verdict.doubled += [
        f"{what} {name}: {count}" for name, count in sorted(seen.items()) if name and count > 1
    ]


if __name__ == "__main__":
    main()
