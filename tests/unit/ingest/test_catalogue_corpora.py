"""The catalogue on public lines that it was not written from, where they exist: how many are typed, and typed right."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.catalogue.vocabulary import TypedEvent
from tests.support.catalogue_lines import parsed, shipped

pytestmark = pytest.mark.shared

ROOT = Path(
    os.environ.get("AIOPS_SHARED_DATA") or Path(__file__).resolve().parents[3].parent / "shared" / "data"
)

_BGP = {"bgp.session_down", "bgp.session_up", "bgp.session_changed"}
#: The corpus' own names of events, and the types of ours that say the same.
SAME: dict[str, set[str]] = {
    "AGENT_INITIALIZED": {"process.started"},
    "BFD_STATE_CHANGE": {"bfd.session_down", "bfd.session_up"},
    "BGP_CEASE_PREFIX_LIMIT_EXCEEDED": {"bgp.prefix_limit"},
    "BGP_CONNECTION_REJECTED": {"bgp.notification"},
    "BGP_CONNECTION_RESET": {"bgp.notification"},
    "BGP_INCORRECT_AS_NUMBER": {"bgp.notification"},
    "BGP_MD5_INCORRECT": {"bgp.authentication_failed"},
    "BGP_NEIGHBOR_STATE_CHANGED": _BGP,
    "BGP_PEER_NOT_CONFIGURED": {"bgp.notification"},
    "BGP_PREFIX_LIMIT_EXCEEDED": {"bgp.prefix_limit"},
    "BGP_PREFIX_THRESH_EXCEEDED": {"bgp.prefix_warning"},
    "BGP_SESSION_NOT_CONFIGURED": {"bgp.notification"},
    "BPDU_BLOCK_INTERFACE_DISABLED": {"link.error_disabled"},
    "CONFIGURATION_COMMIT_COMPLETED": {"config.changed"},
    "CONFIGURATION_COMMIT_REQUESTED": {"config.session"},
    "CONFIGURATION_ERROR": {"config.rejected"},
    "CONFIGURATION_ROLLBACK": {"config.rolled_back"},
    "DDOS_PROTOCOL_VIOLATION_SET": {"traffic.attack"},
    "FAILED_ALLOCATING_PACKET_BUFFER": {"forwarding.failed"},
    "INTERFACE_DOWN": {"link.down", "line_protocol.down"},
    "INTERFACE_MAC_LIMIT_REACHED": {"mac.limit_reached"},
    "INTERFACE_UP": {"link.up", "line_protocol.up"},
    "ISIS_NEIGHBOR_DOWN": {"isis.adjacency_down"},
    "ISIS_NEIGHBOR_UP": {"isis.adjacency_up"},
    "LACP_INTERFACE_DOWN": {"lacp.member_down"},
    "MAINTENANCE_MODE_ENDED": {"maintenance.ended"},
    "MAINTENANCE_MODE_STARTED": {"maintenance.started"},
    "MAJOR_ALARM_CLEARED": {"hardware.alarm_cleared"},
    "MAJOR_ALARM_SET": {"hardware.alarm"},
    "MINOR_ALARM_CLEARED": {"hardware.alarm_cleared"},
    "MINOR_ALARM_SET": {"hardware.alarm"},
    "NAT_SESSION_CLOSED": {"flow.closed"},
    "NAT_SESSION_CREATED": {"flow.opened"},
    "NH_HOLD_PACKET": {"forwarding.failed"},
    "NH_INSTALL_FAILED": {"forwarding.failed"},
    "NH_REGION_GRAB_FAILED": {"forwarding.failed"},
    "NTP_SERVER_UNREACHABLE": {"ntp.unsynchronised"},
    "OSPF_NEIGHBOR_DOWN": {"ospf.adjacency_down"},
    "OSPF_NEIGHBOR_UP": {"ospf.adjacency_up", "ospf.adjacency_changed"},
    "PROCESS_CEILING_WATERMARK_REACHED": {"resource.exhausted"},
    "PROCESS_RESTART": {"process.restarted"},
    "PROCESS_STARTED": {"process.started"},
    "PROCESS_TERMINATED": {"process.terminated"},
    "SYSTEM_ALARM": {"hardware.alarm"},
    "SYSTEM_ALARM_CLEARED": {"hardware.alarm_cleared"},
    "USER_ENTER_CONFIG_MODE": {"config.session"},
    "USER_EXIT_CONFIG_MODE": {"config.changed"},
    "USER_WRITE_CONFIG": {"config.saved"},
}
#: Where the corpus keeps an interface and a neighbour, and which field of ours has to say the same.
PLACES = {
    "interface": ("interface", "bundle"),
    "neighbor": ("neighbour",),
    "adjacency": ("neighbour",),
    "server": ("server", "source"),
}
#: States of a session in the corpus, and what our type has to end with.
STATES = {"IDLE": "down", "ESTABLISHED": "up", "UP": "up", "DOWN": "down"}


def keys_under(document: Any, name: str) -> Iterator[str]:
    """The keys of every mapping called ``name``, but for those that only say that none is known."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key == name and isinstance(value, dict):
                yield from (own for own in value if own not in (name, "state", "name", "id", "neighbors"))
            yield from keys_under(value, name)


def wrong(event: TypedEvent | None, expected: dict[str, Any]) -> str | None:
    """What is wrong with ``event``, or None."""
    if event is None:
        return "not typed"
    if event.type not in SAME[expected["error"]]:
        return f"is {event.type}"
    body = expected["yang_message"]
    if "security" not in body and not event.type.startswith(("process.", "bfd.")):
        for name, fields in PLACES.items():
            for key in keys_under(body, name):
                said = {event.fields.get(field, "").replace(" ", "").removesuffix(".0") for field in fields}
                if key.removesuffix(".0") not in said:
                    return f"{name} {key!r} is none of {sorted(said)}"
    return None


def test_events_of_network_devices() -> None:
    folder = ROOT / "ingest" / "napalm_logs"
    if not folder.exists():
        pytest.skip("the shared corpus ingest/napalm_logs is not on this machine")
    cases = sorted(folder.glob("*/*/*/syslog.msg"))
    table = parsed([case.read_text("utf-8").strip("\r\n") for case in cases])
    events = shipped().events_of(table)
    problems = {}
    for row, case in enumerate(cases):
        expected = json.loads((case.parent / "yang.json").read_text("utf-8"))
        problem = wrong(events.get(row), expected)
        if problem is not None:
            problems["/".join(case.parent.parts[-3:])] = problem
    assert len(cases) - len(problems) >= 0.99 * len(cases), problems


def test_directions_of_sessions_and_links() -> None:
    """A session that went to Idle is down, one that was established is up; anything in between is neither."""
    folder = ROOT / "ingest" / "napalm_logs"
    if not folder.exists():
        pytest.skip("the shared corpus ingest/napalm_logs is not on this machine")
    cases = sorted(folder.glob("*/BGP_NEIGHBOR_STATE_CHANGED/*/syslog.msg"))
    events = shipped().events_of(parsed([case.read_text("utf-8").strip("\r\n") for case in cases]))
    for row, case in enumerate(cases):
        (neighbour,) = json.loads((case.parent / "yang.json").read_text())["yang_message"]["bgp"][
            "neighbors"
        ]["neighbor"].values()
        assert events[row].type == f"bgp.session_{STATES.get(neighbour['state']['session-state'], 'changed')}"
