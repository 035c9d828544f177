"""What comparisons read out of values, and when they hold."""

from datetime import UTC, datetime

import pytest

from aiops.domain.evidence import Channel, Evidence, EvidenceSet, Reference
from aiops.domain.graph import Entity, Relation, Subgraph
from aiops.domain.occurrences import Incident
from aiops.errors import RuleError
from rules.engine import ClipsRuleEngine
from rules.loader import assemble, parse_pack
from rules.takes import TAKES, UNNAMED

AT = datetime(2026, 1, 1, tzinfo=UTC)
INCIDENT = Incident(id="i", title="t", started_at=AT)


@pytest.mark.parametrize(
    ("take", "prop", "value", "expected"),
    [
        ("text", "status", " Pending ", {"pending"}),
        ("text", "status", "<unset>", set()),
        ("words", "access_modes", "RWO,RWX", {"readwriteonce", "readwritemany"}),
        ("words", "x", "ReadWriteOnce", {"readwriteonce"}),
        ("labels", "labels", "app=web; tier=front,hash=7", {"app=web", "tier=front", "hash=7"}),
        ("labels", "manifest.spec.nodeSelector.example.org/disk", "ssd", {"example.org/disk=ssd"}),
        ("labels", "manifest.spec.selector.matchLabels.env", "test", {"env=test"}),
        ("labels", "labels", "<none>", set()),
        ("label_values", "labels", "app=web; tier=front", {"web", "front"}),
        ("ports", "port", "7000/TCP", {"7000"}),
        ("ports", "port", "grpc  7000/TCP", {"7000"}),
        ("ports", "host_port", "0/TCP", set()),
        ("ports", "target_port", "grpc-api/TCP", {"grpc-api"}),
        ("ports", "targetPort", "http", {"http"}),
        ("ports", "liveness", "http-get http://:8080/_healthz delay=5s timeout=1s period=10s", {"8080"}),
        ("ports", "liveness", "grpc <pod>:7001  delay=5s timeout=1s #success=1 #failure=3", {"7001"}),
        ("ports", "liveness", "http-get http://:http/healthz delay=0s", {"http"}),
        ("ports", "a.ports.grpc.containerPort", "7000", {"7000", "grpc"}),
        ("ports", "a.ports.0.containerPort", "7000", {"7000", UNNAMED}),
        ("transports", "port", "dns  53/UDP", {"udp"}),
        ("transports", "a.ports.dns.protocol", "UDP", {"udp"}),
        ("scheme", "liveness", "http-get http://:7000/ delay=5s", {"http"}),
        ("scheme", "liveness", "http-get https://:7000/ delay=5s", {"https"}),
        ("scheme", "liveness", "tcp-socket :7000 delay=5s", {"tcp"}),
        ("scheme", "liveness", "grpc <pod>:7000", {"grpc"}),
        ("scheme", "liveness", "something else", set()),
        ("host", "environment.A", "cart:7070", {"cart"}),
        ("host", "environment.A", "http://cart.shop.svc.cluster.local:7070/x", {"cart"}),
        ("host", "environment.A", "mail.example.org:25", set()),
        ("host", "environment.A", "10.0.0.7:25", set()),
        ("host", "environment.A", "localhost:25", set()),
        ("host", "environment.A", "8080", set()),
        ("address", "environment.A", "cart:7070", {"cart:7070"}),
        ("own_address", "port", "grpc  7070/TCP", {"web:7070"}),
        ("own_name", "", "", {"web"}),
        ("quantity", "requests.cpu", "250m", {0.25}),
        ("quantity", "requests.memory", "64Mi", {64.0 * 2**20}),
        ("quantity", "allocatable.memory", "15671356Ki", {15671356.0 * 2**10}),
        ("quantity", "replicas", "0 desired | 0 updated", {0.0}),
        ("quantity", "x", "many", set()),
        ("patience", "liveness", "grpc <pod>:1 delay=1s timeout=1s period=2s #success=1 #failure=3", {7.0}),
        ("patience", "liveness", "grpc <pod>:1 delay=1s", set()),
    ],
)
def test_what_is_taken_from_a_value(take: str, prop: str, value: str, expected: set[object]) -> None:
    assert TAKES[take](prop, value, "shop/web") == expected


