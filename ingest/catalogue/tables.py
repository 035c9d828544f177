"""The vocabulary and the messages written for people: the tables of docs/catalogue.md and of the command line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ingest.catalogue.events import event_fields, event_types
from ingest.catalogue.message import Message
from ingest.catalogue.vocabulary import EventType


def event_row(event: EventType) -> dict[str, object]:
    """One event type in words. A field in brackets may be absent; ``a/b``: one of the two is there."""
    needed = ["/".join(group) for group in event.needs]
    may = [f"[{name}]" for name in event.may if name not in {name for group in event.needs for name in group}]
    return {
        "type": event.name,
        "tone": event.tone.value,
        "means": event.means,
        "fields": " ".join([*needed, *may]),
        "about": "/".join(event.about),
        "state": "" if event.state is None else f"{event.state[0]} = {event.state[1]}",
    }


def events_table() -> str:
    """Every event type as a Markdown table."""
    rows = [event_row(event) for event in event_types().values()]
    return _table(
        ["type", "tone", "means", "fields", "about", "state"],
        (
            [f"`{row['type']}`", row["tone"], row["means"], row["fields"], row["about"], _code(row["state"])]
            for row in rows
        ),
    )


def fields_table() -> str:
    """Every field as a Markdown table."""
    return _table(
        ["field", "means", "entity"],
        ([f"`{field.name}`", field.means, field.entity] for field in event_fields().values()),
    )


def described(message: Message) -> dict[str, object]:
    """A message as one object: where it is looked for, its pattern, what becomes of it."""
    choice = message.choice
    return {
        "id": message.id,
        "vendor": message.vendor,
        "product": message.product,
        "source": message.source,
        "file": message.file,
        "event": choice.always
        if choice.always is not None
        else {"by": choice.by, **choice.of, **({"otherwise": choice.otherwise} if choice.otherwise else {})},
        "mnemonic": list(message.mnemonics),
        "app": list(message.apps),
        "contains": list(message.literals),
        "pattern": message.pattern,
        "values": {name: dict(words) for name, words in message.values.items()},
        "constants": {name: template.source for name, template in message.constants.items()},
    }


def _code(text: object) -> str:
    return f"`{text}`" if text else ""


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
