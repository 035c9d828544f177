"""Regular expressions and globs whose cost is bounded.

Expressions are matched by RE2 (through Arrow): no backtracking, time linear in the text, so nested quantifiers cannot
explode. Look-around and back-references do not exist there and are refused. Lengths are bounded on both sides.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

MAX_PATTERN_CHARS = 600
MAX_TEXT_CHARS = 4_000
MAX_REPEAT = 100

_REPEAT = re.compile(r"\{(\d+)?(?:,(\d*))?\}")


def pattern_problem(pattern: str) -> str | None:
    """Why ``pattern`` is refused, or None."""
    if len(pattern) > MAX_PATTERN_CHARS:
        return f"the expression has {len(pattern)} characters, at most {MAX_PATTERN_CHARS} are allowed"
    for low, high in _REPEAT.findall(pattern):
        if max(int(low or 0), int(high or 0)) > MAX_REPEAT:
            return f"a repetition above {MAX_REPEAT} is not allowed"
    try:
        matches = pc.match_substring_regex(pa.array([""]), pattern, ignore_case=True)
    except pa.ArrowInvalid as exc:
        return str(exc)
    if matches[0].as_py():
        return "the expression matches the empty text, so it would match everything"
    return None


def matching(pattern: str, texts: pa.StringArray) -> list[int]:
    """Indexes of ``texts`` in which ``pattern`` occurs, case ignored, ascending."""
    found: list[int] = pc.indices_nonzero(
        pc.match_substring_regex(texts, pattern, ignore_case=True)
    ).to_pylist()
    return found


def text_array(texts: Sequence[str]) -> pa.StringArray:
    """``texts`` as a column, each cut to :data:`MAX_TEXT_CHARS`; lone surrogates become ``?``."""
    return pa.array(
        [text[:MAX_TEXT_CHARS].encode("utf-8", "replace").decode() for text in texts], pa.string()
    )


def glob_matches(globs: tuple[str, ...], text: str) -> bool:
    """Whether one of ``globs`` (``*`` and ``?``) covers ``text``, case ignored."""
    return _one_covers(globs, text[:MAX_TEXT_CHARS])


@lru_cache(maxsize=50_000)
def _one_covers(globs: tuple[str, ...], text: str) -> bool:
    return any(_covers(glob.lower(), text.lower()) for glob in globs)


def _covers(glob: str, text: str) -> bool:
    if "*" not in glob and "?" not in glob:
        return glob == text
    return fnmatch.fnmatchcase(text, glob.replace("[", "[[]"))


def alternatives(contains: Sequence[str]) -> str:
    """An expression that finds any of these literal texts."""
    return "|".join(re.escape(text) for text in contains)
