"""Remote write 1.0 and 2.0: what a sender encodes comes back; what is broken is refused or rejected."""

from __future__ import annotations

import math
import struct

import cramjam
import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops.domain.batches import SampleBatch, Series
from aiops.errors import ParseError
from ingest.parsers.remote_write import RemoteWriteDecoder, decode_remote_write, encode_remote_write
from ingest.parsers.remote_write_1 import WriteRequestMessage
from ingest.parsers.remote_write_rows import MetricMetadata, WriteRequest
from ingest.parsers.series_cache import SeriesCache
from ingest.parsers.series_reader import SeriesLimits

CONTENT_TYPES = {
    1: "application/x-protobuf",
    2: "application/x-protobuf;proto=io.prometheus.write.v2.Request",
}
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


def test_native_histograms_become_count_and_sum_and_exemplars_are_counted() -> None:
    histogram = b"\x08\x05\x19" + struct.pack("<d", 2.5) + b"\x78\xe8\x07"
    ended = b"\x08\x00\x19" + struct.pack("<Q", 0x7FF0000000000002) + b"\x78\xe8\x07"
    head = label(b"__name__", b"x") + label(b"a", b"b")
    body = field(1, head + field(3, b"\x11")) + field(
        1, head + field(4, histogram) + field(4, b"") + field(4, ended)
    )
    request = RemoteWriteDecoder().decode_request(body, source="s", received_at_s=0.0, compressed=False)
    labels = (("a", "b"),)
    assert rows(request.batch) == [(Series("x_count", labels), 1.0, 5.0), (Series("x_sum", labels), 1.0, 2.5)]
    assert request.batch.stale == ((0, 1.0), (1, 1.0))
    assert [reject.reason for reject in request.batch.rejects] == ["histogram: a histogram has no count"]
    assert (request.samples, request.histograms, request.exemplars, request.batch.ignored) == (0, 2, 1, 1)
    assert request.headers() == {
        "X-Prometheus-Remote-Write-Samples-Written": "0",
        "X-Prometheus-Remote-Write-Histograms-Written": "2",
        "X-Prometheus-Remote-Write-Exemplars-Written": "1",
    }
    assert (request.complete, request.problems()) == (False, "1 x histogram: a histogram has no count")


def test_metadata_of_1_is_read() -> None:
    told = b"\x08\x01" + field(2, b"x_total") + field(4, b"what") + field(5, b"bytes")
    body = field(3, told) + field(3, field(2, b"\xff")) + field(3, b"")
    request = RemoteWriteDecoder().decode_request(body, source="s", received_at_s=0.0, compressed=False)
    assert request.metadata == (MetricMetadata("x_total", "counter", "what", "bytes"),)
    assert len(request.batch.rejects) == 1


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


def test_the_cache_forgets_what_is_not_named_for_a_generation() -> None:
    cache: SeriesCache[bytes] = SeriesCache(ttl_s=10.0)
    cache.turn(0.0)
    for name in (b"used", b"gone"):
        assert cache.put(name, Series(name.decode(), ()), 5)
    for now_s in (10.0, 20.0, 30.0):
        cache.turn(now_s)
        assert cache.get(b"used", 5) is not None
        assert cache.size_bytes == 5 * len(cache)
    assert cache.get(b"gone", 5) is None
    assert (len(cache), cache.refused) == (1, 0)


@pytest.mark.parametrize("version", [1, 2])
def test_new_series_past_the_bound_are_dropped_and_counted_until_old_ones_have_aged(version: int) -> None:
    decoder = RemoteWriteDecoder(cache=SeriesCache(max_series=3, ttl_s=10.0))

    def send(names: range, at_s: float) -> WriteRequest:
        body = encode_remote_write(((Series(f"m{n}", ()), [(at_s, 1.0)]) for n in names), version=version)
        return decoder.decode_request(
            body, source="s", received_at_s=at_s, content_type=CONTENT_TYPES[version]
        )

    assert send(range(3), 100.0).complete
    bomb = send(range(1000), 101.0)
    assert bomb.samples == 3
    assert bomb.dropped == {"too many active series": 997}
    assert bomb.batch.ignored == 997
    assert decoder.active_series == 3
    assert not bomb.complete
    send(range(3), 111.0)  # a new generation
    assert send(range(3, 4), 112.0).samples == 0
    assert send(range(3, 6), 131.0).samples == 0  # the old ones have been silent for one generation only
    assert send(range(3, 6), 142.0).samples == 3


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (SeriesLimits(max_labels=2), "series: 3 labels, 2 are allowed"),
        (SeriesLimits(max_name_bytes=7), "series: a label's name is longer than 7 bytes"),
        (SeriesLimits(max_value_bytes=3), "series: label 'instance' is longer than 3 bytes"),
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_labels_are_bounded(limits: SeriesLimits, reason: str, version: int) -> None:
    body = encode_remote_write(
        [(Series("up", (("instance", "h:10"), ("job", "n"))), [(1.0, 1.0)])], version=version
    )
    decoder = RemoteWriteDecoder(limits=limits)
    batch = decoder.decode(body, source="s", received_at_s=0.0, content_type=CONTENT_TYPES[version])
    assert [reject.reason for reject in batch.rejects] == [reason]


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-protobuf;proto=x.Y", "application/json"]
)
def test_another_content_type_is_refused(content_type: str) -> None:
    with pytest.raises(ParseError) as caught:
        RemoteWriteDecoder().decode(b"", source="s", received_at_s=0.0, content_type=content_type)
    assert caught.value.details["reason"] == "content type"


