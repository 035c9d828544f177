"""The data centre as an operator would import it: the topology document of every recording of this lab."""

from __future__ import annotations

from typing import Any

from scenarios.lab.layout import BY_NAME, CALLS, HOSTS, SWITCHES, Host

#: What runs where: (program, entity id, kind, name, further ports). The first port is the one it serves.
SERVED: dict[str, tuple[str, str, str, tuple[int, ...]]] = {
    "nginx": ("service:edge", "Service", "edge", (80, 9113)),
    "catalogue": ("service:catalogue", "Service", "catalogue", (8000,)),
    "web-client": ("service:web-client", "Service", "web-client", (8000,)),
    "postgresql": ("database:orders", "Database", "orders", (5432, 9187)),
    "redis": ("cache:sessions", "Cache", "sessions", (6379, 9121)),
    "prometheus": ("service:monitoring", "Service", "monitoring", (9090,)),
}
#: What a program calls itself in syslog, where that is not the name of the entity.
SPEAKS_AS = {"nginx": "nginx", "postgresql": "postgres", "redis": "redis"}
INSTANCE_PORT = 8000
SHOP_HOSTS = tuple(host for host in HOSTS if "shop" in host.programs)


def served_by(host: Host) -> str | None:
    """The entity that ``host`` is there for."""
    if "shop" in host.programs:
        return f"instance:shop@{host.name}"
    return next((SERVED[program][0] for program in host.programs if program in SERVED), None)


def topology() -> dict[str, Any]:
    """The document; the same for every recording."""
    return {
        "source": "cmdb",
        "complete": False,
        "entities": sorted(
            _network_entities() + _host_entities() + _service_entities(), key=lambda e: e["id"]
        ),
        "relations": sorted(
            _network_relations() + _service_relations(), key=lambda r: (r["from"], r["kind"], r["to"])
        ),
    }


def _entity(id: str, kind: str, name: str, aliases: tuple[str, ...] = (), **labels: str) -> dict[str, Any]:
    entity: dict[str, Any] = {"id": id, "kind": kind, "name": name}
    if aliases:
        entity["aliases"] = list(aliases)
    if labels:
        entity["labels"] = labels
    return entity


def _relation(source: str, kind: str, target: str, group: str | None = None) -> dict[str, Any]:
    relation = {"from": source, "kind": kind, "to": target}
    if group:
        relation["redundancy_group"] = group
    return relation


def _addresses(host: Host, ports: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"{where}:{port}" for port in ports for where in (host.name, host.address))


def _network_entities() -> list[dict[str, Any]]:
    entities = []
    for switch in SWITCHES:
        role = "core" if switch.name.startswith("core") else "access"
        aliases = (switch.address,) if switch.address else ()
        entities.append(
            _entity(f"device:{switch.name}", "Device", switch.name, aliases, site="dc1", role=role)
        )
        if switch.uplink_switch:
            entities.append(_entity(f"interface:{switch.name}/uplink", "Interface", f"{switch.name}/uplink"))
            port = f"{switch.uplink_switch}/{switch.uplink_port}"
            entities.append(_entity(f"interface:{port}", "Interface", port))
    for host in HOSTS:
        for port in (f"{host.name}/eth0", f"{host.switch}/{host.port}"):
            entities.append(_entity(f"interface:{port}", "Interface", port))
    return entities


def _host_entities() -> list[dict[str, Any]]:
    entities = []
    for host in HOSTS:
        aliases = (host.address, host.fqdn, *_addresses(host, (9100,)))
        entities.append(_entity(f"host:{host.name}", "Host", host.name, aliases, site="dc1"))
        if host.disk:
            disk = f"{host.name}/data"
            entities.append(_entity(f"disk:{disk}", "Disk", disk, (), mountpoint=host.disk.mount))
    return entities


def _service_entities() -> list[dict[str, Any]]:
    entities = [_entity("service:shop", "Service", "shop")]
    for host in SHOP_HOSTS:
        name = f"shop@{host.name}"
        entities.append(
            _entity(f"instance:{name}", "Instance", name, _addresses(host, (INSTANCE_PORT,)), service="shop")
        )
    for host in HOSTS:
        for program in host.programs:
            if program in SERVED:
                id, kind, name, ports = SERVED[program]
                labels = {"program": SPEAKS_AS[program]} if program in SPEAKS_AS else {}
                entities.append(_entity(id, kind, name, _addresses(host, ports), **labels))
    return entities


def _network_relations() -> list[dict[str, Any]]:
    relations = []
    for switch in SWITCHES:
        if switch.uplink_switch:
            ends = (f"{switch.name}/uplink", f"{switch.uplink_switch}/{switch.uplink_port}")
            relations += _link(ends, f"device:{switch.name}", f"device:{switch.uplink_switch}")
            relations.append(
                _relation(f"device:{switch.name}", "DEPENDS_ON", f"device:{switch.uplink_switch}")
            )
    for host in HOSTS:
        ends = (f"{host.name}/eth0", f"{host.switch}/{host.port}")
        relations += _link(ends, f"host:{host.name}", f"device:{host.switch}")
        relations.append(_relation(f"host:{host.name}", "DEPENDS_ON", f"device:{host.switch}"))
        if host.disk:
            relations.append(_relation(f"disk:{host.name}/data", "PART_OF", f"host:{host.name}"))
    return relations


def _link(ends: tuple[str, str], owner: str, other_owner: str) -> list[dict[str, Any]]:
    return [
        _relation(f"interface:{ends[0]}", "CONNECTED_TO", f"interface:{ends[1]}"),
        _relation(f"interface:{ends[0]}", "PART_OF", owner),
        _relation(f"interface:{ends[1]}", "PART_OF", other_owner),
    ]


def _service_relations() -> list[dict[str, Any]]:
    relations = []
    for host in HOSTS:
        entity = served_by(host)
        if entity:
            relations.append(_relation(entity, "RUNS_ON", f"host:{host.name}"))
            if host.disk:
                relations.append(_relation(entity, "MOUNTS", f"disk:{host.name}/data"))
    for host in SHOP_HOSTS:
        instance = f"instance:shop@{host.name}"
        relations.append(_relation("service:shop", "DEPENDS_ON", instance, "shop instances"))
        relations.append(_relation("service:edge", "ROUTES_TO", instance, "shop instances"))
        relations.append(_relation(instance, "PART_OF", "service:shop"))
    for caller, _, callee, _ in CALLS:
        source, target = served_by(BY_NAME[caller]), served_by(BY_NAME[callee])
        assert source is not None
        assert target is not None
        kind = "CALLS" if target.startswith("service:") else "USES"
        relations.append(_relation(source, kind, target))
    return relations
