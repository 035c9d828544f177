"""The documents that cross the API's edge. Our own resources refuse unknown fields; times carry their offset."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)

from aiops.domain.occurrences import SEVERITIES, severity_named

MAX_ITEMS = 1000  # alerts or references of one incident, names of one question
MAX_LABELS = 128
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_LOST_PLUS = re.compile(r"\d \d\d:\d\d$", re.ASCII)
_DURATION = re.compile(r"(?:(\d{1,7})d)?(?:(\d{1,7})h)?(?:(\d{1,7})m)?(?:(\d{1,7})s)?", re.ASCII)
_SECONDS = re.compile(r"\d{1,7}", re.ASCII)
_EARLIEST, _LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2999, 12, 31, tzinfo=UTC)
MAX_WINDOW_S = 7 * 86400.0


def duration_s(text: str) -> float:
    """Seconds of ``15m``, ``1h30m``, ``90s``, ``2d``. Raises :class:`ValueError`."""
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError("expected a duration like 15m, 1h30m or 90s")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(days * 86400 + hours * 3600 + minutes * 60 + seconds)


def _rfc3339(value: object) -> object:
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError(
            "expected a time with its offset, for example 2026-11-22T10:00:00Z"
            + ("; in a URL + is written %2B" if isinstance(value, str) and _LOST_PLUS.search(value) else "")
        )
    return value


def _within_reason(at: datetime) -> datetime:
    if not _EARLIEST <= at <= _LATEST:
        raise ValueError("expected a time between 1970 and 2999")
    return at.astimezone(UTC)


def _has_form(text: object) -> object:
    if isinstance(text, str):
        duration_s(text)
    return text


def _patience(text: object) -> object:
    """``5`` is ``5s``."""
    given = f"{text}s" if isinstance(text, str) and _SECONDS.fullmatch(text) else text
    return _has_form(given)


def _window(text: str) -> str:
    if duration_s(text) > MAX_WINDOW_S:
        raise ValueError("expected at most 7d")
    return text


def _severity(text: str) -> str:
    named = severity_named(text)
    if named is None:
        raise ValueError(f"expected one of {', '.join(SEVERITIES)}, or a word that other tools use for them")
    return named


PLAIN = r"^[^\x00]*$"  # no zero character, which databases refuse
Time = Annotated[
    AwareDatetime, Field(strict=False), BeforeValidator(_rfc3339), AfterValidator(_within_reason)
]
_PARTS = r"^([0-9]{1,7}d)?([0-9]{1,7}h)?([0-9]{1,7}m)?([0-9]{1,7}s)?$"
Duration = Annotated[
    str,
    Field(pattern=_PARTS, min_length=2, max_length=32),
    BeforeValidator(_has_form),
    AfterValidator(_window),
]
#: The same, where plain seconds are understood too.
Patience = Annotated[
    str,
    Field(
        pattern=rf"^([0-9]{{1,7}}|{_PARTS[1:-1]})$",
        min_length=1,
        max_length=32,
    ),
    BeforeValidator(_patience),
    AfterValidator(_window),
]
Severity = Annotated[str, Field(min_length=1, max_length=32), AfterValidator(_severity)]
Name = Annotated[str, Field(min_length=1, max_length=512, pattern=PLAIN)]
Text = Annotated[str, Field(max_length=16_384, pattern=PLAIN)]
#: A name that breaks the pattern is refused: in the schema too, which otherwise says nothing of it.
Labels = Annotated[
    dict[Name, Annotated[str, Field(max_length=4096, pattern=PLAIN)]],
    Field(max_length=MAX_LABELS, json_schema_extra={"additionalProperties": False}),
]
Href = Annotated[str, Field(max_length=2048, pattern=r"^https?://[^\s\x00]+$")]


class Strict(BaseModel):
    """A document of ours that comes in."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Open(BaseModel):
    """A document that goes out; fields may be added to it later."""

    model_config = ConfigDict(extra="allow")


def example(base: type[BaseModel], *given: Mapping[str, object]) -> ConfigDict:
    """``model_config`` of a document like ``base``, with examples for the OpenAPI document."""
    examples: dict[str, Any] = {"examples": [dict(document) for document in given]}
    return ConfigDict(**{**base.model_config, "json_schema_extra": examples})
