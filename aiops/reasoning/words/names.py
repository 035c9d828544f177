"""What entities are called in sentences: ``swp2 on core-1``, ``service checkout``; never an id where there is a name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from aiops.domain.graph import Entity

#: Longest name in a sentence, in characters.
LONGEST = 120
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Names:
    """Names of the entities of one subgraph; two that would be called the same are told apart by their ids."""

    def __init__(self, entities: Iterable[Entity]) -> None:
        self._known = {entity.id: entity for entity in entities}
        self._shared = Counter((entity.kind, entity.name) for entity in self._known.values())
        self._made: dict[str, str] = {}

    def of(self, entity_id: str) -> str:
        """The name of ``entity_id``; the id itself where nobody knows it."""
        made = self._made.get(entity_id)
        if made is None:
            made = self._made[entity_id] = shortened(self._name(entity_id), LONGEST)
        return made

    def some(self, entity_ids: Iterable[str], most: int = 4) -> str:
        """The first ``most`` names, and how many more there are."""
        names = [self.of(entity_id) for entity_id in entity_ids]
        shown = ", ".join(names[:most])
        return shown if len(names) <= most else f"{shown} and {len(names) - most} more"

    def _name(self, entity_id: str) -> str:
        entity = self._known.get(entity_id)
        if entity is None:
            return entity_id
        place = entity_id.partition(":")[2]
        if entity.kind == "Interface" and "/" in place:
            device, _, port = place.partition("/")
            return f"{port} on {device}"
        name = entity.name or entity_id
        if self._shared[entity.kind, entity.name] > 1:
            name = f"{name} ({place or entity_id})"
        return name if entity.kind == "Unknown" else f"{_HUMPS.sub(' ', entity.kind).lower()} {name}"


def shortened(text: str, most: int) -> str:
    """At most ``most`` characters; an ellipsis says that there was more."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
