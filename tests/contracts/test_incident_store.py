"""What every IncidentStore promises, on each of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aiops.contracts import GraphStore, IncidentStore
from aiops.domain.occurrences import Incident, Symptom
from aiops.errors import InputError, StoreConflict

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def incident(number: int = 1, **fields: object) -> Incident:
    plain = Incident(
        id=f"I{number}",
        title="checkout fails",
        started_at=NOON + timedelta(minutes=number),
        affected=("host:a", "service:b"),
        symptoms=(Symptom("service:b", "errors", NOON), Symptom("host:a", None, NOON)),
        labels={"team": "shop=1"},
        description="naïve `text`",
        window_before_s=600.5,
    )
    return replace(plain, **fields)  # type: ignore[arg-type]


def test_what_was_posted_is_read_back(store: IncidentStore) -> None:
    posted = incident(affected=("service:b", "host:a", "host:a"), ended_at=NOON)
    assert store.put_incident(posted) == incident(ended_at=NOON)
    assert store.incident("I1") == incident(ended_at=NOON)
    assert store.incident("none") is None


def test_the_same_id_is_updated(store: IncidentStore) -> None:
    store.put_incident(incident())
    store.put_incident(incident(status="resolved", affected=("host:a",)))
    assert store.incidents() == (incident(status="resolved", affected=("host:a",)),)


def test_the_same_origin_keeps_the_first_id(store: IncidentStore) -> None:
    first = incident(1, source="servicenow", external_id="INC7")
    assert store.put_incident(first) == first
    again = store.put_incident(incident(2, source="servicenow", external_id="INC7", title="worse"))
    assert (again.id, again.title) == ("I1", "worse")
    assert store.incident("I2") is None
    assert store.put_incident(incident(3, source="jira", external_id="INC7")).id == "I3"


def test_an_id_of_another_origin_is_refused(store: IncidentStore) -> None:
    store.put_incident(incident(1))
    adopted = incident(1, source="jira", external_id="J1")
    assert store.put_incident(adopted) == adopted
    with pytest.raises(StoreConflict, match="I1 is already jira/J1"):
        store.put_incident(incident(1, source="jira", external_id="J2"))
    assert store.incident("I1") == adopted


def test_pages_run_from_newest_to_oldest(store: IncidentStore) -> None:
    for number in (3, 1, 2):
        store.put_incident(incident(number, status="resolved" if number == 2 else "open"))
    store.put_incident(incident(4, started_at=NOON + timedelta(minutes=3)))
    assert [row.id for row in store.incidents()] == ["I4", "I3", "I2", "I1"]
    assert [row.id for row in store.incidents(limit=2)] == ["I4", "I3"]
    assert [row.id for row in store.incidents(limit=2, before="I3")] == ["I2", "I1"]
    assert [row.id for row in store.incidents(before="I4")] == ["I3", "I2", "I1"]
    assert [row.id for row in store.incidents(status="open", before="I3")] == ["I1"]
    assert store.incidents(before="I1") == ()
    assert store.incidents(limit=0) == ()
    with pytest.raises(InputError, match="nowhere"):
        store.incidents(before="nowhere")


def test_analyses_are_numbered_and_returned_byte_for_byte(store: IncidentStore) -> None:
    store.put_incident(incident())
    documents = ['{"verdict":"likely","text":"ä🔥\\u0000"}'.encode(), b"{}\n"]
    numbers = [
        store.put_analysis("I1", document, at=NOON, causes=[("host:a", 0.9), ("host:new", 0.2)])
        for document in documents
    ]
    assert numbers == [1, 2]
    assert store.analysis("I1") == (2, documents[1])
    assert store.analysis("I1", 1) == (1, documents[0])
    assert store.analysis("I1", 3) is None
    assert store.analysis("I1", 0) is None
    assert store.analysis("I2") is None


def test_refusals_leave_no_trace(store: IncidentStore) -> None:
    with pytest.raises(StoreConflict, match="I9"):
        store.put_analysis("I9", b"{}", at=NOON, causes=[])
    with pytest.raises(InputError, match="UTF-8"):
        store.put_analysis("I9", b"\xff", at=NOON, causes=[])
    with pytest.raises(InputError):
        store.put_incident(incident(id=""))
    with pytest.raises(InputError):
        store.put_incident(incident(started_at=NOON.replace(tzinfo=None)))
    with pytest.raises(InputError):
        store.put_incident(incident(title="\udc00"))
    assert store.incidents() == ()


def test_what_an_incident_affects_is_an_entity(store: IncidentStore) -> None:
    assert hasattr(store, "unmatched")
    graph: GraphStore = store  # type: ignore[assignment]
    store.put_incident(incident())
    store.put_analysis("I1", b"{}", at=NOON, causes=[("host:c", 1.0)])
    assert [entity.id for entity in graph.unmatched()] == ["host:a", "host:c", "service:b"]
    assert graph.counts()["incident"] == 1
