"""An answer from what is handed in alone, and analyses that are watched, over the whole site."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.analyses import generated_site, offline_pipeline
from tests.support.http_site import HttpSite, alert, http_site, site_settings, topology
from tests.support.situations import situation_document


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpSite]:
    with http_site(site_settings(tmp_path_factory.mktemp("site"))) as opened:
        yield opened


def infer(site: HttpSite, document: dict[str, Any], status: int = 200) -> dict[str, Any]:
    return site.send("POST", "/api/v1/infer", status, json=document)


def small() -> dict[str, Any]:
    return {
        "subgraph": {
            "entities": [
                {"id": "host:web", "kind": "Host"},
                {"id": "device:core", "kind": "Device", "name": "core"},
            ],
            "relations": [{"from": "host:web", "kind": "DEPENDS_ON", "to": "device:core"}],
        },
        "incident": {"started_at": "2026-11-22T10:00:00Z", "affected": ["host:web"]},
        "alarms": [
            {
                "name": "Down",
                "entity": "device:core",
                "started_at": "2026-11-22T09:59:00Z",
                "severity": "critical",
            },
            {
                "name": "Down",
                "entity": "host:web",
                "started_at": "2026-11-22T09:59:30Z",
                "severity": "critical",
            },
        ],
    }


def test_what_is_handed_in_gives_what_the_pipeline_gives(site: HttpSite) -> None:
    given = generated_site(60, storm=True)
    expected = offline_pipeline().analyze_observed(*given)
    found = infer(site, situation_document(*given))
    assert found["verdict"] == expected.verdict
    assert [(cause["entity"]["id"], cause["confidence"]) for cause in found["causes"]] == [
        (cause.entity.id, cause.confidence) for cause in expected.causes
    ]


def test_the_same_document_gives_the_same_bytes_and_nothing_is_kept(site: HttpSite) -> None:
    before = site.send("GET", "/api/v1/stats", 200)["graph"]
    first, second = infer(site, small()), infer(site, small())
    first.pop("duration_ms"), second.pop("duration_ms")
    assert json.dumps(first) == json.dumps(second)
    assert first["causes"][0]["entity"]["id"] == "device:core"
    assert site.send("GET", "/api/v1/stats", 200)["graph"] == before
    what_if = infer(site, {**small(), "assume": {"healthy": ["device:core"]}})
    assert all(cause["entity"]["id"] != "device:core" for cause in what_if["causes"])


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (
            {"alarms": [{"name": "Down", "entity": "host:no", "started_at": "2026-11-22T10:00:00Z"}]},
            "/alarms/0/entity",
        ),
        ({"incident": {"started_at": "2026-11-22T10:00:00Z", "affected": ["x"]}}, "/incident/affected/0"),
        (
            {
                "subgraph": {
                    "entities": [{"id": "a", "kind": "Host"}],
                    "relations": [{"from": "a", "kind": "X", "to": "b"}],
                }
            },
            "/subgraph/relations/0/to",
        ),
        ({"subgraph": {"entities": [{"id": "a", "kind": "Host"}] * 2}}, "/subgraph/entities/1/id"),
        (
            {"series": [{"entity": "host:web", "metric": "m", "at_s": [1.0, 2.0], "value": [1.0]}]},
            "/series/0/value",
        ),
        (
            {"series": [{"entity": "host:web", "metric": "m", "at_s": [2.0, 1.0], "value": [1.0, 1.0]}]},
            "/series/0/at_s",
        ),
        ({"assume": {"healthy": ["host:no"]}}, "/assume/healthy/0"),
        (
            {"incident": {"started_at": "2026-11-22T10:00:00Z", "ended_at": "2026-11-22T09:00:00Z"}},
            "/incident/ended_at",
        ),
        ({"subgraph": {"entities": []}}, "/subgraph/entities"),
    ],
)
def test_what_does_not_fit_is_pointed_at(site: HttpSite, change: dict[str, Any], where: str) -> None:
    refused = infer(site, {**small(), **change}, 422)
    assert where in {item["pointer"] for item in refused["errors"]}


def test_a_watched_analysis_tells_its_stages_and_is_kept(site: HttpSite) -> None:
    site.learn(topology(["host:web-1 DEPENDS_ON device:core"]))
    site.alerts(alert("device:core", -60), alert("host:web-1", -30))
    incident = site.incident("host:web-1")
    answer = site.client.post(f"/api/v1/incidents/{incident['id']}/analyses:watch")
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [
        dict(line.split(": ", 1) for line in block.splitlines())
        for block in answer.text.split("\r\n\r\n")
        if block.strip()
    ]
    told = [json.loads(event["data"]) for event in events]
    assert [event["event"] for event in events] == ["progress"] * 5 + ["analysis"]
    assert [one["stage"] for one in told[:5]] == ["retrieved", "observed", "scored", "ranked", "explained"]
    assert told[3]["suspects"][0]["entity"] == told[5]["causes"][0]["entity"]["id"] == "device:core"
    assert told[5]["number"] == 2
    kept = site.send("GET", f"/api/v1/incidents/{incident['id']}/analyses/2", 200)
    assert kept == told[5]
    assert site.client.post("/api/v1/incidents/none/analyses:watch").status_code == 404
