"""The Prometheus text format (0.0.4) and OpenMetrics 1.0, all lines of a scrape at once.

A scrape names the same series every time: the raw bytes ``name{labels}`` are the key of a cache, and a known line costs one cut,
one look-up and one float. A line that cannot be read is a reject with its number, not the block.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
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
#: Bad lines of one scrape; with more of them the whole scrape is refused.
MAX_REJECTS = 10_000

_BLANKS = b" \t"
_COMMENT = ord("#")
_BLOCK_BYTES = 512 << 10  # so that what is made of the lines stays small beside the text
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
        owners: list[Series] = []
        columns: list[tuple[FloatArray, FloatArray]] = []
        rejects: list[Reject] = []
        ignored = first_line = 0
        for offset, lines in _blocks(text):
            block = self._read_block(lines, seconds)
            found, values = block.columns()
            owners += found
            columns.append((values, block.times(len(found), received_at_s)))
            ignored += block.ignored
            rejects += block.rejects(source, received_at_s, first_line, offset)
            if len(rejects) > MAX_REJECTS:
                raise ParseError(
                    f"exposition: more than {MAX_REJECTS} lines cannot be read, the last because: {rejects[-1].reason}",
                    hint="is this the text format?",
                    reason="too many rejects",
                    offset=rejects[-1].offset,
                )
            first_line += len(lines)
        series, index = numbered(owners)
        value, at_s = (np.concatenate(part) for part in zip(*columns, strict=True))
        return SampleBatch(source, series, index, at_s, value, tuple(rejects), ignored=ignored)

    def _read_block(self, lines: list[bytes], seconds: bool) -> _Block:
        block = _Block(lines, seconds)
        known = self._cache.young.get
        block.found = [known(part[0]) for part in block.parts]
        if None in block.found:
            self._read_others(block)
        return block

    def _read_others(self, block: _Block) -> None:
        """Lines that are no known series, a blank and a value: comments, times, exemplars, new series, bad ones."""
        known, parts, found = self._cache.young.get, block.parts, block.found
        for row, series in enumerate(found):
            if series is not None:
                continue
            line = block.lines[row]
            if not line or line[0] == _COMMENT:
                continue
            key, _, value = parts[row][0].rpartition(b" ")
            series = known(key)
            try:
                if series is None:
                    self._read_line(block, row, line)
                else:  # the usual line with a time
                    block.own_times[row] = _time(parts[row][2], block.seconds)
                    parts[row] = (key, b" ", value)
                    found[row] = series
            except BadLine as wrong:
                block.problems[row] = str(wrong)
                block.own_times.pop(row, None)
                found[row] = None

    def _read_line(self, block: _Block, row: int, line: bytes) -> None:
        """Any line. Raises BadLine."""
        if not line.strip():
            return
        series, rest = self._identity(line)
        fields = rest.split()
        if len(fields) > 2:
            fields, exemplar = _without_exemplar(rest)
            block.ignored += exemplar
        block.parts[row] = (b"", b"", fields[0] if fields else _no_value())
        _number(fields[0])
        if len(fields) > 1:
            block.own_times[row] = _time(fields[1], block.seconds)
        if series is None:
            block.ignored += 1
        block.found[row] = series

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


class _Block:
    """Some lines of a block. ``parts[i]`` is line i cut at its last blank: (key, blank, value); ``found[i]``: its series."""

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

    def rejects(self, source: str, received_at_s: float, first_line: int, offset: int) -> tuple[Reject, ...]:
        """Every bad line, in order; the block begins with line ``first_line`` (from 0) at byte ``offset``."""
        if not self.problems:
            return ()
        lengths = np.fromiter(map(len, self.lines), dtype=np.int64, count=len(self.lines)) + 1
        offsets = (np.cumsum(lengths) - lengths + offset).tolist()
        return tuple(
            Reject(
                source,
                f"line {first_line + row + 1}: {problem}",
                received_at_s,
                self.lines[row],
                offsets[row],
            )
            for row, problem in sorted(self.problems.items())
        )


def _blocks(text: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """The lines of ``text`` in blocks of about :data:`_BLOCK_BYTES`, with the byte at which each begins."""
    start = 0
    while True:
        stop = text.find(b"\n", start + _BLOCK_BYTES)
        if stop < 0:
            yield start, text[start:].split(b"\n")
            return
        yield start, text[start:stop].split(b"\n")
        start = stop + 1


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
