"""A check and what came of it: the shape that all parts of ``aiops doctor`` share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from aiops.errors import AiopsError

T = TypeVar("T")
Row = dict[str, object]
Check = tuple[str, Callable[[T], str]]


class Doubt(AiopsError):
    """Nothing is broken, but it is likely not what was meant."""


def outcomes(checks: Iterable[Check[T]], subject: T) -> list[Row]:
    """Every check's outcome, in their order: ``ok``, ``doubtful`` or ``failed``, what was seen, and what to do."""
    return [_outcome(name, check, subject) for name, check in checks]


def _outcome(name: str, check: Callable[[T], str], subject: T) -> Row:
    try:
        return {"check": name, "result": "ok", "detail": check(subject), "hint": ""}
    except Doubt as doubt:
        return {"check": name, "result": "doubtful", "detail": doubt.message, "hint": doubt.hint}
    except AiopsError as error:
        return {"check": name, "result": "failed", "detail": error.message, "hint": error.hint}