def test_equal_pairs_of_labels_are_one_object() -> None:
    batch = decode(encode_remote_write((Series(f"m{n}", UP.labels), [(1.0, 1.0)]) for n in range(2)))
    first, second = batch.series
    assert first.labels[0] is second.labels[0]


NAMES = st.sampled_from(["a", "b", "instance", "le", "zone"])
IDENTITIES = st.builds(
    lambda metric, labels: Series(metric, tuple(sorted(labels.items()))),
    st.sampled_from(["up", "x_total", "y" * 130]),
    st.dictionaries(
        NAMES, st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8), max_size=4
    ),
)
TIMES = st.integers(-(2**40), 2**43).map(lambda millis: millis / 1000) | st.integers(0, 5).map(
    lambda n: 1.77e9 + n
)
SENT = st.lists(
    st.tuples(IDENTITIES, st.lists(st.tuples(TIMES, st.floats(allow_nan=False)), max_size=2)), max_size=8
)


@settings(deadline=None)
@given(SENT)
def test_both_versions_give_what_was_sent_cold_and_from_the_cache(
    sent: list[tuple[Series, list[tuple[float, float]]]],
) -> None:
    expected = [(series, at, value) for series, samples in sent for at, value in samples]
    decoder = RemoteWriteDecoder()
    for version in (1, 2, 1, 2):
        usable = [item for item in sent if item[1] or version == 1]
        batch = decoder.decode(
            encode_remote_write(usable, version=version),
            source="s",
            received_at_s=0.0,
            content_type=CONTENT_TYPES[version],
        )
        assert sorted(rows(batch), key=repr) == sorted(expected, key=repr)
        assert not batch.rejects


@settings(deadline=None, max_examples=300)
@given(SENT, st.data())
def test_a_damaged_body_gets_the_verdict_of_protobuf(
    sent: list[tuple[Series, list[tuple[float, float]]]], data: st.DataObject
) -> None:
    """What the walk over the bytes accepts, protobuf accepts; where protobuf refuses the message, so do we."""
    decoder = RemoteWriteDecoder()
    body = bytearray(encode_remote_write(sent, compressed=False))
    decoder.decode(bytes(body), source="s", received_at_s=0.0, compressed=False)  # the cache is warm
    for _ in range(data.draw(st.integers(1, 3))):
        if body:
            place = data.draw(st.integers(0, len(body) - 1))
            body[place] = data.draw(st.integers(0, 255) | st.sampled_from([0x0A, 0x12, 0x10, 0x07, 0x80]))
    damaged = bytes(body[: data.draw(st.integers(0, len(body)))])

    def outcome(reader: RemoteWriteDecoder) -> object:
        try:
            batch = reader.decode(damaged, source="s", received_at_s=0.0, compressed=False)
        except ParseError as wrong:
            return wrong.details["reason"]
        return (sorted(map(repr, rows(batch))), sorted(reject.reason for reject in batch.rejects))

    warm, cold = outcome(decoder), outcome(RemoteWriteDecoder())
    assert warm == cold
    try:
        WriteRequestMessage.FromString(damaged)
    except DecodeError:
        assert warm == "protobuf"


