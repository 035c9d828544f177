"""RFC 5424 section 6.3: structured data, from its text to JSON."""

from __future__ import annotations

import re

import orjson

_NAME = r"[!#-<>-\\^-~]{1,32}"  # PRINTUSASCII without = ] " and blank
_PARAM = rf' {_NAME}="(?:[^"\\\]]|\\(?s:.))*"'
#: One or more elements; the grammar of section 6.3.
STRUCTURED_DATA = rf"(?:\[{_NAME}(?:{_PARAM})*\])+"

_WHOLE = re.compile(STRUCTURED_DATA)
_ELEMENT = re.compile(rf"\[({_NAME})((?:{_PARAM})*)\]")
_EACH_PARAM = re.compile(rf' ({_NAME})="((?:[^"\\\]]|\\(?s:.))*)"')
_ESCAPE = re.compile(r'\\(["\\\]])')
#: What some products write: any text in the value but an unescaped quote, blanks where none belong.
_LENIENT = re.compile(r'\[([^ =\]"\[]{1,255})((?:\s+[^ =\]"]{1,255}="(?:[^"\\]|\\(?s:.))*")*)\s*\]')
_LENIENT_PARAM = re.compile(r'\s+([^ =\]"]{1,255})="((?:[^"\\]|\\(?s:.))*)"')


def structured_data_end(text: str, at: int) -> tuple[int, bool]:
    """Where the elements that begin at ``at`` end, and whether they follow the grammar; ``at`` where there are none."""
    strict = _WHOLE.match(text, at)
    if strict is not None and text[strict.end() : strict.end() + 1] in ("", " "):
        return strict.end(), True
    end = at
    while (match := _LENIENT.match(text, end)) is not None:
        end = match.end()
    return end, False


def structured_data_ids(text: str) -> list[str]:
    """The ids of elements that follow the grammar, in order."""
    return [element[1] for element in _ELEMENT.finditer(text)]


def structured_data_json(text: str) -> str:
    """``{id: {name: value}}`` of elements that :func:`structured_data_end` found. The last of a repeated name stays;
    an id that is repeated gathers the parameters of both."""
    elements, params = (_ELEMENT, _EACH_PARAM) if _WHOLE.fullmatch(text) else (_LENIENT, _LENIENT_PARAM)
    document: dict[str, dict[str, str]] = {}
    for element in elements.finditer(text):
        values = document.setdefault(element[1], {})
        for param in params.finditer(element[2]):
            values[param[1]] = _ESCAPE.sub(r"\1", param[2])
    return orjson.dumps(document).decode()
