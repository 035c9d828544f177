"""The catalogue by folders: every message has golden lines, every golden line is its own message's and nobody else's."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from ingest.catalogue.catalogue import load_catalogue
from ingest.catalogue.events import event_fields, event_types
from ingest.catalogue.meaning import FRAGMENTS
from ingest.catalogue.reader import CatalogueReader
from tests.support.catalogue_lines import MESSAGES, events_of_lines, shipped

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


def test_no_golden_line_is_taken_by_any_other_message() -> None:
    """Each message alone, without those that go before it, says nothing about the lines of the others."""
    taken = []
    for message in SHIPPED:
        alone = CatalogueReader((message,))
        for folder in FOLDERS:
            if folder.name != message.id:
                told = events_of_lines(folder / "line.txt", alone)
                taken += [f"{message.id} takes {folder.name}" for event in told if "message" in event]
    assert taken == []


def test_the_vocabulary_knows_its_own_words() -> None:
    for event in event_types().values():
        assert event.fields <= set(event_fields()), event.name
        assert set(event.says) <= set(FRAGMENTS), event.name
        assert set(event.about) <= {*event.fields, "machine", "speaker"}, event.name
        assert set(event.default) <= event.fields, event.name
    used = {name for event in event_types().values() for name in event.fields}
    assert used == set(event_fields())


def test_the_order_of_messages_changes_nothing() -> None:
    reverse = CatalogueReader(tuple(reversed(SHIPPED)))
    for folder in FOLDERS:
        assert events_of_lines(folder / "line.txt", reverse) == events_of_lines(
            folder / "line.txt", shipped()
        )
    assert not [name for name, count in Counter(message.id for message in SHIPPED).items() if count > 1]
