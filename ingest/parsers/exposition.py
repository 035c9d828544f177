"""The Prometheus text format (0.0.4) and OpenMetrics 1.0, line by line.

A scrape names the same series every time: the raw bytes ``name{labels}`` are the key of a cache, and a known line
costs one search, one look-up and one float. A line that cannot be read is a reject with its number, not the scrape.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import re

import numpy as np

from aiops.domain.batches import Reject, SampleBatch, Series
from aiops.errors import ParseError
from ingest.parsers.openmetrics import judge_openmetrics
from ingest.parsers.series_cache import SeriesCache

MAX_BODY_BYTES = 64 << 20
MAX_LINE_BYTES = 64 << 10

_BLANKS = b" \t"
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_QUOTED = r'"(?:[^"\\\n]|\\.)*"'
_LABEL = re.compile(
    rf"[ \t]*(?P<name>[a-zA-Z_][a-zA-Z0-9_]*|{_QUOTED})[ \t]*=[ \t]*(?P<value>{_QUOTED})[ \t]*"
)
_QUOTED_NAME = re.compile(rf"[ \t]*(?P<name>{_QUOTED})[ \t]*(?=[,}}])")
_IDENTITY_END = re.compile(rb'[^"{ \t]*[ \t]*(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?')
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
_ESCAPE = re.compile(r'\\[\\"n]')


class _BadLine(ValueError):
    """One line cannot be read; ``offset`` is the byte of the line, if that is known."""


class ExpositionParser:
    """Parses scrapes and remembers their series. Not for use by two threads at once."""

    def __init__(
        self, *, cache: SeriesCache[bytes] | None = None, max_body_bytes: int = MAX_BODY_BYTES
    ) -> None:
        self._cache: SeriesCache[bytes] = SeriesCache() if cache is None else cache
        self._max_body_bytes = max_body_bytes

    def parse(
        self,
        text: bytes,
        *,
        source: str,
        received_at_s: float,
        strict: bool = False,
        openmetrics: bool | None = None,
    ) -> SampleBatch:
        """The samples of one scrape; those without a time of their own were taken at ``received_at_s``.

        ``openmetrics`` says whether times are in seconds (else milliseconds); None: yes if the text ends in ``# EOF``.
        ``strict``: the whole text must be OpenMetrics. Raises ParseError then, and where the body is too long.
        """
        if len(text) > self._max_body_bytes:
            raise ParseError(
                f"exposition: {len(text)} bytes, {self._max_body_bytes} are allowed",
                hint="expose fewer series or raise the limit",
                reason="too large",
                offset=self._max_body_bytes,
            )
        if strict:
            judge_openmetrics(text)
        seconds = text.rstrip(b"\r\n").endswith(b"# EOF") if openmetrics is None else openmetrics
        known: dict[int, int] = {}
        identities: list[Series] = []
        index: list[int] = []
        values: list[float] = []
        times: list[float] = []
        rejects: list[Reject] = []
        ignored = 0
        find = self._cache.get
        for number, line in enumerate(text.split(b"\n"), start=1):
            if not line or line[:1] == b"#":
                continue
            cut = line.rfind(b"} ") + 1 or line.find(b" ")
            series = find(line[:cut], cut) if cut > 0 else None
            rest = line[cut:]
            try:
                if series is None:
                    if not line.strip():
                        continue
                    series, rest = self._identity(line)
                parts = rest.split()
                if len(parts) > 2:
                    parts, exemplar = _without_exemplar(rest)
                    ignored += exemplar
                value = _number(parts[0]) if parts else _no_value()
                at_s = received_at_s if len(parts) == 1 else _time(parts[1], seconds)
            except _BadLine as wrong:
                offset = _offset_of_line(text, number)
                rejects.append(Reject(source, f"line {number}: {wrong}", received_at_s, line, offset))
                continue
            place = known.setdefault(id(series), len(identities))
            if place == len(identities):
                identities.append(series)
            index.append(place)
            values.append(value)
            times.append(at_s)
        return SampleBatch(
            source,
            tuple(identities),
            np.array(index, dtype=np.int64),
            np.array(times, dtype=np.float64),
            np.array(values, dtype=np.float64),
            tuple(rejects),
            ignored=ignored,
        )

    def _identity(self, line: bytes) -> tuple[Series, bytes]:
        """The series of a line and what follows it. Raises _BadLine."""
        if len(line) > MAX_LINE_BYTES:
            raise _BadLine(f"longer than {MAX_LINE_BYTES} bytes")
        start = len(line) - len(line.lstrip(_BLANKS))
        match = _IDENTITY_END.match(line, start)
        assert match is not None  # every part of the pattern may be empty
        end = match.end()
        rest = line[end:]
        if rest[:1] not in (b" ", b"\t") and line[end - 1 : end] not in (b"}", b" ", b"\t"):
            raise _BadLine("a blank and a value are expected after the series")
        key = line[start:end].rstrip(_BLANKS)
        series = self._cache.get(key, len(key))
        if series is None:
            try:
                series = read_identity(key.decode())
            except UnicodeDecodeError as wrong:
                raise _BadLine("not UTF-8") from wrong
            self._cache.put(key, series, len(key))
        return series, rest


def _offset_of_line(text: bytes, number: int) -> int:
    offset = 0
    for _ in range(number - 1):
        offset = text.index(b"\n", offset) + 1
    return offset


def _no_value() -> float:
    raise _BadLine("the value is missing")


def _number(text: bytes) -> float:
    try:
        if b"_" not in text:
            return float(text)
    except ValueError:
        pass
    raise _BadLine(f"{text[:40].decode(errors='replace')!r} is no number")


def _time(text: bytes, seconds: bool) -> float:
    if not seconds and text.lstrip(b"+-").isdigit() and len(text) <= 20:
        return int(text) / 1000.0
    value = _number(text)
    if not seconds or not np.isfinite(value):
        raise _BadLine(f"{text[:40].decode(errors='replace')!r} is no time")
    return value


def _without_exemplar(rest: bytes) -> tuple[list[bytes], bool]:
    sample, mark, _ = rest.partition(b" # ")
    parts = sample.split()
    if not mark or len(parts) > 2:
        raise _BadLine("something stands after the time")
    return parts, True


def _unquoted(text: str) -> str:
    return _ESCAPE.sub(lambda match: _ESCAPES[match[0]], text[1:-1])


def read_identity(text: str) -> Series:
    """``name{label="value",...}`` or ``{"name",...}``. Raises _BadLine, a ValueError."""
    match = _NAME.match(text)
    metric, at = (match[0], match.end()) if match else ("", 0)
    labels: dict[str, str] = {}
    body = text[at:].lstrip()
    if body.startswith("{"):
        inside, at = body, 1
        quoted = _QUOTED_NAME.match(inside, at)
        if quoted is not None and not metric:
            metric, at = _unquoted(quoted["name"]), quoted.end()
            at += inside[at : at + 1] == ","
        while (label := _LABEL.match(inside, at)) is not None:
            name = _unquoted(label["name"]) if label["name"][0] == '"' else label["name"]
            if name in labels or name == "__name__":
                raise _BadLine(f"label {name!r} stands twice")
            labels[name] = _unquoted(label["value"])
            at = label.end()
            if inside[at : at + 1] != ",":
                break
            at += 1
        if inside[at:].strip() != "}":
            raise _BadLine(f"labels cannot be read from {inside[at : at + 40]!r} on")
    elif body:
        raise _BadLine(f"{body[:40]!r} stands where labels or a value belong")
    if not metric:
        raise _BadLine("there is no metric name")
    return Series(
        metric, tuple((name, labels[name]) for name in sorted(labels, key=str.encode) if labels[name])
    )


def parse_exposition(
    text: bytes, *, source: str, received_at_s: float, strict: bool = False, openmetrics: bool | None = None
) -> SampleBatch:
    """One scrape, no memory of earlier ones; see :class:`ExpositionParser`, which is faster on a stream."""
    parser = ExpositionParser()
    return parser.parse(
        text, source=source, received_at_s=received_at_s, strict=strict, openmetrics=openmetrics
    )
