from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from aiops.errors import ModelError
from graph_models.architecture import Architecture
from graph_models.training import Epoch, Running, TrainingSettings, fit
from graph_models.training.fitting import Checkpoints
from tests.support.tables import make_labelled

SETTINGS = TrainingSettings(learning_rate=3e-3, epochs=8, batch=16, patience=20)


class Interrupted(Exception):
    pass


def _weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in network.state_dict().values()])


def test_a_resumed_training_ends_with_the_weights_of_one_that_never_stopped(tmp_path: Path) -> None:
    cases = make_labelled(60)
    whole = fit(cases, SETTINGS)

    def stop(epoch: Epoch) -> None:
        if epoch.number == 4:
            raise Interrupted

    folder = tmp_path / "checkpoint"
    with pytest.raises(Interrupted):
        fit(cases, SETTINGS, Running(on_epoch=stop, checkpoints=Checkpoints(folder)))
    seen: list[int] = []
    again = Running(on_epoch=lambda e: seen.append(e.number), checkpoints=Checkpoints(folder, resume=True))
    resumed = fit(cases, SETTINGS, again)
    assert seen == [4, 5, 6, 7, 8]  # the fourth was not yet written down when it was interrupted
    assert resumed.curve == whole.curve
    assert torch.equal(_weights(resumed.network), _weights(whole.network))
    assert {file.suffix for file in folder.iterdir()} == {".safetensors", ".json"}
    assert not list(tmp_path.glob("checkpoint.*"))


def test_more_epochs_may_be_asked_for_on_resuming(tmp_path: Path) -> None:
    cases = make_labelled(40)
    folder = Checkpoints(tmp_path / "c")
    fit(cases, replace(SETTINGS, epochs=3), Running(checkpoints=folder))
    longer = fit(cases, replace(SETTINGS, epochs=6), Running(checkpoints=replace(folder, resume=True)))
    whole = fit(cases, replace(SETTINGS, epochs=6))
    assert torch.equal(_weights(longer.network), _weights(whole.network))


def test_a_checkpoint_of_another_training_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    cases = make_labelled(40)
    resume = Checkpoints(tmp_path / "c", resume=True)
    with pytest.raises(ModelError, match="no checkpoint to resume"):
        fit(cases, SETTINGS, Running(checkpoints=resume))
    fit(cases, replace(SETTINGS, epochs=1), Running(checkpoints=replace(resume, resume=False)))
    with pytest.raises(ModelError, match="other cases or settings"):
        fit(make_labelled(41), SETTINGS, Running(checkpoints=resume))
    with pytest.raises(ModelError, match="other cases or settings"):
        fit(cases, replace(SETTINGS, learning_rate=1e-2), Running(checkpoints=resume))
    (resume.folder / "optimizer.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="no checkpoint to resume"):
        fit(cases, SETTINGS, Running(checkpoints=resume))


def test_two_processes_learn_what_one_learns() -> None:
    settings = replace(SETTINGS, epochs=3, batch=10, architecture=Architecture(dropout=0.0))
    cases = make_labelled(46)  # 32 to train on: the last batch has two cases, one for each
    alone = fit(cases, settings)
    seen: list[Epoch] = []
    together = fit(cases, settings, Running(processes=2, on_epoch=seen.append))
    # A shift that softmax does not see moves by rounding alone, and Adam makes steps of it; all else agrees to 1e-5.
    assert torch.allclose(_weights(together.network), _weights(alone.network), atol=1e-3)
    assert [epoch.number for epoch in seen] == [1, 2, 3]
    assert [epoch.loss for epoch in together.curve] == pytest.approx([e.loss for e in alone.curve], abs=1e-4)


@pytest.mark.parametrize("tasks", [("masked",), ("transe",), ("masked", "transe")])
def test_pretext_tasks_learn_without_labels_and_training_goes_on_from_there(tasks: tuple[str, ...]) -> None:
    settings = replace(SETTINGS, epochs=2, pretext=tasks, pretext_epochs=6)
    fitted = fit(make_labelled(60), settings)
    assert len(fitted.pretext) == 6
    assert fitted.pretext[-1] < fitted.pretext[0]
    plain = fit(make_labelled(60), replace(SETTINGS, epochs=2))
    assert not torch.equal(_weights(fitted.network), _weights(plain.network))


def test_an_unknown_pretext_task_is_refused() -> None:
    with pytest.raises(ModelError, match="rotate"):
        TrainingSettings(pretext=("rotate",))