def fact(entity: str, prop: str, value: str) -> Evidence:
    return Evidence(
        f"{entity}|{prop}", entity, None, "fact", Channel.STATE, prop, AT.timestamp(), 0.0, 0, f"{prop} = {value}",
        Reference("state", prop), attributes={"property": prop, "value": value},
    )  # fmt: skip


def log(entity: str, text: str) -> Evidence:
    return Evidence(
        f"{entity}|log", entity, None, "log", Channel.LOG, text, AT.timestamp(), 3.0, 1, text, Reference("event", "l")
    )  # fmt: skip


GRAPH = Subgraph(
    AT,
    tuple(
        Entity(name, kind, name.partition(":")[2])
        for name, kind in (
            ("container:a/w/c", "container"),
            ("host:n1", "host"),
            ("host:n2", "Node"),
            ("pod:a/w", "pod"),
            ("service:a/s", "Service"),
            ("service:b/s", "Service"),
        )
    ),
    (Relation("container:a/w/c", "PART_OF", "pod:a/w"), Relation("service:a/s", "ROUTES_TO", "pod:a/w")),
)


def fired(compare: str, *items: Evidence, kind: str = "Pod", before: str = "") -> list[str]:
    text = (
        "pack: {name: t, version: 0.1.0, description: d}\nrules:\n"
        f"  - {{id: A-1, title: t, description: d, match: {{entity: {{kind: {kind}}}, "
        f"all: [{before}{{compare: {{{compare}}}}}]}}, "
        "then: {effect: support, weight: 0.5, kind: bad, statement: '{text}'}}\n"
    )
    engine = ClipsRuleEngine(assemble([parse_pack(text.encode(), "t.yaml")]))
    facts = tuple(item for item in items if item.kind == "fact")
    seen = EvidenceSet(tuple(item for item in items if item.kind != "fact"), facts=facts)
    outcome = engine.evaluate(INCIDENT, GRAPH, seen)
    assert outcome.gaps == ()
    for firing in outcome.firings:
        assert firing.evidence
    return [f"{firing.entity} {','.join(firing.evidence)}" for firing in outcome.firings]


def both(test: str, left: str, right: str, take: str = "words") -> bool:
    sides = f"left: {{property: l, take: {take}}}, test: {test}, right: {{property: r, take: {take}}}"
    return bool(fired(sides, fact("pod:a/w", "l", left), fact("pod:a/w", "r", right)))


@pytest.mark.parametrize(
    ("test", "left", "right", "holds"),
    [
        ("disjoint", "a b", "c", True),
        ("disjoint", "a b", "b", False),
        ("overlap", "a b", "b c", True),
        ("overlap", "a", "b", False),
        ("not_within", "a b", "b c", True),
        ("not_within", "b", "b c", False),
        ("equal", "a b", "b a", True),
        ("equal", "a", "a b", False),
        ("differs", "a", "a b", True),
        ("differs", "a b", "b a", False),
        ("within_some", "a", "a b", True),
        ("within_none", "a c", "a b", True),
        ("within_none", "a", "a b", False),
    ],
)
def test_tests_of_sets(test: str, left: str, right: str, holds: bool) -> None:
    assert both(test, left, right) is holds
    assert both(test, "<none>", right) is False  # what was not observed proves nothing


@pytest.mark.parametrize(
    ("test", "left", "right", "holds"),
    [
        ("above_all", "2Gi", "1Gi", True),
        ("above_all", "1Gi", "1Gi", False),
        ("below", "250m", "1", True),
        ("below", "1", "250m", False),
        ("below", "some", "1", False),
    ],
)
def test_tests_of_numbers(test: str, left: str, right: str, holds: bool) -> None:
    assert both(test, left, right, "quantity") is holds


