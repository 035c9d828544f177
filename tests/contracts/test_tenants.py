"""Two tenants in one Neo4j database, with the same ids everywhere, see nothing of each other, through any method there is.

What a method does for a tenant beside another one is compared with what it does on an empty store in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from aiops.contracts import ChangeFeed, GraphStore, IncidentLedger, IncidentStore
from aiops.domain.graph import Entity, GraphDelta
from aiops.domain.incident_records import Activity, Feedback, IncidentChange, IncidentQuery, alarm_key
from aiops.domain.occurrences import Change, Incident
from aiops.errors import AiopsError
from aiops.store.memory import MemoryGraphStore
from aiops.store.neo4j import Neo4jGraphStore
from servers.neo4j_server import Neo4jServer
from tests.contracts.conftest import Store
from tests.support.graph_statements import NOON, an_alarm, an_anomaly, minutes, runs_on
from tests.support.neo4j_server import empty, query

pytestmark = pytest.mark.integration

HOUR = {"start": minutes(0), "end": minutes(60)}
ALARM = an_alarm(ended_at=minutes(1))
OPEN = an_alarm(fingerprint="open")
KEYS = (alarm_key(ALARM), alarm_key(OPEN))


def incident(who: str) -> Incident:
    return Incident(
        "I1", f"of {who}", NOON, external_id="7", affected=("host:db-3",), labels={"team": "shop"}
    )


def delta(who: str) -> GraphDelta:
    host = Entity("host:db-3", "Host", f"db-{who}", ("gateway", f"alias-{who}"), {"tenant": who})
    return GraphDelta("lab", (host,), (runs_on(),))


def judged(who: str) -> Feedback:
    return Feedback("F1", "", NOON, who, "wrong", root_entity=f"host:{who}", resolution=who)


def change(who: str) -> Change:
    return Change("c1", "argo", "7", f"by {who}", "deploy", minutes(2), minutes(3), ("host:db-3",))


def window(who: str) -> Change:
    return replace(change(who), id="m1", external_id="8", kind="maintenance")


Call = Callable[[Any, str], object]

#: One call or more of each method that asks, with ids that both tenants use, and with ids and words of the other one.
READS: Mapping[str, Call] = {
    "entity": lambda s, _: (s.entity("host:db-3"), s.entity("host:alpha")),
    "find_entities": lambda s, _: [s.find_entities(q) for q in ("", "alpha", "gateway", "db", "o")],
    "resolve": lambda s, _: s.resolve(["host:db-3", "gateway", "alias-alpha", "db-alpha", "alias-beta"]),
    "nearest_names": lambda s, _: [s.nearest_names(name) for name in ("alias-alpho", "gatewai", "db-alpha")],
    "neighbourhood": lambda s, _: s.neighbourhood(
        ["host:db-3", "service:shop/cart", "host:alpha"], as_of=NOON, depth=3, limit=99
    ),
    "export": lambda s, _: (s.export(as_of=NOON), replace(s.export(), as_of=NOON)),
    "alarms": lambda s, _: (s.alarms(**HOUR), s.alarms(**HOUR, entities=["host:db-3", "host:alpha"])),
    "anomalies": lambda s, _: (s.anomalies(**HOUR), s.anomalies(**HOUR, entities=["host:db-3"])),
    "change": lambda s, _: [s.change("argo", number) for number in ("7", "8", "alpha")],
    "changes": lambda s, _: s.changes(**HOUR),
    "maintenance": lambda s, _: s.maintenance(**HOUR),
    "unmatched": lambda s, _: s.unmatched(),
    "counts": lambda s, _: s.counts(),
    "incident": lambda s, _: s.incident("I1"),
    "incidents": lambda s, _: (s.incidents(), outcome(lambda: s.incidents(before="I1"))),
    "analysis": lambda s, _: (s.analysis("I1"), s.analysis("I1", 1)),
    "find_incidents": lambda s, _: [
        s.find_incidents(asked)
        for asked in (
            IncidentQuery(),
            IncidentQuery(q="alpha"),
            IncidentQuery(entity="host:db-3"),
            IncidentQuery(labels={"team": "shop"}),
            IncidentQuery(cause="host:alpha"),
            IncidentQuery(sort="-alerts", limit=1),
        )
    ],
    "activities": lambda s, _: (s.activities(), outcome(lambda: s.activities(incident_id="I1"))),
    "latest_activity": lambda s, _: s.latest_activity(),
    "feedback": lambda s, _: (s.feedback(), outcome(lambda: s.feedback("I1"))),
    "incident_alarms": lambda s, _: outcome(lambda: s.incident_alarms("I1")),
    "histories": lambda s, _: s.histories(["I1", "I2"]),
    "incidents_with": lambda s, _: s.incidents_with(KEYS),
    "analysis_heads": lambda s, _: outcome(lambda: s.analysis_heads("I1")),
    "past_incidents": lambda s, _: s.past_incidents(before=minutes(60)),
    "cursor": lambda s, _: s.cursor("grouping"),
    "alarms_since": lambda s, _: s.alarms_since(0),
    "topology_mark": lambda s, _: s.topology_mark(),
    "touched_since": lambda s, _: s.touched_since(0),
    "entities_by_id": lambda s, _: s.entities_by_id(["host:db-3", "host:alpha"]),
    "relations_from": lambda s, _: s.relations_from(["service:shop/cart", "host:db-3"]),
    "every_entity": lambda s, _: sorted(s.every_entity(), key=lambda entity: entity.id),
    "every_relation": lambda s, _: tuple(s.every_relation()),
}

#: One call of each method that writes, of what the other tenant has too, in an order in which they succeed alone.
WRITES: Mapping[str, Call] = {
    "put_alarms": lambda s, who: s.put_alarms([replace(row, message=who) for row in (ALARM, OPEN)]),
    "put_anomalies": lambda s, who: s.put_anomalies([an_anomaly(detector=who)]),
    "put_changes": lambda s, who: s.put_changes([change(who), window(who)]),
    "apply": lambda s, who: s.apply(delta(who), at=minutes(0)),
    "put_incident": lambda s, who: s.put_incident(incident(who)),
    "put_analysis": lambda s, who: s.put_analysis("I1", who.encode(), at=NOON, causes=[(f"host:{who}", 0.5)]),
    "put_analysis_with": lambda s, who: s.put_analysis_with(
        "I1",
        who.encode(),
        at=NOON,
        causes=[(f"host:{who}", 0.7)],
        verdict=who,
        cause_kind=who,
        activities=[Activity("", "analyzed", NOON, who)],
    ),
    "record": lambda s, who: s.record(
        [
            IncidentChange(
                replace(incident(who), status="resolved"),
                (Activity("", "resolved", NOON, who),),
                link=KEYS,
                feedback=judged(who),
            )
        ],
        cursor=("grouping", len(who)),
    ),
    "lease": lambda s, who: s.lease("keeper", who, now=NOON, seconds=60),
}

#: Writes that take things away; what they would take of the other tenant is compared too.
REMOVALS: Mapping[str, Call] = {
    "apply": lambda s, _: s.apply(GraphDelta("lab", complete=True), at=minutes(5)),
    "prune": lambda s, _: s.prune(before=NOON + timedelta(days=900)),
    "record": lambda s, who: s.record([IncidentChange(incident(who), unlink=KEYS)]),
}


def outcome(call: Callable[[], object]) -> object:
    """What it returns, or what kind of error it raises."""
    try:
        return call()
    except AiopsError as exc:
        return type(exc)


def asked(store: Store, who: str) -> dict[str, object]:
    return {name: outcome(lambda call=call: call(store, who)) for name, call in READS.items()}  # type: ignore[misc]


@pytest.fixture
def tenants(neo4j_server: Neo4jServer) -> Iterator[tuple[Store, Store]]:
    """Stores of two tenants of one database; the first one holds all sorts of things."""
    login = (neo4j_server.uri, neo4j_server.user, neo4j_server.password)
    with closing(Neo4jGraphStore(*login)) as first:
        first.counts()  # a new database gets its schema at the first question, and with it a count of the default tenant
    empty(neo4j_server)
    alpha = Neo4jGraphStore(*login, tenant="alpha")
    for call in WRITES.values():
        call(alpha, "alpha")
    yield alpha, alpha.for_tenant("beta")
    alpha.close()
    empty(neo4j_server)


def test_no_method_is_forgotten() -> None:
    protocols = (GraphStore, IncidentStore, IncidentLedger, ChangeFeed)
    methods = {name for each in protocols for name in vars(each) if not name.startswith("_")}
    assert {*READS, *WRITES, *REMOVALS, "close"} == methods


def test_a_tenant_does_everything_as_if_it_were_alone(tenants: tuple[Store, Store]) -> None:
    alpha, beta = tenants
    before = asked(alpha, "alpha")
    assert "alpha" in repr(before)
    alone = MemoryGraphStore()
    assert asked(beta, "beta") == asked(alone, "beta")
    for name, call in WRITES.items():
        assert outcome(lambda call=call: call(beta, "beta")) == outcome(
            lambda call=call: call(alone, "beta")
        ), name  # type: ignore[misc]
        seen = asked(beta, "beta")
        assert seen == asked(alone, "beta"), name
        assert "alpha" not in repr(seen).replace("host:alpha", "").replace("alias-alpha", "").replace(
            "db-alpha", ""
        )
    assert asked(alpha, "alpha") == before
    for name, call in REMOVALS.items():
        assert outcome(lambda call=call: call(beta, "beta")) == outcome(
            lambda call=call: call(alone, "beta")
        ), name  # type: ignore[misc]
        assert asked(beta, "beta") == asked(alone, "beta"), name
    assert asked(alpha, "alpha") == before


def test_a_change_of_the_other_tenants_incident_finds_none(tenants: tuple[Store, Store]) -> None:
    alpha, beta = tenants
    stored = alpha.incident("I1")
    assert stored is not None
    for call in (
        lambda: beta.record([IncidentChange(stored, base=stored)]),
        lambda: beta.record([IncidentChange(replace(stored, id="I2", external_id=None), link=KEYS)]),
        lambda: beta.put_incident(replace(stored, id="I2", external_id=None, merged_into="I1")),
        lambda: beta.put_analysis("I1", b"{}", at=NOON, causes=[]),
    ):
        with pytest.raises(AiopsError):
            call()
    assert beta.incidents() == ()
    assert alpha.incident_alarms("I1") == (replace(ALARM, message="alpha"), replace(OPEN, message="alpha"))


def test_nothing_in_the_database_leads_from_one_tenant_to_another(
    tenants: tuple[Store, Store], neo4j_server: Neo4jServer
) -> None:
    _, beta = tenants
    for call in WRITES.values():
        call(beta, "beta")
    crossing = (
        "MATCH (a)-[r]->(b) WHERE coalesce(a.tenant, '') <> coalesce(b.tenant, '?') RETURN type(r) AS r"
    )
    assert query(neo4j_server, crossing) == []
    nobodys = "MATCH (n) WHERE n.tenant IS NULL AND NOT n:Aiops RETURN labels(n) AS labels"
    assert query(neo4j_server, nobodys) == []
    counted = "MATCH (n) WHERE NOT n:Aiops RETURN n.tenant AS tenant, count(*) AS many ORDER BY tenant"
    alphas, betas = query(neo4j_server, counted)
    assert (alphas["tenant"], betas["tenant"], alphas["many"]) == ("alpha", "beta", betas["many"])
