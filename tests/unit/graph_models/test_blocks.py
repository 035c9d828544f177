from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from aiops.domain.candidates import TemplateText
from graph_models.architecture import Architecture, read_architecture
from graph_models.blocks import LearnedNeighbours, PairNorm, TextAttention, mean_by_owner
from graph_models.encoding import TEXT_WIDTH, encode, hash_text
from graph_models.export import INPUTS, export_onnx
from graph_models.network import RootCauseGAT
from graph_models.training import LabelledTable, TrainingSettings, fit
from graph_models.training.batches import join, make_examples
from graph_models.training.judging import ranks, raw_scores
from tests.support.tables import NO_RULES, make_labelled, make_table

EVERYTHING = Architecture(pair_norm=True, learned_neighbours=3)


def _rows(seed: int, n: int = 7, width: int = 8) -> torch.Tensor:
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


def test_pair_norm_centres_each_case_and_keeps_its_mean_distance() -> None:
    one, two = _rows(1) * 9.0 + 4.0, _rows(2, 5)
    owner = torch.tensor([0] * 7 + [1] * 5)
    both = PairNorm()(torch.cat([one, two]), owner)
    assert torch.allclose(both[:7], PairNorm()(one, None), atol=1e-5)
    assert torch.allclose(both[7:], PairNorm()(two, None), atol=1e-5)
    assert torch.allclose(mean_by_owner(both, owner), torch.zeros_like(both), atol=1e-5)
    assert float(both[:7].square().mean()) == pytest.approx(1.0, abs=1e-3)


def test_learned_neighbours_start_as_the_identity_and_then_reach_only_the_nearest() -> None:
    torch.manual_seed(0)
    block, hidden = LearnedNeighbours(8, 2), _rows(3)
    assert torch.equal(block(hidden, None), hidden)
    torch.nn.init.eye_(block.mix.weight)
    smoothed = block(hidden, None)
    assert not torch.allclose(smoothed, hidden)
    apart = block(torch.cat([hidden, _rows(4, 1)]), torch.tensor([0] * 7 + [1]))
    assert torch.allclose(apart[:7], smoothed, atol=1e-6)  # another case changes nothing
    assert torch.allclose(apart[7:], _rows(4, 1), atol=1e-6)  # alone, with fewer rows than neighbours


def test_reading_starts_as_the_identity_and_without_text_stays_it() -> None:
    torch.manual_seed(0)
    block, hidden = TextAttention(8, TEXT_WIDTH), _rows(5)
    text = torch.stack([torch.zeros(TEXT_WIDTH), torch.from_numpy(hash_text("no space left").copy())])
    of, weight = torch.zeros(7, 8, dtype=torch.int64), torch.zeros(7, 8)
    of[2, 0], weight[2, 0] = 1, 0.6
    assert torch.equal(block(hidden, text, of, weight), hidden)
    torch.nn.init.normal_(block.out.weight)
    changed = (block(hidden, text, of, weight) != hidden).any(dim=1)
    assert changed.tolist() == [row == 2 for row in range(7)]


def test_hashed_texts_have_length_one_and_likeness() -> None:
    one, near, far = (hash_text(text) for text in ("no space left on device", "no space left", "link down"))
    assert np.linalg.norm(one) == pytest.approx(1.0)
    assert float(one @ near) > 0.5 > abs(float(one @ far))
    assert np.array_equal(one, hash_text("no space left on device"))


def test_texts_are_encoded_once_and_rows_point_at_them() -> None:
    said = (TemplateText("no space left", 5.0), TemplateText("link down", -20.0))
    table = replace(make_table(1, 3, 2), texts=(said, (), said[1:]))
    graph = encode(table, NO_RULES)
    assert graph.text.shape == (3, TEXT_WIDTH)
    assert not graph.text[0].any()
    assert graph.text_of[:, :2].tolist() == [[1, 2], [0, 0], [2, 0]]
    assert graph.text_weight[:, :2].tolist() == [[0.5, -1.0], [0.0, 0.0], [-1.0, 0.0]]


def _spoken(seed: int) -> LabelledTable:
    """Only what is said tells who is right."""
    table = replace(make_table(seed), features=np.zeros((8, 2)))
    right, wrong = (TemplateText("no space left on device", 4.0),), (TemplateText("request handled", 4.0),)
    return LabelledTable(
        replace(table, texts=tuple(right if row == seed % 8 else wrong for row in range(8))),
        NO_RULES,
        (seed % 8,),
    )


def test_words_are_learned_by_a_network_that_reads_and_not_by_one_that_does_not() -> None:
    settings = TrainingSettings(learning_rate=3e-3, epochs=25, batch=16)
    cases, unseen = [_spoken(seed) for seed in range(80)], [_spoken(seed) for seed in range(900, 940)]
    hits = {}
    for text in (True, False):
        chosen = replace(settings, architecture=Architecture(text=text))
        network = fit(cases, chosen).network
        examples = make_examples(unseen)
        hits[text] = float((ranks(examples, raw_scores(network, examples), 0.4) == 1).mean())
    assert hits[True] > 0.9
    assert hits[False] < 0.5


def test_a_batch_scores_like_its_cases_one_by_one() -> None:
    torch.manual_seed(1)
    network = RootCauseGAT(9, 3, EVERYTHING).eval()
    examples = make_examples([_spoken(3), *make_labelled(3)])
    for layer in (network.alike, network.read):
        for weight in layer.parameters():
            torch.nn.init.normal_(weight, std=0.3)
    with torch.no_grad():
        together = network(*join(examples).seen)[0]
        apart = torch.cat([network(*join([example]).seen)[0] for example in examples])
    assert torch.allclose(together, apart, atol=1e-5)


def test_every_switch_can_be_exported_and_serves_the_same(tmp_path) -> None:
    import onnxruntime

    torch.manual_seed(2)
    network = RootCauseGAT(9, 3, EVERYTHING).eval()
    torch.nn.init.normal_(network.alike.mix.weight)
    export_onnx(network, tmp_path / "model.onnx", 9, 3)
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    for table in (make_table(0, 9, 20), make_table(1, 2, 1), _spoken(5).table):
        graph = encode(table, NO_RULES)
        served = session.run(None, {name: getattr(graph, name) for name in INPUTS})
        with torch.no_grad():
            found = network(*(torch.from_numpy(getattr(graph, name)) for name in INPUTS))
        assert all(np.abs(one - two.numpy()).max() < 1e-4 for one, two in zip(served, found, strict=True))


def test_an_architecture_comes_back_from_its_document_and_unknown_parts_are_refused() -> None:
    assert read_architecture(EVERYTHING.document()) == EVERYTHING
    with pytest.raises(TypeError, match="wings"):
        read_architecture({**EVERYTHING.document(), "wings": 2})
