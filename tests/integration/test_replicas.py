"""Several processes behind one address, as ``aiops serve --workers`` starts them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.integration.test_processes import model_switch, serving, tell
from tests.support.processes import Program, aiops, client_of, taken

pytestmark = [pytest.mark.integration, pytest.mark.timeout(420)]


def children_of(program: Program) -> set[int]:
    tasks = Path(f"/proc/{program.process.pid}/task").iterdir()
    return {int(child) for task in tasks for child in (task / "children").read_text().split()}


def gone(process: int) -> bool:
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        if ") Z " in Path(f"/proc/{process}/stat").read_text():
            return True
        time.sleep(0.1)
    return False


def test_they_answer_for_one_another_and_one_that_dies_is_started_anew(tmp_path: Path) -> None:
    arguments = ("serve", "--port", "0", "--data", str(tmp_path), "--workers", "2")
    with aiops(*arguments, environment=model_switch()) as program:
        with client_of(serving(program)) as client:
            told = tell(client, 201)
            first = children_of(program)
            assert len(first) == 2
            os.kill(min(first), signal.SIGKILL)
            program.wait_for(r"ended by itself \(exit code -9\); another is started")
        for _ in range(6):  # each with a connection of its own, so that any process may take it
            with client_of(serving(program)) as client:
                kept = taken(client, "GET", f"/api/v1/incidents/{told['id']}", 200)
                assert kept["analysis"] == told["analysis"]
        deadline = time.monotonic() + 30.0
        while len(second := children_of(program)) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(second) == 2
        assert program.end() == 0
        assert all(gone(process) for process in first | second)
        assert "Traceback" not in "".join(program.said)


def test_none_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    arguments = ("serve", "--port", "0", "--data", str(tmp_path), "--workers", "2")
    with aiops(*arguments, environment=model_switch()) as program:
        with client_of(serving(program)) as client:
            taken(client, "GET", "/api/v1/stats", 200)
        processes = children_of(program)
        assert program.end(signal.SIGKILL) == -signal.SIGKILL
        assert all(gone(process) for process in processes)


def test_a_port_that_cannot_be_shared_is_refused(tmp_path: Path) -> None:
    environment = {**model_switch(), "AIOPS_METRICS_PORT": "0"}
    arguments = ("serve", "--port", "0", "--data", str(tmp_path), "--workers", "2")
    with aiops(*arguments, environment=environment) as program:
        program.wait_for("cannot share one AIOPS_METRICS_PORT")
        assert program.process.wait(60) != 0
