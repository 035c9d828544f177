"""A generated site of any size: racks to databases, faults that spread as the relation kinds say, alarms, noise, signals.

One data centre is about 4,900 entities and 19,500 relations, and its spines peer with those of the next: what lies around a
fault does not depend on how large the site is. Noise is as dense everywhere. The same seed gives the same site.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from aiops.domain.batches import LOG_SCHEMA, EntitySeries
from aiops.domain.graph import Entity, GraphDelta, Relation
from aiops.domain.occurrences import Alarm, Change, Incident, Symptom

SEED = 7
START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
#: When the topology was first stated, and when pods were moved last.
LEARNED, MOVED = START - timedelta(days=30), START - timedelta(days=2)
RACKS, HOSTS, NAMESPACES, APPS, REPLICAS = 10, 16, 20, 15, 4
DATABASES, CALLS = 20, 5
#: Entities of one data centre, nearly.
CENTRE = 4_900
#: Alarms that mean nothing, a data centre.
NOISE = 42
#: What fails in the first data centres, by their place; minutes apart.
FAULTS = (("host", "database"), ("deploy", "host"))
STEP_S, HISTORY_S, LINES = 30.0, 3600.0, 40
METRICS = ("cpu_usage", "latency_p95_s", "error_rate")


@dataclass(frozen=True, slots=True)
class Fault:
    """``culprit`` failed at ``at``; ``effects`` are those it took along, nearest first; ``named``: what is complained of."""

    kind: str
    culprit: str
    at: datetime
    effects: tuple[str, ...]
    named: tuple[str, ...]
    beside: tuple[str, ...]  # healthy things near it that are measured too


@dataclass(slots=True)
class Centre:
    """One data centre while it is made."""

    name: str
    entities: list[Entity] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    racks: list[str] = field(default_factory=list)
    services: list[str] = field(default_factory=list)
    databases: list[str] = field(default_factory=list)
    pods: dict[str, list[str]] = field(default_factory=dict)  # by service
    host_of: dict[str, str] = field(default_factory=dict)  # by pod or database
    calls: dict[str, list[str]] = field(default_factory=dict)
    uses: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, name: str) -> str:
        entity_id = f"{kind.lower()}:{name}"
        self.entities.append(Entity(entity_id, kind, name))
        return entity_id

    def relate(self, source: str, kind: str, target: str, provenance: str, group: str | None = None) -> None:
        self.relations.append(Relation(source, kind, target, provenance, redundancy_group=group))

    def callers(self, service: str) -> list[str]:
        return [caller for caller, called in self.calls.items() if service in called]


def centres(entities: int, seed: int = SEED) -> Iterator[Centre]:
    """As many data centres as make about ``entities`` entities, one after the other; no more than one is held."""
    count = max(1, round(entities / CENTRE))
    for number in range(count):
        made = _centre(f"dc{number:04d}", random.Random(seed * 1_000_003 + number))
        if number + 1 < count:
            for side in range(2):
                ends = [f"device:dc{which:04d}-spine{side}" for which in (number, number + 1)]
                made.relate(ends[0], "PEERS_WITH", ends[1], "bgp")
        yield made


def delta(centre: Centre) -> GraphDelta:
    """All that a source says of a data centre."""
    return GraphDelta("site", tuple(centre.entities), tuple(centre.relations))


def moves(centre: Centre, seed: int = SEED) -> tuple[GraphDelta, GraphDelta]:
    """Where every eighth pod ran until it was moved: the statement, and its end."""
    draw = random.Random(f"{seed} {centre.name}")
    pods = [pod for pods in centre.pods.values() for pod in pods][::8]
    rows = tuple(Relation(pod, "RUNS_ON", draw.choice(centre.hosts), "kube_pod_info") for pod in pods)
    rows = tuple(row for row in rows if centre.host_of[row.source_id] != row.target_id)
    ends = tuple((row.source_id, row.kind, row.target_id) for row in rows)
    return GraphDelta("kube_pod_info", relations=rows), GraphDelta("kube_pod_info", closed=ends)


def _centre(name: str, draw: random.Random) -> Centre:
    made = Centre(name)
    _racks(made)
    for number in range(NAMESPACES):
        _namespace(made, f"{name}-ns{number:02d}", draw)
    for number in range(DATABASES):
        _database(made, number, draw)
    _connect(made, draw)
    return made


def _racks(made: Centre) -> None:
    site = made.add("Site", made.name)
    spines = [made.add("Device", f"{made.name}-spine{number}") for number in range(2)]
    for number in range(RACKS):
        label = f"{made.name}-r{number:02d}"
        rack, switch = made.add("Rack", label), made.add("Device", f"{label}-tor")
        made.racks.append(rack)
        made.relate(rack, "PART_OF", site, "netbox")
        made.relate(switch, "PART_OF", rack, "netbox")
        for spine in spines:
            made.relate(switch, "CONNECTED_TO", spine, "lldp", "uplinks")
        feeds = [made.add("PowerUnit", f"{label}-pdu{side}") for side in "ab"]
        for feed in feeds:
            made.relate(feed, "PART_OF", rack, "netbox")
            made.relate(switch, "POWERED_BY", feed, "netbox", "power")
        for place in range(HOSTS):
            _host(made, f"{label}-h{place:02d}", rack, switch, feeds)


def _host(made: Centre, name: str, rack: str, switch: str, feeds: Sequence[str]) -> None:
    host = made.add("Host", name)
    made.hosts.append(host)
    port = made.add("Interface", f"{switch.partition(':')[2]}/{name.rpartition('-')[2]}")
    made.relate(port, "PART_OF", switch, "netbox")
    made.relate(host, "CONNECTED_TO", port, "lldp")
    made.relate(host, "PART_OF", rack, "netbox")
    for feed in feeds:
        made.relate(host, "POWERED_BY", feed, "netbox", "power")


def _namespace(made: Centre, name: str, draw: random.Random) -> None:
    made.add("Namespace", name)
    made.add("Quota", f"{name}/compute")
    made.relate(f"namespace:{name}", "LIMITED_BY", f"quota:{name}/compute", "kube_resourcequota")
    root = made.add("ConfigMap", f"{name}/root-ca")
    for number in range(APPS):
        _app(made, f"{name}/app{number:02d}", root, draw)


def _app(made: Centre, name: str, root: str, draw: random.Random) -> None:
    service, deployment = made.add("Service", name), made.add("Deployment", name)
    replicas, settings = made.add("ReplicaSet", f"{name}-5c7d"), made.add("ConfigMap", f"{name}-settings")
    secrets = [made.add("Secret", f"{name}-{use}") for use in ("keys", "tls")]
    made.services.append(service)
    made.relate(replicas, "OWNED_BY", deployment, "kube_replicaset_owner")
    made.pods[service] = []
    for number in range(REPLICAS):
        pod = made.add("Pod", f"{name}-5c7d-{number}")
        container = made.add("Container", f"{name}-5c7d-{number}/main")
        made.pods[service].append(pod)
        host = made.host_of[pod] = draw.choice(made.hosts)
        made.relate(pod, "RUNS_ON", host, "kube_pod_info")
        made.relate(pod, "RUNS_ON", host, "cadvisor")
        made.relate(pod, "OWNED_BY", replicas, "kube_pod_owner")
        made.relate(container, "PART_OF", pod, "kube_pod_container_info")
        made.relate(container, "RUNS_ON", host, "cadvisor")
        made.relate(service, "ROUTES_TO", pod, "kube_endpointslice", "endpoints")
        for mounted in (settings, *secrets, root):
            made.relate(pod, "MOUNTS", mounted, "kube_pod_spec")
    if draw.random() < 0.4:
        claim, volume = made.add("VolumeClaim", f"{name}-data"), made.add("Volume", f"{name}-data")
        made.relate(made.pods[service][0], "MOUNTS", claim, "kube_pod_spec")
        made.relate(claim, "BOUND_TO", volume, "kube_persistentvolume")
        made.relate(volume, "BACKED_BY", draw.choice(made.hosts), "storage")


def _deployment(service: str) -> str:
    return f"deployment:{service.partition(':')[2]}"


def _database(made: Centre, number: int, draw: random.Random) -> None:
    first = made.add("Database", f"{made.name}-db{number:02d}")
    second = made.add("Database", f"{made.name}-db{number:02d}-replica")
    made.databases.append(first)
    for database in (first, second):
        made.host_of[database] = draw.choice(made.hosts)
        made.relate(database, "RUNS_ON", made.host_of[database], "import")
    made.relate(second, "REPLICATES_FROM", first, "pg_stat_replication")


def _connect(made: Centre, draw: random.Random) -> None:
    """Calls lead from earlier to later services, mostly within a namespace, as traces and a mesh tell them."""
    count = len(made.services)
    for place, service in enumerate(made.services[:-1]):
        within = place - place % APPS + APPS
        near = made.services[place + 1 : within]
        called = set(draw.sample(near, min(len(near), draw.randint(0, CALLS))))
        if draw.random() < 0.3:
            called.add(made.services[draw.randrange(place + 1, count)])
        made.calls[service] = sorted(called)
        for other in sorted(called):
            made.relate(service, "CALLS", other, "traces")
            made.relate(service, "CALLS", other, "istio")
            made.relate(_deployment(service), "TALKS_TO", _deployment(other), "flows")
            for pod in made.pods[service]:
                made.relate(pod, "TALKS_TO", draw.choice(made.pods[other]), "flows")
        if draw.random() < 0.5:
            made.uses[service] = draw.choice(made.databases)
            made.relate(service, "USES", made.uses[service], "traces")
            for pod in made.pods[service]:
                made.relate(pod, "TALKS_TO", made.uses[service], "flows")


# what happened ------------------------------------------------------------------------------------------------------


def faults(centre: Centre, place: int, seed: int = SEED) -> tuple[Fault, ...]:
    """What fails in the data centre at ``place``."""
    draw = random.Random(seed * 31 + place)
    kinds = FAULTS[place] if place < len(FAULTS) else ()
    return tuple(_fault(centre, kind, 2 * place + n, draw) for n, kind in enumerate(kinds))


def _fault(centre: Centre, kind: str, number: int, draw: random.Random) -> Fault:
    down: list[str] = []
    if kind == "host":
        culprit = draw.choice(sorted(set(centre.host_of.values())))
        down = [pod for pod, host in centre.host_of.items() if host == culprit]
        hurt = sorted({service for service, pods in centre.pods.items() if set(pods) & set(down)})
    elif kind == "database":
        culprit = draw.choice(sorted(set(centre.uses.values())))
        hurt = sorted(service for service, used in centre.uses.items() if used == culprit)
    else:
        culprit = draw.choice([service for service in centre.services if len(centre.callers(service)) > 1])
        hurt = [culprit]
    above = sorted({caller for service in hurt for caller in centre.callers(service)} - set(hurt))
    at = START + timedelta(seconds=420 * number)
    effects = (*down, *(service for service in hurt if service != culprit), *above)
    return Fault(kind, culprit, at, effects, (*above, *hurt), _beside(centre, culprit, hurt, above, draw))


def _beside(
    first: Centre, culprit: str, hurt: Sequence[str], above: Sequence[str], draw: random.Random
) -> tuple[str, ...]:
    """Healthy neighbours that are measured as well: other callees, hosts, databases."""
    called = {other for service in (*hurt, *above) for other in first.calls.get(service, ())}
    hosts = {first.host_of[pod] for service in hurt for pod in first.pods[service]}
    near = sorted((called | hosts) - {culprit, *hurt, *above})
    return tuple(draw.sample(near, min(len(near), 30)))


def fault_alarms(made: Sequence[Fault]) -> tuple[Alarm, ...]:
    """What the faults raised, forty a fault at most; all are open."""
    rows: dict[tuple[str, str], Alarm] = {}
    for fault in made:
        told = [(fault.culprit, 0.0), *((effect, 20.0 + 5.0 * n) for n, effect in enumerate(fault.effects))]
        for entity, lag_s in told[:40]:
            name = _ALARM[entity.partition(":")[0]]
            rows[(entity, name)] = _alarm(name, entity, fault.at + timedelta(seconds=lag_s), "critical")
    return tuple(rows[key] for key in sorted(rows))


def noise(centre: Centre, count: int = NOISE, seed: int = SEED) -> tuple[Alarm, ...]:
    """Open alarms that have nothing to do with anything, up to six hours old."""
    draw = random.Random(f"noise {seed} {centre.name}")
    rows: dict[str, Alarm] = {}
    while len(rows) < count:
        entity = draw.choice(centre.entities).id
        name = draw.choice(("CertificateExpires", "DiskFillsUp", "ProbeFlaps"))
        at = START - timedelta(seconds=draw.uniform(0.0, 6 * 3600.0))
        row = _alarm(name, entity, at, "warning")
        rows.setdefault(row.fingerprint, row)
    return tuple(rows[key] for key in sorted(rows))


_ALARM: Mapping[str, str] = {
    "host": "HostDown",
    "pod": "PodNotReady",
    "service": "ErrorRateHigh",
    "database": "DatabaseSlow",
}


def _alarm(name: str, entity: str, at: datetime, severity: str) -> Alarm:
    key = f"{name}-{entity}"
    return Alarm(key, key, name, entity, at, severity=severity, message=f"{name} on {entity}", source="am")


def changes(made: Sequence[Fault]) -> tuple[Change, ...]:
    """The deployments that were the cause, minutes before."""
    return tuple(
        Change(
            f"deploy-{number}",
            "ci",
            f"deploy-{number}",
            "new version",
            "deploy",
            fault.at - timedelta(seconds=120),
            None,
            (fault.culprit,),
        )
        for number, fault in enumerate(made)
        if fault.kind == "deploy"
    )


def signals(made: Sequence[Fault], seed: int = SEED) -> tuple[list[EntitySeries], pa.Table]:
    """Series of what the faults hurt and of what is beside it, an hour before to ten minutes after; and their lines."""
    rng = np.random.default_rng(seed)
    end_s = max(fault.at for fault in made).timestamp() + 600.0
    begin_s = made[0].at.timestamp() - HISTORY_S
    at_s = np.arange(begin_s, end_s, STEP_S)
    hurt_at = {
        entity: fault.at.timestamp() for fault in reversed(made) for entity in (fault.culprit, *fault.effects)
    }
    beside = {entity for fault in made for entity in fault.beside}
    series = []
    for entity in sorted(hurt_at.keys() | beside):
        for metric in METRICS:
            value = 10.0 + rng.normal(size=len(at_s))
            if entity in hurt_at and metric != "cpu_usage":
                value[at_s >= hurt_at[entity]] += 20.0
            series.append(EntitySeries(entity, None, metric, at_s, value))
    return series, _lines(hurt_at, begin_s, end_s, rng)


def _lines(hurt_at: Mapping[str, float], begin_s: float, end_s: float, rng: np.random.Generator) -> pa.Table:
    rows: list[dict[str, object]] = []
    for entity, failed_s in sorted(hurt_at.items()):
        times = np.sort(rng.uniform(begin_s, end_s, size=LINES))
        for number, at_s in enumerate(times.tolist()):
            late = at_s >= failed_s
            text = (
                f"request {number} timed out after 5000 ms" if late else f"served request {number} in 12 ms"
            )
            rows.append(
                {
                    "at_s": at_s,
                    "entity": entity,
                    "severity": 3 if late else 6,
                    "source": "main",
                    "message": text,
                    "template": None,
                    "event_id": f"{entity}-{number}",
                }
            )
    return pa.Table.from_pylist(rows, schema=LOG_SCHEMA)


def incidents(made: Sequence[Fault], count: int) -> Iterator[Incident]:
    """Incidents about the faults in turn, each naming two of those that suffer, with an id of its own."""
    for number in range(count):
        fault = made[number % len(made)]
        turn = number // len(made)
        named = {fault.named[turn % len(fault.named)], fault.named[(turn + 1) % len(fault.named)]}
        at = fault.at + timedelta(seconds=60)
        yield Incident(
            f"bench-{number}",
            f"{min(named)} answers slowly",
            at,
            source="bench",
            external_id=f"bench-{number}",
            affected=tuple(sorted(named)),
            symptoms=tuple(Symptom(name, "latency_p95_s", at) for name in sorted(named)),
        )