def test_metadata_and_created_time_of_2_are_read() -> None:
    symbols = field(4, b"") + b"".join(
        field(4, text) for text in (b"__name__", b"x_total", b"help", b"bytes")
    )
    one = field(1, b"\x01\x02") + SAMPLE + field(5, b"\x08\x01\x18\x03\x20\x04")
    started = field(1, b"\x01\x02") + field(2, b"\x09" + struct.pack("<d", 3.0) + b"\x10\xe8\x07\x18\x01")
    decoder = RemoteWriteDecoder()
    for expected in ((MetricMetadata("x_total", "counter", "help", "bytes"),), ()):
        request = decoder.decode_request(
            symbols + field(5, one) + field(5, started + b"\x30\x05"),
            source="s",
            received_at_s=0.0,
            compressed=False,
            content_type=CONTENT_TYPES[2],
        )
        assert [value for _, _, value in rows(request.batch)] == [2.0, 3.0]
        assert (request.metadata, request.samples, request.complete) == (expected, 2, True)


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        (field(1, b"\x01") + SAMPLE, "series: there is a label without a value"),
        (field(1, b"\x01\x09") + SAMPLE, "series: reference 9 points past the 4 symbols"),
        (field(1, b"\x01\x03") + SAMPLE, "series: a label is not UTF-8"),
        (field(1, b"\x02\x02") + SAMPLE, "series: there is no __name__"),
        (field(1, b"\x01\x02"), "series: it has neither samples nor histograms"),
        (field(1, b"\x01\x02") + SAMPLE + field(3, b"\x08\x01"), "series: it has samples and histograms"),
    ],
)
def test_a_bad_series_of_2_is_a_reject_and_the_rest_is_kept(series: bytes, reason: str) -> None:
    symbols = b"".join(field(4, text) for text in (b"", b"__name__", b"ok", b"\xff"))
    good = field(5, field(1, b"\x01\x02") + SAMPLE)
    request = RemoteWriteDecoder().decode_request(
        symbols + good + field(5, series) + good,
        source="s",
        received_at_s=0.0,
        compressed=False,
        content_type=CONTENT_TYPES[2],
    )
    assert [reject.reason for reject in request.batch.rejects] == [reason]
    assert rows(request.batch) == [(Series("ok", ()), 1.0, 2.0)] * 2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "symbols"),
        (field(5, b""), "symbols"),
        (field(4, b"x"), "symbols"),
        (field(1, b""), "version"),
        (field(4, b"") + b"\xff", "protobuf"),
        (field(4, b"") + field(5, b"\xff\xff"), "protobuf"),
    ],
)
def test_a_body_of_2_that_cannot_be_read_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        decode_remote_write(
            body, source="s", received_at_s=0.0, compressed=False, content_type=CONTENT_TYPES[2]
        )
    assert caught.value.details["reason"] == reason


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_as_2_are_samples_rejects_or_refused(body: bytes) -> None:
    for start in (b"", field(4, b"")):
        try:
            batch = decode_remote_write(
                start + body, source="s", received_at_s=0.0, compressed=False, content_type=CONTENT_TYPES[2]
            )
        except ParseError:
            continue
        assert len(batch.series_index) == len(batch.value) == len(batch.at_s)


@pytest.mark.parametrize(
    ("body", "version", "reason"),
    [
        (b"\x0a\x00" * 1_000_000, 1, "too many rejects"),
        (field(1, label(b"__name__", b"x") + b"\x12\x00" * 50) * 12_000, 1, "too large"),
        (b"\x1a\x00" * 5_000_000, 1, "too large"),
        (b"\x22\x00" * 1_000_000, 2, "too large"),
        (b"\x22\x00" + b"\x2a\x00" * 1_000_000, 2, "too large"),
        (b"\x22\x00" + b"\x2a\x00" * 100_000, 2, "too many rejects"),
    ],
    ids=["series", "samples", "metadata", "symbols", "series-2", "rejects-2"],
)
def test_a_small_body_that_would_become_millions_of_parts_is_refused(
    body: bytes, version: int, reason: str
) -> None:
    with pytest.raises(ParseError) as caught:
        decode_remote_write(
            bytes(cramjam.snappy.compress_raw(body)),
            source="s",
            received_at_s=0.0,
            content_type=CONTENT_TYPES[version],
        )
    assert caught.value.details["reason"] == reason


@pytest.mark.parametrize("version", [1, 2])
def test_a_series_that_is_too_long_is_a_reject(version: int) -> None:
    body = encode_remote_write(
        [(UP, [(1.0, 1.0)] * 100_000), (Series("x", ()), [(1.0, 2.0)])], version=version
    )
    batch = decode_remote_write(body, source="s", received_at_s=0.0, content_type=CONTENT_TYPES[version])
    assert [reject.reason for reject in batch.rejects] == [f"series: longer than {1 << 20} bytes"]
    assert batch.value.tolist() == [2.0]
