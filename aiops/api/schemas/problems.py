"""Errors (RFC 9457)."""

from __future__ import annotations

from pydantic import Field

from aiops.api.schemas.primitives import Open


class ProblemItem(Open):
    detail: str
    pointer: str | None = Field(None, description="JSON pointer into the body")
    parameter: str | None = Field(None, description="name of the query parameter or header")


class ProblemDocument(Open):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[ProblemItem]
    request_id: str
