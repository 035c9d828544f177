"""How kinds are written into Neo4j: as labels and relation types; and the property that locks."""

from __future__ import annotations

import re

#: A kind that may be written as a Neo4j label or relation type as it is.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}\Z")

#: Labels that mean something else here, so that an entity kind may not be written as one of them.
_TAKEN = frozenset(
    {
        *("Entity", "Name", "Alarm", "Anomaly", "Change", "Incident", "Analysis", "Activity", "Feedback"),
        *("Aiops", "AiopsCounter", "AiopsLease", "AiopsWrite"),
    }
)

OTHER_LABEL = "Other"
OTHER_TYPE = "RELATED_TO"

#: A property that only the node of the schema version has: removing it from another one takes that node's write lock and
#: writes nothing. Neo4j skips the removal of a property that no node ever had, so one must have it.
LOCK = "_lock"


def label_of(kind: str) -> str:
    """The label of an entity kind, in back-ticks: itself where that is plain and free, else ``Other``."""
    return f"`{kind}`" if _PLAIN.match(kind) and kind not in _TAKEN else f"`{OTHER_LABEL}`"


def type_of(kind: str) -> str:
    """The relation type of a relation kind, in back-ticks: itself where that is plain, else ``RELATED_TO``."""
    return f"`{kind}`" if _PLAIN.match(kind) else f"`{OTHER_TYPE}`"
