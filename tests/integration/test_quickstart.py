"""docs/quickstart.md: its commands run one after the other, as a new user types them, in a directory of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.daemons import free_port
from tests.support.processes import ROOT

PAGE = (ROOT / "docs" / "quickstart.md").read_text("utf-8")


def test_every_command_of_the_quickstart_runs_and_explains_an_incident(tmp_path: Path) -> None:
    port = free_port()
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    aiops = programs / "aiops"
    aiops.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m aiops "$@"\n')
    aiops.chmod(0o755)
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.M | re.S)
    address = f"http://127.0.0.1:{port}"
    started = f"aiops serve & SERVER=$!\nexport AIOPS_SERVER={address}"
    script = "\n".join(blocks).replace("8080", str(port)).replace("aiops serve &", started)
    ending = 'if [ -n "${SERVER:-}" ]; then kill "$SERVER"; wait "$SERVER" || true; fi'
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIOPS_")}
    environment = {
        **inherited,
        "PYTHONPATH": str(ROOT),
        "AIOPS_PORT": str(port),
        "AIOPS_DATA": str(tmp_path / "data"),
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / ".config"),
        "COLUMNS": "200",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"trap '{ending}' EXIT\n{script}"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert "interface:core-1/swp2" in done.stdout
    answer = json.loads((tmp_path / "incident.json").read_text())
    assert answer["analysis"]["causes"][0]["entity"]["id"] == "host:pg-7"