def test_the_right_side_is_found_by_way_kind_place_and_fact() -> None:
    wanted, near = fact("service:a/s", "target_port", "9/TCP"), fact("container:a/w/c", "port", "8/TCP")
    way = (
        "left: {property: target_port, take: ports}, test: disjoint, "
        "right: {way: [ROUTES_TO, PART_OF], kind: Container, property: port, take: ports}"
    )
    assert fired(way, wanted, near, kind="Service") == [
        "service:a/s service:a/s|target_port,container:a/w/c|port"
    ]
    assert fired(way, wanted, kind="Service") == []
    nodes = (
        "left: {property: sel, take: labels}, test: within_some, "
        "right: {kind: [Host, Node], property: labels, take: labels"
    )
    seen = (
        fact("pod:a/w", "sel", "d=1"),
        fact("host:n1", "labels", "d=1; z=1"),
        fact("host:n2", "labels", "d=2"),
    )
    assert fired(nodes + "}", *seen) == ["pod:a/w pod:a/w|sel,host:n1|labels"]
    shut = nodes + ", where: {property: shut, is: 'true'}}"
    assert fired(shut, *seen) == []
    assert fired(shut, *seen, fact("host:n1", "shut", "true")) == ["pod:a/w pod:a/w|sel,host:n1|labels"]
    names = (
        "left: {property: env, take: host}, test: overlap, "
        "right: {kind: Service, same_place: true, take: own_name}"
    )
    assert fired(names, fact("pod:a/w", "env", "s:1")) == ["pod:a/w pod:a/w|env"]


def test_a_value_must_be_quoted_where_that_is_asked_for() -> None:
    compare = (
        "left: {property: env, take: host}, test: not_within, "
        "right: {kind: Service, same_place: true, take: own_name}, quoted_by: lost"
    )
    before = "{evidence: {as: lost, kind: log, text: {contains: lookup}}}, "
    env = fact("pod:a/w", "env", "cart:1")
    assert fired(compare, env, log("pod:a/w", "lookup cart: no such host"), before=before)
    assert not fired(compare, env, log("pod:a/w", "lookup cart-db: no such host"), before=before)


def test_names_of_ports_count_only_where_names_are_known() -> None:
    compare = (
        "left: {property: target, take: ports}, test: disjoint, "
        "right: {property: ['port', '*.containerPort'], take: ports}"
    )
    named, number = fact("pod:a/w", "target", "api/TCP"), fact("pod:a/w", "port", "80/TCP")
    assert fired(compare, named, number) == []
    assert fired(compare, named, number, fact("pod:a/w", "x.ports.http.containerPort", "80"))
    assert not fired(compare, named, number, fact("pod:a/w", "x.ports.api.containerPort", "80"))


def test_facts_are_no_evidence_of_trouble() -> None:
    text = (
        "pack: {name: t, version: 0.1.0, description: d}\nrules:\n"
        "  - {id: A-1, title: t, description: d, match: {all: [{evidence: {text: {contains: Pending}, chronic: true}}]}, "
        "then: {effect: support, weight: 0.5, kind: bad, statement: '{text}'}}\n"
        "  - {id: B-1, title: t, description: d, match: {all: [{fact: {property: status, is: Pending}}]}, "
        "then: {effect: support, weight: 0.5, kind: bad, statement: '{text}'}}\n"
    )
    engine = ClipsRuleEngine(assemble([parse_pack(text.encode(), "t.yaml")]))
    seen = EvidenceSet((), facts=(fact("pod:a/w", "status", "Pending"),))
    assert [firing.rule for firing in engine.evaluate(INCIDENT, GRAPH, seen).firings] == ["B-1"]


B = "right: {property: b, take: text}"


@pytest.mark.parametrize(
    ("compare", "says"),
    [
        (f"left: {{property: a, take: guess}}, test: equal, {B}", "'guess' is not known"),
        (f"left: {{property: a, take: text}}, test: likes, {B}", "'likes' is not known"),
        (f"left: {{property: a, take: text}}, test: below, {B}", "does not compare what 'text'"),
        (f"left: {{take: text}}, test: equal, {B}", "either a 'property' or 'values'"),
        (f"left: {{kind: Service, take: own_name}}, test: equal, {B}", "names alone"),
        (f"left: {{values: [a], take: text}}, test: equal, {B}", "no constants"),
        (f"left: {{property: a, take: text}}, test: equal, {B[:-1]}, values: [b]}}", "either"),
        (
            "left: {property: a, take: text}, test: equal, right: {values: [b], take: text, kind: Pod}",
            "alone",
        ),
        (f"left: {{property: a, take: text, way: [USES, USES, USES, USES]}}, test: equal, {B}", "1 to 3"),
        (f"left: {{property: a, take: text}}, test: equal, {B}, quoted_by: zz", "no evidence of the entity"),
    ],
)
def test_refused_comparisons(compare: str, says: str) -> None:
    with pytest.raises(RuleError) as caught:
        fired(compare)
    assert says in str(caught.value)
