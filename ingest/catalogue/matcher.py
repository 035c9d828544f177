"""Finds the messages of the catalogue among distinct texts, without one pattern being tried on a text that cannot be it.

One pass over the column finds texts that hold any literal at all; those few are told apart by their mnemonic and by which
literals they hold; only then a pattern runs, once for all its candidates, in time linear in the text (RE2).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from ingest.catalogue.message import Message
from ingest.catalogue.vocabulary import TypedEvent

#: Only so much of a text is searched: what a message says stands at its beginning.
MAX_TEXT = 4_096
#: From so many texts on, literals are found by an automaton over the column instead of one by one.
MANY_TEXTS = 128

#: ``%FACILITY-5-NAME`` of Cisco and Arista, ``%%01FACILITY/4/NAME`` of Huawei and HPE, ``NAME:`` of Junos, ``Event|404|``
#: of ArubaOS-CX.
_MNEMONIC = re.compile(
    r"%(?P<facility>[A-Za-z][\w$]*(?:-[A-Za-z][\w$]*)*)-[0-7]-(?P<name>\w+)"
    r"|%%\d\d(?P<module>\w+)/[0-7]/(?P<brief>\w+)"
    r"|^(?P<tag>[A-Z][A-Z0-9]*_[A-Z0-9_]+):"
    r"|^(?P<event>Event\|\d+)\|"
)
_MNEMONIC_WITHIN = 160
#: Junos with ``explicit-priority`` writes the syslog facility in the place of Cisco's: ``%DAEMON-4-RPD_OSPF_NBRDOWN``.
_FACILITIES = frozenset(
    {"KERN", "USER", "DAEMON", "AUTH", "PFE", "DFC", "INTERACT", "CHANGE", "CONFLICT", "EXTERNAL"}
)


def mnemonic_of(text: str) -> str | None:
    """The message's own name without its severity: ``PKT_INFRA-LINK-UPDOWN``, ``ASA-106023``, ``SNMP_TRAP_LINK_DOWN``."""
    found = _MNEMONIC.search(text, 0, _MNEMONIC_WITHIN)
    if found is None:
        return None
    if found["name"] and found["facility"] in _FACILITIES:
        name: str = found["name"]
        return name
    if found["name"]:
        return f"{found['facility']}-{found['name']}"
    if found["brief"]:
        return f"{found['module']}-{found['brief']}"
    return found["tag"] or found["event"].replace("|", "-")


@dataclass(frozen=True, slots=True)
class Matches:
    """Events of a column: ``row[i]`` (ascending, index into the texts that were given) says ``events[i]``. At most one a row."""

    row: tuple[int, ...]
    events: tuple[TypedEvent, ...]

    def by_row(self) -> Mapping[int, TypedEvent]:
        """The event of each row that has one."""
        return dict(zip(self.row, self.events, strict=True))


