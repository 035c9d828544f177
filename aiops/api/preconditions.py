"""Entity tags and the requests that depend on them (RFC 9110, section 13).

The tag of an incident has two parts: ``"<incident>.<analysis>"``. A change with ``If-Match`` depends on the first alone, so
that an analysis that ends meanwhile stops nobody; ``If-None-Match`` compares the whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import orjson
from starlette.requests import Request
from starlette.responses import Response

from aiops.api.documents import incident_document
from aiops.api.problems import Problem
from aiops.domain.occurrences import Incident

MAX_TAGS = 64


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def incident_digest(incident: Incident) -> str:
    """The first part of the incident's tag."""
    return digest_of(orjson.dumps(incident_document(incident)))


def incident_tag(incident: Incident, number: int | None, status: str) -> str:
    """The tag of the incident with its newest analysis: ``number``, and whether one is running or has failed."""
    return f'"{incident_digest(incident)}.{number or 0}{status[:1]}"'


def must_match(if_match: str | None, incident: Incident) -> None:
    """Raises a 412 problem where the incident is none of those that the request was made for; its ``ETag`` is good for another
    ``If-Match``."""
    if if_match is None:
        return
    own = incident_digest(incident)
    if "*" not in (given := _tags(if_match)) and own not in {_first_part(one) for one in given}:
        raise Problem(
            412,
            "precondition-failed",
            f"incident {incident.id} has changed: read it again, then send the change",
            headers={"ETag": f'"{own}"'},
        )


def not_modified(request: Request, tag: str, headers: Mapping[str, str] | None = None) -> Response | None:
    """A 304 answer where the client has this already (weak comparison), else None."""
    given = request.headers.get("if-none-match")
    if given is None:
        return None
    known = {one.removeprefix("W/") for one in _tags(given)}
    if "*" in known or tag.removeprefix("W/") in known:
        return Response(status_code=304, headers={**(headers or {}), "ETag": tag})
    return None


def tagged(request: Request, content: Response) -> Response:
    """``content`` with a tag of its own bytes; 304 where the client has them already."""
    tag = f'"{digest_of(bytes(content.body))}"'
    content.headers["ETag"] = tag
    return not_modified(request, tag) or content


def _tags(header: str) -> Sequence[str]:
    return [part.strip() for part in header.split(",")[:MAX_TAGS]]


def _first_part(tag: str) -> str:
    return tag.strip('"').split(".")[0]
