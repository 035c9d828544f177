"""Packs that change under a running process: taken up whole, or refused and said so."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aiops.domain.candidates import RuleOutcome
from aiops.domain.evidence import Channel, Evidence, EvidenceSet, Reference
from aiops.domain.graph import Entity, Subgraph
from aiops.domain.occurrences import Incident
from aiops.errors import RuleError
from rules.reload import EXAMPLES, ReloadingRuleEngine

AT = datetime(2026, 1, 1, tzinfo=UTC)
GRAPH = Subgraph(AT, (Entity("host:a", "Host", "a"),), ())
SEEN = EvidenceSet(
    (
        Evidence("e1", "host:a", None, "log", Channel.LOG, "boom", AT.timestamp(), 3.0, 1, "boom", Reference("event", "e1")),
    )
)  # fmt: skip
EXAMPLE = """description: the word is said
entities: [{id: 'host:a', kind: Host}]
evidence: [{id: e1, entity: 'host:a', kind: log, text: boom}]
expect: [{entity: 'host:a', effect: support, kind: KIND, cites: [e1]}]
"""


def write(folder: Path, kind: str, version: str = "1.0.0", word: str = "boom") -> None:
    text = (
        f"pack: {{name: site, version: {version}, description: d}}\nrules:\n"
        "  - {id: SITE-1, title: t, description: d, "
        f"match: {{all: [{{evidence: {{kind: log, text: {{contains: {word}}}}}}}]}}, "
        f"then: {{effect: support, weight: 0.5, kind: {kind}, statement: '{{entity}}: {{text}}'}}}}\n"
    )
    replace(folder / "site.yaml", text)


def replace(file: Path, text: str) -> None:
    """As editors do: a new file in the place of the old one, so that its time is another."""
    new = file.with_suffix(".new")
    new.write_text(text)
    before = file.stat().st_mtime_ns if file.exists() else 0
    os.utime(new, ns=(before + 1_000_000, before + 1_000_000))
    new.rename(file)


def said(engine: ReloadingRuleEngine) -> RuleOutcome:
    return engine.evaluate(Incident(id="i", title="t", started_at=AT), GRAPH, SEEN)


def kinds(outcome: RuleOutcome) -> list[str | None]:
    return [firing.kind for firing in outcome.firings]


def test_a_changed_pack_is_taken_up_before_the_next_analysis(tmp_path: Path) -> None:
    write(tmp_path, "bad")
    engine = ReloadingRuleEngine([tmp_path])
    first = said(engine)
    write(tmp_path, "worse", "1.1.0")
    second = said(engine)
    assert (kinds(first), kinds(second)) == (["bad"], ["worse"])
    assert first.version.startswith("1.0.0+sha256.")
    assert second.version.startswith("1.1.0+sha256.")
    assert engine.version == second.version
    assert second.gaps == ()


def test_a_new_file_in_the_folder_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, "bad")
    engine = ReloadingRuleEngine([tmp_path])
    before = said(engine).version
    other = (tmp_path / "site.yaml").read_text().replace("site,", "other,").replace("SITE-1", "OTHER-1")
    replace(tmp_path / "other.yaml", other)
    assert [firing.rule for firing in said(engine).firings] == ["OTHER-1", "SITE-1"]
    assert engine.version != before


@pytest.mark.parametrize(
    ("text", "says"),
    [("rules: [", "not YAML"), ("pack: {name: site}\nrules: []", "missing"), ("", "empty")],
)
def test_a_broken_file_keeps_the_old_set_and_says_so(tmp_path: Path, text: str, says: str) -> None:
    write(tmp_path, "bad")
    engine = ReloadingRuleEngine([tmp_path])
    good = said(engine)
    replace(tmp_path / "site.yaml", text)
    for _ in range(2):  # also while nothing changes any more
        outcome = said(engine)
        assert (outcome.firings, outcome.version) == (good.firings, good.version)
        assert "refused" in outcome.gaps[0]
        assert says in outcome.gaps[0]
        assert "site.yaml" in outcome.gaps[0]
    write(tmp_path, "mended", "1.2.0")
    assert (kinds(said(engine)), said(engine).gaps) == (["mended"], ())


def test_a_set_that_fails_its_own_examples_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "bad")
    folder = tmp_path / EXAMPLES / "SITE-1"
    folder.mkdir(parents=True)
    (folder / "positive-word.yaml").write_text(EXAMPLE.replace("KIND", "bad"))
    engine = ReloadingRuleEngine([tmp_path])
    write(tmp_path, "bad", "1.1.0", word="bang")
    outcome = said(engine)
    assert kinds(outcome) == ["bad"]
    assert "did not fire on host:a" in outcome.gaps[0]
    assert outcome.version.startswith("1.0.0+")


def test_reload_on_demand_answers_and_a_broken_start_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "bad")
    engine = ReloadingRuleEngine([tmp_path])
    assert engine.reload() is None
    (tmp_path / "site.yaml").unlink()
    assert "expected" in (engine.reload() or "")
    assert kinds(said(engine)) == ["bad"]
    with pytest.raises(RuleError):
        ReloadingRuleEngine([tmp_path])


def test_analyses_beside_a_swap_see_one_set_or_the_other(tmp_path: Path) -> None:
    write(tmp_path, "bad")
    engine = ReloadingRuleEngine([tmp_path])
    old = said(engine)
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(said, engine) for _ in range(20)]
        write(tmp_path, "worse", "1.1.0")
        running += [pool.submit(said, engine) for _ in range(20)]
        seen = {(outcome.version, *kinds(outcome)) for outcome in (one.result() for one in running)}
    new = said(engine)
    assert seen <= {(old.version, "bad"), (new.version, "worse")}
