from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from aiops.errors import ModelError
from graph_models.architecture import Architecture
from graph_models.encoding import encode
from graph_models.export import INPUTS, load_network
from graph_models.network import RootCauseGAT, bounded
from graph_models.registry import file_sha256, read_manifest
from graph_models.scorer import OnnxCorrector
from graph_models.training import Epoch, LabelledTable, TrainingSettings, train
from tests.support.tables import NO_RULES, make_labelled, make_table

QUICK = TrainingSettings(learning_rate=3e-3, epochs=25, batch=16)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    train(make_labelled(120), folder, QUICK, version="0.0.1")
    return folder


def test_served_network_equals_the_trained_one_attention_included(model: Path) -> None:
    network, corrector = load_network(model), OnnxCorrector(model)
    for seed, n, m in [(0, 8, 14), (1, 1, 0), (2, 2, 1), (3, 60, 400), (4, 9, 0)]:
        graph = encode(make_table(seed, n, m), NO_RULES)
        with torch.no_grad():
            score, attention, edge = network(*(torch.from_numpy(getattr(graph, name)) for name in INPUTS))
        served_score, served_attention, served_edge = corrector.run(graph)
        assert m == 0 or np.abs(served_edge - edge.numpy()).max() < 1e-5
        assert np.abs(served_score - score.numpy()).max() < 1e-5
        assert served_attention.shape == (2 * m,)
        assert m == 0 or np.abs(served_attention - attention.numpy()).max() < 1e-5
        assert m == 0 or (attention.min() >= 0 and attention.max() <= 1)


def test_attention_into_a_node_sums_to_one(model: Path) -> None:
    graph = encode(make_table(5, 10, 40), NO_RULES)
    _, attention, _ = OnnxCorrector(model).run(graph)
    into = np.zeros(10)
    np.add.at(into, graph.edge_index[1], attention)
    assert into[np.unique(graph.edge_index[1])] == pytest.approx(1.0, abs=1e-5)


def test_the_gate_opens_for_a_model_that_helps_and_the_correction_stays_within_it(model: Path) -> None:
    corrector = OnnxCorrector(model)
    gate = corrector.manifest.gate
    assert corrector.manifest.bound == gate["bound"] > 0
    hits = 0
    for seed in range(1000, 1040):
        table = make_table(seed)
        correction = corrector.correct(table, NO_RULES)
        assert np.abs(correction.delta).max() <= correction.bound
        assert correction.attention.shape == (table.edges.shape[1],)
        assert correction.edge_delta is not None
        assert correction.edge_delta.shape == (table.edges.shape[1],)
        assert np.abs(correction.edge_delta).max() <= correction.edge_bound
        hits += int((table.prior + correction.delta).argmax() == seed % 8)
    assert hits >= 38


def test_the_gate_stays_shut_where_there_is_nothing_to_learn(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cases = []
    for seed in range(80):
        table = make_table(seed)
        prior = np.zeros(8)
        prior[seed % 8] = 1.0  # the prior is always right already; features are noise
        cases.append(
            LabelledTable(
                replace(table, features=rng.normal(size=(8, 2)), prior=prior), NO_RULES, (seed % 8,)
            )
        )
    manifest = train(cases, tmp_path, replace(QUICK, epochs=2, bounds=(0.0, 3.0)), version="0")
    tried = manifest.gate["tried"]
    assert isinstance(tried, list)
    assert manifest.bound == 0.0
    assert all(row["gain_high"] <= 0 for row in tried)


def test_training_twice_gives_the_same_weights(tmp_path: Path, model: Path) -> None:
    seen: list[Epoch] = []
    train(make_labelled(120), tmp_path, QUICK, version="0.0.1", on_epoch=seen.append)
    assert file_sha256(tmp_path / "weights.safetensors") == file_sha256(model / "weights.safetensors")
    assert (tmp_path / "curve.csv").read_text() == (model / "curve.csv").read_text()
    assert [epoch.number for epoch in seen] == list(range(1, len(seen) + 1))
    assert seen[-1].loss < seen[0].loss


def test_too_few_cases_no_truth_and_mixed_features_are_refused(tmp_path: Path) -> None:
    cases = make_labelled(30)
    with pytest.raises(ModelError, match="at least 20"):
        train(cases[:19], tmp_path, QUICK, version="0")
    with pytest.raises(ModelError, match="case 29 has no truth"):
        train([*cases[:29], replace(cases[29], truth=())], tmp_path, QUICK, version="0")
    other = replace(cases[4], table=replace(cases[4].table, feature_names=("hint", "other")))
    with pytest.raises(ModelError, match="case 4 has other features"):
        train([*cases[:4], other, *cases[5:]], tmp_path, QUICK, version="0")
    assert list(tmp_path.iterdir()) == []


def test_bound_zero_is_the_prior_alone() -> None:
    prior = torch.tensor([0.1, 0.9])
    assert torch.equal(bounded(prior, torch.tensor([5.0, -5.0]), 0.0), prior)
    assert bounded(prior, torch.tensor([1e6, -1e6]), 0.25).tolist() == pytest.approx([0.35, 0.65])


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="multiple of heads"):
        RootCauseGAT(3, 1, Architecture(hidden=10, heads=4))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "no model manifest"),
        (lambda folder: (folder / "manifest.json").write_text("[]"), "is no model manifest"),
        (lambda folder: (folder / "manifest.json").write_bytes(b"\xff{"), "is no model manifest"),
        (lambda folder: (folder / "model.onnx").write_bytes(b"x"), "is not the file that the manifest names"),
        (lambda folder: (folder / "weights.safetensors").unlink(), "is missing"),
    ],
)
def test_a_damaged_model_is_refused_by_name(model: Path, tmp_path: Path, damage, message: str) -> None:
    for file in model.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    damage(tmp_path)
    with pytest.raises(ModelError, match=message):
        OnnxCorrector(tmp_path)


def test_other_formats_other_features_and_broken_onnx_are_refused(model: Path, tmp_path: Path) -> None:
    for file in model.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"format": "other/9"}))
    with pytest.raises(ModelError, match="other/9"):
        read_manifest(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"not onnx")
    files = manifest["files"] | {"model.onnx": file_sha256(tmp_path / "model.onnx")}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"files": files}))
    with pytest.raises(ModelError, match="ONNX Runtime refuses"):
        OnnxCorrector(tmp_path)
    table = replace(make_table(1), feature_names=("hint", "renamed"))
    with pytest.raises(ModelError, match="other features"):
        OnnxCorrector(model).correct(table, NO_RULES)


def test_no_candidates_no_correction(model: Path) -> None:
    empty = replace(
        make_table(0), entities=(), features=np.zeros((0, 2)), prior=np.zeros(0), edges=np.zeros((2, 0), dtype=np.int64),
        edge_features=np.zeros((0, 1)), group=np.zeros(0, dtype=np.int64),
    )  # fmt: skip
    correction = OnnxCorrector(model).correct(empty, NO_RULES)
    assert correction.delta.shape == (0,)
    assert correction.attention.shape == (0,)
