"""A setting that is not in docs/operations.md does not exist for a user."""

from __future__ import annotations

import re
from pathlib import Path

from aiops.settings import Settings

ROOT = Path(__file__).parents[3]


def test_every_setting_is_documented_and_every_documented_setting_exists() -> None:
    table = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8").split("## What to watch")[0]
    documented = {name.lower() for name in re.findall(r"`AIOPS_([A-Z0-9_]+)`", table)}
    assert documented == set(Settings.model_fields)


def test_relative_links_in_the_docs_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages
        for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not link.startswith(("http://", "https://", "mailto:")) and not (page.parent / link).exists()
    ]
    assert broken == []
