"""Whatever is said follows from what is cited, and what is cited was seen: recorded outages, cases, and sites made at random."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aiops.contracts import Observations
from aiops.domain.graph import Subgraph
from aiops.domain.occurrences import Incident
from aiops.pipeline import Pipeline
from aiops.reasoning.documents import analysis_document, analysis_json
from aiops.reasoning.retrieval import retrieve
from aiops.store.memory import MemoryGraphStore, MemorySignalStore
from aiops.wiring import load
from aiops.wiring.analysis import make_pipeline, subgraph_of
from aiops.wiring.recordings import scenarios, watch
from ingest.sources.case_folder import read_case
from tests.support.pipelines import make_pipeline as plain_pipeline
from tests.support.random_sites import random_site
from tests.support.sentence_checker import display_names, faults, sentences, unseen
from tests.support.sites import incident

ROOT = Path(__file__).parents[2]
RECORDINGS = {
    **scenarios(),
    **{
        path.parent.name: path.parent
        for path in sorted((ROOT / "scenarios" / "recordings").glob("*/recording.json"))
    },
}
GOLDEN = sorted(path.parent for path in (ROOT / "tests" / "golden" / "cases").glob("*/case.json"))
SHARED = Path(os.environ.get("AIOPS_SHARED_DATA", ROOT.parent / "shared" / "data")) / "cases"
#: Cases of each data set that are read, where the data is.
OF_EACH = 2


def shared_cases() -> list[Path]:
    if not SHARED.is_dir():
        return []
    sets = sorted(path for path in SHARED.iterdir() if path.is_dir())
    return [
        folder
        for data_set in sets
        for folder in sorted(path.parent for path in data_set.glob("*/case.json"))[:OF_EACH]
    ]


@pytest.fixture(scope="module")
def shipped() -> Pipeline:
    """With the network and the map of confidence, as it runs."""
    return make_pipeline(load(), MemoryGraphStore(), MemorySignalStore())


def check(pipeline: Pipeline, posted: Incident, subgraph: Subgraph, seen: Observations) -> int:
    """How many sentences were checked. Twice the same input gives the same bytes."""
    analysis = pipeline.analyze_observed(posted, subgraph, seen)
    document = analysis_document(analysis)
    wrong = faults(document, display_names(subgraph)) + unseen(document, seen, subgraph)
    assert wrong == []
    assert analysis_json(pipeline.analyze_observed(posted, subgraph, seen)) == analysis_json(analysis)
    return sum(1 for _ in sentences(document))


@pytest.mark.parametrize("name", sorted(RECORDINGS))
def test_in_every_recorded_outage(name: str, shipped: Pipeline) -> None:
    assert check(shipped, *watch(load(), RECORDINGS[name])) > 40


@pytest.mark.parametrize("folder", [*GOLDEN, *shared_cases()], ids=lambda folder: folder.name)
def test_in_cases(folder: Path, shipped: Pipeline) -> None:
    case = read_case(folder)
    assert check(shipped, case.incident, subgraph_of(case), case.observations) >= 5


@pytest.mark.parametrize("seed", range(60))
def test_in_sites_made_at_random(seed: int) -> None:
    site, named = random_site(seed)
    graph, signals = MemoryGraphStore(), MemorySignalStore()
    site.write(graph, signals)
    pipeline = plain_pipeline(graph, signals)
    posted = incident(*named)
    found = retrieve(graph, posted, pipeline.bounds)
    assert check(pipeline, posted, found.subgraph, pipeline.observe(posted, found)) >= 5


@pytest.mark.parametrize("seed", range(0, 60, 3))
def test_the_order_in_which_things_came_changes_no_byte(seed: int) -> None:
    site, named = random_site(seed)
    bodies = []
    for alarms in (site.alarms, site.alarms[::-1]):
        graph, signals = MemoryGraphStore(), MemorySignalStore()
        site.write(graph, signals, alarms=alarms)
        bodies.append(analysis_json(plain_pipeline(graph, signals).analyze(incident(*named))))
    assert bodies[0] == bodies[1]
