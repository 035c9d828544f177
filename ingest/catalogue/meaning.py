"""What typed events say about the topology and the state of things, as rows of the mapping (docs/ingest.md).

Every type becomes one row; :class:`ingest.topology.discovery.Discovery` applies it as it applies those of the mapping
file, so that names are looked up before they are made and nothing is stated twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from ingest.catalogue.events import event_types
from ingest.catalogue.vocabulary import MACHINE, SPEAKER, TypedEvent
from ingest.topology.discovery import Statement
from ingest.topology.label_templates import LabelTemplate, parse_template
from ingest.topology.mapping import SELF, EntityRule, RelationRule, Row
from ingest.topology.mapping import SPEAKER as ROW_SPEAKER

#: Fields that name a program of the machine: looked up as whoever speaks under that name.
PROGRAMS: tuple[str, ...] = ("service", "process")


@dataclass(frozen=True, slots=True)
class Said:
    """Entities, relations and ends of relations of one fragment."""

    entities: Mapping[str, EntityRule]
    relations: tuple[RelationRule, ...] = ()
    closes: tuple[RelationRule, ...] = ()


def _entity(
    kind: str,
    entity_id: str,
    *names: str,
    name: str = "",
    aliases: tuple[str, ...] = (),
    existing: bool = False,
) -> EntityRule:
    return EntityRule(
        id=parse_template(entity_id),
        kind=kind,
        name=parse_template(name) if name else None,
        names=tuple(parse_template(text) for text in names),
        aliases=tuple(parse_template(text) for text in aliases),
        labels=(),
        existing=existing,
        part=None,
    )


def _port(field: str, *, existing: bool = False) -> EntityRule:
    own = f"{{self_name}}/{{{field}|unquoted}}"
    return _entity("Interface", f"interface:{own}", own, existing=existing)


def _session(provenance: str) -> Said:
    return Said(
        {"neighbour": _entity("Device", "device:{neighbour}", "{neighbour}")},
        (RelationRule(SELF, "PEERS_WITH", "neighbour", 0.8, provenance=provenance),),
    )


def _part(field: str, confidence: float, provenance: str) -> RelationRule:
    return RelationRule(field, "PART_OF", SELF, confidence, provenance=provenance)


_INTERFACE = {"interface": _port("interface")}
_TARGET = {"target": _entity("Unknown", "instance:{target}", "{target}", "{target|host}")}
_DAY_S = 86_400.0

#: By the names that ``says`` of an event type may hold. Provenances are those of the mapping's own rows for lines.
FRAGMENTS: Mapping[str, Said] = MappingProxyType(
    {
        "interface": Said(_INTERFACE, (_part("interface", 0.95, "interface_updown"),)),
        "nic": Said({"nic": _port("nic", existing=True)}),
        "bundle": Said(
            {"bundle": _port("bundle")},
            (
                _part("bundle", 0.95, "interface_updown"),
                RelationRule("interface", "PART_OF", "bundle", 0.95, provenance="bundle_line"),
            ),
        ),
        "lldp_ends": Said(
            {
                **_INTERFACE,
                "chassis": _entity("Device", "device:{chassis}", "{chassis}"),
                "port": _entity("Interface", "interface:{chassis}/{port}", "{chassis}/{port}"),
            },
            (
                RelationRule("interface", "CONNECTED_TO", "port", 1.0, provenance="lldp_line"),
                _part("interface", 1.0, "lldp_line"),
                RelationRule("port", "PART_OF", "chassis", 1.0, provenance="lldp_line"),
            ),
        ),
        "lldp_closed": Said(
            {**_INTERFACE, "port": _entity("Interface", "interface:{chassis}/{port}", "{chassis}/{port}")},
            closes=(RelationRule("interface", "CONNECTED_TO", "port", provenance="lldp_line"),),
        ),
        "cdp_ends": Said(
            {
                **_INTERFACE,
                "chassis": _entity("Device", "device:{chassis|short}", "{chassis}", aliases=("{chassis}",)),
                "port": _entity(
                    "Interface",
                    "interface:{chassis|short}/{port}",
                    "{chassis}/{port}",
                    "{chassis|short}/{port}",
                ),
            },
            (
                RelationRule("interface", "CONNECTED_TO", "port", 0.95, provenance="cdp_mismatch"),
                _part("interface", 1.0, "cdp_mismatch"),
                RelationRule("port", "PART_OF", "chassis", 0.95, provenance="cdp_mismatch"),
            ),
        ),
        "bgp": _session("bgp_line"),
        "ospf": _session("ospf_line"),
        "isis": _session("ospf_line"),
        "bfd": _session("bfd_line"),
        "ldp": _session("ldp_line"),
        "pim": _session("pim_line"),
        "nfs": Said(
            {"server": _entity("Host", "host:{server}", "{server}")},
            (RelationRule(SELF, "MOUNTS", "server", 0.4, _DAY_S, provenance="nfs_not_responding"),),
        ),
        "calls": Said(
            _TARGET, (RelationRule(ROW_SPEAKER, "CALLS", "target", 0.4, _DAY_S, provenance="connect_failed"),)
        ),
        "routes": Said(
            _TARGET,
            (RelationRule(ROW_SPEAKER, "ROUTES_TO", "target", 0.4, _DAY_S, provenance="upstream_failed"),),
        ),
        "replica": Said(
            _TARGET,
            (
                RelationRule(
                    ROW_SPEAKER, "REPLICATES_FROM", "target", 0.4, _DAY_S, provenance="replication_line"
                ),
            ),
        ),
        "pod": Said({"pod": _entity("Pod", "pod:{namespace}/{pod}", "{namespace}/{pod}", name="{pod}")}),
        "node": Said({"node": _entity("Host", "host:{node}", "{node}", existing=True)}),
    }
)

_AS_ROW = {MACHINE: SELF, SPEAKER: ROW_SPEAKER}


def statement_of(event: TypedEvent) -> Statement:
    """What ``event`` says, ready for :meth:`ingest.topology.discovery.Discovery.line`."""
    kind = event_types()[event.type]
    fields = {**kind.default, **event.fields}
    property_, value = _state(event.type)
    name = None if property_ is None else property_.fill(fields)
    text = None if value is None else value.fill(fields)
    return Statement(
        row=_row(event.type),
        about=tuple(_AS_ROW.get(end, end) for end in kind.about),
        fields=fields,
        state=None if name is None or text is None else (name, text.lower()),
        programs=tuple(name for name in PROGRAMS if name in kind.about),
    )


@cache
def _state(event: str) -> tuple[LabelTemplate | None, LabelTemplate | None]:
    """Property and value of the state that an event type sets."""
    state = event_types()[event].state
    return (None, None) if state is None else (parse_template(state[0]), parse_template(state[1]))


@cache
def _row(event: str) -> Row:
    said = [FRAGMENTS[name] for name in event_types()[event].says]
    return Row(
        name=event,
        line=0,
        when=(),
        unless=(),
        identity=None,
        entities={name: rule for fragment in said for name, rule in fragment.entities.items()},
        relations=tuple(rule for fragment in said for rule in fragment.relations),
        closes=tuple(rule for fragment in said for rule in fragment.closes),
        states=(),
        needs_self=False,
    )
