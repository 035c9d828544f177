"""Regular expressions as Prometheus means them: RE2 syntax, the whole text, translated for :mod:`re`.

What RE2 lacks (look-around, backreferences, possessive and atomic groups) is refused; where :mod:`re` reads the same signs
differently (``$``, ``\\d``, ``\\s``, ``\\z``, flags in front, POSIX classes) they are written so that it reads them as RE2 does.
https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import re

_MAX_PATTERN_CHARS = 16_384
_SPACE = r"\t\n\f\r "
_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7F",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1F\x7F",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_REFUSED_ESCAPES = {
    **dict.fromkeys("123456789", "a backreference"),
    "Z": r"\Z (write \z)",
    "p": "a Unicode class",
    "P": "a Unicode class",
    "C": "a single byte",
    "X": "a grapheme",
}
_FLAGS = re.compile(r"\(\?([imsU]*)(?:-([imsU]+))?([:)])")
_REPEATED = re.compile(r"(?:[*+?]|\{\d+(?:,\d*)?\})")


def compile_anchored(pattern: str) -> re.Pattern[str]:
    """Matches whole texts, ``.`` also a line end, as Prometheus compiles ``^(?s:PATTERN)$``. Raises ValueError that says what
    is wrong."""
    if len(pattern) > _MAX_PATTERN_CHARS:
        raise ValueError(f"a pattern of {len(pattern)} characters; {_MAX_PATTERN_CHARS} are allowed")
    try:
        return re.compile(f"(?:{_Translation(pattern).text()})\\Z", re.ASCII | re.DOTALL)
    except (re.error, RecursionError, OverflowError) as exc:
        raise ValueError(str(exc)) from exc


class _Translation:
    """One walk over the pattern."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._out: list[str] = []
        self._open = 0  # groups opened for flags that hold until the end of the group around them
        self._groups: list[int] = []

    def text(self) -> str:
        while self._at < len(self._pattern):
            self._step(self._pattern[self._at])
        if self._groups:
            raise ValueError("a group is not closed")
        return "".join(self._out) + ")" * self._open

    def _step(self, char: str) -> None:
        if char == "\\":
            self._escape()
        elif char == "[":
            self._class()
        elif char == "(":
            self._group()
        elif char == ")":
            self._end_group()
        elif char in "*+?{" and _REPEATED.match(self._pattern, self._at):
            self._repetition()
        elif char == "$":
            self._put(r"\Z", 1)
        else:
            self._put(char, 1)

    def _put(self, text: str, taken: int) -> None:
        self._out.append(text)
        self._at += taken

    def _escape(self) -> None:
        char = self._pattern[self._at + 1 : self._at + 2]
        if char in _REFUSED_ESCAPES:
            raise ValueError(f"{_REFUSED_ESCAPES[char]} is not supported")
        if char == "Q":
            end = self._pattern.find(r"\E", self._at)
            end = len(self._pattern) if end < 0 else end
            self._put(re.escape(self._pattern[self._at + 2 : end]), end + 2 - self._at)
        elif char == "z":
            self._put(r"\Z", 2)
        elif char == "s":
            self._put(f"[{_SPACE}]", 2)
        elif char == "S":
            self._put(f"[^{_SPACE}]", 2)
        elif char == "x" and self._pattern[self._at + 2 : self._at + 3] == "{":
            self._put(*self._braced_code())
        else:
            self._put(self._pattern[self._at : self._at + 2], 2)

    def _braced_code(self) -> tuple[str, int]:
        found = re.match(r"\\x\{([0-9A-Fa-f]{1,6})\}", self._pattern[self._at :])
        if found is None or int(found[1], 16) > 0x10FFFF:
            raise ValueError(r"\x{ without a code point")
        return re.escape(chr(int(found[1], 16))), found.end()

    def _class(self) -> None:
        start = re.compile(r"\[\^?\]?").match(self._pattern, self._at)
        assert start is not None
        self._put(start[0].replace("]", r"\]"), len(start[0]))
        while True:
            rest = self._pattern[self._at :]
            if not rest:
                raise ValueError("a class is not closed")
            posix = re.match(r"\[:(\^?)(\w+):\]", rest)
            if rest[0] == "]":
                self._put("]", 1)
                return
            if posix is not None:
                if posix[1] or posix[2] not in _POSIX:
                    raise ValueError(f"the class {posix[0]} is not supported")
                self._put(_POSIX[posix[2]], posix.end())
            elif rest[0] == "\\":
                self._class_escape(rest[1:2])
            else:
                self._put("\\" + rest[0] if rest[0] in "[&~|" else rest[0], 1)

    def _class_escape(self, char: str) -> None:
        if char == "S":
            raise ValueError(r"\S inside a class is not supported")
        if char == "s":
            self._put(_SPACE, 2)
        elif char == "x" and self._pattern[self._at + 2 : self._at + 3] == "{":
            self._put(*self._braced_code())
        elif char in _REFUSED_ESCAPES or char in "Qzb":
            raise ValueError(f"\\{char} inside a class is not supported")
        else:
            self._put(self._pattern[self._at : self._at + 2], 2)

    def _group(self) -> None:
        rest = self._pattern[self._at :]
        named = re.match(r"\(\?P?<([A-Za-z_]\w*)>", rest, re.ASCII)
        flags = _FLAGS.match(rest)
        if not rest.startswith("(?"):
            self._groups.append(self._open)
            self._open = 0
            self._put("(", 1)
        elif named is not None:
            self._groups.append(self._open)
            self._open = 0
            self._put(f"(?P<{named[1]}>", named.end())
        elif flags is not None:
            self._flags(flags)
        else:
            raise ValueError(f"{rest[:4]!r} (look-around, atomic and conditional groups) is not supported")

    def _flags(self, flags: re.Match[str]) -> None:
        on, off, end = flags[1], flags[2] or "", flags[3]
        if "U" in on + off or "m" in on + off:
            raise ValueError("the flags U and m are not supported")
        scope = f"(?{on}-{off}:" if off else f"(?{on}:"
        if end == ":":
            self._groups.append(self._open)
            self._open = 0
        else:
            self._open += 1  # until the end of the group around it
        self._put(scope, flags.end())

    def _end_group(self) -> None:
        if not self._groups:
            raise ValueError("a ) too many")
        self._put(")" * (self._open + 1), 1)
        self._open = self._groups.pop()

    def _repetition(self) -> None:
        found = _REPEATED.match(self._pattern, self._at)
        assert found is not None
        end = found.end()
        lazy = self._pattern[end : end + 1] == "?"
        after = end + lazy
        if self._pattern[after : after + 1] in ("*", "+", "?") and self._pattern[after : after + 1]:
            raise ValueError("a repetition of a repetition")
        self._put(self._pattern[self._at : after], after - self._at)
