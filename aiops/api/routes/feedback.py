"""What engineers found out about an incident and its analyses."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from ulid import ULID

from aiops.api.access.idempotency import KeptAnswer
from aiops.api.documents import page
from aiops.api.guard import BODY_STATUSES, GuardedRoute, needs, problems, services_of
from aiops.api.incident_changes import author_of, change_incident, incident_of
from aiops.api.incident_documents import feedback_document
from aiops.api.problems import invalid
from aiops.api.references import one_entity
from aiops.api.repeats import IdempotencyKey, answered_once, id_under_key
from aiops.api.routes.incidents import IncidentId
from aiops.api.schemas.lifecycle import FeedbackDocument, FeedbackList, FeedbackRequest
from aiops.api.services import Services
from aiops.domain.incident_records import Feedback
from aiops.lifecycle import transitions
from aiops.lifecycle.transitions import Author

router = APIRouter(route_class=GuardedRoute, tags=["feedback"])
MAX_FEEDBACK = 500


@router.post(
    "/api/v1/incidents/{incident_id}/feedback",
    status_code=201,
    response_model=FeedbackDocument,
    responses=problems(*BODY_STATUSES, 404, 409),
    openapi_extra=needs("incidents:write"),
)
async def post_feedback(
    request: Request,
    incident_id: IncidentId,
    given: FeedbackRequest,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Say whether an analysis was right, what it was in truth, and what fixed it."""
    services, by = services_of(request), author_of(request)
    identifier = await id_under_key(request, idempotency_key) or str(ULID.from_datetime(by.at))

    async def work() -> KeptAnswer:
        feedback = await run_in_threadpool(_feedback, identifier, given, incident_id, by, services)
        await run_in_threadpool(
            change_incident, services, incident_id, lambda known: [transitions.judge(known, feedback)]
        )
        services.streams.ring()
        location = f"/api/v1/incidents/{incident_id}/feedback"
        return KeptAnswer(201, location, orjson.dumps(feedback_document(feedback)))

    return await answered_once(request, idempotency_key, work)


@router.get(
    "/api/v1/incidents/{incident_id}/feedback",
    response_model=FeedbackList,
    responses=problems(404, 422),
    openapi_extra=needs("incidents:read"),
)
def list_feedback(request: Request, incident_id: IncidentId) -> Response:
    """The feedback on the incident, the newest first, at most 500."""
    services = services_of(request)
    incident_of(services, incident_id)
    found = services.incidents.feedback(incident_id, limit=MAX_FEEDBACK)
    return page(request, [feedback_document(feedback) for feedback in found], None)


def _feedback(
    identifier: str, given: FeedbackRequest, incident_id: str, by: Author, services: Services
) -> Feedback:
    """With every name looked up. Raises a 404 or 422 problem and :class:`aiops.errors.NothingResolved`."""
    incident_of(services, incident_id)
    heads = services.incidents.analysis_heads(incident_id)
    newest = heads[-1].number if heads else None
    if given.analysis is not None and given.analysis > (newest or 0):
        raise invalid("/analysis", f"there is no analysis {given.analysis}; the newest is {newest or 'none'}")
    cause = given.root_cause
    entity = None
    if cause is not None:
        entity = one_entity([cause.entity], "/root_cause/entity", services, single=True)[cause.entity]
    alarms = {alarm.id for alarm in services.incidents.incident_alarms(incident_id)}

    def named(names: Sequence[str], side: str) -> tuple[str, ...]:
        """Entities' ids; an alert of the incident is named by its own."""
        entities = one_entity(names, f"/labels/{side}", services, known=alarms)
        return tuple(dict.fromkeys(entities[name] for name in names))

    causal, non_causal = named(given.labels.causal, "causal"), named(given.labels.non_causal, "non_causal")
    both = set(causal) & set(non_causal)
    if both:
        raise invalid("/labels/non_causal", f"{min(both)} cannot be causal and not causal at once")
    return Feedback(
        id=identifier,
        incident_id=incident_id,
        at=by.at,
        actor=by.actor,
        verdict=given.verdict,
        analysis=given.analysis if given.analysis is not None else newest,
        causal=causal,
        non_causal=non_causal,
        root_entity=entity,
        root_kind=None if cause is None else cause.kind,
        comment=given.comment,
        resolution=given.resolution,
    )
