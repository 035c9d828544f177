"""What an answer has to explain."""

from __future__ import annotations

import pytest

from aiops.domain.evidence import EvidenceSet
from aiops.reasoning.complaints import Complaints, collect_complaints
from tests.support.sites import Site, incident
from tests.unit.reasoning.test_failure_arrows import seen

KNOWN = frozenset({"host:a", "host:b", "host:c"})
NOTHING = EvidenceSet(())


def collect(
    site: Site, *affected: str, evidence: EvidenceSet = NOTHING, muted: frozenset[str] = frozenset()
) -> Complaints:
    return collect_complaints(incident(*affected), site.alarms, evidence, muted=muted, known=KNOWN)


def test_a_loud_entity_counts_once() -> None:
    site = Site().alarm("host:a", 0.0).alarm("host:a", 60.0).alarm("host:a", 5.0, "Slow").alarm("host:b", 9.0)
    found = collect(site, "host:b")
    assert [(item.entity, item.ids, item.named) for item in found.items] == [
        ("host:b", ("alarm:Down@host:b:9",), True),
        ("host:a", ("alarm:Down@host:a:0", "alarm:Down@host:a:60"), False),
        ("host:a", ("alarm:Slow@host:a:5",), False),
    ]
    assert found.weights() == {"host:b": 0.5, "host:a": 0.5}


def test_named_without_an_alarm_is_a_complaint_too() -> None:
    found = collect(Site(), "host:a", "host:b")
    assert [item.ids for item in found.items] == [("affected:host:a",), ("affected:host:b",)]
    assert found.weights() == pytest.approx({"host:a": 0.5, "host:b": 0.5})


def test_strangers_standing_muted_and_informational_alarms_are_left_out() -> None:
    site = Site().alarm("host:elsewhere", 0.0).alarm("host:a", -5000.0).alarm("host:b", 0.0)
    site.alarm("host:c", 0.0, severity="info")
    found = collect(site, muted=frozenset({"host:b"}))
    assert found.items == ()
    assert found.standing == ("alarm:Down@host:a:-5000",)


def test_where_nobody_complained_the_strongest_evidence_does() -> None:
    evidence = EvidenceSet((seen("host:a", 1.0, 4.0), seen("host:a", 2.0, 6.0), seen("host:b", 0.0, 2.0)))
    found = collect(Site(), evidence=evidence)
    assert [(item.entity, item.ids) for item in found.items] == [("host:a", ("e-host:a-alert-2",))]
