"""docs/api.md: its examples run against a live server on loopback; what it lists is what there is."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
import yaml

from aiops.api.access.tokens import SCOPES
from aiops.api.app import create_app
from aiops.api.problems import TITLES, TYPE_PREFIX
from aiops.domain.graph import Entity, GraphDelta
from tests.support.api_fakes import FakeSite

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "api.md").read_text(encoding="utf-8")


@pytest.fixture
def server(site: FakeSite) -> Iterator[str]:
    """A real uvicorn on a free port of the loopback."""
    config = uvicorn.Config(create_app(site.services), host="127.0.0.1", port=0, log_level="warning")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, name="uvicorn")
    thread.start()
    end = time.monotonic() + 30
    while not running.started:
        assert time.monotonic() < end, "uvicorn did not start"
        time.sleep(0.02)
    port = running.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    running.should_exit = True
    thread.join(30)


def _blocks(language: str, page: str = PAGE) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def run_examples(page: str, server: str, token: str, folder: Path) -> None:
    """Every shell block, one after the other; the first that fails fails the test."""
    environment = {**os.environ, "AIOPS": server, "TOKEN": token}
    for block in _blocks("sh", page):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"


def test_every_example_runs_against_a_live_server(server: str, site: FakeSite, tmp_path: Path) -> None:
    run_examples(PAGE, server, site.admin, tmp_path)
    other, incident = sorted(site.graph.incidents(), key=lambda incident: incident.external_id or "")
    assert (incident.external_id, incident.status, incident.severity) == ("INC-1", "resolved", "major")
    assert (other.status, other.merged_into) == ("resolved", incident.id)
    assert [alarm.name for alarm in site.graph.incident_alarms(incident.id)] == ["HostDown", "HighErrorRate"]
    assert [head.number for head in site.graph.analysis_heads(incident.id)] == [1, 2, 3, 4]
    assert {told.resolution for told in site.graph.feedback(incident.id)} == {"power supply replaced", ""}
    assert site.graph.counts()["alarm"] == 2
    assert [record.revoked_at is None for record in site.tokens.records()].count(False) == 1


def test_every_example_of_other_systems_runs(server: str, site: FakeSite, tmp_path: Path) -> None:
    entities = (Entity("service:orders", "Service", "orders"), Entity("host:db-1", "Host", "db-1"))
    site.graph.apply(GraphDelta("hand", entities), at=site.clock.now())
    run_examples((DOCS / "integrations.md").read_text(encoding="utf-8"), server, site.admin, tmp_path)
    (incident,) = site.graph.incidents()
    assert (incident.source, incident.external_id, incident.status) == (
        "servicenow",
        "INC0012345",
        "resolved",
    )
    assert incident.severity == "critical"
    (told,) = site.graph.feedback(incident.id)
    assert (told.root_entity, told.resolution) == ("host:db-1", "old logs removed, rotation switched on")
    assert site.graph.entity("interface:sw-1/ge-0/0/1") is not None


def test_configurations_point_at_routes_that_exist(site: FakeSite) -> None:
    prometheus, alertmanager = (yaml.safe_load(block) for block in _blocks("yaml"))
    urls = [
        prometheus["remote_write"][0]["url"],
        alertmanager["receivers"][0]["webhook_configs"][0]["url"],
    ]
    paths = create_app(site.services).openapi()["paths"]
    assert {url.split("8080")[1] for url in urls} <= set(paths)
    assert prometheus["alerting"]["alertmanagers"][0]["api_version"] == "v2"


def test_every_problem_and_every_scope_is_listed() -> None:
    assert set(re.findall(rf"`{TYPE_PREFIX}([a-z-]+)`", PAGE)) == set(TITLES)
    assert set(SCOPES) <= set(re.findall(r"^\| `([a-z:]+)` \|", PAGE, re.MULTILINE))
