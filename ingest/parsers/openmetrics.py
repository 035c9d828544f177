"""The strict verdict on OpenMetrics 1.0: is a whole document right?"""

from __future__ import annotations


def judge_openmetrics(text: bytes) -> None:
    """Raises ParseError with the line where ``text`` first breaks the standard."""
