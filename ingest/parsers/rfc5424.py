"""The strict verdict on RFC 5424: does a line follow the grammar of section 6 to the letter?"""

from __future__ import annotations

import re

from ingest.parsers.structured_data import STRUCTURED_DATA, structured_data_ids
from ingest.parsers.syslog_time import RFC5424_STAMP, rfc5424_seconds

_PRIORITY = re.compile(r"<(0|[1-9]\d{0,2})>")
_VERSION = re.compile(r"[1-9]\d{0,2}(?= )")
_FIELDS = (("hostname", 255), ("app-name", 48), ("procid", 128), ("msgid", 32))
_STRUCTURED = re.compile(rf"-|{STRUCTURED_DATA}")


def judge_rfc5424(line: bytes) -> tuple[str, int] | None:
    """None for a line that is valid; else (what was expected, byte offset).

    The message may hold any bytes unless it begins with the byte order mark: then it must be UTF-8.
    """
    text = line.decode("latin-1")
    match = _PRIORITY.match(text)
    if match is None or int(match[1]) > 191:
        return "a priority of 0 to 191 without leading zeros in angle brackets", 0
    at = match.end()
    version = _VERSION.match(text, at)
    if version is None:
        return "a version of 1 to 999 and a blank", at
    at = version.end() + 1
    stamp = RFC5424_STAMP.match(text, at)
    if stamp is not None and rfc5424_seconds(stamp[0]) is not None:
        at = stamp.end()
    elif text[at : at + 1] == "-":
        at += 1
    else:
        return "a timestamp of RFC 3339 with T, Z or an offset and at most six digits, or -", at
    for name, limit in _FIELDS:
        field = re.compile(rf" ([!-~]{{1,{limit}}})(?= )").match(text, at)
        if field is None:
            return f"a blank and a {name} of 1 to {limit} printable ASCII characters, or -", at
        at = field.end()
    structured = _STRUCTURED.match(text, at + 1)
    if structured is None:
        return "structured data or -", at + 1
    names = structured_data_ids(structured[0])
    if len(set(names)) < len(names):
        return "every structured data id once", at + 1
    at = structured.end()
    message = line[at:]
    if message and message[:1] != b" ":
        return "a blank before the message", at
    if message[1:4] == b"\xef\xbb\xbf":
        try:
            message.decode()
        except UnicodeDecodeError as wrong:
            return "a message in UTF-8, as its byte order mark says", at + wrong.start
    return None
