"""The unlearned prior on golden cases, and what it promises whatever the case."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from aiops.domain.candidates import CandidateTable
from aiops.domain.evidence import Channel, Evidence, EvidenceSet, Reference
from aiops.domain.graph import Entity, Relation, Subgraph
from aiops.evaluation.labels import Label, read_label
from aiops.reasoning.candidate_features import EDGE_FEATURE_NAMES, FEATURE_NAMES
from aiops.reasoning.channels import concentrated, contrast
from aiops.reasoning.prior import UnlearnedPrior
from aiops.reasoning.things import find_things
from ingest.evidence.extractor import RobustExtractor
from ingest.sources.case_folder import Case, read_case

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "cases"
ROOT = Path(__file__).resolve().parents[3]


def score(case: Case, healthy: frozenset[str] = frozenset()) -> CandidateTable:
    subgraph = Subgraph(case.incident.started_at, case.delta.entities, case.delta.relations)
    evidence = RobustExtractor().extract(case.incident, subgraph, case.observations)
    return UnlearnedPrior().score(case.incident, subgraph, evidence, case.observations, healthy=healthy)


def ranked(table: CandidateTable) -> list[str]:
    rows = sorted({int(row) for row in table.group}, key=lambda row: (-table.prior[row], table.entities[row]))
    return [table.entities[row] for row in rows if table.prior[row] > 0]


@pytest.mark.parametrize("folder", sorted(p.parent for p in GOLDEN.glob("*/case.json")), ids=lambda p: p.name)
def test_golden_cases_name_their_cause_first(folder: Path) -> None:
    document = json.loads((folder / "label.json").read_text())
    order = ranked(score(read_case(folder)))
    if not document["root_causes"]:
        assert order == []
        return
    label: Label = read_label(folder)
    assert label.rank_in(order) == 1, order[:4]


@pytest.mark.parametrize("folder", sorted(p.parent for p in GOLDEN.glob("*/case.json")), ids=lambda p: p.name)
def test_tables_keep_their_shape(folder: Path) -> None:
    table = score(read_case(folder))
    size = len(table.entities)
    assert list(table.entities) == sorted(table.entities)
    assert table.features.shape == (size, len(FEATURE_NAMES)) == (size, len(table.feature_names))
    assert table.edge_features.shape == (table.edges.shape[1], len(EDGE_FEATURE_NAMES))
    assert np.isfinite(table.features).all()
    assert np.abs(table.features).max(initial=0.0) <= 1.0
    assert np.abs(table.edge_features).max(initial=0.0) <= 1.0
    assert (table.prior >= 0).all()
    assert table.prior.max(initial=0.0) in (0.0, 1.0)
    assert (table.group[table.group] == table.group).all()
    again = score(read_case(folder))
    assert again.features.tobytes() == table.features.tobytes()
    assert again.prior.tobytes() == table.prior.tobytes()


def test_names_do_not_matter(tmp_path: Path) -> None:
    for name in ("silent-hop", "shared-cause", "slow-bottom"):
        table = score(read_case(GOLDEN / name))
        text = {f.name: f.read_bytes() for f in (GOLDEN / name).iterdir()}
        folder = tmp_path / name
        folder.mkdir()
        for file, body in text.items():
            if file.endswith(".gz"):
                body = gzip.compress(gzip.decompress(body).replace(b"device:", b"device:zz-"))
            elif file.endswith(".json"):
                body = body.replace(b"device:", b"device:zz-")
            (folder / file).write_bytes(body)
        renamed = score(read_case(folder))
        assert renamed.prior.tolist() == table.prior.tolist()


def test_a_thing_taken_as_healthy_loses_its_score() -> None:
    case = read_case(GOLDEN / "late-parent")
    table = score(case, healthy=frozenset({"host:h1"}))
    assert ranked(table)[0] == "service:web"
    assert table.prior[table.entities.index("host:h1")] == 0


def entity(name: str) -> Entity:
    return Entity(name, name.split(":")[0], name.split(":")[1])


def graph(*relations: tuple[str, str, str], extra: tuple[str, ...] = ()) -> Subgraph:
    from datetime import UTC, datetime

    names = sorted({*extra, *(end for r in relations for end in (r[0], r[2]))})
    return Subgraph(
        datetime(2026, 1, 1, tzinfo=UTC),
        tuple(entity(name) for name in names),
        tuple(sorted((Relation(*r) for r in relations), key=lambda r: r.key)),
    )


def test_names_of_one_thing_are_one_candidate_and_replicas_are_siblings() -> None:
    things = find_things(
        graph(
            ("service:n/web", "ROUTES_TO", "pod:n/web-1"),
            ("pod:n/web-1", "OWNED_BY", "replicaset:n/web-9"),
            ("replicaset:n/web-9", "OWNED_BY", "deployment:n/web"),
            ("container:n/web-1/app", "PART_OF", "pod:n/web-1"),
            ("service:n/api", "ROUTES_TO", "pod:n/api-1"),
            ("service:n/api", "ROUTES_TO", "pod:n/api-2"),
            ("pod:n/web-1", "RUNS_ON", "host:h"),
        )
    )
    web = things.thing("service:n/web")
    assert web == things.thing("deployment:n/web") == things.thing("container:n/web-1/app")
    assert web is not None
    assert things.ids[things.stands_for[web]] == "pod:n/web-1"
    first, second = things.thing("pod:n/api-1"), things.thing("pod:n/api-2")
    assert first is not None
    assert second is not None
    assert things.siblings[first] == {second}
    assert things.thing("service:n/api") not in (first, second)
    assert things.thing("host:h") != web
    assert things.thing("host:unknown") is None


def test_concentration_and_contrast_by_hand() -> None:
    assert concentrated(np.array([4.0, 0.0])).tolist() == [1.0, 0.0]
    assert concentrated(np.array([1.0, 1.0, 1.0, 1.0])).tolist() == [0.5] * 4
    assert concentrated(np.zeros(3)).tolist() == [0.0] * 3
    things = find_things(graph(("service:a", "ROUTES_TO", "pod:a1"), ("service:a", "ROUTES_TO", "pod:a2")))
    value = np.zeros(len(things))
    one, two = things.thing("pod:a1"), things.thing("pod:a2")
    assert one is not None
    assert two is not None
    value[one], value[two] = 3.0, 2.0
    assert contrast(value, things)[one] == 1.0
    assert contrast(value, things)[two] == 0.0


def alert(name: str, who: str, *, peer: str | None = None, channel: Channel = Channel.LATENCY) -> Evidence:
    return Evidence(
        f"{name}{who}{peer}",
        who,
        peer,
        "alert",
        channel,
        name,
        0.0,
        3.0,
        1,
        name,
        Reference("alarm", name),
        attributes={"adverse": "1"},
    )


def test_bad_calls_blame_the_callee() -> None:
    from datetime import UTC, datetime

    from aiops.domain.occurrences import Incident

    subgraph = graph(
        ("service:a", "CALLS", "service:c"),
        ("service:b", "CALLS", "service:c"),
        ("service:c", "CALLS", "service:d"),
    )
    items = (alert("slow", "service:a", peer="service:c"), alert("slow", "service:b", peer="service:c"))
    incident = Incident("i", "t", datetime(2026, 1, 1, tzinfo=UTC))
    table = UnlearnedPrior().score(incident, subgraph, EvidenceSet(items), None)  # type: ignore[arg-type]
    assert ranked(table) == ["service:c"]


def test_an_empty_graph_has_an_empty_table() -> None:
    from datetime import UTC, datetime

    from aiops.domain.occurrences import Incident

    table = UnlearnedPrior().score(
        Incident("i", "t", datetime(2026, 1, 1, tzinfo=UTC)),
        graph(),
        EvidenceSet(()),
        None,  # type: ignore[arg-type]
    )
    assert table.entities == ()
    assert table.features.shape == (0, len(FEATURE_NAMES))
    assert table.edges.shape == (2, 0)


@pytest.mark.shared
def test_no_name_of_a_data_set_is_in_the_code() -> None:
    """Names of sets, and of services and pods in them, occur nowhere in code or rule packs."""
    shared = Path(os.environ.get("AIOPS_SHARED_DATA", ROOT.parent / "shared" / "data")) / "cases"
    if not shared.is_dir():
        assert not shared.exists()  # nothing to compare with here: the names are only known where the data is
        return
    names: set[str] = set()
    for data_set in sorted(path for path in shared.iterdir() if path.is_dir()):
        names.add(data_set.name)
        for topology in sorted(data_set.glob("*/topology.json"))[:3]:
            for item in json.loads(topology.read_text())["entities"]:
                if item["kind"].lower() in {"service", "pod", "container", "deployment", "function"}:
                    names.add(re.sub(r"-[0-9a-f]{8,10}-[a-z0-9]{5}$", "", item["name"]))
    telling = {name for name in names if len(name) >= 9 and not name.isalpha()} | {
        name for name in names if re.search(r"service\d?$", name) and len(name) > 10
    }
    assert len(telling) > 30
    found = []
    for room in ("aiops", "ingest", "graph_models", "rules"):
        for file in sorted((ROOT / room).rglob("*")):
            if file.suffix in {".py", ".yaml", ".yml", ".json", ".clp"} and "scenarios" not in file.parts:
                text = file.read_text(errors="replace")
                found += [f"{file.relative_to(ROOT)}: {name}" for name in sorted(telling) if name in text]
    assert found == []
