"""The catalogue by folders: every message has golden lines, every golden line is its own message's and nobody else's."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from ingest.catalogue.catalogue import load_catalogue
from ingest.catalogue.events import event_fields, event_types
from ingest.catalogue.meaning import FRAGMENTS
from ingest.catalogue.reader import CatalogueReader
from tests.support.catalogue_lines import MESSAGES, events_of_lines, lines_of, parsed, shipped

FOLDERS = sorted(path for path in MESSAGES.iterdir() if path.is_dir())
SHIPPED = load_catalogue()


def test_every_message_has_a_folder_and_every_folder_a_message() -> None:
    assert {message.id for message in SHIPPED} == {folder.name for folder in FOLDERS}
    for message in SHIPPED:
        assert message.file.endswith(f"/{message.id}.yaml")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_golden_lines_give_the_expected_events(folder: Path) -> None:
    told = events_of_lines(folder / "line.txt")
    assert told == json.loads((folder / "expected.json").read_text("utf-8"))
    assert {event.get("message") for event in told} == {folder.name}


@pytest.fixture(scope="module")
def all_lines() -> tuple[pa.Table, list[str]]:
    """The golden lines of all messages, parsed, and whose each is."""
    owned = [(line, folder.name) for folder in FOLDERS for line in lines_of(folder)]
    return parsed([line for line, _owner in owned]), [owner for _line, owner in owned]


def test_no_golden_line_is_taken_by_any_other_message(all_lines: tuple[pa.Table, list[str]]) -> None:
    """Each message alone, without those that go before it, says nothing about the lines of the others."""
    table, owners = all_lines
    taken = {
        f"{message.id} takes {owners[row]}"
        for message in SHIPPED
        for row in CatalogueReader((message,)).events_of(table)
        if owners[row] != message.id
    }
    assert taken == set()


def test_the_vocabulary_knows_its_own_words() -> None:
    for event in event_types().values():
        assert event.fields <= set(event_fields()), event.name
        assert set(event.says) <= set(FRAGMENTS), event.name
        assert set(event.about) <= {*event.fields, "machine", "speaker"}, event.name
        assert set(event.default) <= event.fields, event.name
    used = {name for event in event_types().values() for name in event.fields}
    assert used == set(event_fields())


def test_the_order_of_messages_changes_nothing(all_lines: tuple[pa.Table, list[str]]) -> None:
    table, owners = all_lines
    reverse = CatalogueReader(tuple(reversed(SHIPPED))).events_of(table)
    assert reverse == shipped().events_of(table)
    assert [reverse[row].message for row in range(len(owners))] == owners
