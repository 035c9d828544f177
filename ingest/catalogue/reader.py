"""The catalogue as the ingest uses it: typed events of a batch, and what each says about the graph."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pyarrow as pa

from ingest.catalogue.catalogue import load_catalogue
from ingest.catalogue.events import event_types
from ingest.catalogue.matcher import Matcher
from ingest.catalogue.meaning import statement_of
from ingest.catalogue.message import Message
from ingest.catalogue.vocabulary import SPEAKER, TypedEvent
from ingest.topology.discovery import Statement


class CatalogueReader:
    """Types the lines of batches by ``messages``, those that ship unless told otherwise.

    ``telling``: only messages whose event says something about the graph: a state, a relation, or an entity that is not the
    speaker. Has no state of its own beyond the messages: one may be put in another's place at any time.
    """

    def __init__(self, messages: tuple[Message, ...] | None = None, *, telling: bool = False) -> None:
        known = shipped_catalogue() if messages is None else messages
        self._matcher = Matcher(message for message in known if not telling or tells(message))

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages in the order in which they are tried."""
        return self._matcher.messages

    def events_of(self, table: pa.Table) -> Mapping[int, TypedEvent]:
        """The event of each row of ``table`` (columns ``app``, ``msgid``, ``message``, null where absent) that has one.

        Each distinct text is matched once; lines that hold nothing of any message cost one search of the column.
        """
        messages, msgids = table["message"].combine_chunks(), table["msgid"].combine_chunks()
        rows = self._matcher.worth(messages, msgids)
        if not rows:
            return {}
        taken = pa.array(rows, pa.int64())
        columns = (table["app"].combine_chunks(), msgids, messages)
        picked = list(zip(*(column.take(taken).to_pylist() for column in columns), strict=True))
        distinct = list(dict.fromkeys(picked))
        apps, names, texts = zip(*distinct, strict=True)
        found = self._matcher.match(texts, apps, names)
        event_of = {distinct[place]: event for place, event in zip(found.row, found.events, strict=True)}
        return {row: event_of[key] for row, key in zip(rows, picked, strict=True) if key in event_of}

    @staticmethod
    def statements(event: TypedEvent | None) -> tuple[Statement, ...]:
        """What ``event`` says, for :meth:`ingest.topology.discovery.Discovery.line`."""
        return () if event is None else (statement_of(event),)


@cache
def shipped_catalogue() -> tuple[Message, ...]:
    """The messages that ship, read once a process."""
    return load_catalogue()


def tells(message: Message) -> bool:
    """Whether an event of ``message`` may change what is known about anything but its own line."""
    types = [event_types()[name] for name in message.choice.types]
    return any(kind.state is not None or kind.says or kind.about != (SPEAKER,) for kind in types)
