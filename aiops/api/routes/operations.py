"""What orchestrators, dashboards and operators ask: health, readiness, metrics, version, statistics."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from fastapi import APIRouter, Request
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response

from aiops.api.documents import answer, written
from aiops.api.guard import GuardedRoute, needs, problems, public, services_of
from aiops.api.schemas.operations import (
    ReadyDocument,
    SourceList,
    StatsDocument,
    StatusDocument,
    VersionDocument,
)
from aiops.api.schemas.problems import ProblemDocument
from aiops.api.services import Health, HealthCheck, Services

router = APIRouter(route_class=GuardedRoute, tags=["operations"])
_TEXT: dict[str, Any] = {"content": {"text/plain": {"schema": {"type": "string"}}}}
_FAULTS: dict[int | str, dict[str, Any]] = {
    500: {"description": "Something went wrong on our side", "model": ProblemDocument}
}
_NOT_READY: dict[int | str, dict[str, Any]] = {503: {"description": "Not ready", "model": ReadyDocument}}
_log = structlog.get_logger(__name__)


@router.get("/healthz", response_model=StatusDocument, responses=_FAULTS, openapi_extra=public())
async def get_health() -> Response:
    """The process answers."""
    return answer({"status": "ok"})


@router.get(
    "/-/healthy",
    response_class=PlainTextResponse,
    responses={**_FAULTS, 200: {"description": "The process answers", **_TEXT}},
    openapi_extra=public(),
)
async def get_healthy() -> Response:
    """The same, where Prometheus and Alertmanager have it."""
    return PlainTextResponse("OK\n")


@router.get(
    "/readyz",
    response_model=ReadyDocument,
    responses={**_FAULTS, **_NOT_READY},
    openapi_extra=public(),
)
async def get_ready(request: Request) -> Response:
    """Whether everything that an analysis needs is there."""
    checks = await _checked(services_of(request))
    ready = all(health.ok for health in checks.values())
    document = {
        "status": "ready" if ready else "not ready",
        "checks": {name: {"ok": health.ok, "detail": health.detail} for name, health in checks.items()},
    }
    return answer(document, 200 if ready else 503)


@router.get(
    "/-/ready",
    response_class=PlainTextResponse,
    responses={**_FAULTS, 200: {"description": "Ready", **_TEXT}, 503: {"description": "Not ready", **_TEXT}},
    openapi_extra=public(),
)
async def get_ready_plain(request: Request) -> Response:
    """The same, where Prometheus and Alertmanager have it."""
    checks = await _checked(services_of(request))
    ready = all(health.ok for health in checks.values())
    return PlainTextResponse("OK\n" if ready else "not ready\n", 200 if ready else 503)


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={**_FAULTS, 200: {"description": "Prometheus text format", **_TEXT}},
    openapi_extra=public(),
)
def get_metrics(request: Request) -> Response:
    """Our own metrics."""
    text = generate_latest(services_of(request).registry)
    return Response(text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


@router.get("/version", response_model=VersionDocument, responses=_FAULTS, openapi_extra=public())
async def get_version(request: Request) -> Response:
    """What runs."""
    version = services_of(request).version
    return answer(
        {
            "version": version.version,
            "commit": version.commit,
            "rules": version.rules,
            "model": version.model,
        }
    )


@router.get(
    "/api/v1/stats",
    response_model=StatsDocument,
    responses=problems(),
    openapi_extra=needs("topology:read"),
)
def get_stats(request: Request) -> Response:
    """How much is held."""
    services = services_of(request)
    graph, signals = services.graph.counts(), services.signal_stats()
    return answer({"graph": dict(sorted(graph.items())), "signals": dict(sorted(signals.items()))})


async def _checked(services: Services) -> dict[str, Health]:
    """All checks at once, each in its time."""
    names = sorted(services.health)
    found = await asyncio.gather(*(_one(name, services.health[name], services) for name in names))
    return dict(zip(names, found, strict=True))


async def _one(name: str, check: HealthCheck, services: Services) -> Health:
    limit_s = services.limits.health_timeout_s
    try:
        async with asyncio.timeout(limit_s):
            return await run_in_threadpool(check)
    except TimeoutError:
        return Health(False, f"no answer within {limit_s:g} s")
    except Exception:  # noqa: BLE001 - a check's boundary: whatever it raises means that its part is not well
        _log.exception("health check failed", check=name)
        return Health(False, "the check failed; see our log")


@router.get(
    "/api/v1/sources",
    response_model=SourceList,
    responses=problems(),
    openapi_extra=needs("topology:read"),
)
def list_sources(request: Request) -> Response:
    """What came from whom since this process began, what became of it, and when something last came."""
    items = [
        {
            "name": source.name,
            "last_at": written(source.last_at),
            "received": source.received,
            "stored": source.stored,
            "rejected": source.rejected,
            "dropped": source.dropped,
            "reasons": dict(sorted(source.reasons.items())),
        }
        for source in services_of(request).sources()
    ]
    return answer({"items": items})
