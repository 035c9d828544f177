"""Operations of ``rules``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from aiops.client import models
from aiops.client.calls import Call


def list_rules() -> Call[models.RulesDocument]:
    """The packs in use, with their rules; ``editable`` ones came through this API."""
    return Call("GET", "/api/v1/rules", {200: models.RulesDocument})


def put_rules(
    document: bytes | str, *, content_type: str = "application/yaml", content_encoding: str | None = None
) -> Call[models.RulesReceipt]:
    """Keep a pack (YAML) and use it from the next analysis on; one of the same name is replaced."""
    return Call(
        "PUT",
        "/api/v1/rules",
        {200: models.RulesReceipt, 201: models.RulesReceipt},
        headers={"content-encoding": content_encoding},
        body=document,
        content_type=content_type,
    )


def get_pack(pack: str) -> Call[str]:
    """The YAML of a pack that came through this API, as it was sent."""
    return Call("GET", "/api/v1/rules/{pack}", {200: None}, places={"pack": pack}, accept="application/yaml")


def delete_pack(pack: str) -> Call[None]:
    """Let go of a pack that came through this API."""
    return Call("DELETE", "/api/v1/rules/{pack}", {204: None}, places={"pack": pack})


def validate_rules(
    document: bytes | str, *, content_type: str = "application/yaml", content_encoding: str | None = None
) -> Call[models.ValidationDocument]:
    """Whether a pack could be put, and what is odd about it; changes nothing."""
    return Call(
        "POST",
        "/api/v1/rules:validate",
        {200: models.ValidationDocument},
        headers={"content-encoding": content_encoding},
        body=document,
        content_type=content_type,
    )


def backtest_rules(
    document: bytes | str | None = None,
    *,
    content_type: str = "application/yaml",
    content_encoding: str | None = None,
) -> Call[models.BacktestDocument]:
    """The newest incidents with a confirmed cause, with the rules in use and with this pack beside them;
    without a body: without any rule. Nothing is kept.
    """
    return Call(
        "POST",
        "/api/v1/rules:backtest",
        {200: models.BacktestDocument},
        headers={"content-encoding": content_encoding},
        body=document,
        content_type=content_type,
    )
