"""The strict verdict on OpenMetrics 1.0: does a whole document follow the standard?

https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import NamedTuple

from aiops.errors import ParseError

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABELS = r'\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\.)*"(?:,(?!\})|(?=\})))*\}'
_NUMBER = r"[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?)|[nN][aA][nN]"
_TIME = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_SAMPLE = re.compile(
    rf"(?P<name>{_NAME})(?P<labels>{_LABELS})? (?P<value>{_NUMBER})(?: (?P<time>{_TIME}))?"
    rf"(?: # (?P<exemplar>{_LABELS}) (?P<exemplar_value>{_NUMBER})(?: {_TIME})?)?"
)
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\.)*)"')
_META = re.compile(rf"# (?P<what>HELP|TYPE|UNIT) (?P<name>{_NAME})(?: (?P<text>.*))?")
_ESCAPE = re.compile(r'\\([\\"n])')

#: Sample name suffixes of each type, the empty one where the family's own name is a sample.
_SUFFIXES: dict[str, tuple[str, ...]] = {
    "counter": ("_total", "_created"),
    "gauge": ("",),
    "gaugehistogram": ("_bucket", "_gcount", "_gsum"),
    "histogram": ("_bucket", "_count", "_sum", "_created"),
    "info": ("_info",),
    "stateset": ("",),
    "summary": ("", "_count", "_sum", "_created"),
    "unknown": ("",),
}
_MAX_EXEMPLAR_CHARS = 128


class _Broken(ValueError):
    """The document breaks the standard."""


class _Sample(NamedTuple):
    suffix: str
    labels: dict[str, str]
    value: float
    time: float | None


@dataclass(slots=True)
class _Family:
    """A metric family while it is read. ``groups``: samples by the labels that make a metric, in order."""

    name: str
    kind: str = "unknown"
    seen: set[str] = field(default_factory=set)
    groups: dict[tuple[tuple[str, str], ...], list[_Sample]] = field(default_factory=dict)
    last_group: tuple[tuple[str, str], ...] | None = None


def judge_openmetrics(text: bytes) -> None:
    """Raises ParseError with the line where ``text`` first breaks the standard."""
    number = 0
    try:
        document = text.decode()
        lines = document.split("\n")
        if lines[-1] == "":
            lines.pop()
        if not lines or lines[-1] != "# EOF":
            number = len(lines)
            raise _Broken("the last line must be # EOF")
        document_judge = _Judge()
        for line in lines[:-1]:
            number += 1
            document_judge.line(line)
        document_judge.finish()
    except UnicodeDecodeError as wrong:
        raise ParseError("OpenMetrics: not UTF-8", reason="not UTF-8", offset=wrong.start) from wrong
    except _Broken as wrong:
        raise ParseError(
            f"OpenMetrics: line {number}: {wrong}",
            hint="read it without strict to keep the other lines",
            reason=str(wrong),
            line=number,
        ) from wrong


def _labels(text: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in _LABEL.findall(text or ""):
        if name in found:
            raise _Broken(f"label {name!r} stands twice")
        found[name] = _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else match[1], value)
    return found


class _Judge:
    """Reads the lines of one document in order."""

    def __init__(self) -> None:
        self._family: _Family | None = None
        self._names: set[str] = set()  # of all families and of all samples they may have

    def line(self, line: str) -> None:
        """One line but the last. Raises _Broken."""
        if line.startswith("#"):
            meta = _META.fullmatch(line)
            if meta is None:
                raise _Broken(
                    "a comment must be HELP, TYPE or UNIT with a metric name, parted by single blanks"
                )
            self._meta(meta["what"], meta["name"], meta["text"])
            return
        sample = _SAMPLE.fullmatch(line)
        if sample is None:
            raise _Broken("not a sample: name{labels} value [time] [# exemplar], parted by single blanks")
        self._sample(sample)

    def finish(self) -> None:
        """The end of the family that is being read."""
        if self._family is not None:
            _judge_family(self._family)

    def _open(self, name: str) -> _Family:
        if self._family is not None and self._family.name == name:
            return self._family
        self.finish()
        if name in self._names:
            raise _Broken(f"family {name!r} stands apart from its first lines or clashes with another")
        self._names.add(name)
        self._family = _Family(name)
        return self._family

    def _meta(self, what: str, name: str, text: str | None) -> None:
        family = self._open(name)
        if what in family.seen:
            raise _Broken(f"a second {what} for {name!r}")
        if family.groups:
            raise _Broken(f"{what} after the samples of {name!r}")
        family.seen.add(what)
        if text is None:
            raise _Broken(f"{what} without its text")
        if what == "TYPE":
            if text not in _SUFFIXES:
                raise _Broken(f"unknown type {text!r}")
            family.kind = text
            for suffix in _SUFFIXES[text]:
                clash = name + suffix
                if suffix and clash in self._names:
                    raise _Broken(f"{clash!r} clashes with another family")
                self._names.add(clash)
        if what == "UNIT" and text:
            family.seen.add("unit")
            if not name.endswith(f"_{text}"):
                raise _Broken(f"{name!r} does not end in its unit {text!r}")
        if family.kind in ("info", "stateset") and "unit" in family.seen:
            raise _Broken(f"a family of type {family.kind} has no unit")

    def _sample(self, match: re.Match[str]) -> None:
        name = match["name"]
        family = self._family
        suffix = None
        if family is not None and name.startswith(family.name):
            suffix = name[len(family.name) :]
        if family is None or suffix not in _SUFFIXES[family.kind]:
            family, suffix = self._open(name), ""
            if suffix not in _SUFFIXES[family.kind]:
                raise _Broken(f"{name!r} is no sample of a {family.kind}")
        labels = _labels(match["labels"])
        time = None if match["time"] is None else float(match["time"])
        if time is not None and not math.isfinite(time):
            raise _Broken("a time must be finite")
        _judge_exemplar(family, suffix, match["exemplar"])
        sample = _Sample(suffix, labels, float(match["value"]), time)
        _judge_value(family, sample)
        apart = {"histogram": "le", "gaugehistogram": "le", "summary": "quantile", "stateset": family.name}
        group = tuple(sorted((key, value) for key, value in labels.items() if key != apart.get(family.kind)))
        if group in family.groups and group != family.last_group:
            raise _Broken("samples of one metric must stand together")
        family.last_group = group
        family.groups.setdefault(group, []).append(sample)


def _judge_exemplar(family: _Family, suffix: str, exemplar: str | None) -> None:
    if exemplar is None:
        return
    if suffix not in ("_bucket", "_total"):
        raise _Broken("exemplars belong to buckets and totals")
    if sum(len(name) + len(value) for name, value in _labels(exemplar).items()) > _MAX_EXEMPLAR_CHARS:
        raise _Broken(f"an exemplar of {family.name!r} is longer than {_MAX_EXEMPLAR_CHARS} characters")


def _canonical(text: str) -> float:
    """A number as ``le`` and ``quantile`` must be written. Raises _Broken."""
    if re.fullmatch(_NUMBER, text) is None or ("inf" in text.lower() and text not in ("+Inf", "-Inf")):
        raise _Broken(f"{text!r} is no number")
    return float(text)


def _judge_value(family: _Family, sample: _Sample) -> None:
    kind, suffix, value, labels = family.kind, sample.suffix, sample.value, sample.labels
    counts = suffix in ("_total", "_bucket", "_count", "_gcount")
    if counts and (math.isnan(value) or value < 0):
        raise _Broken("a count must not be negative or NaN")
    if kind in ("counter", "histogram", "summary") and suffix == "_sum" and not value >= 0:
        raise _Broken("a sum must not be negative or NaN")
    if (
        kind in ("histogram", "gaugehistogram")
        and suffix != "_total"
        and counts
        and value != int(min(value, 1e300))
    ):
        raise _Broken("a count of observations must be whole")
    if suffix == "_bucket":
        if "le" not in labels:
            raise _Broken("a bucket needs the label le")
        if math.isnan(_canonical(labels["le"])):
            raise _Broken("le must not be NaN")
    if kind == "summary" and suffix == "":
        if not 0 <= _canonical(labels.get("quantile", "")) <= 1:
            raise _Broken("a quantile must be between 0 and 1")
        if value < 0:
            raise _Broken("a quantile's value must not be negative")
    if kind == "info" and value != 1:
        raise _Broken("an info must be 1")
    if kind == "stateset" and (value not in (0, 1) or family.name not in labels):
        raise _Broken(f"a stateset must be 0 or 1 and have the label {family.name!r}")


def _judge_family(family: _Family) -> None:
    """What can be said only when all samples of a family are known. Raises _Broken."""
    for samples in family.groups.values():
        seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
        if len({sample.time is None for sample in samples}) > 1:
            raise _Broken(f"{family.name!r}: some samples have a time and some have none")
        times = [sample.time for sample in samples if sample.time is not None]
        if times != sorted(times):
            raise _Broken(f"{family.name!r}: times go back")
        for sample in samples:
            key = (sample.suffix, tuple(sorted(sample.labels.items())))
            if key in seen and sample.time is None:
                raise _Broken(f"{family.name!r}: the same sample twice")
            seen.add(key)
        if family.kind in ("histogram", "gaugehistogram"):
            for time in dict.fromkeys(sample.time for sample in samples):
                _judge_buckets(family, [sample for sample in samples if sample.time == time])


def _judge_buckets(family: _Family, samples: list[_Sample]) -> None:
    buckets = [(float(sample.labels["le"]), sample.value) for sample in samples if sample.suffix == "_bucket"]
    bounds, counts = [bound for bound, _ in buckets], [count for _, count in buckets]
    if not buckets or bounds[-1] != math.inf:
        raise _Broken(f"{family.name!r}: there is no bucket +Inf at the end")
    if bounds != sorted(set(bounds)) or counts != sorted(counts):
        raise _Broken(f"{family.name!r}: buckets must ascend in bound and count")
    by_suffix = {sample.suffix: sample.value for sample in samples}
    count, total = ("_count", "_sum") if family.kind == "histogram" else ("_gcount", "_gsum")
    if by_suffix.get(count, counts[-1]) != counts[-1]:
        raise _Broken(f"{family.name!r}: the count differs from the bucket +Inf")
    sumless = family.kind == "histogram" and bounds[0] < 0 and total not in by_suffix
    if (count in by_suffix) != (total in by_suffix) and not sumless:
        raise _Broken(f"{family.name!r}: sum and count belong together")
    if bounds[0] < 0 and total in by_suffix and family.kind == "histogram":
        raise _Broken(f"{family.name!r}: no sum with negative buckets")
    if bounds[0] >= 0 and by_suffix.get(total, 0) < 0:
        raise _Broken(f"{family.name!r}: a negative sum needs negative buckets")
