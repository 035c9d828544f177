"""docs/catalogue.md: its tables and its example are what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from ingest.catalogue.matcher import Matcher
from ingest.catalogue.message import parse_message
from ingest.catalogue.reader import shipped_catalogue
from ingest.catalogue.tables import events_table, fields_table

PAGE = (Path(__file__).parents[3] / "docs" / "catalogue.md").read_text("utf-8")


def test_the_tables_are_the_vocabulary() -> None:
    assert events_table() in PAGE
    assert fields_table() in PAGE


def test_the_page_counts_right() -> None:
    messages = shipped_catalogue()
    assert f"{len(messages)} messages of {len({message.vendor for message in messages})} vendors" in PAGE


def test_the_example_is_a_message_that_works() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    message = parse_message(example, "catalogue.md")
    (event,) = Matcher([message]).match(["%PORT-4-STATE: port 7 port state is dead (no light)"]).events
    assert (event.type, dict(event.fields)) == ("link.down", {"interface": "7", "reason": "no light"})


def test_every_key_of_a_message_is_explained() -> None:
    from ingest.catalogue.message import KEYS

    explained = set(re.findall(r"^\| `(\w+)` \| (?!.*\| .* \|$)", PAGE, re.MULTILINE)) | {
        "format",
        "id",
        "vendor",
        "product",
        "source",
    }
    assert explained >= KEYS
