"""The column parser: RFC 5424 and plain RFC 3164 headers of a whole batch in a few passes, no object a line.

It takes only what it is certain of, so that it agrees with :mod:`ingest.parsers.syslog_header` on every line it
takes; the rest is left to that one.
"""

from __future__ import annotations

from datetime import tzinfo

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from aiops.domain.batches import FloatArray
from ingest.parsers.structured_data import STRUCTURED_DATA, structured_data_json
from ingest.parsers.syslog_time import BSD_STAMP, stamp_seconds

#: Columns of what is taken; ``row`` is the line's place in the batch.
TAKEN_SCHEMA: dict[str, pl.DataType] = {
    "row": pl.UInt32(),
    "priority": pl.Int16(),
    "device_s": pl.Float64(),
    "host": pl.String(),
    "app": pl.String(),
    "procid": pl.String(),
    "msgid": pl.String(),
    "structured_data": pl.String(),
    "message": pl.String(),
}

_PRIORITY = r"^<(?:0|[1-9]\d?|1[0-8]\d|19[01])$"
_DAY = r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
_STAMP_5424 = rf"^(?:-|[12]\d{{3}}-{_DAY}T{_TIME})$"
_STAMP_3164 = r"^[A-Z][a-z]{2} [ 1-3]\d \d\d:\d\d:\d\d $"
_HOST_3164 = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
_TAG_3164 = r"^[A-Za-z_/][A-Za-z0-9_./()-]{0,47}(?:\[[A-Za-z0-9._-]{1,128}\])?:$"


def split_priority(text: pl.Series) -> pl.DataFrame:
    """Columns ``row``, ``priority`` (null without one), ``body``; lines with a malformed priority are left out."""
    frame = pl.DataFrame({"text": text}).with_row_index("row")
    parts = frame.with_columns(pl.col("text").str.splitn(">", 2).alias("parts")).unnest("parts")
    marked = pl.col("text").str.starts_with("<")
    return parts.filter(~marked | pl.col("field_0").str.contains(_PRIORITY)).select(
        "row",
        pl.when(marked).then(pl.col("field_0").str.slice(1)).cast(pl.Int16).alias("priority"),
        pl.when(marked).then(pl.col("field_1")).otherwise(pl.col("text")).alias("body"),
    )


def _named(name: str) -> pl.Expr:
    return pl.when(pl.col(name) != "-").then(pl.col(name)).alias(name)


def _printable(name: str, limit: int) -> pl.Expr:
    return pl.col(name).str.contains(r"^[!-~]+$") & (pl.col(name).str.len_bytes() <= limit)


