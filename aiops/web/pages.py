"""The routes of the page: one shell for every view, and the bundled files. Public, since there is no data in them.

The page asks the API with the token that its reader typed in. What it may do is said in its content security policy:
load our own files, ask our own API, and nothing else.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from jinja2 import Environment, PackageLoader
from starlette.responses import Response
from starlette.routing import BaseRoute

from aiops import __version__
from aiops.api.guard import GuardedRoute, public
from aiops.api.problems import Problem, not_found
from aiops.domain.graph import ENTITY_KINDS, RELATION_KINDS, Spread
from aiops.errors import ConfigError
from aiops.web.assets import Asset, Assets

#: Every view has an address of its own, which works when it is opened anew.
VIEWS: tuple[str, ...] = ("/", "/incidents", "/incidents/{name}", "/topology", "/admin", "/admin/{name}")
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_LASTING = "public, max-age=31536000, immutable"
_CHECKED = "no-cache"


def page_routes(assets: Assets | None = None) -> tuple[BaseRoute, ...]:
    """What :func:`aiops.api.app.create_app` takes as ``pages``; ``assets`` are those of the wheel unless given."""
    files = assets or Assets()
    templates = Environment(
        loader=PackageLoader("aiops.web", "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    shell = templates.get_template("shell.html")
    router = APIRouter(route_class=GuardedRoute)

    def get_view() -> Response:
        try:
            entries = files.entries()
        except ConfigError as error:
            raise Problem(503, "unavailable", str(error)) from error
        text = shell.render(
            entries=entries,
            version=__version__,
            downstream=" ".join(sorted(_kinds(Spread.TO_TARGET))),
            mutual=" ".join(sorted(_kinds(Spread.BOTH))),
            inert=" ".join(sorted(_kinds(Spread.NONE))),
            kinds=" ".join(sorted(ENTITY_KINDS)),
        )
        headers = {**_HEADERS, "Cache-Control": _CHECKED}
        return Response(text, headers=headers, media_type="text/html; charset=utf-8")

    def get_file(request: Request, name: str) -> Response:
        try:
            found = files.asset(name)
        except ConfigError as error:
            raise Problem(503, "unavailable", str(error)) from error
        if found is None:
            raise not_found(f"no file {name[:100]!r}")
        return _answer(request, found)

    for path in VIEWS:
        router.add_api_route(
            path, get_view, methods=["GET", "HEAD"], include_in_schema=False, openapi_extra=public()
        )
    router.add_api_route(
        "/static/{name}", get_file, methods=["GET", "HEAD"], include_in_schema=False, openapi_extra=public()
    )
    return tuple(router.routes)


def _kinds(spread: Spread) -> list[str]:
    return [kind.name for kind in RELATION_KINDS.values() if kind.spread is spread]


def _answer(request: Request, asset: Asset) -> Response:
    """The file, or 304 where the browser has it (RFC 9110, sections 8.8.3 and 13.1.2)."""
    headers = {
        "ETag": asset.tag,
        "Cache-Control": _LASTING if asset.lasting else _CHECKED,
        "Vary": "Accept-Encoding",
    }
    asked = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
    if asset.tag in asked or "*" in asked:
        return Response(status_code=304, headers=headers)
    body = asset.body
    if asset.packed is not None and _takes_gzip(request.headers.get("accept-encoding", "")):
        body, headers["Content-Encoding"] = asset.packed, "gzip"
    return Response(body, headers=headers, media_type=asset.media_type)


def _takes_gzip(accepted: str) -> bool:
    for part in accepted.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
