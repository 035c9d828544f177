"""What both flavours share between a call and its result: headers, reading, and when to try again."""

from __future__ import annotations

import random
import ssl
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar, cast

import httpx
from pydantic import ValidationError

from aiops.client.calls import Call
from aiops.client.documents import Answered, Facts, Listed
from aiops.client.errors import (
    CannotConnect,
    ClientError,
    ConnectionLost,
    UnexpectedAnswer,
    problem_of,
    retry_after_s,
)
from aiops.client.event_stream import Event, EventReader

T = TypeVar("T")
#: Answers after which a call may be tried again.
RETRIED = frozenset({429, 502, 503, 504})
#: More than the longest ``?wait=`` of the server.
TIMEOUT = httpx.Timeout(70.0, connect=5.0)
#: The server sends a comment more often than that, so a stream that is silent for longer is dead.
SILENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how patiently a call is tried again. Seconds; ``attempts`` counts the first one too.

    ``Retry-After`` wins over the growing pause, and neither may be longer than ``longest_s``: a server that asks for more is
    left alone, and the caller gets its answer.
    """

    attempts: int = 4
    first_s: float = 0.25
    longest_s: float = 15.0
    chance: Callable[[], float] = random.random

    def pause_s(self, tried: int, asked_s: float | None) -> float | None:
        """The pause after attempt number ``tried``; None: give up."""
        if tried >= self.attempts:
            return None
        if asked_s is not None:
            return asked_s if asked_s <= self.longest_s else None
        grown = min(self.first_s * 2.0 ** (tried - 1), self.longest_s)
        return grown * (0.5 + self.chance() / 2)


class Exchange:
    """One call on its way: its request, and what is to be done with each answer. Made anew for every call."""

    def __init__(self, call: Call[T], retries: Retries, base: str) -> None:
        self.call = call
        self._retries = retries
        self._base = base
        self._tried = 0
        self.headers = _headers(call)

    def request(self, client: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        self._tried += 1
        return client.build_request(
            self.call.method,
            self.call.url,
            params=httpx.QueryParams(tuple(self.call.parameters())),
            content=self.call.payload(),
            headers=self.headers,
        )

    def after_answer(self, response: httpx.Response) -> float | None:
        """Seconds to wait before trying again; None: this is the answer."""
        if response.status_code not in RETRIED and not _key_in_use(response):
            return None
        if not self.call.repeatable() and response.status_code != 429:
            return None
        return self._retries.pause_s(self._tried, retry_after_s(response))

    def after_failure(self, error: httpx.TransportError) -> float:
        """Seconds to wait before trying again. Raises :class:`ClientError` where it is not tried again."""
        unsent = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))
        may = (unsent or self.call.repeatable()) and not _about_trust(error)
        pause = self._retries.pause_s(self._tried, None) if may else None
        if pause is None:
            raise failure(error, self._base, sent=not unsent) from error
        return pause


def stream_request(
    client: httpx.Client | httpx.AsyncClient, call: Call[Event], reader: EventReader
) -> httpx.Request:
    """The request for events that come after the last one that ``reader`` saw."""
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
    if reader.last_id is not None:
        headers["Last-Event-ID"] = reader.last_id
    timeout = httpx.Timeout(SILENCE_S, connect=5.0)
    parameters = httpx.QueryParams(tuple(call.parameters()))
    return client.build_request("GET", call.url, params=parameters, headers=headers, timeout=timeout)


def check_stream(response: httpx.Response) -> None:
    """Raises what the server refused with; a passing trouble becomes a broken connection, so that it is tried again."""
    if response.status_code in RETRIED:
        raise httpx.ReadError(f"the server answered {response.status_code}", request=response.request)
    if response.status_code >= 400:
        raise problem_of(response)


def failure(error: httpx.TransportError, base: str, *, sent: bool) -> ClientError:
    """What a broken connection is called."""
    if _about_trust(error):
        return CannotConnect(
            f"the certificate of {base} is not trusted: {error}", hint="give the authority's file: --ca-file"
        )
    if "WRONG_VERSION_NUMBER" in str(error):
        return CannotConnect(
            f"what answers at {base} does not speak TLS", hint=f"say http{base.removeprefix('https')}"
        )
    if isinstance(error, httpx.UnsupportedProtocol):
        return CannotConnect(f"{base} is no address of a server", hint="for example http://127.0.0.1:8080")
    if not sent:
        return CannotConnect(
            f"nobody answers at {base}: {error or type(error).__name__}",
            hint="is `aiops serve` running there? aiops doctor --server says more",
        )
    if isinstance(error, httpx.TimeoutException):
        return ConnectionLost(f"{base} did not answer in time", hint="ask for less, or give a longer timeout")
    return ConnectionLost(
        f"the connection to {base} broke: {error or type(error).__name__}", hint="try again"
    )


def read_answer(call: Call[T], response: httpx.Response) -> T:
    """The typed result. Raises :class:`ProblemAnswer`, or :class:`UnexpectedAnswer` on what the contract does not have."""
    if response.status_code >= 400:
        raise problem_of(response)
    if response.status_code not in call.reads:
        raise _unexpected(call, response, "this status is not in the contract")
    model = call.reads[response.status_code]
    if call.accept != "application/json":
        return cast(T, response.text)
    if model is None:
        return cast(T, None)
    try:
        document = model.model_validate_json(response.content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "/".join(str(part) for part in first["loc"])
        raise _unexpected(call, response, f"/{place}: {first['msg']}") from error
    if isinstance(document, Listed):
        return cast(T, document.root)
    if isinstance(document, Answered):
        document.with_facts(_facts(response))
    return cast(T, document)


def _facts(response: httpx.Response) -> Facts:
    headers = response.headers
    return Facts(
        status=response.status_code,
        etag=headers.get("etag"),
        request_id=headers.get("x-request-id", ""),
        replayed=headers.get("idempotency-replayed") == "true",
    )


def _unexpected(call: Call[T], response: httpx.Response, reason: str) -> UnexpectedAnswer:
    what = f"{call.method} {response.url.copy_with(query=None)}"
    return UnexpectedAnswer(
        f"{what} answered {response.status_code}, which this client does not understand: {reason}",
        hint="is it an aiops server of this version? aiops version --server says",
        status=response.status_code,
    )


def _headers(call: Call[T]) -> Mapping[str, str]:
    headers = {"Accept": call.accept}
    headers |= {name: value for name, value in call.headers.items() if value is not None}
    if call.body is not None:
        headers["Content-Type"] = call.content_type
    if call.keyed and not any(name.lower() == "idempotency-key" for name in headers):
        headers["Idempotency-Key"] = str(uuid.uuid4())
    return headers


def _key_in_use(response: httpx.Response) -> bool:
    return response.status_code == 409 and b"urn:aiops:problem:key-in-use" in response.content


def _about_trust(error: httpx.TransportError) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return "CERTIFICATE_VERIFY_FAILED" in str(error)