def take_rfc5424(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines of version 1 that follow RFC 5424, as :data:`TAKEN_SCHEMA`."""
    names = ("version", "stamp", "host", "app", "procid", "msgid", "rest")
    split = (
        lines.filter(pl.col("body").str.starts_with("1 ") & pl.col("priority").is_not_null())
        .with_columns(pl.col("body").str.splitn(" ", 7).struct.rename_fields(list(names)).alias("parts"))
        .drop("body")
        .unnest("parts")
    )
    good = split.filter(
        pl.col("stamp").str.contains(_STAMP_5424)
        & _printable("host", 255)
        & _printable("app", 48)
        & _printable("procid", 128)
        & _printable("msgid", 32)
    )
    plain = good.filter((pl.col("rest") == "-") | pl.col("rest").str.starts_with("- ")).with_columns(
        pl.lit(None, pl.String).alias("structured_data"),
        pl.col("rest").str.slice(2).str.strip_prefix("\ufeff").alias("message"),
    )
    with_data = good.filter(pl.col("rest").str.starts_with("["))
    taken = pl.concat([plain, _with_structured_data(with_data)]) if with_data.height else plain
    return taken.select(
        "row",
        "priority",
        pl.Series("device_s", _iso_seconds(taken["stamp"])),
        _named("host"),
        _named("app"),
        _named("procid"),
        _named("msgid"),
        "structured_data",
        "message",
    )


def _with_structured_data(good: pl.DataFrame) -> pl.DataFrame:
    pattern = rf"^({STRUCTURED_DATA})(?: ((?s:.*)))?$"
    parts = good.with_columns(
        pl.col("rest")
        .str.extract_groups(pattern)
        .struct.rename_fields(["structured_data", "message"])
        .alias("p")
    ).unnest("p")
    parts = parts.filter(pl.col("structured_data").is_not_null())
    distinct = parts["structured_data"].unique()
    documents = pl.Series([structured_data_json(text) for text in distinct.to_list()], dtype=pl.String)
    return parts.with_columns(
        pl.col("structured_data").replace_strict(distinct, documents, return_dtype=pl.String),
        pl.col("message").fill_null("").str.strip_prefix("\ufeff"),
    )


def _iso_seconds(stamps: pl.Series) -> FloatArray:
    """Epoch seconds of stamps that :data:`_STAMP_5424` let through, NaN for ``-``."""
    named = stamps.set(stamps == "-", None).to_arrow().cast(pa.string())
    micros = pc.cast(named, pa.timestamp("us", "UTC")).cast(pa.int64())
    seconds = micros.cast(pa.float64(), safe=False).fill_null(np.nan)
    result: FloatArray = seconds.to_numpy(zero_copy_only=False) / 1e6
    return result


def take_rfc3164(lines: pl.DataFrame, *, arrival_s: FloatArray, zone: tzinfo) -> pl.DataFrame:
    """The lines ``Mmm dd HH:MM:SS HOST TAG[PID]: TEXT``, as :data:`TAKEN_SCHEMA`. ``arrival_s`` by ``row``."""
    stamped = lines.filter(pl.col("body").str.slice(0, 16).str.contains(_STAMP_3164))
    names = ("host", "tag", "message")
    split = stamped.with_columns(
        pl.col("body").str.slice(0, 15).alias("stamp"),
        pl.col("body").str.slice(16).str.splitn(" ", 3).struct.rename_fields(list(names)).alias("parts"),
    ).unnest("parts")
    good = split.filter(
        pl.col("host").str.contains(_HOST_3164)
        & ~pl.col("host").str.contains(r"^re[01][.-]")
        & pl.col("tag").str.contains(_TAG_3164)
        & pl.col("message").is_not_null()
        & ~pl.col("message").str.contains("devname=", literal=True)
    )
    good = good.with_columns(pl.Series("device_s", _bsd_seconds(good, arrival_s, zone)))
    return (
        good.filter(pl.col("device_s").is_not_nan())
        .with_columns(pl.col("tag").str.splitn("[", 2).struct.rename_fields(["app", "procid"]).alias("t"))
        .unnest("t")
        .select(
            "row",
            "priority",
            "device_s",
            "host",
            pl.col("app").str.strip_suffix(":"),
            pl.col("procid").str.strip_suffix("]:"),
            pl.lit(None, pl.String).alias("msgid"),
            pl.lit(None, pl.String).alias("structured_data"),
            "message",
        )
    )


def _bsd_seconds(lines: pl.DataFrame, arrival_s: FloatArray, zone: tzinfo) -> FloatArray:
    """Epoch seconds of each ``stamp``, NaN where there is no such time. Works on the distinct (stamp, arrival day):
    the year that is left out depends on when the line came."""
    if not lines.height:
        return np.zeros(0)
    arrivals = arrival_s[lines["row"].to_numpy()]
    keyed = pl.DataFrame({"stamp": lines["stamp"], "arrival": arrivals})
    earliest, latest = float(arrivals.min()), float(arrivals.max())
    per_arrival = latest > earliest
    if per_arrival and latest - earliest < 3600.0:
        first = _distinct_seconds(keyed["stamp"], earliest, zone)
        last = _distinct_seconds(keyed["stamp"], latest, zone)
        if np.array_equal(first, last, equal_nan=True):
            return first
    if not per_arrival:
        return _distinct_seconds(keyed["stamp"], earliest, zone)
    found = [
        _one(stamp, arrival, zone)
        for stamp, arrival in zip(keyed["stamp"].to_list(), arrivals.tolist(), strict=True)
    ]
    return np.array(found)


def _distinct_seconds(stamps: pl.Series, arrival_s: float, zone: tzinfo) -> FloatArray:
    encoded = stamps.to_arrow().dictionary_encode()
    values = np.array(
        [_one(text, arrival_s, zone) for text in encoded.dictionary.to_pylist()], dtype=np.float64
    )
    result: FloatArray = values[encoded.indices.to_numpy()]
    return result


def _one(stamp: str, arrival_s: float, zone: tzinfo) -> float:
    match = BSD_STAMP.fullmatch(stamp)
    seconds = None if match is None else stamp_seconds(match, arrival_s=arrival_s, zone=zone)
    return float("nan") if seconds is None else seconds
