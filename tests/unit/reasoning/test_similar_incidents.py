"""How alike incidents are, and what of the past an answer tells."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from aiops.domain.incident_records import Activity, Feedback, IncidentChange, PastIncident
from aiops.domain.occurrences import Incident
from aiops.pipeline import Pipeline
from aiops.reasoning.documents import analysis_document, analysis_json
from aiops.reasoning.history import RememberedHistory
from aiops.reasoning.rendering import render_text
from aiops.reasoning.similarity import Likeness, SimilarityWeights, compare, find_similar
from aiops.store.memory import MemoryGraphStore, MemorySignalStore
from tests.support.pipelines import make_pipeline
from tests.support.sentence_checker import faults
from tests.support.sites import START, chain, incident

WEIGHTS = SimilarityWeights()
MINE = Likeness(
    frozenset({"service:edge", "service:shop"}), frozenset({"HighErrorRate"}), "database:orders", "disk_full"
)


def past(
    name: str = "p1",
    *,
    days: float = 7.0,
    affected: tuple[str, ...] = ("service:edge", "service:shop"),
    alarms: tuple[str, ...] = ("HighErrorRate",),
    cause: str | None = "database:orders",
    kind: str | None = "disk_full",
    confirmed: bool = True,
) -> PastIncident:
    began = START - timedelta(days=days)
    old = Incident(name, f"outage {name}", began, status="resolved", affected=affected)
    return PastIncident(old, alarms, cause, kind, confirmed, "the volume was grown")


def test_the_same_again_is_wholly_alike_and_a_stranger_not_at_all() -> None:
    same = compare(MINE, past(), WEIGHTS)
    assert same.similarity == 1.0
    assert (same.entities, same.alarms) == (("service:edge", "service:shop"), ("HighErrorRate",))
    stranger = past(affected=("host:x",), alarms=("Other",), cause="host:x", kind="cpu")
    assert compare(MINE, stranger, WEIGHTS).similarity == 0.0


@pytest.mark.parametrize(
    "changes",
    [
        {"affected": ("service:edge",)},
        {"alarms": ("HighErrorRate", "Other")},
        {"cause": "database:carts"},
        {"kind": "lock_contention"},
        {"cause": None, "kind": None},
    ],
)
def test_each_difference_costs_something(changes: dict[str, object]) -> None:
    other = compare(MINE, past(**changes), WEIGHTS).similarity  # type: ignore[arg-type]
    assert 0.35 < other < 1.0


def test_role_and_kind_alone_make_nobody_alike() -> None:
    other = past(
        affected=("service:a", "service:b"), alarms=("Another",), cause="database:z", kind="disk_full"
    )
    assert compare(MINE, other, WEIGHTS).similarity == 0.0


def test_features_that_nobody_has_do_not_count() -> None:
    quiet = Likeness(frozenset({"service:edge"}), frozenset(), None, None)
    assert (
        compare(quiet, past(affected=("service:edge",), alarms=(), cause=None, kind=None), WEIGHTS).similarity
        == 1.0
    )


def test_only_earlier_ones_most_alike_first_and_not_too_many() -> None:
    new = incident("service:edge", "service:shop")
    every = [
        past("later", days=-1.0),
        past("half", affected=("service:edge",), confirmed=False),
        past("old", days=30.0),
        past("guess", confirmed=False),
        past("newer", days=1.0),
        *(past(f"more{place}", days=40.0 + place) for place in range(9)),
        replace(past(), incident=replace(new, started_at=START - timedelta(days=2))),
    ]
    found = find_similar(new, MINE, every)
    assert [one.past.incident.id for one in found] == ["newer", "old", "more0", "more1", "more2"]
    assert find_similar(new, MINE, list(reversed(every))) == found


class Ledger:
    """A past that is handed in."""

    def __init__(self, *known: PastIncident) -> None:
        self.known = known

    def past_incidents(self, *, before: object) -> tuple[PastIncident, ...]:
        return self.known


def outage(history: object) -> Pipeline:
    graph, signals = MemoryGraphStore(), MemorySignalStore()
    site = chain().alarm("database:orders", 0.0, "InstanceDown").alarm("service:shop", 5.0, "HighErrorRate")
    site.alarm("service:edge", 9.0, "HighErrorRate").write(graph, signals)
    return replace(make_pipeline(graph, signals), history=history)  # type: ignore[arg-type]


def test_an_answer_tells_what_caused_it_last_time_and_what_fixed_it() -> None:
    pipeline = outage(
        Ledger(past(alarms=("HighErrorRate", "InstanceDown")), past("far", affected=("host:z",), alarms=()))
    )
    analysis = pipeline.analyze(incident("service:edge"))
    document = analysis_document(analysis)
    (told,) = document["similar"]
    assert (told["incident_id"], told["confirmed_cause"], told["resolution"]) == (
        "p1",
        "database:orders",
        "the volume was grown",
    )
    assert 0.5 < told["similarity"] < 1.0
    assert next(one for one in document["evidence"] if one["id"] == told["evidence"])["kind"] == "history"
    said = " ".join(render_text(document).split())
    assert "confirmed cause database orders; fixed by: the volume was grown" in said
    assert faults(document) == []
    assert analysis_json(pipeline.analyze(incident("service:edge"))) == analysis_json(analysis)


def test_a_suspicion_is_not_told_as_a_fact() -> None:
    (told,) = analysis_document(outage(Ledger(past(confirmed=False))).analyze(incident("service:edge")))[
        "similar"
    ]
    assert (told["confirmed_cause"], told["cause"], told["confirmed"]) == (None, "database:orders", False)


def resolved(store: MemoryGraphStore, name: str, days: float) -> None:
    """A ticket of the past: posted, resolved, and its cause told as feedback."""
    old = Incident(name, f"ticket {name}", START - timedelta(days=days), affected=("service:edge",))
    store.record([IncidentChange(old, (Activity(name, "created", old.started_at, "desk"),))])
    at = old.started_at + timedelta(hours=1)
    said = Feedback(
        f"f-{name}",
        name,
        at,
        "desk",
        "correct",
        root_entity="database:orders",
        root_kind="disk_full",
        resolution="grown",
    )
    done = replace(old, status="resolved", ended_at=at)
    store.record(
        [
            IncidentChange(
                done,
                (Activity(name, "resolved", at, "desk"), Activity(name, "feedback", at, "desk")),
                feedback=said,
            )
        ]
    )


def test_what_is_remembered_is_what_the_ledger_says() -> None:
    store = MemoryGraphStore()
    chain().write(store, MemorySignalStore())
    remembered = RememberedHistory(store, kept=3)
    for place in range(6):
        resolved(store, f"t{place}", days=10.0 - place)
        store.record([IncidentChange(incident(), (Activity("incident-1", "created", START, "desk"),))])
        for before in (START, START - timedelta(days=6.5), START - timedelta(days=20)):
            assert tuple(remembered.past_incidents(before=before)) == store.past_incidents(
                before=before, limit=3
            )
    (newest, *_) = remembered.past_incidents(before=START)
    assert (newest.incident.id, newest.cause, newest.confirmed, newest.resolution) == (
        "t5",
        "database:orders",
        True,
        "grown",
    )


def test_a_ticket_of_the_past_is_found_by_the_next_analysis_and_the_same_store_gives_the_same_bytes() -> None:
    store, signals = MemoryGraphStore(), MemorySignalStore()
    site = chain().alarm("database:orders", 0.0, "InstanceDown").alarm("service:edge", 9.0, "HighErrorRate")
    site.write(store, signals)
    pipeline = replace(make_pipeline(store, signals), history=RememberedHistory(store))
    assert analysis_document(pipeline.analyze(incident("service:edge")))["similar"] == []
    resolved(store, "INC-7", days=3.0)
    first = pipeline.analyze(incident("service:edge"))
    (told,) = analysis_document(first)["similar"]
    assert (told["incident_id"], told["confirmed_cause"], told["resolution"]) == (
        "INC-7",
        "database:orders",
        "grown",
    )
    fresh = replace(make_pipeline(store, signals), history=RememberedHistory(store))
    assert analysis_json(fresh.analyze(incident("service:edge"))) == analysis_json(first)
    resolved(store, "INC-8", days=-3.0)
    assert analysis_json(pipeline.analyze(incident("service:edge"))) == analysis_json(first), (
        "what came later is unknown"
    )


def test_what_happens_to_open_incidents_is_not_read_again_and_what_happens_to_past_ones_is() -> None:
    store = MemoryGraphStore()
    chain().write(store, MemorySignalStore())
    resolved(store, "INC-1", days=5.0)
    asked: list[int] = []

    class Counting:
        """The ledger, and how often it was asked for the past."""

        def __getattr__(self, name: str) -> object:
            if name == "past_incidents":
                asked.append(1)
            return getattr(store, name)

    remembered = RememberedHistory(Counting())  # type: ignore[arg-type]
    remembered.past_incidents(before=START)
    for kind in ("created", "alerts_added", "analyzed", "rerooted", "commented"):
        store.record([IncidentChange(incident(), (Activity("incident-1", kind, START, "aiops"),))])
        remembered.past_incidents(before=START)
    assert len(asked) == 1
    again = Feedback("f-2", "INC-1", START, "desk", "correct", root_entity="host:db-1", resolution="moved")
    (known,) = store.past_incidents(before=START)
    store.record(
        [IncidentChange(known.incident, (Activity("INC-1", "feedback", START, "desk"),), feedback=again)]
    )
    (told,) = remembered.past_incidents(before=START)
    assert (told.cause, told.resolution, len(asked)) == ("host:db-1", "moved", 2)
