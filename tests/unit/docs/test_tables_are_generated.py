"""The measured tables in the pages are those of benchmarks/results, not somebody's memory of them."""

from __future__ import annotations

import pytest

from benchmarks.tables import PAGES, ROOT, render


@pytest.mark.parametrize("page", PAGES)
def test_tables_are_those_of_the_results(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert "<!-- table " in text
    assert render(text) == text