class Matcher:
    """Tries ``messages`` in their order; the first that fits a text is its message. Holds no state of what it saw."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self.messages = tuple(messages)
        self._by_mnemonic: dict[str, list[int]] = defaultdict(list)
        self._by_prefix: dict[str, list[int]] = defaultdict(list)
        self._by_literal: dict[str, list[int]] = defaultdict(list)
        needles: set[str] = set()
        for place, message in enumerate(self.messages):
            for mnemonic in message.mnemonics:
                known = self._by_prefix if mnemonic.endswith("*") else self._by_mnemonic
                known[mnemonic.removesuffix("*")].append(place)
                needles.add(_needle(mnemonic.removesuffix("*")))
            for literal in message.literals if not message.mnemonics else ():
                self._by_literal[literal].append(place)
                needles.add(literal)
        self._needles = "|".join(map(re.escape, sorted(needles)))
        self._literals = sorted(self._by_literal)
        self._mnemonics = pa.array(sorted(self._by_mnemonic), pa.string())

    def match(
        self,
        texts: pa.Array | Sequence[str],
        apps: Sequence[str | None] | None = None,
        msgids: Sequence[str | None] | None = None,
    ) -> Matches:
        """The events of ``texts``; ``apps`` and ``msgids`` are those of the same rows, None where nobody names them.

        Meant for distinct texts of which most are worth it (:meth:`worth`). Raises nothing for any text.
        """
        column = texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string())
        if not len(column) or not self.messages:
            return Matches((), ())
        column = pc.utf8_slice_codeunits(pc.fill_null(column, ""), 0, MAX_TEXT)
        candidates = self._candidates(column, msgids or [None] * len(column))
        return self._try(column, candidates, apps or [None] * len(column))

    def worth(self, column: pa.Array, msgids: pa.Array | None = None) -> list[int]:
        """Rows that hold anything by which a message is looked for, ascending."""
        if not self.messages:
            return []
        series = pl.from_arrow(column)
        assert isinstance(series, pl.Series)
        hit = series.str.contains(self._needles).fill_null(value=False)
        if msgids is not None and msgids.null_count < len(msgids):
            named = pl.from_arrow(pc.is_in(msgids, value_set=self._mnemonics))
            assert isinstance(named, pl.Series)
            hit = hit | named
        return [int(row) for row in hit.arg_true().to_list()]

    def _candidates(self, column: pa.Array, msgids: Sequence[str | None]) -> dict[int, list[int]]:
        """For each message, by its place, the rows of ``column`` that may be it."""
        texts = column.to_pylist()
        candidates: dict[int, list[int]] = defaultdict(list)
        for row, (text, held, msgid) in enumerate(zip(texts, self._held(column, texts), msgids, strict=True)):
            places = {place for literal in held or () for place in self._by_literal[literal]}
            for name in {mnemonic_of(text), msgid}:
                if name is not None:
                    places.update(self._named(name, text))
            for place in places:
                candidates[place].append(row)
        return candidates

    def _held(self, column: pa.Array, texts: Sequence[str]) -> Iterable[Sequence[str]]:
        """For each text the literals that it holds. An automaton is worth its making only for many texts."""
        if not self._literals or len(texts) < MANY_TEXTS:
            return [[literal for literal in self._literals if literal in text] for text in texts]
        series = pl.from_arrow(column)
        assert isinstance(series, pl.Series)
        found: list[Sequence[str]] = series.str.extract_many(self._literals, overlapping=True).to_list()
        return found

    def _named(self, name: str, text: str) -> Iterable[int]:
        """Messages of that mnemonic whose literals, if they have any, the text holds."""
        places = next((found for variant in _variants(name) if (found := self._by_mnemonic.get(variant))), [])
        by_prefix = [
            place for prefix, all_of in self._by_prefix.items() if name.startswith(prefix) for place in all_of
        ]
        for place in (*places, *by_prefix):
            literals = self.messages[place].literals
            if not literals or any(literal in text for literal in literals):
                yield place

    def _try(
        self, column: pa.Array, candidates: Mapping[int, Sequence[int]], apps: Sequence[str | None]
    ) -> Matches:
        events: dict[int, TypedEvent] = {}
        for place in sorted(candidates):
            message = self.messages[place]
            left = [row for row in candidates[place] if row not in events and message.speaks(apps[row])]
            if not left:
                continue
            caught = pc.extract_regex(column.take(pa.array(left, pa.int64())), message.pattern)
            for row, groups in zip(left, caught.to_pylist(), strict=True):
                event = message.event(groups) if groups is not None else None
                if event is not None:
                    events[row] = event
        order = sorted(events)
        return Matches(tuple(order), tuple(events[row] for row in order))


def _needle(mnemonic: str) -> str:
    """What of a mnemonic stands in the text as it is: the severity comes between the rest."""
    if mnemonic.startswith("Event-"):
        return mnemonic.replace("-", "|")
    return mnemonic.rpartition("-")[2]


def _variants(name: str) -> Iterator[str]:
    """``name``, and what it is called elsewhere: ``LINK-SP-UPDOWN`` of one slot and ``PKT_INFRA-LINK-UPDOWN`` are LINK-UPDOWN."""
    yield name
    *facilities, last = name.split("-")
    if len(facilities) > 1:
        yield f"{facilities[0]}-{last}"
        yield f"{facilities[-1]}-{last}"
