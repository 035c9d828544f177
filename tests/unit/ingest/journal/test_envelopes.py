"""Envelopes: what goes in comes out, and damage is a ParseError and nothing else."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops.domain.batches import (
    EVENT_SCHEMA,
    EventBatch,
    Payloads,
    RawBatch,
    Reject,
    SampleBatch,
    Series,
)
from aiops.errors import ParseError
from ingest.journal.envelopes import Batch, pack, unpack
from ingest.journal.sections import join, split
from ingest.journal.series_labels import SERIES_OVERHEAD_BYTES, SeriesNames, series_bytes, series_of

texts = st.text(max_size=12)
times = st.floats(0, 4e9)
rejects = st.lists(
    st.builds(Reject, texts, texts, times, st.binary(max_size=20), st.none() | st.integers(0, 1 << 40)),
    max_size=3,
).map(tuple)


@st.composite
def raw_batches(draw: st.DrawFn) -> RawBatch:
    payloads = draw(st.lists(st.binary(max_size=30), max_size=6))
    arrivals = draw(
        st.lists(times, min_size=len(payloads), max_size=len(payloads))
        | times.map(lambda at: [at] * len(payloads))
    )
    return RawBatch(draw(texts), "syslog-udp", draw(texts), payloads, arrivals)


def _column(field: pa.Field) -> st.SearchStrategy[Any]:
    if pa.types.is_floating(field.type):
        return times
    if pa.types.is_integer(field.type):
        return st.none() | st.integers(-128, 127)
    return st.none() | texts


@st.composite
def event_batches(draw: st.DrawFn) -> EventBatch:
    rows = draw(
        st.lists(st.fixed_dictionaries({field.name: _column(field) for field in EVENT_SCHEMA}), max_size=4)
    )
    return EventBatch(
        draw(texts), pa.Table.from_pylist(rows, EVENT_SCHEMA), draw(rejects), draw(st.integers(0, 9))
    )


series_strategy = st.builds(
    lambda metric, labels: Series(metric, tuple(sorted(labels.items()))),
    texts,
    st.dictionaries(texts, texts, max_size=4),
)


@st.composite
def sample_batches(draw: st.DrawFn) -> SampleBatch:
    series = tuple(draw(st.lists(series_strategy, max_size=5)))
    many = draw(st.integers(0, 8)) if series else 0
    index = draw(st.lists(st.integers(0, max(0, len(series) - 1)), min_size=many, max_size=many))
    stale = draw(st.lists(st.tuples(st.integers(0, len(series) - 1), times), max_size=3)) if series else []
    return SampleBatch(
        draw(texts),
        series,
        np.array(index, dtype=np.int64),
        np.array(draw(st.lists(times, min_size=many, max_size=many)), dtype=np.float64),
        np.array(draw(st.lists(st.floats(), min_size=many, max_size=many)), dtype=np.float64),
        draw(rejects),
        tuple(stale),
        draw(st.integers(0, 9)),
    )


batches = raw_batches() | event_batches() | sample_batches()


def same(one: Batch, other: Batch) -> bool:
    """Equal in everything but the position."""
    if isinstance(one, RawBatch) and isinstance(other, RawBatch):
        return (
            (one.source, one.transport, one.peer) == (other.source, other.transport, other.peer)
            and list(one.payloads) == list(other.payloads)
            and list(one.received_at_s) == list(other.received_at_s)
        )
    if isinstance(one, EventBatch) and isinstance(other, EventBatch):
        return one.table.equals(other.table) and (one.source, one.rejects, one.replaced) == (
            other.source,
            other.rejects,
            other.replaced,
        )
    assert isinstance(one, SampleBatch)
    assert isinstance(other, SampleBatch)
    return (
        (one.source, one.series, one.rejects, one.stale, one.ignored)
        == (other.source, other.series, other.rejects, other.stale, other.ignored)
        and one.series_index.tobytes() == other.series_index.tobytes()
        and one.at_s.tobytes() == other.at_s.tobytes()
        and one.value.tobytes() == other.value.tobytes()
    )


@given(batches)
@settings(max_examples=300, deadline=None)
def test_round_trip(batch: Batch) -> None:
    back = unpack(pack(batch), "logs-3@17")
    assert back.position == "logs-3@17"
    assert same(batch, back)


@given(batches, st.data())
@settings(max_examples=500, deadline=None)
def test_damage_is_a_parse_error_and_nothing_else(batch: Batch, data: st.DataObject) -> None:
    value = bytearray(pack(batch))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, len(value) - 1)))
        action = data.draw(st.sampled_from(["flip", "cut", "insert", "high"]))
        if action == "flip" and value:
            value[at] ^= data.draw(st.integers(1, 255))
        elif action == "cut":
            del value[at:]
        elif action == "insert":
            value[at:at] = data.draw(st.binary(max_size=9))
        elif value:
            value[at] = 255
    try:
        back = unpack(bytes(value), "logs-0@0")
    except ParseError:
        return
    # what can be read can be written again, and is the same
    assert same(unpack(pack(back), "logs-0@0"), back)


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_noise_is_a_parse_error(noise: bytes) -> None:
    with pytest.raises(ParseError):
        unpack(b"AJ\x01" + noise[:1] + b"\xff\xff" + noise, "p")


def test_damage_within_the_arrow_stream_of_a_whole_envelope() -> None:
    table = pa.Table.from_pylist([{"at_s": 1.0, "host": "h" * 50, "message": "m"}] * 50, EVENT_SCHEMA)
    kind, sections = split(pack(EventBatch("s", table)))
    rng = np.random.default_rng(5)
    refused = 0
    for _ in range(2_000):
        stream = bytearray(sections[1])
        for at in rng.integers(0, len(stream), 3):
            stream[at] = int(rng.integers(0, 256))
        try:
            unpack(join(kind, [sections[0], bytes(stream), *sections[2:]]), "p")
        except ParseError:
            refused += 1
    assert refused > 100


def test_equal_arrival_times_travel_as_one() -> None:
    payloads = [b"x" * 10] * 1_000
    one = pack(RawBatch("s", "syslog-tcp", "p", payloads, [5.0] * 1_000))
    each = pack(RawBatch("s", "syslog-tcp", "p", payloads, np.arange(1_000.0)))
    assert len(each) - len(one) == 8 * 999


def test_columns_that_do_not_fit_are_refused_on_both_sides() -> None:
    series = (Series("up", ()),)
    good = SampleBatch("s", series, np.array([0]), np.array([1.0]), np.array([2.0]))
    for bad in (
        SampleBatch("s", series, np.array([1]), np.array([1.0]), np.array([2.0])),
        SampleBatch("s", series, np.array([-1]), np.array([1.0]), np.array([2.0])),
        SampleBatch("s", series, np.array([0]), np.array([np.nan]), np.array([2.0])),
        SampleBatch("s", series, np.array([0, 0]), np.array([1.0]), np.array([2.0])),
        SampleBatch("s", series, np.array([0]), np.array([1.0]), np.array([2.0]), stale=((1, 1.0),)),
        SampleBatch("s", (Series("a\ud800", ()),), np.array([0]), np.array([1.0]), np.array([2.0])),
        SampleBatch("s", (Series("a", (("z", "1"), ("a", "2"))),), good.series_index, good.at_s, good.value),
        RawBatch("s", "file", "p", [b"a", b"b"], [1.0]),
        RawBatch("s", "file", "p", [b"a"], [float("inf")]),
        RawBatch("s", "file", "p", Payloads(b"ab", np.array([0, 3])), [1.0]),
        RawBatch("s", "file", "p", Payloads(b"ab", np.array([0, 2, 1, 2])), [1.0] * 3),
    ):
        with pytest.raises(ParseError):
            pack(bad)
    kind, sections = split(pack(good))
    for at, column in (
        (3, struct.pack("<i", 1)),
        (3, struct.pack("<i", -1)),
        (4, struct.pack("<d", float("nan"))),
    ):
        with pytest.raises(ParseError):
            unpack(join(kind, [*sections[:at], column, *sections[at + 1 :]]), "p")


def test_an_unknown_version_says_so() -> None:
    value = bytearray(pack(RawBatch("s", "file", "p", [b"a"], [1.0])))
    value[2] = 9
    with pytest.raises(ParseError, match="version 9, this program reads version 1"):
        unpack(bytes(value), "p")


def test_series_are_one_object_and_the_cache_is_bounded() -> None:
    names = SeriesNames(max_bytes=100 * (SERIES_OVERHEAD_BYTES + 10))
    series = Series("up", (("job", "node"),))
    batch = SampleBatch("s", (series,), np.array([0]), np.array([1.0]), np.array([2.0]))
    value = pack(batch, names=names)
    back = unpack(value, "p", names=names)
    assert isinstance(back, SampleBatch)
    assert back.series[0] is series
    assert names.write([series]) == [series_bytes(series)] == [b"up\xffjob\xfenode"]
    for number in range(1_000):
        names.read([b"m%06d" % number])
        names.write([Series(f"w{number:06d}", ())])
    assert len(names) <= 100
    assert names.read([series_bytes(series)]) == (series,)


@given(series_strategy)
@settings(deadline=None)
def test_label_bytes(series: Series) -> None:
    assert series_of(series_bytes(series)) == series
