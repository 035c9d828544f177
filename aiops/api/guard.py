"""Routes that ask for a token before they read a byte of the body, and read JSON strictly.

A route names its scope in ``openapi_extra`` (:func:`needs`), so that what is enforced and what the OpenAPI document
says are one thing. Public routes say so with :func:`public`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any

import orjson
from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from aiops.api.access.rates import Rate
from aiops.api.access.tokens import DEFAULT_TENANT, TokenRecord, prefix_shown
from aiops.api.corrections import near, nothing_of_that_name
from aiops.api.problems import MAX_ERRORS, Problem
from aiops.api.schemas.problems import ProblemDocument
from aiops.api.services import Services, Tenants

#: Tag of routes for senders that try again on 5xx only.
SENDERS_RETRY_TAG = "deliveries"
#: Lists that are short are answered whole, whatever these say.
PAGING = frozenset({"limit", "cursor"})
#: Scopes for what all tenants of a process have in common.
SHARED = frozenset({"rules:write"})
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="aiops", Basic realm="aiops"'}
_PROBLEM = {"model": ProblemDocument}


def needs(scope: str) -> dict[str, Any]:
    """``openapi_extra`` of a route for tokens with ``scope``."""
    return {"security": [{"bearer": [scope]}, {"basic": [scope]}]}


def public() -> dict[str, Any]:
    """``openapi_extra`` of a route that asks for no token."""
    return {"security": []}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """``responses`` for these statuses and those that every guarded route may give."""
    always = (401, 403, 414, 421, 422, 429, 431, 500, 503)
    return {status: {"description": _MEANING[status], **_PROBLEM} for status in sorted({*always, *statuses})}


_MEANING = {
    400: "The body cannot be read",
    401: "No valid token",
    403: "The token does not allow this",
    404: "There is no such resource",
    406: "None of the accepted content types can be given",
    408: "The body did not arrive in time",
    409: "The stored state, or a request that is still running, forbids this",
    412: "The resource has changed since it was read",
    413: "The body is too large",
    414: "Path and query are too long",
    415: "The content type is not supported",
    421: "The Host header names no server of ours",
    422: "The input is understood and cannot be used",
    429: "Too much at once; try again later",
    431: "The headers are too many or too long",
    500: "Something went wrong on our side",
    503: "Something that is needed cannot be reached now; try again later",
}
#: What every route that takes a body may answer besides.
BODY_STATUSES: tuple[int, ...] = (400, 408, 413, 415, 422)


class StrictRequest(Request):
    """JSON as RFC 8259 has it: UTF-8, no NaN, nesting bounded."""

    async def json(self) -> Any:
        body = await self.body()
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise json.JSONDecodeError(error.msg.split(":")[0], "", error.pos) from None


class GuardedRoute(APIRoute):
    """A route that checks token, scope and content type first."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        security = (self.openapi_extra or {}).get("security")
        assert security is not None, f"{self.path} must say which scope it needs, or that it is public"
        scope = security[0]["bearer"][0] if security else None
        takes_json = self.body_field is not None
        ours = scope is not None and SENDERS_RETRY_TAG not in self.tags and self.path.startswith("/api/v1/")
        known = frozenset(_parameters(self.dependant)) | (
            PAGING if "GET" in (self.methods or ()) else frozenset()
        )

        async def guarded(request: Request) -> Response:
            if scope is not None:
                await _admit(request, scope, sender_retries=SENDERS_RETRY_TAG in self.tags)
            if ours:
                _require_known(request.query_params, known)
            if takes_json:
                require_content_type(request, "application/json", "application/merge-patch+json")
            strict = StrictRequest(request.scope, request.receive)
            if takes_json:
                await strict.body()  # here, so that a refusal by the body's bounds is not taken for bad JSON
            return await handle(strict)

        return guarded


def services_of(request: Request) -> Services:
    """The services of the token's tenant; on public routes those of the process itself."""
    services: Services = getattr(request.state, "services", None) or request.app.state.services
    return services


def token_of(request: Request) -> TokenRecord:
    """The token that the request came with."""
    token: TokenRecord = request.state.token
    return token


def tenant_asked(request: Request, tenant: str | None) -> str:
    """The tenant that an administrator's request is about: the token's, or the one it names. Raises 403 where it may not."""
    own = token_of(request).tenant
    if tenant is None or tenant == own:
        return own
    if own != DEFAULT_TENANT:
        raise Problem(403, "forbidden", f"only an admin of the tenant {DEFAULT_TENANT} may act for others")
    return tenant


