"""Server-sent events (WHATWG HTML, section 9.2): lines to events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from aiops.client.documents import JsonObject
from aiops.client.errors import UnexpectedAnswer

MAX_EVENT_CHARS = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Event:
    """``id``: what to go on after (``last_event_id``); ``data``: the document that came with it."""

    id: str
    kind: str
    data: JsonObject


class EventReader:
    """Takes lines without their ends and gives an event where one is complete.

    ``last_id``: the last id that was seen; ``pause_s``: what the server wants between two connections.
    """

    def __init__(self, last_id: str | None = None, pause_s: float = 1.0) -> None:
        self.last_id = last_id
        self.pause_s = pause_s
        self._id = last_id
        self._kind = ""
        self._data: list[str] = []
        self._size = 0

    def take(self, line: str) -> Iterator[Event]:
        """Nothing or one event. Raises :class:`UnexpectedAnswer` on an event that is too large or no JSON."""
        if not line:
            yield from self._complete()
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._size += len(value)
                if self._size > MAX_EVENT_CHARS:
                    raise UnexpectedAnswer(f"an event of more than {MAX_EVENT_CHARS} characters")
                self._data.append(value)
            case "event":
                self._kind = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit():
                self.pause_s = min(int(value) / 1000, 60.0)

    def drop(self) -> None:
        """Forget an event of which only a part came; it will come again."""
        self._id, self._kind, self._data, self._size = self.last_id, "", [], 0

    def _complete(self) -> Iterator[Event]:
        kind, text = self._kind or "message", "\n".join(self._data)
        given, self.last_id = bool(self._data), self._id
        self.drop()
        if not given:
            return
        try:
            data = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise UnexpectedAnswer(f"an event {kind!r} that is no JSON") from error
        yield Event(self.last_id or "", kind, data if isinstance(data, dict) else {"value": data})
