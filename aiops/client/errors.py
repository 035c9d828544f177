"""What can go wrong between this client and a server, as one tree.

::

    AiopsError
    |- ClientError
       |- CannotConnect        nobody answers there; nothing was sent
       |- ConnectionLost       the answer broke off, or did not come in time
       |- UnexpectedAnswer     what answered is no aiops server, or one of another version
       |- ProblemAnswer        the server refused, and said why (RFC 9457)
          |- BadRequest        400, 405, 406, 408, 413, 415
          |- Unauthorized      401
          |- Forbidden         403, with the scope that is missing
          |- NotFound          404, with the nearest names
          |- Conflict          409
          |- Stale             412, somebody was faster
          |- Invalid           422, with JSON pointers and the nearest names
          |- Busy              429, 503, with the seconds to wait
          |- ServerFailed      other 5xx
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import httpx
import orjson

from aiops.errors import AiopsError

PROBLEM_TYPE = "urn:aiops:problem:"


class ClientError(AiopsError):
    """Root of what the client raises."""


class CannotConnect(ClientError):
    """Nobody answers at this address, or its certificate is not trusted; nothing was sent."""


class ConnectionLost(ClientError):
    """The connection broke, or the answer did not come in time. Whether the server acted is not known."""


class UnexpectedAnswer(ClientError):
    """An answer that follows no document that this client knows."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One item of a problem's ``errors``. ``pointer``: JSON pointer into the body (RFC 6901)."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None

    def __str__(self) -> str:
        where = self.pointer if self.pointer is not None else self.parameter
        return f"{where or 'the body'}: {self.detail}" if where is not None else self.detail


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document (RFC 9457). ``slug``: the end of our own types, as docs/api.md lists them; else empty."""

    status: int
    slug: str
    title: str
    detail: str
    faults: tuple[Fault, ...] = ()
    nearest: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))
    request_id: str = ""
    scope: str = ""
    retry_after_s: float | None = None


class ProblemAnswer(ClientError):
    """The server refused. ``problem`` is what it said."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(_sentence(problem), hint=_advice(problem))
        self.problem = problem

    @property
    def status(self) -> int:
        return self.problem.status

    @property
    def nearest(self) -> tuple[str, ...]:
        """Names that are there and look like those that are not, likeliest first."""
        return tuple(dict.fromkeys(name for names in self.problem.nearest.values() for name in names))


class BadRequest(ProblemAnswer):
    """The server cannot read the request."""


class Unauthorized(ProblemAnswer):
    """No token, or one that is unknown, expired or revoked."""


class Forbidden(ProblemAnswer):
    """The token does not allow this."""


class NotFound(ProblemAnswer):
    """There is no such thing, or it is another tenant's."""


class Conflict(ProblemAnswer):
    """The stored state forbids it, or a first request with this idempotency key still runs."""


class Stale(ProblemAnswer):
    """The resource has changed since it was read (``If-Match``)."""


class Invalid(ProblemAnswer):
    """The server understands the request and cannot use it."""


class Busy(ProblemAnswer):
    """Too much at once, or a part that this needs is away; the client has tried again already."""

    @property
    def retry_after_s(self) -> float | None:
        return self.problem.retry_after_s


class ServerFailed(ProblemAnswer):
    """The server's own fault; its log has more under the request's id."""


_KINDS: Mapping[int, type[ProblemAnswer]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Stale,
    422: Invalid,
    429: Busy,
    503: Busy,
}


def problem_of(response: httpx.Response) -> ProblemAnswer:
    """The error that ``response`` (read, status 400 and above) is."""
    problem = _read(response)
    kind = _KINDS.get(response.status_code, ServerFailed if response.status_code >= 500 else BadRequest)
    return kind(problem)


def retry_after_s(response: httpx.Response) -> float | None:
    """Seconds of ``Retry-After`` (RFC 9110, section 10.2.3); None where there is none that is a number."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else None


def _read(response: httpx.Response) -> Problem:
    status, wait_s = response.status_code, retry_after_s(response)
    try:
        document = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict) or "title" not in document:
        text = response.text.strip().splitlines()
        said = text[0][:200] if text else ""
        return Problem(status, "", response.reason_phrase or "error", said, retry_after_s=wait_s)
    given = str(document.get("type", ""))
    return Problem(
        status=status,
        slug=given.removeprefix(PROBLEM_TYPE) if given.startswith(PROBLEM_TYPE) else "",
        title=str(document["title"]),
        detail=str(document.get("detail", "")),
        faults=tuple(_faults(document.get("errors"))),
        nearest=_nearest(document.get("nearest")),
        request_id=str(document.get("request_id", "")),
        scope=str(document.get("scope", "")),
        retry_after_s=wait_s,
    )


def _faults(items: object) -> list[Fault]:
    if not isinstance(items, list):
        return []
    texts = [item for item in items if isinstance(item, dict)]
    return [
        Fault(str(item.get("detail", "")), _text(item, "pointer"), _text(item, "parameter")) for item in texts
    ]


def _text(item: Mapping[str, object], key: str) -> str | None:
    value = item.get(key)
    return value if isinstance(value, str) else None


def _nearest(given: object) -> Mapping[str, Sequence[str]]:
    if not isinstance(given, dict):
        return MappingProxyType({})
    return MappingProxyType(
        {str(name): tuple(map(str, names)) for name, names in given.items() if isinstance(names, list)}
    )


def _sentence(problem: Problem) -> str:
    said = problem.detail or problem.title
    more = [str(fault) for fault in problem.faults[:3] if fault.detail not in said]
    left = len(problem.faults) - 3
    if left > 0:
        more.append(f"and {left} more")
    return "; ".join([said, *more])


def _advice(problem: Problem) -> str:
    near = list(dict.fromkeys(name for names in problem.nearest.values() for name in names))[:3]
    if near:
        return f"did you mean {' or '.join(near)}?"
    match problem.status:
        case 401:
            return "give a valid token: --token, AIOPS_TOKEN or AIOPS_TOKEN_FILE"
        case 403 if problem.scope:
            return f"take a token with the scope {problem.scope}: aiops token create --scope {problem.scope}"
        case 412:
            return "read it again, then change it"
        case 429 | 503 if problem.retry_after_s is not None:
            return f"try again in {problem.retry_after_s:.0f} s"
        case status if status >= 500 and problem.request_id:
            return f"the server's log has more under {problem.request_id}"
    return ""
