"""The shipped packs: every rule has examples that hold, nothing contradicts, the version says what is in it."""

from pathlib import Path

import pytest
import yaml

from aiops.domain.candidates import RuleOutcome
from aiops.domain.fault_kinds import KINDS
from rules.engine import ClipsRuleEngine
from rules.examples import ExampleReport, read_example, run_examples
from rules.lint import lint_rules
from rules.loader import load_packs, load_shipped_packs

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "tests" / "golden" / "rules"
PACKS = ROOT / "rules" / "packs"


@pytest.fixture(scope="module")
def report() -> ExampleReport:
    return run_examples(load_shipped_packs(), EXAMPLES)


def test_every_example_holds(report: ExampleReport) -> None:
    assert [(result.file, result.problem) for result in report.results if result.problem] == []


def test_every_rule_has_a_positive_and_a_negative_example(report: ExampleReport) -> None:
    assert report.missing == ()
    assert report.passed


def test_every_rule_fires_somewhere_and_none_contradicts() -> None:
    assert lint_rules(load_shipped_packs(), EXAMPLES) == ()


def test_packs_cover_the_domains() -> None:
    rule_set = load_shipped_packs()
    assert {pack.name for pack in rule_set.packs} == {
        *("network", "linux", "database", "brokers", "proxies", "platform"),
        *("kubernetes-admission", "kubernetes-nodes", "kubernetes-scheduling"),
        *("kubernetes-services", "kubernetes-startup"),
    }
    assert len(rule_set.rules) >= 120


def test_shipped_rules_say_only_kinds_of_the_vocabulary() -> None:
    said = {rule.conclusion.kind for rule in load_shipped_packs().rules if rule.conclusion.kind}
    assert sorted(said - KINDS) == []


def test_every_statement_of_an_example_cites_evidence_that_exists() -> None:
    engine = ClipsRuleEngine(load_shipped_packs())
    for file in sorted(EXAMPLES.glob("*/positive-*.yaml"))[:40]:
        example = read_example(file.read_bytes(), file.name, file.parent.name, positive=True)
        outcome: RuleOutcome = engine.evaluate(example.incident, example.subgraph, example.evidence)
        known = {item.id for item in (*example.evidence.items, *example.evidence.facts)}
        assert all(firing.evidence and set(firing.evidence) <= known for firing in outcome.firings)
        assert all(firing.trace[-1] == firing.rule for firing in outcome.firings)
        keys = [(firing.entity, firing.rule) for firing in outcome.firings]
        assert keys == sorted(keys)


def test_version_ignores_layout_and_notices_content(tmp_path: Path) -> None:
    shipped = load_shipped_packs()
    assert load_packs([PACKS]).version == load_packs([]).version == shipped.version
    assert shipped.version.startswith("1.1.0+sha256.")
    document = yaml.safe_load((PACKS / "linux.yaml").read_text())
    (tmp_path / "linux.yaml").write_text(yaml.safe_dump(document, sort_keys=True))
    relaid = load_packs([tmp_path / "linux.yaml"]).version
    assert relaid == load_packs([PACKS / "linux.yaml"]).version
    document["rules"][0]["then"]["weight"] = 0.11
    (tmp_path / "linux.yaml").write_text(yaml.safe_dump(document))
    assert load_packs([tmp_path / "linux.yaml"]).version != relaid
