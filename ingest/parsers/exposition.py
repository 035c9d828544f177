"""The Prometheus text format (0.0.4) and OpenMetrics 1.0, all lines of a scrape at once.

A scrape names the same series every time: the raw bytes ``name{labels}`` are the key of a cache, and a known line costs one cut,
one look-up and one float. A line that cannot be read is a reject with its number, not the scrape.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import re
from typing import NoReturn

import numpy as np

from aiops.domain.batches import FloatArray, Reject, SampleBatch, Series
from aiops.errors import ParseError
from ingest.parsers.exposition_series import BadLine, plain_pairs, read_identity
from ingest.parsers.openmetrics import judge_openmetrics
from ingest.parsers.series_cache import SeriesCache
from ingest.parsers.series_reader import BadSeries, SeriesLimits, SeriesReader, numbered

MAX_BODY_BYTES = 64 << 20
MAX_LINE_BYTES = 64 << 10

_BLANKS = b" \t"
_COMMENT = ord("#")
_IDENTITY_END = re.compile(rb'[^"{ \t]*[ \t]*(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?')


class ExpositionParser:
    """Parses scrapes and remembers their series. Not for use by two threads at once.

    ``cache`` bounds the active series: samples of a new one beyond are dropped and counted in ``ignored``.
    """

    def __init__(
        self,
        *,
        cache: SeriesCache[bytes] | None = None,
        limits: SeriesLimits | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._cache: SeriesCache[bytes] = SeriesCache() if cache is None else cache
        self._series = SeriesReader(limits or SeriesLimits())
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
        self._cache.turn(received_at_s)
        scrape = _Scrape(text.split(b"\n"), seconds)
        known = self._cache.young.get
        scrape.found = [known(part[0]) for part in scrape.parts]
        if None in scrape.found:
            self._read_others(scrape)
        owners, values = scrape.columns()
        series, index = numbered(owners)
        return SampleBatch(
            source,
            series,
            index,
            scrape.times(len(owners), received_at_s),
            values,
            scrape.rejects(source, received_at_s),
            ignored=scrape.ignored,
        )

    def _read_others(self, scrape: _Scrape) -> None:
        """Lines that are no known series, a blank and a value: comments, times, exemplars, new series, bad ones."""
        known, parts, found = self._cache.young.get, scrape.parts, scrape.found
        for row, series in enumerate(found):
            if series is not None:
                continue
            line = scrape.lines[row]
            if not line or line[0] == _COMMENT:
                continue
            key, _, value = parts[row][0].rpartition(b" ")
            series = known(key)
            try:
                if series is None:
                    self._read_line(scrape, row, line)
                else:  # the usual line with a time
                    scrape.own_times[row] = _time(parts[row][2], scrape.seconds)
                    parts[row] = (key, b" ", value)
                    found[row] = series
            except BadLine as wrong:
                scrape.problems[row] = str(wrong)
                scrape.own_times.pop(row, None)
                found[row] = None

    def _read_line(self, scrape: _Scrape, row: int, line: bytes) -> None:
        """Any line. Raises BadLine."""
        if not line.strip():
            return
        series, rest = self._identity(line)
        fields = rest.split()
        if len(fields) > 2:
            fields, exemplar = _without_exemplar(rest)
            scrape.ignored += exemplar
        scrape.parts[row] = (b"", b"", fields[0] if fields else _no_value())
        _number(fields[0])
        if len(fields) > 1:
            scrape.own_times[row] = _time(fields[1], scrape.seconds)
        if series is None:
            scrape.ignored += 1
        scrape.found[row] = series

    def _identity(self, line: bytes) -> tuple[Series | None, bytes]:
        """The series of a line (None while there is no room for a new one) and what follows it. Raises BadLine."""
        if len(line) > MAX_LINE_BYTES:
            raise BadLine(f"longer than {MAX_LINE_BYTES} bytes")
        start = len(line) - len(line.lstrip(_BLANKS))
        match = _IDENTITY_END.match(line, start)
        assert match is not None  # every part of the pattern may be empty
        end = match.end()
        rest = line[end:]
        if rest[:1] not in (b" ", b"\t") and line[end - 1 : end] not in (b"}", b" ", b"\t"):
            raise BadLine("a blank and a value are expected after the series")
        key = line[start:end].rstrip(_BLANKS)
        series = self._cache.get(key, len(key))
        if series is None:
            series = self._new(key)
            if not self._cache.put(key, series, len(key)):
                return None, rest
        return series, rest

    def _new(self, key: bytes) -> Series:
        """The series that ``key`` names. Raises BadLine."""
        shared = self._series.shared
        try:
            text = key.decode()
            pairs = plain_pairs(text)
            if pairs is None:
                found = read_identity(text)
                pairs = sorted([("__name__", found.metric), *found.labels], key=_encoded_name)
            return self._series.of_pairs([shared(name, value) for name, value in pairs])
        except UnicodeDecodeError as wrong:
            raise BadLine("not UTF-8") from wrong
        except BadSeries as wrong:
            raise BadLine(str(wrong)) from wrong


class _Scrape:
    """The lines of one scrape. ``parts[i]`` is line i cut at its last blank: (key, blank, value); ``found[i]``: its series."""

    __slots__ = ("found", "ignored", "lines", "own_times", "parts", "problems", "seconds")

    def __init__(self, lines: list[bytes], seconds: bool) -> None:
        self.lines = lines
        self.seconds = seconds
        self.parts = [line.rpartition(b" ") for line in lines]
        self.found: list[Series | None] = []
        self.own_times: dict[int, float] = {}
        self.problems: dict[int, str] = {}
        self.ignored = 0

    def columns(self) -> tuple[list[Series], FloatArray]:
        """Series and value of every line that has both."""
        texts = [part[2] for part, series in zip(self.parts, self.found, strict=True) if series is not None]
        try:
            values = list(map(float, texts))
            usual = b"_" not in b"".join(texts)  # Python's float takes 1_000
        except ValueError:
            usual = False
        if not usual:
            values = self._checked_values()
        return [series for series in self.found if series is not None], np.array(values, dtype=np.float64)

    def _checked_values(self) -> list[float]:
        values: list[float] = []
        for row, series in enumerate(self.found):
            if series is None:
                continue
            try:
                values.append(_number(self.parts[row][2]) if self.parts[row][2] else _no_value())
            except BadLine as wrong:
                self.problems[row] = str(wrong)
                self.own_times.pop(row, None)
                self.found[row] = None
        return values

    def times(self, count: int, received_at_s: float) -> FloatArray:
        """Epoch seconds of each of the ``count`` samples."""
        at_s = np.full(count, received_at_s, dtype=np.float64)
        if self.own_times:
            place = np.cumsum([series is not None for series in self.found]) - 1
            rows = [row for row in self.own_times if self.found[row] is not None]
            at_s[place[rows]] = [self.own_times[row] for row in rows]
        return at_s

    def rejects(self, source: str, received_at_s: float) -> tuple[Reject, ...]:
        """Every bad line, in order."""
        if not self.problems:
            return ()
        lengths = np.fromiter(map(len, self.lines), dtype=np.int64, count=len(self.lines)) + 1
        offsets = (np.cumsum(lengths) - lengths).tolist()
        return tuple(
            Reject(source, f"line {row + 1}: {problem}", received_at_s, self.lines[row], offsets[row])
            for row, problem in sorted(self.problems.items())
        )


def _encoded_name(pair: tuple[str, str]) -> bytes:
    return pair[0].encode()


def _no_value() -> NoReturn:
    raise BadLine("the value is missing")


def _number(text: bytes) -> float:
    try:
        if b"_" not in text:
            return float(text)
    except ValueError:
        pass
    raise BadLine(f"{text[:40].decode(errors='replace')!r} is no number")


def _time(text: bytes, seconds: bool) -> float:
    if not seconds and text.lstrip(b"+-").isdigit() and len(text) <= 20:
        return int(text) / 1000.0
    value = _number(text)
    if not seconds or not np.isfinite(value):
        raise BadLine(f"{text[:40].decode(errors='replace')!r} is no time")
    return value


def _without_exemplar(rest: bytes) -> tuple[list[bytes], bool]:
    sample, mark, _ = rest.partition(b" # ")
    parts = sample.split()
    if not mark or len(parts) > 2:
        raise BadLine("something stands after the time")
    return parts, True


def parse_exposition(
    text: bytes, *, source: str, received_at_s: float, strict: bool = False, openmetrics: bool | None = None
) -> SampleBatch:
    """One scrape, no memory of earlier ones; see :class:`ExpositionParser`, which is faster on a stream."""
    parser = ExpositionParser()
    return parser.parse(
        text, source=source, received_at_s=received_at_s, strict=strict, openmetrics=openmetrics
    )
