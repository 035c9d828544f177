"""Every error as ``application/problem+json`` (RFC 9457), with the request's id and JSON pointers (RFC 6901)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response

from aiops.api.corrections import corrected
from aiops.errors import (
    AiopsError,
    BackPressure,
    InputError,
    NothingResolved,
    ParseError,
    RuleError,
    StoreConflict,
    StoreUnavailable,
    TopologyError,
)

PROBLEM_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:aiops:problem:"
MAX_ERRORS = 100
DEFAULT_RETRY_AFTER_S = 5

#: Slug and title of what we refuse for reasons of our own; docs/api.md lists them.
TITLES: Mapping[str, str] = {
    "invalid-json": "The body is not JSON",
    "invalid-request": "The request does not follow the schema",
    "invalid-delivery": "The delivery cannot be read",
    "invalid-rules": "The rule pack is refused",
    "invalid-topology": "The topology document cannot be applied",
    "invalid-input": "The input cannot be used",
    "nothing-resolved": "Nothing in the incident names an entity we know",
    "unsupported-media-type": "The content type is not supported here",
    "unauthorized": "A valid token is needed",
    "forbidden": "The token does not allow this",
    "not-found": "There is no such resource",
    "key-reused": "The idempotency key was used for another request",
    "key-in-use": "The first request with this idempotency key is still running",
    "precondition-failed": "The resource has changed since it was read",
    "conflict": "The stored state forbids this",
    "body-too-large": "The body is too large",
    "body-timeout": "The body did not arrive in time",
    "too-busy": "Too much at once",
    "rate-limited": "The token asks too often",
    "wrong-host": "The request is for another server",
    "target-too-long": "Path and query are too long",
    "headers-too-large": "The headers are too many or too long",
    "unavailable": "A part that this needs cannot be reached now",
    "timeout": "The answer takes too long",
    "internal": "Something went wrong on our side",
}


@dataclass(eq=False)
class Problem(Exception):
    """A refusal on its way to the client. ``errors``: items with ``detail`` and ``pointer`` or ``parameter``."""

    status: int
    slug: str
    detail: str
    errors: tuple[Mapping[str, object], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, object] = field(default_factory=dict)


#: Reasons of parsers that HTTP has a status of its own for.
_REFUSED: Mapping[str, tuple[int, str]] = {
    "content type": (415, "unsupported-media-type"),
    "content encoding": (415, "unsupported-media-type"),
    "too large": (413, "body-too-large"),
}


def problem_response(problem: Problem, *, instance: str, request_id: str) -> Response:
    """The answer for ``problem``; a slug without a title of ours is a plain HTTP status (``about:blank``)."""
    ours = problem.slug in TITLES
    document = {
        "type": f"{TYPE_PREFIX}{problem.slug}" if ours else "about:blank",
        "title": TITLES[problem.slug] if ours else HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "instance": instance,
        "errors": list(problem.errors[:MAX_ERRORS]),
        "request_id": request_id,
        **problem.extra,
    }
    body = orjson.dumps(document, default=str)
    return Response(body, problem.status, dict(problem.headers), media_type=PROBLEM_TYPE)


def problem_of(error: AiopsError, *, sender_retries: bool) -> Problem | None:
    """What a client is told about an error of ours; None where it is our fault (500).

    ``sender_retries``: on routes for Alertmanager and Prometheus, which try again on 5xx only.
    """
    match error:
        case ParseError():
            place = {
                key: error.details[key]
                for key in ("pointer", "offset", "line", "reason")
                if error.details.get(key) is not None
            }
            status, slug = _REFUSED.get(str(error.details.get("reason")), (400, "invalid-delivery"))
            return Problem(status, slug, str(error), ({"detail": error.message, **place},))
        case TopologyError():
            return Problem(422, "invalid-topology", str(error), _pointed(error.details.get("problems", ())))
        case NothingResolved():
            return Problem(
                422,
                "nothing-resolved",
                str(error),
                _pointed(error.details.get("references", ())),
                extra={"nearest": error.details.get("nearest", {})},
            )
        case RuleError():
            place = {key: error.details[key] for key in ("line", "rule") if error.details.get(key)}
            return Problem(422, "invalid-rules", str(error), ({"detail": error.message, **place},))
        case InputError():
            return Problem(422, "invalid-input", str(error), _pointed(error.details.get("problems", ())))
        case StoreConflict():
            return Problem(409, "conflict", str(error))
        case StoreUnavailable():
            return Problem(503, "unavailable", "a store cannot be reached now", headers=retry_after(error))
        case BackPressure():
            return Problem(503 if sender_retries else 429, "too-busy", str(error), headers=retry_after(error))
        case _:
            return None


def retry_after(error: AiopsError) -> dict[str, str]:
    """``Retry-After`` in whole seconds, at least one."""
    seconds = error.details.get("retry_after_s", DEFAULT_RETRY_AFTER_S)
    wanted = float(seconds) if isinstance(seconds, int | float) and math.isfinite(seconds) else 0.0
    return {"Retry-After": str(max(1, math.ceil(min(wanted, 3600.0))))}


def problem_of_validation(error: RequestValidationError, body: object = None) -> Problem:
    """What does not follow the schema, item by item; what was sent is not echoed. ``body``: the annotation of the body."""
    found = error.errors()
    if found and found[0]["type"] == "json_invalid":
        reason = str(found[0].get("ctx", {}).get("error", "")) or "not JSON"
        offset = found[0]["loc"][-1]
        return Problem(
            400, "invalid-json", f"{reason} at character {offset}", ({"detail": reason, "offset": offset},)
        )
    items = tuple({**_place(entry["loc"]), **corrected(entry, body)} for entry in found)
    first = items[0] if items else {"detail": "unknown"}
    where = first.get("pointer", first.get("parameter", ""))
    more = f" and {len(items) - 1} more" if len(items) > 1 else ""
    return Problem(422, "invalid-request", f"{where or 'the body'}: {first['detail']}{more}", items)


def pointer(*steps: object) -> str:
    """A JSON pointer."""
    return "".join(f"/{_escaped(str(step))}" for step in steps)


def invalid(location: str, detail: str) -> Problem:
    """422 for one member of the body."""
    return Problem(
        422, "invalid-request", f"{location}: {detail}", ({"pointer": location, "detail": detail},)
    )


def invalid_parameter(name: str, detail: str) -> Problem:
    """422 for a query parameter or header."""
    return Problem(422, "invalid-request", f"{name}: {detail}", ({"parameter": name, "detail": detail},))


def not_found(what: str) -> Problem:
    return Problem(404, "not-found", what)


def _place(location: Sequence[object]) -> dict[str, object]:
    if location and location[0] == "body":
        return {"pointer": pointer(*location[1:])}
    return {"parameter": str(location[min(1, len(location) - 1)]) if location else ""}


def _escaped(step: str) -> str:
    return step.encode("utf-8", "replace").decode()[:256].replace("~", "~0").replace("/", "~1")


def _pointed(problems: object) -> tuple[dict[str, object], ...]:
    if not isinstance(problems, list | tuple):
        return ()
    return tuple({"pointer": str(item[0]), "detail": str(item[1])} for item in problems)
