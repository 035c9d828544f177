"""Rule packs: what is in use, and a site's own packs in and out, tried before they are used."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from aiops.api.documents import answer
from aiops.api.guard import (
    BODY_STATUSES,
    GuardedRoute,
    needs,
    problems,
    require_content_type,
    services_of,
)
from aiops.api.problems import Problem, not_found
from aiops.api.schemas.rules import BacktestDocument, RulesDocument, RulesReceipt, ValidationDocument
from aiops.api.services import BacktestResult, RuleFinding, RulesPort

router = APIRouter(route_class=GuardedRoute, tags=["rules"])
YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml")
PackName = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
_BODY: dict[str, Any] = {
    "content": {"application/yaml": {"schema": {"type": "string"}}},
}


def _takes_yaml(scope: str, *, required: bool = True) -> dict[str, Any]:
    return {**needs(scope), "requestBody": {**_BODY, "required": required}}


@router.get(
    "/api/v1/rules", response_model=RulesDocument, responses=problems(), openapi_extra=needs("incidents:read")
)
def list_rules(request: Request) -> Response:
    """The packs in use, with their rules; ``editable`` ones came through this API."""
    state = _port(request).state()
    packs = [
        {
            "name": pack.name,
            "version": pack.version,
            "description": pack.description,
            "digest": pack.digest,
            "editable": pack.editable,
            "rules": [dict(rule) for rule in pack.rules],
        }
        for pack in state.packs
    ]
    return answer({"version": state.version, "refused": state.refused, "packs": packs})


@router.put(
    "/api/v1/rules",
    response_model=RulesReceipt,
    responses={**problems(*BODY_STATUSES), 201: {"description": "A new pack", "model": RulesReceipt}},
    openapi_extra=_takes_yaml("rules:write"),
)
async def put_rules(request: Request) -> Response:
    """Keep a pack (YAML) and use it from the next analysis on; one of the same name is replaced."""
    data = await _yaml(request)
    port = _port(request)
    name, new = await run_in_threadpool(port.put, data)
    version = (await run_in_threadpool(port.state)).version
    document = {"pack": name, "version": version}
    return answer(document, 201 if new else 200, {"Location": f"/api/v1/rules/{name}"})


@router.get(
    "/api/v1/rules/{pack}",
    response_class=Response,
    responses={
        **problems(404, 422),
        200: {"description": "The pack", "content": {"application/yaml": {"schema": {"type": "string"}}}},
    },
    openapi_extra=needs("incidents:read"),
)
def get_pack(request: Request, pack: PackName) -> Response:
    """The YAML of a pack that came through this API, as it was sent."""
    text = _port(request).text(pack)
    if text is None:
        raise not_found(f"no pack {pack} that came through this API")
    return Response(text, media_type="application/yaml")


@router.delete(
    "/api/v1/rules/{pack}",
    status_code=204,
    response_class=Response,
    responses={**problems(404, 422), 204: {"description": "Gone"}},
    openapi_extra=needs("rules:write"),
)
def delete_pack(request: Request, pack: PackName) -> Response:
    """Let go of a pack that came through this API."""
    if not _port(request).remove(pack):
        raise not_found(f"no pack {pack} that came through this API")
    return Response(status_code=204)


@router.post(
    "/api/v1/rules:validate",
    response_model=ValidationDocument,
    responses=problems(*BODY_STATUSES),
    openapi_extra={
        **needs("incidents:read"),
        "requestBody": {"required": True, "content": {YAML_TYPES[0]: {"schema": {}}}},
    },
)
async def validate_rules(request: Request) -> Response:
    """Whether a pack could be put, and what is odd about it; changes nothing."""
    data = await _yaml(request)
    findings = await run_in_threadpool(_port(request).validate, data)
    ok = all(finding.severity != "error" for finding in findings)
    return answer({"ok": ok, "findings": [_finding_document(finding) for finding in findings]})


@router.post(
    "/api/v1/rules:backtest",
    response_model=BacktestDocument,
    responses=problems(*BODY_STATUSES),
    openapi_extra=_takes_yaml("rules:write", required=False),
)
async def backtest_rules(request: Request) -> Response:
    """The newest incidents with a confirmed cause, with the rules in use and with this pack beside them; without a body:
    without any rule. Nothing is kept."""
    data = await _yaml(request, needed=False)
    result = await run_in_threadpool(_port(request).backtest, data or None)
    return answer(_backtest_document(result))


def _port(request: Request) -> RulesPort:
    port = services_of(request).rules
    if port is None:
        raise Problem(503, "unavailable", "this process has no rules; ask aiops serve")
    return port


async def _yaml(request: Request, *, needed: bool = True) -> bytes:
    require_content_type(request, *YAML_TYPES)
    data = await request.body()
    if needed and not data.strip():
        raise Problem(422, "invalid-input", "the body is empty; send a pack as YAML")
    return data


def _finding_document(finding: RuleFinding) -> dict[str, object]:
    return {
        "severity": finding.severity,
        "code": finding.code,
        "rule": finding.rule,
        "line": finding.line,
        "detail": finding.message,
    }


def _backtest_document(result: BacktestResult) -> dict[str, object]:
    def first(ranks: list[int | None]) -> float | None:
        return round(sum(rank == 1 for rank in ranks) / len(ranks), 4) if ranks else None

    before, after = [item.before for item in result.replayed], [item.after for item in result.replayed]
    far = 10**6
    return {
        "incidents": len(result.replayed),
        "ac1_before": first(before),
        "ac1_after": first(after),
        "better": sum((item.after or far) < (item.before or far) for item in result.replayed),
        "worse": sum((item.after or far) > (item.before or far) for item in result.replayed),
        "items": [
            {
                "incident_id": item.incident_id,
                "cause": item.cause,
                "rank_before": item.before,
                "rank_after": item.after,
            }
            for item in result.replayed
        ],
    }
