"""The application: routes, boundary, errors, OpenAPI. Everything concrete comes in :class:`Services`."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from sse_starlette.sse import AppStatus
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route

from aiops.api.audited import Records
from aiops.api.boundary import ApiMetrics, Boundary, instance_of, request_id_of
from aiops.api.desks import Desks
from aiops.api.guard import SENDERS_RETRY_TAG
from aiops.api.problems import Problem, not_found, problem_of, problem_of_validation, problem_response
from aiops.api.routes import (
    alerts,
    analyses,
    audit,
    deliveries,
    entities,
    events,
    feedback,
    incident_alerts,
    incident_lifecycle,
    incident_views,
    incidents,
    inference,
    maintenance,
    operations,
    rules,
    tokens,
    topology,
    webhooks,
)
from aiops.api.services import OneTenant, Services, Tenants
from aiops.errors import AiopsError

#: One version of the API's contract, apart from the product's.
API_VERSION = "1.0.0"
_DESCRIPTION = (
    "Root-cause analysis over a knowledge graph. Errors are problem documents (RFC 9457). "
    "Ask with `Authorization: Bearer aiops_<prefix>_<secret>`, or Basic with the token as password."
)

Surface = Literal["whole", "deliveries", "operations"]
_MODULES = {
    "whole": (
        operations,
        deliveries,
        incidents,
        incident_lifecycle,
        incident_alerts,
        incident_views,
        events,
        analyses,
        inference,
        feedback,
        topology,
        entities,
        alerts,
        maintenance,
        rules,
        tokens,
        audit,
        webhooks,
    ),
    "deliveries": (operations, deliveries),
    "operations": (operations,),
}


def create_app(
    services: Services,
    *,
    surface: Surface = "whole",
    tenants: Tenants | None = None,
    pages: Sequence[BaseRoute] = (),
) -> FastAPI:
    """The HTTP surface over ``services``, those of the process's own tenant, and ``tenants``, without which it serves no other.
    The caller opens and closes what is in them. ``surface`` "deliveries" is what a process needs that takes input and has
    no analyses: deliveries, health, metrics, version; "operations" only those last. ``pages``: routes of what people look at,
    which is no part of the API's contract."""
    metrics = ApiMetrics(services.registry, services.version)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        AppStatus.should_exit = (
            False  # an earlier server of this process that was told to end does not end our streams
        )
        yield
        await run_in_threadpool(desks.close)

    app = FastAPI(
        title="aiops",
        version=API_VERSION,
        description=_DESCRIPTION,
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    desks = Desks(services.limits.analysis_queue, metrics)
    app.state.services = services
    app.state.tenants = tenants or OneTenant(services)
    app.state.desks = desks
    app.state.metrics = metrics
    app.state.desk = desks.of(services)
    app.state.patching = threading.Lock()
    app.state.started_at = services.clock.now()
    for module in _MODULES[surface]:
        app.router.routes.extend(
            route
            for route in module.router.routes
            if services.protection.metrics or getattr(route, "path", "") != "/metrics"
        )
    app.router.routes.extend(pages)
    _handle_errors(app)
    app.add_middleware(
        Boundary,
        limits=services.limits,
        metrics=metrics,
        protection=services.protection,
        records=Records(services.audit, services.clock),
    )
    app.openapi = lambda: openapi_document(app)  # type: ignore[method-assign]
    return app


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of ``app``: what is committed as ``docs/openapi.json``."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
        )
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "aiops_<prefix>_<secret>"},
            "basic": {"type": "http", "scheme": "basic", "description": "the token is the password"},
        }
        _drop_framework_errors(document)
        app.openapi_schema = document
    return app.openapi_schema


def _drop_framework_errors(document: dict[str, Any]) -> None:
    """Problems are ``application/problem+json``; the framework writes its own error schema and JSON instead."""
    for operations_of_path in document["paths"].values():
        for operation in operations_of_path.values():
            for response in operation["responses"].values():
                content = response.get("content", {})
                schema = content.get("application/json", {}).get("schema", {})
                if schema.get("$ref", "").endswith("/ProblemDocument"):
                    response["content"] = {"application/problem+json": content["application/json"]}
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)


def _handle_errors(app: FastAPI) -> None:
    async def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return _refuse(request, error)

    async def on_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        body = getattr(request.scope.get("route"), "body_field", None)
        return _refuse(request, problem_of_validation(error, body and body.field_info.annotation))

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _refuse(request, _problem_of_http(request, error))

    async def on_ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, AiopsError)
        tags = getattr(request.scope.get("route"), "tags", ())
        problem = problem_of(error, sender_retries=SENDERS_RETRY_TAG in tags)
        if problem is None:
            raise error  # ours to mend: the boundary logs it and says 500
        return _refuse(request, problem)

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(AiopsError, on_ours)


def _refuse(request: Request, problem: Problem) -> Response:
    request.state.problem = problem.slug
    return problem_response(
        problem, instance=instance_of(request.scope), request_id=request_id_of(request.scope)
    )


def _problem_of_http(request: Request, error: HTTPException) -> Problem:
    if error.status_code == 404:
        return not_found("no such path")
    if error.status_code == 405:
        allowed = ", ".join(sorted(_methods_at(request)))
        return Problem(405, "about:blank", f"allowed here: {allowed}", headers={"Allow": allowed})
    return Problem(error.status_code, "about:blank", str(error.detail), headers=error.headers or {})


def _methods_at(request: Request) -> set[str]:
    """All methods of all routes that have this path."""
    methods: set[str] = set()
    for route in request.app.router.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return methods
