"""Operations of ``analyses``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from aiops.client import models
from aiops.client.calls import Call


def get_analysis(incident_id: str, number: str | int) -> Call[models.AnalysisDocument]:
    """One analysis as JSON, Markdown or plain text."""
    return Call(
        "GET",
        "/api/v1/incidents/{incident_id}/analyses/{number}",
        {200: models.AnalysisDocument},
        places={"incident_id": incident_id, "number": number},
    )


def get_analysis_as(incident_id: str, number: str | int, *, format: Literal["markdown", "text"]) -> Call[str]:
    """One analysis as JSON, Markdown or plain text."""
    return Call(
        "GET",
        "/api/v1/incidents/{incident_id}/analyses/{number}",
        {200: models.AnalysisDocument},
        places={"incident_id": incident_id, "number": number},
        query={"format": format},
        accept="*/*",
    )


def post_analysis(
    incident_id: str, document: models.AnalysisRequest | Mapping[str, object], *, wait: str | None = None
) -> Call[models.AnalysisDocument | models.RunningDocument]:
    """Analyse again with what is known now. With ``assume``: what would be, answered and not kept."""
    return Call(
        "POST",
        "/api/v1/incidents/{incident_id}/analyses",
        {200: models.AnalysisDocument, 201: models.AnalysisDocument, 202: models.RunningDocument},
        places={"incident_id": incident_id},
        query={"wait": wait},
        body=document,
    )
