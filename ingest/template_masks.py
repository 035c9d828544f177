"""What varies in a line, masked: numbers, addresses, paths, quoted texts and the like become :data:`WILDCARD`.

One regular expression over a whole column, in the regex engine of polars (finite automata: linear in the text, whatever
the text is). The masked text is a function of the text alone, so batches and their order do not matter:

* at most the first :data:`MAX_CHARS` characters count;
* the leftmost match is masked first; of several that begin there the first of :data:`VARIES`;
* word borders are those of ASCII;
* a mnemonic (``%FACILITY-SEVERITY-MNEMONIC``) is never masked.
"""

from __future__ import annotations

import re

import polars as pl
import pyarrow as pa

#: Stands for what varies, in templates.
WILDCARD = "<*>"
MAX_CHARS = 4096
#: Texts whose masked form is remembered, in characters.
MAX_REMEMBERED_CHARS = 8_000_000

_HEX = "[0-9a-fA-F]"
_BORDER = r"(?-u:\b)"
#: The character before (after) is no part of a word.
_START = r"(?-u:\b{start-half})"
_END = r"(?-u:\b{end-half})"


def _mixed_hex() -> str:
    """Eight or more lower-case hexadecimal digits, at least one figure and one letter: by where the first change is."""
    parts = []
    for first, other in (("[0-9]", "[a-f]"), ("[a-f]", "[0-9]")):
        parts += [f"{first}{{{count}}}{other}[0-9a-f]{{{7 - count},}}" for count in range(1, 7)]
        parts.append(f"{first}{{7,}}{other}[0-9a-f]*")
    return "|".join(parts)


#: What varies, in order of preference.
VARIES: tuple[tuple[str, str], ...] = (
    ("url", _BORDER + r"[a-z][a-z0-9+.-]*://[^\s\"',;<>()\[\]]+"),
    ("uuid", f"{_BORDER}{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}{_BORDER}"),
    ("mac", f"{_BORDER}(?:{_HEX}{{2}}[:-]){{5}}{_HEX}{{2}}{_BORDER}"),
    ("mac_dotted", rf"{_BORDER}{_HEX}{{4}}\.{_HEX}{{4}}\.{_HEX}{{4}}{_BORDER}"),
    ("ip", rf"/?{_BORDER}[0-9]{{1,3}}(?:\.[0-9]{{1,3}}){{3}}(?::[0-9]{{1,5}}|/[0-9]{{1,2}})?{_BORDER}"),
    ("ip6", f"{_START}(?:{_HEX}{{1,4}}:){{2,7}}(?::?{_HEX}{{1,4}})+(?:/[0-9]{{1,3}})?{_END}"),
    ("path", _START + r"(?:/[\w.\-+@~%$]+){2,}/?"),
    ("double", r'"[^"]+"'),
    ("single", f"{_START}'[^']+'{_END}"),
    ("hex", f"{_BORDER}(?:0[xX]{_HEX}+|{_mixed_hex()}){_BORDER}"),
    ("number", rf"{_START}[+-]?[0-9]+(?:[.,:][0-9]+)*(?:%{_END})?|[0-9]+(?:\.[0-9]+)*"),
)
MNEMONIC = re.compile(r"%[A-Z][A-Z0-9_\-]*-[0-7]-[A-Z0-9_]+")

_VARYING = "|".join(f"(?:{expression})" for _name, expression in VARIES)
_KEEPING = f"(?P<mnemonic>{MNEMONIC.pattern})|{_VARYING}"
_AFTER_MNEMONIC = f"({MNEMONIC.pattern})<\\*>"


def column_of(messages: pa.Array | pa.ChunkedArray) -> pl.Series:
    """An Arrow column of text as a polars one."""
    column = pl.from_arrow(messages)
    assert isinstance(column, pl.Series)  # it was no table
    return column.cast(pl.String)


def masked(messages: pl.Series) -> pl.Series:
    """Every text with what varies masked. Null stays null; blanks stay as they are."""
    texts = messages
    if (texts.str.len_bytes().max() or 0) > MAX_CHARS:  # type: ignore[operator]  # a count
        texts = texts.str.head(MAX_CHARS)
    found = texts.str.contains(MNEMONIC.pattern).fill_null(value=False)
    result = texts.str.replace_all(_VARYING, WILDCARD)
    if not found.any():
        return result
    rows = found.arg_true()
    kept = texts.gather(rows).str.replace_all(_KEEPING, "${mnemonic}" + WILDCARD)
    return result.scatter(rows, kept.str.replace_all(_AFTER_MNEMONIC, "${1}"))


class RememberedMasks:
    """:func:`masked`, with the masked form of each text remembered: windows of incidents that follow each other hold mostly the
    same lines. Bounded: past ``max_chars`` of texts it starts anew. Any thread may call it."""

    def __init__(self, max_chars: int = MAX_REMEMBERED_CHARS) -> None:
        self._known: dict[str, str] = {}
        self._chars = 0
        self._max_chars = max_chars

    def __call__(self, messages: pl.Series) -> pl.Series:
        if self._chars > self._max_chars:
            self._known, self._chars = {}, 0
        known, texts = self._known, messages.to_list()
        new = [text for text in dict.fromkeys(texts) if text is not None and text not in known]
        if new:
            known.update(zip(new, masked(pl.Series(new, dtype=pl.String)).to_list(), strict=True))
            self._chars += sum(map(len, new))
        found = [None if text is None else known[text] for text in texts]
        return pl.Series(found, dtype=pl.String)


def mask(text: str) -> str:
    """``text`` masked, its blanks made single."""
    return " ".join(str(masked(pl.Series([text]))[0]).split())
