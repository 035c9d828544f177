"""Requests that are sent twice: with ``Idempotency-Key`` the second gets the first one's answer
(IETF draft-ietf-httpapi-idempotency-key-header-07). A key belongs to a token and a route."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated

from fastapi import Header, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from ulid import ULID

from aiops.api.access.idempotency import KeptAnswer, KeyInUse, KeyReused
from aiops.api.guard import services_of, token_of
from aiops.api.problems import Problem

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="a repeat with the same key gets the first answer; kept for 24 hours",
        examples=["6f1c2a9e-5a0b-4a57-9d0c-1f2e3d4c5b6a"],
    ),
]


async def answered_once(
    request: Request, key: str | None, work: Callable[[], Awaitable[KeptAnswer]]
) -> Response:
    """The answer of ``work``, or the one that was given before under ``key``. What is refused leaves its key free.

    Raises a 422 problem where the key came with another request, a 409 problem while the first is still running.
    """
    if key is None:
        return answer_of(await work())
    owner, mark = _owner(request), await _fingerprint(request)
    store = services_of(request).idempotency
    try:
        kept = await run_in_threadpool(store.begin, owner, key, mark)
    except KeyReused:
        raise Problem(422, "key-reused", "send a new Idempotency-Key with a new request") from None
    except KeyInUse:
        raise Problem(
            409, "key-in-use", "wait for it, then send again", headers={"Retry-After": "1"}
        ) from None
    if kept is not None:
        return answer_of(kept, {"Idempotency-Replayed": "true"})
    try:
        given = await work()
    except BaseException:  # also where the client went away: the key must be free again
        store.abandon(owner, key)
        raise
    await run_in_threadpool(store.finish, owner, key, mark, given)
    return answer_of(given)


async def id_under_key(request: Request, key: str | None) -> str | None:
    """The id for what a request with a key makes; None: it has no key.

    The same request has the same id in every process and after every kill, so what was written and not answered when it was
    cut off is found again by the repeat and not made twice.
    """
    if key is None:
        return None
    parts = (_owner(request), key, await _fingerprint(request))
    return str(ULID.from_bytes(hashlib.sha256("\n".join(parts).encode()).digest()[:16]))


def answer_of(given: KeptAnswer, more: Mapping[str, str] | None = None) -> Response:
    """The answer as it goes out; one that is not complete says when to look again."""
    named = {"Location": given.location, "ETag": given.etag}
    headers = {**{name: value for name, value in named.items() if value}, **(more or {})}
    if given.status == 202:
        headers["Retry-After"] = "1"
    return Response(given.body, given.status, headers, media_type="application/json")


def _owner(request: Request) -> str:
    route = getattr(request.scope.get("route"), "path", request.url.path)
    return f"{token_of(request).prefix} {request.method} {route}"


async def _fingerprint(request: Request) -> str:
    body = await request.body()
    parts = (request.method, request.url.path, request.url.query)
    return hashlib.sha256("\n".join(parts).encode() + b"\n" + body).hexdigest()
