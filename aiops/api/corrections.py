"""What a request that does not follow its schema may have meant: said in our words, with the nearest names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel

NEAREST = 3
#: Names this much alike are near (:func:`difflib.get_close_matches`).
ALIKE = 0.5
_QUOTED = re.compile(r"'([^']*)'")
_OURS = "Value error, "


def near(name: str, known: Iterable[str]) -> list[str]:
    """Names of ``known`` that look like ``name``, best first."""
    by_case = {one.casefold(): one for one in known}
    found = difflib.get_close_matches(name[:200].casefold(), list(by_case), n=NEAREST, cutoff=ALIKE)
    return [by_case[one] for one in found]


def nothing_of_that_name(what: str, nearest: Sequence[str]) -> str:
    """``no such parameter: did you mean status?``"""
    return f"no such {what}" + (f": did you mean {' or '.join(nearest)}?" if nearest else "")


def corrected(entry: Mapping[str, Any], body: object) -> dict[str, object]:
    """``detail`` and, where there are any, ``nearest`` for an error of the validation. ``body``: the annotation of the body."""
    message, location = str(entry["msg"]), entry["loc"]
    if entry["type"] == "extra_forbidden":
        nearest = near(str(location[-1]), _members(body, location[1:-1]))
        return {"detail": nothing_of_that_name("member", nearest), **_shown(nearest)}
    if entry["type"] == "literal_error":
        known = _QUOTED.findall(str(entry.get("ctx", {}).get("expected", "")))
        return {"detail": message, **_shown(near(str(entry.get("input")), known))}
    return {"detail": message.removeprefix(_OURS)}


def _shown(nearest: list[str]) -> dict[str, object]:
    return {"nearest": nearest} if nearest else {}


def _members(annotation: object, steps: Sequence[object]) -> set[str]:
    """Names of the members that the document at ``steps`` below ``annotation`` may have."""
    models = _models(annotation)
    for step in steps:
        if isinstance(step, int):
            continue  # the items of a list have the annotation that was found with it
        models = [
            model
            for held in models
            for name, field in held.model_fields.items()
            if step in (name, field.alias)
            for model in _models(field.annotation)
        ]
    return {field.alias or name for model in models for name, field in model.model_fields.items()}


def _models(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]
