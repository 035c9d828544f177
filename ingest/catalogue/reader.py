"""The catalogue as the ingest uses it: typed events of a batch, and what each says about the graph."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from ingest.catalogue.catalogue import load_catalogue
from ingest.catalogue.matcher import Matcher
from ingest.catalogue.meaning import statement_of
from ingest.catalogue.message import Message
from ingest.catalogue.vocabulary import TypedEvent
from ingest.topology.discovery import Statement


class CatalogueReader:
    """Types the lines of batches. Has no state of its own beyond the messages: one may be put in another's place at any time."""

    def __init__(self, messages: tuple[Message, ...] | None = None) -> None:
        self._matcher = Matcher(load_catalogue() if messages is None else messages)

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages in the order in which they are tried."""
        return self._matcher.messages

    def events_of(self, table: pa.Table) -> Mapping[int, TypedEvent]:
        """The event of each row of ``table`` (columns ``app``, ``msgid``, ``message``, null where absent) that has one.

        Each distinct text is matched once; lines that hold nothing of any message cost one search of the column.
        """
        messages = pc.fill_null(table["message"].combine_chunks(), "")
        msgids = table["msgid"].combine_chunks()
        rows = self._matcher.worth(messages, msgids)
        if not rows:
            return {}
        taken = pa.array(rows, pa.int64())
        picked = list(
            zip(
                table["app"].combine_chunks().take(taken).to_pylist(),
                msgids.take(taken).to_pylist(),
                messages.take(taken).to_pylist(),
                strict=True,
            )
        )
        distinct = list(dict.fromkeys(picked))
        found = self._matcher.match(
            pa.array([text for _app, _msgid, text in distinct], pa.string()),
            [app for app, _msgid, _text in distinct],
            [msgid for _app, msgid, _text in distinct],
        )
        event_of = {distinct[place]: event for place, event in zip(found.row, found.events, strict=True)}
        return {row: event_of[key] for row, key in zip(rows, picked, strict=True) if key in event_of}

    @staticmethod
    def statements(event: TypedEvent | None) -> tuple[Statement, ...]:
        """What ``event`` says, for :meth:`ingest.topology.discovery.Discovery.line`."""
        return () if event is None else (statement_of(event),)
