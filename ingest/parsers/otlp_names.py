"""Names of OTLP as Prometheus names: metrics with unit and type suffixes, attributes as labels.

https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#otlp-metric-points-to-prometheus
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

_NOT_METRIC = re.compile(r"[^a-zA-Z0-9_:]+")
_NOT_LABEL = re.compile(r"[^a-zA-Z0-9_]+")
_UNDERSCORES = re.compile(r"__+")
_BRACKETS = re.compile(r"\{[^}]*\}")

#: UCUM codes to the words of Prometheus.
_UNITS: Mapping[str, str] = {
    **{"d": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds"},
    **{"us": "microseconds", "ns": "nanoseconds", "By": "bytes", "KiBy": "kibibytes", "MiBy": "mebibytes"},
    **{"GiBy": "gibibytes", "TiBy": "tibibytes", "KBy": "kilobytes", "MBy": "megabytes"},
    **{"GBy": "gigabytes", "TBy": "terabytes", "m": "meters", "V": "volts", "A": "amperes", "J": "joules"},
    **{"W": "watts", "g": "grams", "Cel": "celsius", "Hz": "hertz", "1": "", "%": "percent"},
}
_PER: Mapping[str, str] = {
    **{"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"},
}


@lru_cache(maxsize=10_000)
def metric_name(name: str, unit: str, *, total: bool = False, gauge: bool = False) -> str:
    """The Prometheus name. ``total``: a monotonic sum gets ``_total``; ``gauge``: the unit ``1`` becomes ``_ratio``.

    Characters that a name may not have become one ``_``; the unit is added unless the name ends in it. "" where nothing is left.
    """
    base = _UNDERSCORES.sub("_", _NOT_METRIC.sub("_", name)).strip("_")
    if not base:
        return ""
    if total and base.endswith("_total"):
        base = base[: -len("_total")]
    suffix = "ratio" if gauge and unit.strip() == "1" else _unit(unit)
    if suffix and not (base == suffix or base.endswith(f"_{suffix}")):
        base = f"{base}_{suffix}"
    if total:
        base = f"{base}_total"
    return f"_{base}" if base[0].isdigit() else base


def _unit(unit: str) -> str:
    amount, _, per = _BRACKETS.sub("", unit).strip().partition("/")
    words = [_UNITS.get(amount, _NOT_METRIC.sub("_", amount).strip("_"))] if amount else []
    if per:
        words += ["per", _PER.get(per, _UNITS.get(per) or _NOT_METRIC.sub("_", per).strip("_"))]
    return _UNDERSCORES.sub("_", "_".join(word for word in words if word)) if words != ["per"] else ""


@lru_cache(maxsize=10_000)
def label_name(name: str) -> str:
    """The Prometheus label of an attribute: other characters become one ``_``, a leading digit gets ``key_`` before it."""
    text = _UNDERSCORES.sub("_", _NOT_LABEL.sub("_", name))
    if not text or text == "_":
        return ""
    return f"key_{text}" if text[0].isdigit() else text


def label_pairs(attributes: Mapping[str, str]) -> dict[str, str]:
    """Attributes as labels; where two names become one label, the values follow the names' order, ``;`` between."""
    found: dict[str, str] = {}
    for name in sorted(attributes):
        label = label_name(name)
        if label:
            found[label] = f"{found[label]};{attributes[name]}" if label in found else attributes[name]
    return found
