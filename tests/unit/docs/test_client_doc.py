"""docs/client.md: every example runs, one after the other, against a served site; docs/mcp.md names the tools that there are."""

from __future__ import annotations

import re
from pathlib import Path

import aiops.client
from aiops.client import ProblemAnswer
from tests.support.http_site import ADMIN
from tests.support.served_site import served_site

DOCS = Path(__file__).parents[3] / "docs"


def test_every_example_runs(tmp_path: Path) -> None:
    page = (DOCS / "client.md").read_text("utf-8")
    examples = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(examples) >= 8
    with served_site(tmp_path) as site:
        for number, example in enumerate(examples):
            text = example.replace("http://127.0.0.1:8080", site.address).replace("aiops_...", ADMIN)
            exec(compile(text, f"client.md, example {number + 1}", "exec"), {"__name__": "__main__"})


def test_every_error_is_listed() -> None:
    page = (DOCS / "client.md").read_text("utf-8")
    errors = {
        name
        for name in aiops.client.__all__
        if isinstance(getattr(aiops.client, name), type)
        and issubclass(getattr(aiops.client, name), Exception)
    }
    assert ProblemAnswer.__name__ in errors
    assert {name for name in errors if f"`{name}`" not in page} == set()


def test_the_page_for_assistants_names_every_tool() -> None:
    from aiops.mcp.server import READING, WRITING

    table = re.findall(r"^\| `(\w+)` \|", (DOCS / "mcp.md").read_text("utf-8"), re.MULTILINE)
    assert table == [*READING, *WRITING]
