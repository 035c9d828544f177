"""Confidence as a probability: the map, the sets, and what they change in an answer."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import cast

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops.domain.analysis import Analysis
from aiops.errors import ModelError
from aiops.reasoning.calibration import (
    Calibration,
    Knots,
    calibration_json,
    conformal_set,
    parse_calibration,
    shares,
    shipped_calibration,
)
from aiops.reasoning.counterfactual import Accounts
from aiops.reasoning.diagnosis import _mass
from aiops.reasoning.documents import analysis_document
from aiops.reasoning.ranking import Ranked
from aiops.reasoning.rendering import render_text
from aiops.store.memory import MemoryGraphStore, MemorySignalStore
from tests.support.pipelines import make_pipeline
from tests.support.sites import Site, chain, incident

MAP = Calibration(
    first=Knots((0.2, 0.6), (0.1, 0.9)),
    later=Knots((0.2, 0.6), (0.05, 0.95)),
    level=0.9,
    least_share=0.2,
    incidents=40,
    systems=3,
    error=0.04,
    error_left_out=0.1,
    version="abc",
)


def site() -> Site:
    return (
        chain()
        .alarm("database:orders", 0.0, "InstanceDown")
        .alarm("service:shop", 5.0, "HighErrorRate")
        .alarm("service:edge", 9.0, "HighErrorRate")
    )


def analyzed(calibration: Calibration | None, seen: Site | None = None) -> Analysis:
    graph, signals = MemoryGraphStore(), MemorySignalStore()
    (seen or site()).write(graph, signals)
    return make_pipeline(graph, signals, calibration=calibration).analyze(incident("service:edge"))


def test_the_map_is_linear_between_knots_and_falls_to_nothing_below_them() -> None:
    knots = Knots((0.2, 0.6), (0.1, 0.9))
    assert [round(knots(raw), 6) for raw in (0.0, 0.1, 0.2, 0.4, 0.6, 1.0)] == [0.0, 0.05, 0.1, 0.5, 0.9, 0.9]


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_the_shipped_maps_never_turn_the_order_round(raw: list[float]) -> None:
    made = shipped_calibration()
    for knots in (made.first, made.later):
        values = [knots(one) for one in sorted(raw)]
        assert all(0 <= a <= b <= 1 for a, b in itertools.pairwise(values))


def test_what_ships_is_as_good_as_it_says_it_has_to_be() -> None:
    made = shipped_calibration()
    assert made.incidents >= 100
    assert made.error <= 0.05
    assert 0 < made.least_share < 0.5
    assert made.version[:12] in made.describe()


def test_the_document_reads_back() -> None:
    made = parse_calibration(calibration_json(MAP))
    assert replace(made, version="abc") == MAP
    assert len(made.version) == 64


@pytest.mark.parametrize(
    "broken",
    [
        {"format": "calibration/0"},
        {"first": {"raw": [], "probability": []}},
        {"first": {"raw": [0.5, 0.4], "probability": [0.1, 0.2]}},
        {"first": {"raw": [0.4, 0.5], "probability": [0.3, 0.2]}},
        {"first": {"raw": [0.4], "probability": [1.2]}},
        {"first": {"raw": [0.4, 0.5], "probability": [0.3]}},
        {"conformal": {"level": 0.9}},
        {"incidents": None},
    ],
)
def test_a_broken_document_is_refused(broken: dict[str, object]) -> None:
    document = orjson.loads(calibration_json(MAP)) | broken
    with pytest.raises(ModelError, match="no calibration"):
        parse_calibration(orjson.dumps(document))
    with pytest.raises(ModelError):
        parse_calibration(b"{")


def test_shares_by_hand_and_sets_by_share() -> None:
    assert shares([0.0, np.log(3.0)], 1.0).tolist() == pytest.approx([0.25, 0.75])
    assert shares([1000.0, 1000.0], 5.0).tolist() == [0.5, 0.5]
    assert len(shares([], 1.0)) == 0
    totals = [0.0, np.log(3.0) / 2, 0.0]  # shares 1/5, 3/5, 1/5
    assert conformal_set(["b", "c", "a"], totals, 0.19) == ("c", "a", "b")
    assert conformal_set(["b", "c", "a"], totals, 0.5) == ("c",)
    assert conformal_set(["b", "c", "a"], totals, 0.9) == ("c",)
    assert conformal_set([], [], 0.9) == ()


def test_an_answer_says_that_it_is_calibrated_and_how() -> None:
    document = analysis_document(analyzed(MAP))
    assert document["engine"]["calibrated"] is True
    assert document["engine"]["calibration"] == MAP.describe()
    assert "uncalibrated" not in document["summary"]
    found = document["conformal_set"]
    assert found["level"] == 0.9
    assert found["size"] == len(found["causes"]) >= 1
    assert found["causes"][0] == document["causes"][0]["entity"]["id"]
    said = " ".join(render_text(document).split())
    assert "40 labelled incidents of 3 systems" in said
    assert "In 90% of incidents a true cause is in such a set" in said


def test_confidence_is_the_map_of_the_raw_mixture_and_never_rises() -> None:
    plain, mapped = analyzed(None), analyzed(MAP)
    assert [c.entity.id for c in plain.causes] == [c.entity.id for c in mapped.causes]
    assert mapped.causes[0].confidence == pytest.approx(MAP.first(plain.causes[0].confidence), abs=2e-4)
    assert len(mapped.causes) > 1
    assert all(a.confidence >= b.confidence for a, b in itertools.pairwise(mapped.causes))


def test_without_a_map_nothing_is_called_calibrated() -> None:
    document = analysis_document(analyzed(None))
    engine = document["engine"]
    assert (engine["calibrated"], engine["calibration"], document["conformal_set"]) == (False, None, None)
    assert "uncalibrated" in document["summary"]
    assert "uncalibrated: it orders the causes and is no probability" in " ".join(
        render_text(document).split()
    )


def test_the_map_is_part_of_the_hash_of_the_inputs() -> None:
    other = replace(MAP, version="def")
    hashes = {analyzed(one).engine.inputs_hash for one in (None, MAP, other)}
    assert len(hashes) == 3


def test_too_little_evidence_and_too_little_confidence_name_no_cause() -> None:
    doubtful = replace(MAP, first=Knots((1.0,), (0.2,)))
    faint = chain().metric("service:edge", "node_load1", normal=1.0, bad=1.04)
    found = analyzed(doubtful, faint)
    assert (found.verdict, found.causes, found.conformal_set) == ("inconclusive", (), None)
    assert "too little speaks for anyone" in found.summary
    told = analyzed(MAP, chain().alarm("service:edge", 9.0, "Notice", severity="info"))
    assert told.summary == "INCONCLUSIVE: no candidate has evidence in the window."
    assert analyzed(None, faint).causes, "without a map nothing is dropped"
    assert analyzed(doubtful).causes, "strong evidence is named, however unsure"


class _Reaches:
    """Stands for the accounts: who may be nothing but a consequence of whom, by name."""

    def __init__(self, *pairs: tuple[str, str]) -> None:
        self._pairs = frozenset(pairs)

    def reaches_all(self, cause: Ranked, other: Ranked) -> bool:
        return (cause.entity, other.entity) in self._pairs


def _ranked(entity: str, total: float, share: float, over: float = 0.0) -> Ranked:
    return Ranked(entity, (entity,), {"total": total, "share": share, "over": over}, None, False)


def test_a_sure_cause_is_measured_against_what_it_does_not_explain() -> None:
    port = _ranked("interface:p", 0.8, 0.9, over=0.5)
    host, stranger, rival = (
        _ranked("host:h", 0.78, 0.9),
        _ranked("host:loud", 1.0, 0.0),
        _ranked("host:rival", 0.5, 0.4),
    )
    causes = (stranger, port, host, rival)
    mass = _mass(causes, causes, cast(Accounts, _Reaches(("interface:p", "host:h"))), 6.0)
    assert mass["interface:p"] == pytest.approx(float(shares([0.8, 0.5], 6.0)[0]))
    everyone = shares([one.total for one in causes], 6.0)
    assert mass["host:loud"] == pytest.approx(float(everyone[0]))
    loud_first = (stranger, replace(port, score={**port.score, "over": 0.0}))
    unsure = _mass(loud_first, loud_first, cast(Accounts, _Reaches()), 6.0)
    assert unsure["interface:p"] == pytest.approx(float(shares([1.0, 0.8], 6.0)[1]))
