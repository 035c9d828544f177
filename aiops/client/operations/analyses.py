"""Operations of ``analyses``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from aiops.client import models
from aiops.client.calls import Call
from aiops.client.event_stream import Event


def list_analyses(incident_id: str) -> Call[models.AnalysisList]:
    """All analyses of the incident in short, the newest first."""
    return Call(
        "GET",
        "/api/v1/incidents/{incident_id}/analyses",
        {200: models.AnalysisList},
        places={"incident_id": incident_id},
    )


def post_analysis(
    incident_id: str,
    document: models.AnalysisRequest | Mapping[str, object] | None = None,
    *,
    wait: str | None = None,
    idempotency_key: str | None = None,
) -> Call[models.AnalysisDocument | models.RunningDocument]:
    """Analyse again with what is known now. With ``assume``: what would be, answered with what it changes, and
    not kept.
    """
    return Call(
        "POST",
        "/api/v1/incidents/{incident_id}/analyses",
        {200: models.AnalysisDocument, 201: models.AnalysisDocument, 202: models.RunningDocument},
        places={"incident_id": incident_id},
        query={"wait": wait},
        headers={"idempotency-key": idempotency_key},
        body=document,
        keyed=True,
    )


def get_analysis(incident_id: str, number: str | int) -> Call[models.AnalysisDocument]:
    """One analysis as JSON, Markdown, plain text or HTML. An analysis never changes: its ``ETag`` is for ``If-
    None-Match``.
    """
    return Call(
        "GET",
        "/api/v1/incidents/{incident_id}/analyses/{number}",
        {200: models.AnalysisDocument},
        places={"incident_id": incident_id, "number": number},
    )


def get_analysis_as(
    incident_id: str, number: str | int, *, format: Literal["markdown", "text", "html"]
) -> Call[str]:
    """One analysis as JSON, Markdown, plain text or HTML. An analysis never changes: its ``ETag`` is for ``If-
    None-Match``.
    """
    return Call(
        "GET",
        "/api/v1/incidents/{incident_id}/analyses/{number}",
        {200: None},
        places={"incident_id": incident_id, "number": number},
        query={"format": format},
        accept="*/*",
    )


def infer(document: models.InferenceRequest | Mapping[str, object]) -> Call[models.InferredDocument]:
    """Root causes of a situation that is given whole. Nothing is read from the stores and nothing is kept; the
    same document gives the same answer, byte for byte but for ``duration_ms``.
    """
    return Call("POST", "/api/v1/infer", {200: models.InferredDocument}, body=document)


def watch_analysis(incident_id: str) -> Call[Event]:
    """Analyse again and tell each stage as it is reached, with the suspects so far; the analysis is kept like
    any other, whether somebody still listens or not.
    """
    return Call(
        "POST",
        "/api/v1/incidents/{incident_id}/analyses:watch",
        {200: None},
        places={"incident_id": incident_id},
        accept="text/event-stream",
    )
