"""Remote write 1.0: what a sender encodes comes back; what is broken is refused or rejected."""

from __future__ import annotations

import math
import struct

import cramjam
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops.domain.batches import SampleBatch, Series
from aiops.errors import ParseError
from ingest.parsers.remote_write import RemoteWriteDecoder, decode_remote_write, encode_remote_write
from ingest.parsers.series_cache import SeriesCache

UP = Series("up", (("instance", "h:1"), ("job", "node")))
LAST_VALUE_OF_16 = Series("up", (("z", "sixteen-bytes-!!"),))


def decode(body: bytes, compressed: bool = True) -> SampleBatch:
    return decode_remote_write(body, source="s", received_at_s=5.0, compressed=compressed)


def rows(batch: SampleBatch) -> list[tuple[Series, float, float]]:
    return [
        (batch.series[i], at, value)
        for i, at, value in zip(
            batch.series_index.tolist(), batch.at_s.tolist(), batch.value.tolist(), strict=True
        )
    ]


def field(number: int, data: bytes) -> bytes:
    return bytes((number << 3 | 2, len(data))) + data


def label(name: bytes, value: bytes) -> bytes:
    return field(1, field(1, name) + field(2, value))


SAMPLE = field(2, b"\x09" + struct.pack("<d", 2.0) + b"\x10\xe8\x07")  # 2.0 at one second


def test_what_is_encoded_comes_back_also_from_the_cache() -> None:
    sent = [
        (UP, [(1_770_000_000.25, 1.0)]),
        (LAST_VALUE_OF_16, [(1_770_000_000.0, 0.0), (1_770_000_001.0, -2.5)]),
        (Series("empty", ()), []),
        (Series("old", ()), [(-1.5, math.inf), (3.0, 4.0)]),
    ]
    decoder = RemoteWriteDecoder()
    expected = [(series, at, value) for series, samples in sent for at, value in samples]
    for compressed in (True, False, True):
        body = encode_remote_write(sent, compressed=compressed)
        batch = decoder.decode(body, source="s", received_at_s=0.0, compressed=compressed)
        assert rows(batch) == expected
        assert batch.rejects == ()


def test_a_value_of_zero_that_is_left_out_is_zero() -> None:
    sample = field(2, b"\x10" + bytes((0x80 | 0x40, *([0x81] * 4), 0x01)))
    body = field(1, label(b"__name__", b"x") + sample)
    decoder = RemoteWriteDecoder()
    first = decoder.decode(body, source="s", received_at_s=0.0, compressed=False)
    again = decoder.decode(body, source="s", received_at_s=0.0, compressed=False)
    assert rows(first) == rows(again)
    assert first.value.tolist() == [0.0]


def test_staleness_is_told_and_is_no_value() -> None:
    stale = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
    batch = decode(encode_remote_write([(UP, [(1.0, stale)]), (Series("x", ()), [(2.0, math.nan)])]))
    assert batch.stale == ((0, 1.0),)
    assert batch.series_index.tolist() == [1]
    assert np.isnan(batch.value).all()


def test_exemplars_and_histograms_are_counted() -> None:
    body = field(1, label(b"__name__", b"x") + SAMPLE + field(3, b"\x11") + field(4, b""))
    batch = decode(body, compressed=False)
    assert (batch.ignored, rows(batch)) == (2, [(Series("x", ()), 1.0, 2.0)])


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (b"", "series: there is no __name__"),
        (label(b"a", b"b"), "series: there is no __name__"),
        (
            label(b"__name__", b"x") + label(b"b", b"1") + label(b"a", b"1"),
            "series: label 'a' stands out of order",
        ),
        (label(b"__name__", b"x") + label(b"b", b"1") + label(b"b", b"1"), "series: label 'b' stands twice"),
        (label(b"", b"x") + label(b"__name__", b"x"), "series: a label has no name"),
        (label(b"__name__", b"\xff"), "series: a label is not UTF-8"),
        (field(1, b"\x08\x01"), "series: a label is no text"),
        (field(1, b"\x0a\x05a"), "series: a label cannot be read: a field is cut off"),
        (field(1, b"\x0b"), "series: a label cannot be read: wire type 3 is not used here"),
        (field(1, b"\x80" * 11), "series: a label cannot be read: a number is longer than ten bytes"),
    ],
)
def test_a_bad_series_is_a_reject_and_the_rest_is_kept(labels: bytes, reason: str) -> None:
    good = field(1, label(b"__name__", b"ok") + SAMPLE)
    batch = decode(good + field(1, labels + SAMPLE) + good, compressed=False)
    assert [reject.reason for reject in batch.rejects] == [reason]
    assert batch.rejects[0].raw == labels + SAMPLE
    assert rows(batch) == [(Series("ok", ()), 1.0, 2.0)] * 2


@pytest.mark.parametrize("sample", [b"\x08\x01", b"\x0d1234", b"\x12\x01a", b"\x09abc"])
def test_a_bad_sample_is_a_reject(sample: bytes) -> None:
    batch = decode(field(1, label(b"__name__", b"ok") + field(2, sample) + SAMPLE), compressed=False)
    assert len(batch.rejects) == 1
    assert batch.value.tolist() == [2.0]


def test_empty_label_values_are_as_good_as_absent() -> None:
    batch = decode(field(1, label(b"__name__", b"x") + label(b"a", b"") + SAMPLE), compressed=False)
    assert batch.series == (Series("x", ()),)


@pytest.mark.parametrize(
    ("body", "compressed", "reason"),
    [
        (b"", True, "snappy"),
        (b"\xff\xff\xff\xff\x0f", True, "too large"),
        (b"\x05hello", True, "snappy"),
        (b"\x80" * 20, True, "snappy"),
        (b"\xff\xff", False, "protobuf"),
        (field(1, b"\xff\xff"), False, "protobuf"),
        (field(5, b""), False, "version"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(body: bytes, compressed: bool, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        decode(body, compressed)
    assert caught.value.details["reason"] == reason


def test_a_bomb_is_not_unpacked() -> None:
    bomb = bytes(cramjam.snappy.compress_raw(b"\x00" * (33 << 20)))
    with pytest.raises(ParseError, match="are allowed"):
        decode(bomb)


@settings(deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_samples_rejects_or_refused(body: bytes, compressed: bool) -> None:
    try:
        batch = decode(body, compressed)
    except ParseError:
        return
    assert len(batch.series_index) == len(batch.value) == len(batch.at_s)


def test_every_truncation_is_refused_or_shorter() -> None:
    body = encode_remote_write([(UP, [(1.0, 1.0)]), (Series("x", ()), [(2.0, 3.0)])], compressed=False)
    for size in range(len(body)):
        try:
            assert len(decode(body[:size], compressed=False).value) <= 1
        except ParseError as wrong:
            reason = wrong.details["reason"]
            assert reason == "protobuf"


def test_the_cache_is_bounded_and_keeps_what_is_used() -> None:
    cache: SeriesCache[bytes] = SeriesCache(max_bytes=40)
    used = Series("used", ())
    cache.put(b"u", used, 5)
    for n in range(100):
        cache.put(str(n).encode(), Series(str(n), ()), 5)
        assert cache.get(b"u", 5) is used
        assert len(cache) <= 9
    assert cache.get(b"1", 5) is None
    cache.put(b"big", used, 100)
    assert cache.get(b"big", 100) is None
