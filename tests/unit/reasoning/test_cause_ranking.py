"""Order, merging, vetoes, pins, and what is inferred, on tables made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from aiops.domain.candidates import CandidateTable, Correction, RuleFiring, RuleOutcome
from aiops.domain.evidence import EvidenceSet
from aiops.domain.graph import Relation
from aiops.reasoning.alarm_order import what_alarms_tell
from aiops.reasoning.complaints import Complaint, Complaints
from aiops.reasoning.consequences import explain_by
from aiops.reasoning.paths import reach
from aiops.reasoning.ranking import Ranking, RankingWeights, Veto, rank, rule_support
from aiops.reasoning.spread import build_failure_graph, sight
from tests.unit.reasoning.test_failure_arrows import seen, subgraph


def firing(
    entity: str, effect: str, weight: float = 1.0, rule: str = "R-1", kind: str | None = None
) -> RuleFiring:
    return RuleFiring(
        rule, entity, effect, weight, kind, None, f"{rule} says {effect}", (f"e-{entity}-alert-0",), (rule,)
    )


@dataclass
class Setting:
    """``prior`` by entity; relations; entities with evidence; entities with complaints."""

    prior: Mapping[str, float]
    relations: Sequence[Relation] = ()
    failing: Mapping[str, float] = field(default_factory=dict)
    complaining: Sequence[str] = ()
    firings: Sequence[RuleFiring] = ()
    opinion: Mapping[str, float] | None = None
    group: Mapping[str, str] = field(default_factory=dict)
    vetoes: Sequence[Veto] = ()
    weights: RankingWeights = field(default_factory=RankingWeights)
    told: bool = False

    def rank(self) -> Ranking:
        entities = tuple(sorted(self.prior))
        index = {entity: row for row, entity in enumerate(entities)}
        table = CandidateTable(
            entities,
            (),
            np.zeros((len(entities), 0)),
            np.array([self.prior[entity] for entity in entities]),
            np.zeros((2, 0), dtype=np.int64),
            (),
            np.zeros((0, 0)),
            np.array([index[self.group.get(entity, entity)] for entity in entities], dtype=np.int64),
        )
        alone = [Relation(entity, "PROBES", entity) for entity in entities]
        evidence = EvidenceSet(tuple(seen(entity, at) for entity, at in self.failing.items()))
        sighting = sight(evidence, ())
        graph = build_failure_graph(subgraph(*self.relations, *alone), sighting)
        complaints = Complaints(
            tuple(
                Complaint((f"a-{e}",), e, self.failing.get(e, 0.0), True, "hurts") for e in self.complaining
            ),
            (),
        )
        explained = explain_by(
            graph, sighting, complaints, reach(graph, complaints.entities()), self.weights.bounds
        )
        correction = None
        if self.opinion is not None:
            delta = np.array([self.opinion.get(entity, 0.0) for entity in entities])
            correction = Correction(delta, np.zeros(0), 1.0, "m")
        return rank(
            table,
            RuleOutcome(tuple(self.firings), "1"),
            correction,
            graph,
            sighting,
            explained,
            vetoes=tuple(self.vetoes),
            weights=self.weights,
            told=what_alarms_tell(evidence, {name: name.split(":")[0] for name in entities})
            if self.told
            else {},
        )


def order(ranking: Ranking) -> list[str]:
    return [cause.entity for cause in ranking.causes]


def test_the_prior_decides_where_nothing_else_speaks() -> None:
    assert order(Setting({"host:a": 0.2, "host:b": 1.0, "host:c": 0.5}).rank()) == [
        "host:b",
        "host:c",
        "host:a",
    ]


def test_ties_fall_to_the_smaller_id() -> None:
    assert order(Setting({"host:b": 1.0, "host:a": 1.0, "host:c": 1.0}).rank()) == [
        "host:a",
        "host:b",
        "host:c",
    ]


def test_the_total_is_the_sum_of_its_terms() -> None:
    ranking = Setting(
        {"service:a": 1.0, "service:b": 0.5},
        relations=[Relation("service:a", "CALLS", "service:b")],
        failing={"service:a": 0.0, "service:b": -5.0},
        complaining=["service:a"],
        firings=[firing("service:b", "support", 0.5)],
        opinion={"service:b": 0.25},
    ).rank()
    for cause in ranking.causes:
        assert cause.total == pytest.approx(sum(v for k, v in cause.score.items() if k != "total"), abs=1e-5)
    b = next(cause for cause in ranking.causes if cause.entity == "service:b")
    assert b.score["rule"] == pytest.approx(RankingWeights().rule * 0.5 / 2)  # the bound of the opinion is 1
    assert b.score["model"] == 0.25


def test_the_further_a_model_may_correct_the_less_is_left_to_what_nobody_fitted() -> None:
    asked = Setting({"service:a": 0.5, "service:b": 0.4}, firings=[firing("service:b", "support", 1.0)])
    alone = asked.rank().causes[0].score
    corrected = replace(asked, opinion={}).rank().causes  # the bound of the opinion is 1, and it says nothing
    heard = next(cause.score for cause in corrected if cause.entity == "service:b")
    assert alone["rule"] == pytest.approx(RankingWeights().rule)
    assert heard["rule"] == pytest.approx(RankingWeights().rule / 2)
    assert heard["prior"] == pytest.approx(0.4)


def test_rules_agree_with_growing_weight_and_stay_bounded() -> None:
    outcome = RuleOutcome(
        (
            firing("host:a", "support", 0.5),
            firing("host:a", "support", 0.5, "R-2"),
            firing("host:b", "oppose", 0.4),
            firing("host:c", "veto", 1.0),
            firing("host:d", "support", 7.0, "R-3"),
        ),
        "1",
    )
    assert rule_support(outcome) == pytest.approx({"host:a": 0.75, "host:b": -0.4, "host:d": 1.0})


def test_a_rule_that_supports_many_tells_them_apart_the_less() -> None:
    outcome = RuleOutcome(tuple(firing(f"host:{name}", "support", 0.8) for name in "abcd"), "1")
    assert rule_support(outcome) == pytest.approx({f"host:{name}": 0.2 for name in "abcd"})
    one_thing = {f"host:{name}": 3 for name in "abcd"}
    assert rule_support(outcome, one_thing) == pytest.approx({f"host:{name}": 0.8 for name in "abcd"})


def test_a_veto_removes_with_its_reason() -> None:
    setting = Setting({"host:a": 1.0, "host:b": 0.5}, firings=[firing("host:a", "veto")])
    assert order(setting.rank()) == ["host:b"]
    assert setting.rank().vetoed == (Veto("host:a", "R-1 says veto", ("e-host:a-alert-0",)),)
    setting.vetoes = [Veto("host:a", "in maintenance", ())]
    assert setting.rank().vetoed == (Veto("host:a", "in maintenance", ()),)


def test_a_pin_lifts_into_the_first_three_and_keeps_its_reason() -> None:
    prior = {f"host:{letter}": 1.0 - number / 10 for number, letter in enumerate("abcdef")}
    pinned = Setting(prior, firings=[firing("host:f", "pin", 0.0)]).rank()
    assert order(pinned) == ["host:a", "host:b", "host:f", "host:c", "host:d", "host:e"]
    assert pinned.causes[2].pinned is not None
    many = Setting(prior, firings=[firing(f"host:{letter}", "pin", 0.0) for letter in "cdef"]).rank()
    assert order(many)[:3] == ["host:d", "host:e", "host:f"]
    assert order(Setting(prior, firings=[firing("host:a", "pin", 0.0)]).rank())[0] == "host:a"


def test_rows_of_a_group_become_one_cause_with_the_best_score() -> None:
    group = {"pod:a1": "service:a", "pod:a2": "service:a"}
    setting = Setting({"service:a": 0.1, "pod:a1": 0.4, "pod:a2": 1.0, "service:b": 0.7}, group=group)
    first = setting.rank().causes[0]
    assert (first.entity, first.members) == ("service:a", ("pod:a2", "pod:a1", "service:a"))
    setting.firings = [firing("service:a", "veto")]
    assert setting.rank().causes[0].entity == "pod:a2"


def test_a_consequence_stands_below_a_cause_about_as_strong() -> None:
    relations = [Relation("service:a", "CALLS", "service:b")]
    setting = Setting(
        {"service:a": 1.0, "service:b": 0.95}, relations, {"service:a": 0.0, "service:b": 40.0}, ["service:a"]
    )
    assert order(setting.rank()) == ["service:b", "service:a"]
    setting.prior = {"service:a": 1.0, "service:b": 0.3}
    assert order(setting.rank()) == ["service:a", "service:b"]


def test_where_each_could_be_the_other_the_first_wins() -> None:
    relations = [Relation("device:a", "CONNECTED_TO", "device:b")]
    setting = Setting(
        {"device:a": 1.0, "device:b": 1.0}, relations, {"device:a": 9.0, "device:b": 0.0}, ["device:a"]
    )
    assert order(setting.rank()) == ["device:b", "device:a"]


def test_a_silent_shared_cause_needs_enough_and_close_in_time() -> None:
    relations = [Relation(f"device:d{i}", "POWERED_BY", "powerunit:p") for i in range(4)]
    prior = {f"device:d{i}": 1.0 for i in range(4)} | {"powerunit:p": 0.0}
    names = [f"device:d{i}" for i in range(4)]
    together = Setting(prior, relations, {name: float(i) for i, name in enumerate(names)}, names).rank()
    assert together.causes[0].entity == "powerunit:p"
    assert together.causes[0].inferred
    scattered = Setting(prior, relations, {name: 400.0 * i for i, name in enumerate(names)}, names).rank()
    assert scattered.causes[-1].entity == "powerunit:p"
    few = Setting(prior, relations, dict.fromkeys(names[:2], 0.0), names[:2]).rank()
    assert not any(cause.inferred for cause in few.causes)


def test_a_sure_cause_stands_above_the_louder_things_it_explains() -> None:
    relations = [Relation(f"host:h{i}", "DEPENDS_ON", "device:d") for i in range(3)]
    hosts = [f"host:h{i}" for i in range(3)]
    setting = Setting(
        {"device:d": 0.1, **dict.fromkeys(hosts, 1.0)},
        relations,
        {"device:d": 4.0, **dict.fromkeys(hosts, 0.0)},
        hosts,
    )
    assert order(setting.rank())[0] == "host:h0"
    failed = replace(firing("device:d", "support", 0.8), category="failure")
    setting.firings = [failed]
    first = setting.rank().causes[0]
    assert first.entity == "device:d"
    assert not first.inferred
    assert first.score["over"] > 0.0
    setting.failing = {"device:d": 60.0, **dict.fromkeys(hosts, 0.0)}
    assert order(setting.rank())[0] == "host:h0"  # it showed too late to be sure


def test_a_complaint_long_before_the_cause_showed_is_not_explained() -> None:
    relations = [Relation("service:a", "CALLS", "service:b")]
    setting = Setting(
        {"service:a": 1.0, "service:b": 1.0}, relations, {"service:a": 0.0, "service:b": 400.0}, ["service:a"]
    )
    assert next(c for c in setting.rank().causes if c.entity == "service:b").score["coverage"] == 0.0


def test_an_alarm_upstream_stands_above_those_that_it_explains() -> None:
    relations = [Relation("service:a", "CALLS", "service:b"), Relation("service:b", "CALLS", "service:c")]
    names = ["service:a", "service:b", "service:c"]
    prior = dict(zip(names, (1.0, 0.5, 0.2), strict=True))
    setting = Setting(prior, relations, {"service:a": 0.0, "service:b": 20.0, "service:c": 40.0}, names)
    assert order(setting.rank()) == names
    setting.told = True
    assert order(setting.rank()) == names[::-1]
    setting.opinion = {"service:a": 0.9}  # the network may say otherwise
    assert order(setting.rank())[0] == "service:a"


@pytest.mark.parametrize("told", [False, True])
def test_alike_victims_of_a_link_in_common_do_not_explain_each_other(told: bool) -> None:
    names = [f"host:h{number}" for number in range(4)]
    relations = [Relation(name, "CONNECTED_TO", "switch:s") for name in names]
    setting = Setting(
        {**dict.fromkeys(names, 1.0), "switch:s": 0.0}, relations, dict.fromkeys(names, 0.0), names, told=told
    )
    assert order(setting.rank())[0] == ("switch:s" if told else "host:h0")


def test_an_empty_table_gives_an_empty_ranking() -> None:
    assert Setting({}).rank() == Ranking((), ())
