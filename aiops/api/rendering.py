"""Which face of an analysis a client wants: ``?format=`` first, else ``Accept`` (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from aiops.api.documents import answer
from aiops.api.problems import Problem
from aiops.api.services import Renderers

Format = Literal["json", "markdown", "text", "html"]
_TYPES: Mapping[str, Format] = {
    "application/json": "json",
    "text/markdown": "markdown",
    "text/plain": "text",
    "text/html": "html",
}


def format_wanted(request: Request, named: Format | None) -> Format:
    """Raises a 406 problem where none of the accepted types can be given."""
    accept = request.headers.get("accept", "").strip()
    if named is not None or not accept:
        return named or "json"
    ranked = sorted(
        (_preference(part, place) for place, part in enumerate(accept[:2048].split(","))), reverse=True
    )
    for quality, _, media in ranked:
        if quality <= 0:
            continue
        if media in ("*/*", "application/*"):
            return "json"
        if media == "text/*":
            return "text"
        if media in _TYPES:
            return _TYPES[media]
    raise Problem(406, "about:blank", f"can be given: {', '.join(_TYPES)}")


def rendered(
    renderers: Renderers,
    document: Mapping[str, object],
    face: Format,
    status: int,
    headers: Mapping[str, str],
) -> Response:
    """The analysis in the wanted face."""
    varying = {**headers, "Vary": "Accept"}
    match face:
        case "markdown":
            return Response(
                renderers.markdown(document), status, varying, media_type="text/markdown; charset=utf-8"
            )
        case "text":
            return Response(renderers.text(document), status, varying, media_type="text/plain; charset=utf-8")
        case "html":
            policy = {**varying, "Content-Security-Policy": renderers.html_policy()}
            return Response(renderers.html(document), status, policy, media_type="text/html; charset=utf-8")
        case "json":
            return answer(document, status, varying)


def _preference(part: str, place: int) -> tuple[float, int, str]:
    media, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                quality = min(max(float(value), 0.0), 1.0)
            except ValueError:
                quality = 0.0
    return (quality if quality == quality else 0.0, -place, media)
