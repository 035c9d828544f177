from __future__ import annotations

from pathlib import Path

import pytest

from aiops.errors import ModelError
from aiops.wiring import load
from aiops.wiring.recordings import expected_entities, scenarios
from aiops.wiring.tables import Tabulator
from aiops.wiring.training import training_recordings


@pytest.mark.timeout(120)
def test_a_recording_becomes_the_table_that_its_analysis_ranks() -> None:
    folder = scenarios()["database-stopped"]
    found = Tabulator(load()).recording(folder)
    right = {found.table.entities[row] for row in found.truth}
    assert right == set(expected_entities(folder)) & set(found.table.entities) != set()
    assert found.evidence.items
    assert found.rules.firings
    assert max(found.table.prior[row] for row in found.truth) > 0.5
    assert found.carried is None


def test_held_out_recordings_are_never_trained_on(tmp_path: Path) -> None:
    for name in ("disk-full", "disk-full-b", "leak"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "recording.json").write_text("{}")
    assert [folder.name for folder in training_recordings([tmp_path])] == ["disk-full", "leak"]
    assert training_recordings([]) == []
    with pytest.raises(ModelError, match="no recording"):
        training_recordings([tmp_path / "leak"])
