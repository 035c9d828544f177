"""Labels of ``rca-case/1`` folders: read only by what scores answers, never by what gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from aiops.errors import CaseError


@dataclass(frozen=True, slots=True)
class Label:
    """``causes``: (entity id, kind or None). Any one of them is right unless ``all_needed``."""

    causes: tuple[tuple[str, str | None], ...]
    all_needed: bool = False
    granularity: str = ""

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(kind for _, kind in self.causes if kind)

    def rank_in(self, ranked: Sequence[str]) -> int | None:
        """Place (from 1) of the right answer in ``ranked``; None where it is missing. With ``all_needed`` the place at
        which the last of the causes is found, less the causes that may rightly stand before it."""
        wanted = {entity for entity, _ in self.causes}
        places = [place for place, entity in enumerate(ranked, start=1) if entity in wanted]
        if not self.all_needed:
            return places[0] if places else None
        return max(1, places[-1] - len(wanted) + 1) if len(set(places)) >= len(wanted) else None


def read_label(folder: Path) -> Label:
    """The label of a case folder. Raises :class:`CaseError`."""
    file = folder / "label.json"
    try:
        document = orjson.loads(file.read_bytes())
        causes = tuple(
            (str(cause["entity"]), None if cause.get("kind") is None else str(cause["kind"]))
            for cause in document["root_causes"]
        )
    except OSError as exc:
        raise CaseError(
            f"{file}: cannot be read: {exc.strerror}", hint="scoring needs a label", file=str(file)
        ) from exc
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as exc:
        raise CaseError(
            f"{file}: no label: {exc}",
            hint="see the format's description",
            file=str(file),
            pointer="/root_causes",
        ) from exc
    if not causes:
        raise CaseError(
            f"{file}: /root_causes: must name a cause", hint="see the format's description", file=str(file)
        )
    return Label(causes, bool(document.get("all", False)), str(document.get("granularity", "")))