def require_content_type(request: Request, *accepted: str) -> None:
    """Raises a 415 problem for a body of another type. No body, no type."""
    if request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers:
        return
    given = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if given not in accepted:
        raise Problem(
            415,
            "unsupported-media-type",
            f"expected {accepted[0]}, got {given[:100] or 'no content type'}",
            headers={"Accept": ", ".join(accepted)},
        )


def _parameters(needed: Dependant) -> Iterator[str]:
    """Names of the query parameters that a route reads."""
    yield from (field.alias for field in needed.query_params)
    for inner in needed.dependencies:
        yield from _parameters(inner)


def _require_known(given: Iterable[str], known: frozenset[str]) -> None:
    """Raises a 422 problem for parameters that nobody reads: a filter with a slip in its name would let everything through."""
    items = []
    for name in sorted(set(given) - known):
        nearest = near(name, known)
        items.append(
            {
                "parameter": name[:256],
                "detail": nothing_of_that_name("parameter", nearest),
                "nearest": nearest,
            }
        )
    if items:
        raise Problem(
            422,
            "invalid-request",
            f"{items[0]['parameter']}: {items[0]['detail']}",
            tuple(items[:MAX_ERRORS]),
        )


async def _admit(request: Request, scope: str, *, sender_retries: bool) -> None:
    """Who asks, whether it may, and how often; then the services of its tenant. Raises 401, 403, 429 (503 where
    ``sender_retries``) and reads no body."""
    text = _token_text(request)
    if text is None:
        raise Problem(
            401,
            "unauthorized",
            "send Authorization: Bearer <token>, or Basic with the token as password",
            headers=_CHALLENGE,
        )
    request.state.shown = prefix_shown(text)
    process: Services = request.app.state.services
    record = process.tokens.verified(text)
    if record is not None and record.tenant == process.tenant:  # nothing has to be hashed, written or opened
        _allow(request, record, scope, sender_retries=sender_retries)
    else:
        await run_in_threadpool(_check, request, text, scope, sender_retries=sender_retries)


def _check(request: Request, text: str, scope: str, *, sender_retries: bool) -> None:
    process: Services = request.app.state.services
    record = process.tokens.verify(text)
    if record is None:
        raise Problem(401, "unauthorized", "the token is unknown, revoked or expired", headers=_CHALLENGE)
    _allow(request, record, scope, sender_retries=sender_retries)


def _allow(request: Request, record: TokenRecord, scope: str, *, sender_retries: bool) -> None:
    """Whether it may, and how often."""
    process: Services = request.app.state.services
    request.state.token = record
    rate = process.rates.take(record.prefix, record.rate_per_minute) if process.rates is not None else None
    if rate is not None:
        _require_rate(request, rate, sender_retries=sender_retries)
    if not record.allows(scope):
        raise Problem(403, "forbidden", f"this needs the scope {scope}", extra={"scope": scope})
    tenants: Tenants = request.app.state.tenants
    services = tenants.services(record.tenant)
    if services is None:
        raise Problem(403, "forbidden", f"tenant {record.tenant} is not served here")
    if scope in SHARED and record.tenant != process.tenant:
        raise Problem(
            403, "forbidden", f"{scope} is about all tenants: only a token of {process.tenant} may do this"
        )
    request.state.services = services


def _require_rate(request: Request, rate: Rate, *, sender_retries: bool) -> None:
    """Raises where the token has used up its window. Senders know no such headers and try again on 5xx only."""
    if not sender_retries:
        request.state.answer_headers = rate.headers()
    if not rate.allowed:
        raise Problem(
            503 if sender_retries else 429,
            "rate-limited",
            f"{rate.limit} requests a minute are allowed",
            headers={"Retry-After": rate.headers()["Retry-After"]},
        )


def _token_text(request: Request) -> str | None:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    credentials = credentials.strip()
    match scheme.lower():
        case "bearer":
            return credentials or None
        case "basic":
            try:
                decoded = base64.b64decode(credentials, validate=True).decode("utf-8")
            except (binascii.Error, UnicodeDecodeError, ValueError):
                return None
            return decoded.partition(":")[2] or None
        case _:
            return None
