"""What the assembled site answers about incidents is what the contract describes; every route says what it does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from aiops.api.app import create_app
from aiops.api.schemas.analyses import AnalysisDocument, AnalysisList
from aiops.api.schemas.deliveries import AlarmPage
from aiops.api.schemas.incidents import IncidentDocument, IncidentPage
from aiops.api.schemas.lifecycle import ActivityPage, FeedbackDocument, FeedbackList
from aiops.api.schemas.views import CytoscapeDocument, NetJsonDocument, SimilarIncidents, Timeline
from tests.support.api_fakes import FakeSite
from tests.support.http_site import HttpSite, alert, http_site, site_settings, topology

VIEWS: dict[str, type[BaseModel]] = {
    "": IncidentDocument,
    "/alerts": AlarmPage,
    "/timeline": Timeline,
    "/similar": SimilarIncidents,
    "/activities": ActivityPage,
    "/analyses": AnalysisList,
    "/analyses/latest": AnalysisDocument,
    "/feedback": FeedbackList,
    "/graph": CytoscapeDocument,
    "/graph?format=netjson": NetJsonDocument,
}


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[HttpSite]:
    """A shop on two hosts behind a switch that went down; the same happened an hour before and was judged."""
    with http_site(site_settings(tmp_path, model_enabled=False), now_s=900.0) as site:
        links = [
            "service:shop RUNS_ON host:h1",
            "host:h1 CONNECTED_TO device:sw",
            "host:h2 CONNECTED_TO device:sw",
        ]
        site.learn(topology(links))
        for start, name in ((-3600.0, "INC-0"), (0.0, "INC-1")):
            site.alerts(alert("device:sw", start), alert("host:h1", start + 5), alert("host:h2", start + 9))
            site.change("device:sw", start - 60, f"firmware {name}")
            incident = site.incident(
                "service:shop", offset_s=start, external_id=name, alerts=[alert("service:shop", start + 12)]
            )
            verdict = {
                "verdict": "correct",
                "root_cause": {"entity": "device:sw"},
                "resolution": "rolled back",
            }
            base = f"/api/v1/incidents/{incident['id']}"
            site.send("POST", f"{base}/feedback", 201, json=verdict)
            if name == "INC-0":
                site.send("POST", f"{base}/resolve", 200)
        yield site


def undescribed(model: BaseModel, where: str = "") -> list[str]:
    """Members, at any depth, that no schema describes."""
    found = [f"{where}/{name}" for name in model.model_extra or {}]
    for name in type(model).model_fields:
        value = getattr(model, name)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, BaseModel):
                found += undescribed(item, f"{where}/{name}")
    return found


def test_every_member_of_every_answer_is_described(filled: HttpSite) -> None:
    (newest, *_) = filled.send("GET", "/api/v1/incidents", 200)["items"]
    answers: list[tuple[type[BaseModel], dict[str, Any]]] = [
        (model, filled.send("GET", f"/api/v1/incidents/{newest['id']}{view}", 200))
        for view, model in VIEWS.items()
    ]
    answers.append((IncidentPage, filled.send("GET", "/api/v1/incidents", 200)))
    base = f"/api/v1/incidents/{newest['id']}"
    what_if = {"assume": {"healthy": ["host:h2"]}}
    answers.append((AnalysisDocument, filled.send("POST", f"{base}/analyses", 200, json=what_if)))
    answers.append((FeedbackDocument, filled.send("GET", f"{base}/feedback", 200)["items"][0]))
    for model, document in answers:
        assert undescribed(model.model_validate(document)) == [], model.__name__
    by_model = dict(answers[:10])
    assert by_model[AnalysisDocument]["causes"]
    lanes = {moment["lane"] for moment in by_model[Timeline]["items"]}
    assert {"alert", "state", "detection"} <= lanes


def test_an_alert_that_the_analysis_tells_of_is_told_once(filled: HttpSite) -> None:
    (newest, *_) = filled.send("GET", "/api/v1/incidents", 200)["items"]
    told = filled.send("GET", f"/api/v1/incidents/{newest['id']}/timeline", 200)["items"]
    about = [
        moment
        for moment in told
        if moment["lane"] in ("alert", "symptom") and moment["entity"] == "service:shop"
    ]
    assert [moment["at"][:19] for moment in about] == ["2026-11-22T10:00:12"]


def test_every_route_of_incidents_says_what_it_does_and_has_an_example(site: FakeSite) -> None:
    document = create_app(site.services).openapi()
    schemas = document["components"]["schemas"]

    def has_example(content: dict[str, Any]) -> bool:
        for kind, body in content.items():
            schema = body.get("schema", {})
            choices = [schema, *schema.get("anyOf", ())]
            named = [schemas[one["$ref"].rsplit("/", 1)[1]] for one in choices if "$ref" in one]
            if kind == "text/event-stream" or "example" in body or any("examples" in one for one in named):
                return True
        return False

    for path, operations in document["paths"].items():
        if not path.startswith("/api/v1/incidents"):
            continue
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["description"].endswith((".", ").")), where
            if "requestBody" in operation:
                assert has_example(operation["requestBody"]["content"]), where
            success = [
                answer for status, answer in operation["responses"].items() if status in ("200", "201")
            ]
            assert any(has_example(answer["content"]) for answer in success), where
