"""Operations of ``feedback``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from collections.abc import Mapping

from aiops.client import models
from aiops.client.calls import Call


def post_feedback(
    incident_id: str,
    document: models.FeedbackRequest | Mapping[str, object],
    *,
    idempotency_key: str | None = None,
) -> Call[models.FeedbackDocument]:
    """Say whether an analysis was right, what it was in truth, and what fixed it."""
    return Call(
        "POST",
        "/api/v1/incidents/{incident_id}/feedback",
        {201: models.FeedbackDocument},
        places={"incident_id": incident_id},
        headers={"idempotency-key": idempotency_key},
        body=document,
        keyed=True,
    )


def list_feedback(incident_id: str) -> Call[models.FeedbackList]:
    """The feedback on the incident, the newest first, at most 500."""
    return Call(
        "GET",
        "/api/v1/incidents/{incident_id}/feedback",
        {200: models.FeedbackList},
        places={"incident_id": incident_id},
    )
