"""Logs, alarms, states and changes as evidence; and the extractor that gathers them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from aiops.contracts import Observations
from aiops.domain.batches import LOG_SCHEMA, EntitySeries, SignalWindow, StateObservation, empty_logs
from aiops.domain.evidence import Channel
from aiops.domain.graph import Subgraph
from aiops.domain.occurrences import Alarm, Change, Incident
from ingest.evidence.alarms import channel_of, find_alarm_evidence
from ingest.evidence.changes import find_change_evidence
from ingest.evidence.detectors import Windows
from ingest.evidence.extractor import RobustExtractor
from ingest.evidence.logs import find_log_evidence, mask_digits
from ingest.evidence.states import find_facts, find_state_evidence, quantity, unhealthy

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
AT = START.timestamp()
WINDOWS = Windows(AT - 180, AT - 180, AT + 300)
NO_GRAPH = Subgraph(START, (), ())


def logs(rows: list[tuple[float, str, int | None, str]]) -> pa.Table:
    rows = sorted(rows)
    return pa.table(
        {
            "at_s": [AT + row[0] for row in rows],
            "entity": [row[1] for row in rows],
            "severity": pa.array([row[2] for row in rows], pa.int8()),
            "source": ["app"] * len(rows),
            "message": [row[3] for row in rows],
            "template": pa.nulls(len(rows), pa.string()),
            "event_id": [f"e{i}" for i in range(len(rows))],
        },
        schema=LOG_SCHEMA,
    )


def steady(
    entity: str, text: str, *, start: int = -900, end: int = 300, step: int = 10
) -> list[tuple[float, str, int | None, str]]:
    return [(float(t), entity, 6, text.format(n=t)) for t in range(start, end, step)]


def alarm(
    name: str,
    *,
    entity: str = "host:a",
    at_s: float = 0.0,
    ended_s: float | None = None,
    severity: str | None = None,
    message: str = "",
    fingerprint: str = "f",
) -> Alarm:
    return Alarm(
        id=f"a-{name}",
        fingerprint=fingerprint,
        name=name,
        entity=entity,
        started_at=START + timedelta(seconds=at_s),
        ended_at=None if ended_s is None else START + timedelta(seconds=ended_s),
        severity=severity,
        message=message,
    )


def test_digits_ids_and_times_are_masked() -> None:
    masked = mask_digits(
        ["took 12.5 ms for 7f9c24e8-3b12-4fef-91e0-5c3a9d2b1a00", "took 9 ms for user 0xff01"]
    )
    assert masked == ["took # ms for <id>", "took # ms for user <hex>"]


def test_a_new_error_line_is_found_and_quoted() -> None:
    rows = [
        *steady("pod:a", "served request {n}"),
        *[(float(t), "pod:a", 3, "connection refused by db") for t in range(0, 200, 10)],
    ]
    found = find_log_evidence(logs(rows), WINDOWS, NO_GRAPH)
    best = max(found, key=lambda item: item.strength)
    assert best.text == "connection refused by db"
    assert (best.direction, best.severity, best.attributes["new"]) == (1, "error", "1")
    assert best.at_s == AT


def test_a_line_that_stops_while_others_go_on_is_found() -> None:
    rows = [*steady("pod:a", "received {n}"), *steady("pod:a", "stored {n}", end=-180)]
    best = max(find_log_evidence(logs(rows), WINDOWS, NO_GRAPH), key=lambda item: item.strength)
    assert best.direction == -1
    assert "stored" in best.text


def test_less_work_alone_is_no_evidence() -> None:
    rows = [*steady("pod:a", "received {n}", end=-180), *steady("pod:a", "stored {n}", end=-180)]
    rows += [
        *steady("pod:a", "received {n}", start=-180, step=60),
        *steady("pod:a", "stored {n}", start=-180, step=60),
    ]
    assert find_log_evidence(logs(rows), WINDOWS, NO_GRAPH) == []


def test_a_device_that_says_it_was_reconfigured_is_a_change() -> None:
    rows = [
        *steady("device:r1", "hello {n}"),
        (-30.0, "device:r1", 5, "%SYS-5-CONFIG_I: Configured from console by admin"),
    ]
    (found,) = [
        item for item in find_log_evidence(logs(rows), WINDOWS, NO_GRAPH) if item.channel is Channel.CHANGE
    ]
    assert found.entity == "device:r1"


def test_no_logs_no_evidence() -> None:
    assert find_log_evidence(empty_logs(), WINDOWS, NO_GRAPH) == []


@pytest.mark.parametrize(
    ("name", "channel", "bad"),
    [
        ("cpu_usage up", Channel.CPU, 1),
        ("latency up", Channel.LATENCY, 1),
        ("http 500", Channel.ERRORS, 1),
        ("unusual log template", Channel.LOG, 1),
        ("NodeDown", Channel.AVAILABILITY, 0),
        ("UnitRestarts", Channel.AVAILABILITY, 0),
        ("FooBar", Channel.OTHER, 0),
    ],
)
def test_alarm_names_have_channels(name: str, channel: Channel, bad: int) -> None:
    assert channel_of(alarm(name)) == (channel, bad)


def test_one_alarm_is_one_piece_of_evidence() -> None:
    twice = [alarm("NodeDown", at_s=0, severity="critical"), alarm("NodeDown", at_s=60, severity="critical")]
    (found,) = find_alarm_evidence(twice, WINDOWS)
    assert (found.at_s, found.strength) == (AT, 4.0)


def test_alarms_outside_the_window_do_not_count_and_old_ones_are_chronic() -> None:
    gone = alarm("NodeDown", at_s=-4000, ended_s=-3000, fingerprint="1")
    late = alarm("NodeDown", at_s=4000, fingerprint="2")
    old = alarm("NodeDown", at_s=-86_400, fingerprint="3")
    (found,) = find_alarm_evidence([gone, late, old], WINDOWS)
    assert found.chronic


def test_a_change_counts_less_the_older_it_is() -> None:
    changes = [
        Change(
            f"c{i}",
            "ci",
            f"x{i}",
            "Release 2",
            "deploy",
            START - timedelta(seconds=age),
            None,
            ("service:a",),
            "ann",
        )
        for i, age in enumerate((240, 3000, 90_000))
    ]
    fresh, older = find_change_evidence(changes, WINDOWS)
    assert fresh.strength > older.strength > 0
    assert fresh.text == "deploy: Release 2 by ann"


def state(prop: str, value: str, at_s: float = 0.0, entity: str = "pod:a") -> StateObservation:
    return StateObservation(AT + at_s, entity, prop, value)


@pytest.mark.parametrize(
    ("prop", "value", "sick"),
    [
        ("kubectl.status", "CrashLoopBackOff", True),
        ("kubectl.status", "Running", False),
        ("kubectl.ready", "0/1", True),
        ("kubectl.ready", "1/1", False),
        ("ready", "False", True),
        ("state.reason", "ErrImagePull", True),
        ("state.reason", "Completed", False),
        ("conditions.MemoryPressure.status", "False", False),
        ("conditions.MemoryPressure.status", "True", True),
        ("conditions.Ready.status", "Unknown", True),
        ("systemd.kubelet.active", "inactive (dead) since Mon", True),
        ("systemd.kubelet.active", "active (running) since Mon", False),
        ("connectivity.80", "Connection Failed", True),
        ("connectivity.80", "open\nConnection Succeeded", False),
        ("endpoints", "<none>", True),
        ("endpoints", "10.0.0.1:80", False),
        ("replicas", "1 desired | 1 updated | 1 total | 0 available | 1 unavailable", True),
        ("kubectl.restarts", "3 (40s ago)", True),
        ("kubectl.restarts", "85 (7d3h ago)", False),
        ("restart_count", "0", False),
        ("restart_count", "4", True),
        ("oper-status", "down", True),
        ("bfd-session-state", "session-state-up", False),
        ("last_state.exit_code", "137", True),
        ("image", "registry/error-page:1", False),
    ],
)
def test_states_are_healthy_or_not(prop: str, value: str, sick: bool) -> None:
    assert (unhealthy(prop, value)[0] > 0) is sick


def test_a_state_that_was_as_bad_before_is_chronic_and_a_change_is_not() -> None:
    found = find_state_evidence(
        [
            *(state("oper-status", "down", at, "interface:a") for at in (-900, 0)),
            state("oper-status", "up", -900, "interface:b"),
            state("oper-status", "down", 0, "interface:b"),
        ],
        WINDOWS,
    )
    chronic = {item.entity: item.chronic for item in found}
    assert chronic == {"interface:a": True, "interface:b": False}
    assert any("(was up)" in item.text for item in found)


def test_a_full_quota_is_evidence() -> None:
    states = [state("pods.used", "10", entity="quota:q"), state("pods.hard", "10", entity="quota:q")]
    (found,) = find_state_evidence(states, WINDOWS)
    assert found.text == "pods.used = 10 of 10"
    assert [quantity(text) for text in ("3Gi", "500m", "10", "192.168.0.1")] == [3 * 2**30, 0.5, 10.0, None]


def test_the_extractor_gathers_everything_sorted_and_repeatably() -> None:
    at = AT + 10.0 * np.arange(-90, 30)
    value = np.where(at < AT, 10.0, 90.0) + np.sin(at)
    seen = Observations(
        SignalWindow(
            START - timedelta(minutes=15),
            START + timedelta(minutes=5),
            (EntitySeries("host:a", None, "cpu_usage", at, value),),
            logs([*steady("host:a", "tick {n}"), (5.0, "host:a", 2, "kernel panic")]),
            (state("status", "NotReady", entity="host:a"),),
        ),
        (alarm("NodeDown"),),
        (Change("c", "ci", "1", "Release", "deploy", START - timedelta(minutes=5), None, ("host:a",)),),
    )
    incident, subgraph = Incident("i", "t", START), Subgraph(START, (), ())
    found = RobustExtractor().extract(incident, subgraph, seen)
    assert {item.kind for item in found.items} == {"metric", "log", "alert", "state", "change"}
    assert list(found.items) == sorted(found.items, key=lambda e: (e.entity, e.peer or "", e.at_s, e.id))
    assert RobustExtractor().extract(incident, subgraph, seen) == found
    assert len({item.id for item in found.items}) == len(found.items)


def test_too_short_a_baseline_is_a_gap() -> None:
    at = AT + 10.0 * np.arange(0, 20)
    window = SignalWindow(
        START,
        START + timedelta(minutes=5),
        (EntitySeries("host:a", None, "cpu_usage", at, at),),
        empty_logs(),
    )
    subgraph = Subgraph(START, (), (), truncated=True)
    found = RobustExtractor().extract(Incident("i", "t", START), subgraph, Observations(window, (), ()))
    assert found.items == ()
    assert len(found.gaps) == 2


@pytest.mark.parametrize(
    ("name", "direction", "adverse"),
    [
        ("THROUGHPUT_DROP", -1, "0"),
        ("ERROR_SPIKE", 1, "1"),
        ("HighLatency", 1, "1"),
        ("success_rate", -1, "1"),
        ("requests up", 1, "0"),
    ],
)
def test_the_direction_of_an_alarm_is_read_from_any_spelling(name: str, direction: int, adverse: str) -> None:
    found = find_alarm_evidence([alarm(name)], WINDOWS)[0]
    assert (found.direction, found.attributes["adverse"]) == (direction, adverse)


def test_an_alarm_names_its_quantity_without_the_direction() -> None:
    up, down = find_alarm_evidence([alarm("requests up"), alarm("requests down", entity="host:b")], WINDOWS)
    assert up.attributes["quantity"] == down.attributes["quantity"] == "requests"


def test_facts_are_the_last_value_of_every_property_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    def state(at: float, prop: str, value: str) -> StateObservation:
        return StateObservation(at_s=AT + at, entity="pod:a", property=prop, value=value)

    states = [
        state(-900, "phase", "Pending"),
        state(-10, "phase", "Running"),
        state(0, "image", "web:1"),
        state(999, "image", "web:2"),
    ]
    facts, cut = find_facts(states, WINDOWS)
    assert cut is None
    assert [(fact.kind, fact.name, fact.attributes["value"], fact.strength) for fact in facts] == [
        ("fact", "image", "web:1", 0.0),
        ("fact", "phase", "Running", 0.0),
    ]
    monkeypatch.setattr("ingest.evidence.states.MAX_FACTS", 1)
    few, cut = find_facts(states, WINDOWS)
    assert [fact.name for fact in few] == ["image"]
    assert cut == "1 observed states were not compared by rules: too many"


def test_a_bad_state_last_heard_before_the_window_is_chronic() -> None:
    old = StateObservation(at_s=AT - 900, entity="interface:r/1", property="line-state", value="down")
    (item,) = find_state_evidence([old], WINDOWS)
    assert item.chronic
    (now,) = find_state_evidence(
        [StateObservation(at_s=AT, entity="interface:r/1", property="line-state", value="down")], WINDOWS
    )
    assert not now.chronic
