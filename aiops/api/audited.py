"""Which requests go into the audit log, and what of them: decided from the route, the token and the answer's status."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from starlette.types import Scope

from aiops.api.access.audit import AuditEntry, AuditTrail, Kind
from aiops.api.access.tokens import TokenRecord
from aiops.contracts import Clock
from aiops.errors import StoreUnavailable

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
REFUSALS = frozenset({401, 403, 421})
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Records:
    """Keeps entries; ``audit`` None keeps nothing."""

    audit: AuditTrail | None
    clock: Clock

    async def keep(self, scope: Scope, status: int, location: str = "") -> None:
        """Durable when it returns. A log that cannot be written does not undo what was done: our own log and readiness say so."""
        if self.audit is None:
            return
        entry = entry_of(scope, status, location, self.clock)
        if entry is None:
            return
        try:
            noted = self.audit.note(entry)
            if noted.done():
                noted.result()
            else:
                await asyncio.wrap_future(noted)
        except StoreUnavailable as error:
            _log.error("an audit entry is lost", entry=repr(entry), reason=str(error))


def entry_of(scope: Scope, status: int, location: str, clock: Clock) -> AuditEntry | None:
    """None for what is neither a write nor a refusal."""
    state, method = scope.get("state", {}), scope["method"]
    kind = _kind(_scope_of(scope), method, status)
    if kind is None:
        return None
    token: TokenRecord | None = state.get("token")
    client: Sequence[object] = scope.get("client") or ("",)
    return AuditEntry(
        kind=kind,
        at=clock.now(),
        method=method,
        route=getattr(scope.get("route"), "path_format", "unmatched"),
        status=status,
        tenant=token.tenant if token is not None else "",
        token=token.prefix if token is not None else state.get("shown", ""),
        actor=token.name if token is not None else "",
        peer=str(client[0]),
        reason=state.get("problem", ""),
        ids=_ids(scope, location),
        request_id=state.get("request_id", ""),
    )


def _kind(needed: str | None, method: str, status: int) -> Kind | None:
    if status in REFUSALS:
        return "refused"
    if needed is None or method in SAFE_METHODS or needed.endswith(":read"):
        return None
    return "delivery" if needed == "ingest:write" else "write"


def _scope_of(scope: Scope) -> str | None:
    """The token's scope that the route needs; None for public and unknown routes."""
    security = (getattr(scope.get("route"), "openapi_extra", None) or {}).get("security")
    return str(security[0]["bearer"][0]) if security else None


def _ids(scope: Scope, location: str) -> tuple[str, ...]:
    """What the path names, what was made, and what the route added under ``touched``."""
    named = [str(value) for value in scope.get("path_params", {}).values()]
    made = [location.rsplit("/", 1)[-1]] if location else []
    touched = [str(one) for one in scope.get("state", {}).get("touched", ())]
    return tuple(dict.fromkeys(one for one in (*named, *made, *touched) if one))
