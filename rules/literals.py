"""What a text must hold for an expression to occur in it: found in microseconds, where compiling the expression takes far longer.

An expression of the RE2 language is read just far enough to say "it occurs only in texts with one of these words"
(after Cox, *Regular Expression Matching with a Trigram Index*, 2012, without the trigrams). What is not understood asks for
nothing, so a test can pass texts in which the expression does not occur, and never the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MIN_CHARS = 3  # words shorter than this are in every text
MAX_WORDS = 64

#: A text must hold one of these, folded; None: it may be any text.
Words = frozenset[str] | None

_REPEAT = re.compile(r"\{(\d+)(?:,\d*)?\}")
_FLAGS = re.compile(r"\?(?:P<\w+>|[imsU-]*(?P<end>[:)]))")
_CLASS_ESCAPES = frozenset("dDsSwWbBAztnrfva")


class _NotUnderstood(Exception):
    """The expression has a part that this reader does not know."""


def folded(text: str) -> str:
    """``text`` in the form in which words are looked for; two letters that RE2 takes for the same are the same there."""
    return text.casefold()


def words_of(pattern: str) -> Words:
    """The words of which every text with ``pattern`` (accepted by RE2) has one, case ignored."""
    try:
        return _Reader(pattern).read()
    except _NotUnderstood:
        return None


def _longer(one: Words, other: Words) -> Words:
    """Whichever says more."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other, key=lambda words: (min(map(len, words)), -len(words)))


class _Reader:
    """Reads one expression from left to right."""

    def __init__(self, pattern: str) -> None:
        self._text, self._at = pattern, 0

    def read(self) -> Words:
        found = self._either()
        if self._at < len(self._text):
            raise _NotUnderstood
        return found

    def _either(self) -> Words:
        branches = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            branches.append(self._sequence())
        return _any_of(branches)

    def _sequence(self) -> Words:
        """The best of what the parts ask for; letters beside each other are one word."""
        best: Words = None
        run = ""
        while self._peek() not in ("", "|", ")"):
            letter, inner = self._part()
            least = self._least()
            if letter is not None and least != 0:
                run += letter
            if letter is None or least is not None:
                best, run = _longer(best, _word(run)), ""
            if letter is None and least != 0:
                best = _longer(best, inner)
        return _longer(best, _word(run))

    def _part(self) -> tuple[str | None, Words]:
        """A letter, or what a group asks for (a class asks for nothing)."""
        letter = self._text[self._at]
        self._at += 1
        if letter == "(":
            return None, self._group()
        if letter == "[":
            self._skip_class()
            return None, None
        if letter == "\\":
            return self._escaped()
        if letter in ".^$" or not letter.isascii():
            return None, None
        return letter, None

    def _group(self) -> Words:
        flags = _FLAGS.match(self._text, self._at)
        if flags is not None:
            self._at = flags.end()
            if flags["end"] == ")":
                return None
        elif self._peek() == "?":
            raise _NotUnderstood
        found = self._either()
        if self._peek() != ")":
            raise _NotUnderstood
        self._at += 1
        return found

    def _skip_class(self) -> None:
        if self._peek() == "^":
            self._at += 1
        if self._peek() == "]":
            self._at += 1
        while self._peek() != "]":
            if self._peek() == "":
                raise _NotUnderstood
            if self._text.startswith("[:", self._at):
                self._at = self._text.find(":]", self._at) + 1
            self._at += 2 if self._peek() == "\\" else 1
        self._at += 1

    def _escaped(self) -> tuple[str | None, Words]:
        letter = self._peek()
        self._at += 1
        if letter in _CLASS_ESCAPES:
            return None, None
        if letter == "" or letter.isalnum() or not letter.isascii():
            raise _NotUnderstood
        return letter, None

    def _least(self) -> int | None:
        """How often the part before must occur; None where nothing says so."""
        letter = self._peek()
        repeat = _REPEAT.match(self._text, self._at) if letter == "{" else None
        if repeat is not None:
            self._at = repeat.end()
            least = int(repeat[1])
        elif letter and letter in "*+?":
            self._at += 1
            least = 1 if letter == "+" else 0
        else:
            return None
        if self._peek() == "?":
            self._at += 1
        return least

    def _peek(self) -> str:
        return self._text[self._at] if self._at < len(self._text) else ""


def _word(run: str) -> Words:
    return frozenset({folded(run)}) if len(run) >= MIN_CHARS else None


def _any_of(branches: Sequence[Words]) -> Words:
    words: set[str] = set()
    for branch in branches:
        if branch is None:
            return None
        words |= branch
    return frozenset(words) if len(words) <= MAX_WORDS else None
