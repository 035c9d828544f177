"""How an analysis becomes the resource of an incident, whoever asked for it: its head, its number, what is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import orjson
from ulid import ULID

from aiops.api.documents import written
from aiops.contracts import CaseStore
from aiops.domain.analysis import Analysis
from aiops.lifecycle.transitions import analysis_activities

Document = Mapping[str, object]


def resource(
    incident_id: str, rendered: Document, *, at: datetime, took_s: float, more: Document | None = None
) -> Document:
    """``rendered`` with a new id, when it was made and how long that took; ``more`` members come before what was rendered."""
    head: dict[str, object] = {
        "id": str(ULID.from_datetime(at)),
        "incident_id": incident_id,
        "created_at": written(at),
        "duration_ms": round(took_s * 1000),
        **(more or {}),
    }
    return {**head, **{name: value for name, value in rendered.items() if name not in {*head, "number"}}}


def file_analysis(incidents: CaseStore, analysis: Analysis, document: Document, at: datetime) -> int:
    """Store ``document`` with what happened (``analyzed``, ``rerooted``) in one transaction; its number."""
    first = next(iter(analysis.causes), None)
    heads = incidents.analysis_heads(analysis.incident_id)
    activities = analysis_activities(
        analysis.incident_id,
        at,
        verdict=analysis.verdict,
        cause=first.entity.id if first else None,
        cause_kind=first.kind if first else None,
        confidence=first.confidence if first else None,
        before=heads[-1].cause if heads else None,
    )
    return incidents.put_analysis_with(
        analysis.incident_id,
        orjson.dumps(document),
        at=at,
        causes=[(cause.entity.id, cause.confidence) for cause in analysis.causes],
        verdict=analysis.verdict,
        cause_kind=first.kind if first else None,
        activities=activities,
    )
