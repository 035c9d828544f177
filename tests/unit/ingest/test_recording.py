"""The stream files of a recording: what is written is read back, what is damaged is refused with its place."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import cramjam
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiops.errors import RecordingError
from ingest.sources import recording
from ingest.sources.recording import Frame, encode_frame, read_frames, write_frames

FRAMES = [
    Frame(1764000000.25, "udp 10.77.1.10:51234", b"<13>Nov 22 10:00:00 edge-1 app: hello"),
    Frame(1764000000.5, "tcp 10.77.2.11:40022#1", b"<165>1 2026-11-22T10:00:00Z app-1 shop 1 - - \xff\x00"),
    Frame(1764000001.0, "http 127.0.0.1:40100", b""),
]

frames = st.lists(
    st.builds(
        Frame,
        at=st.floats(allow_nan=False),
        peer=st.text(max_size=30),
        payload=st.binary(max_size=200),
    ),
    max_size=20,
)
each_example = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)


def written(tmp_path: Path, what: list[Frame], block_bytes: int = recording.BLOCK_BYTES) -> Path:
    path = tmp_path / "stream.bin.zst"
    assert write_frames(path, what, level=3, block_bytes=block_bytes) == len(what)
    return path


def read_what_is_there(path: Path) -> tuple[list[Frame], RecordingError | None]:
    """The records up to the damage, and the error that names it. Any other exception fails the test."""
    got: list[Frame] = []
    try:
        got.extend(read_frames(path))
    except RecordingError as error:
        return got, error
    return got, None


def test_the_layout_of_a_record_is_the_documented_one() -> None:
    assert (
        encode_frame(Frame(1.5, "é", b"abc"))
        == struct.pack(">dH", 1.5, 2) + b"\xc3\xa9" + b"\x00\x00\x00\x03abc"
    )


def test_an_ordinary_zstd_decoder_reads_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, FRAMES)
    assert bytes(cramjam.zstd.decompress(path.read_bytes())) == b"".join(map(encode_frame, FRAMES))


@each_example
@given(what=frames, block_bytes=st.integers(1, 400))
def test_what_is_written_is_read_back(tmp_path: Path, what: list[Frame], block_bytes: int) -> None:
    assert list(read_frames(written(tmp_path, what, block_bytes))) == what


def test_an_empty_stream_has_no_records(tmp_path: Path) -> None:
    assert list(read_frames(written(tmp_path, []))) == []


def test_the_reader_holds_one_block_at_a_time(tmp_path: Path) -> None:
    noise = random.Random(7)
    what = [Frame(float(i), "p", noise.randbytes(1000)) for i in range(50)]
    path = written(tmp_path, what, block_bytes=5000)
    reader = read_frames(path)
    next(reader)
    path.write_bytes(path.read_bytes()[:20_000])  # damage the rest while the first block is being served
    assert [next(reader).at for _ in range(3)] == [1.0, 2.0, 3.0]
    with pytest.raises(RecordingError, match="ends too early"):
        list(reader)


@each_example
@given(cut=st.integers(1, 10_000))
def test_a_cut_file_yields_what_is_whole_and_then_says_where(tmp_path: Path, cut: int) -> None:
    path = written(tmp_path, FRAMES, block_bytes=1)
    data = path.read_bytes()
    path.write_bytes(data[: cut % len(data)])
    got, error = read_what_is_there(path)
    if error is not None:
        assert error.details["file"] == str(path)
        assert str(path) in str(error)
    assert got == FRAMES[: len(got)]
    assert len(got) < len(FRAMES)


@each_example
@given(junk=st.binary(min_size=1, max_size=300), keep=st.booleans())
def test_junk_is_refused_without_a_foreign_exception(tmp_path: Path, junk: bytes, keep: bool) -> None:
    path = tmp_path / "junk.bin.zst"
    path.write_bytes((b"\x28\xb5\x2f\xfd" if keep else b"") + junk)
    _, error = read_what_is_there(path)
    assert error is None or error.details["offset"] == 0


@each_example
@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_never_raises_anything_else(tmp_path: Path, at: int, bit: int) -> None:
    path = written(tmp_path, FRAMES)
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1 << bit
    path.write_bytes(data)
    _, error = read_what_is_there(path)
    assert error is None or error.hint


def block_of(tmp_path: Path, body: bytes) -> Path:
    path = tmp_path / "block.bin.zst"
    path.write_bytes(bytes(cramjam.zstd.compress(body)))
    return path


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"\x00" * 9, "cut short at byte 0"),
        (struct.pack(">dH", 1.0, 9) + b"ab", "cut short at byte 0"),
        (
            encode_frame(FRAMES[0]) + struct.pack(">dH", 1.0, 1) + b"a\x00\x00\x00\x09b",
            "cut short at byte 71",
        ),
        (struct.pack(">dH", 1.0, 1) + b"\xff\x00\x00\x00\x00", "not UTF-8 at byte 0"),
    ],
)
def test_a_damaged_record_is_named_with_its_place(tmp_path: Path, body: bytes, what: str) -> None:
    with pytest.raises(RecordingError, match=what):
        list(read_frames(block_of(tmp_path, body)))


def test_a_block_that_would_not_fit_is_refused_before_it_is_decompressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = block_of(tmp_path, bytes(100_000))
    monkeypatch.setattr(recording, "MAX_BLOCK_BYTES", 99_999)
    with pytest.raises(RecordingError, match="content size of 100000 bytes"):
        list(read_frames(path))


def test_a_file_with_checksums_and_a_reserved_block_are_told_apart(tmp_path: Path) -> None:
    raw_block = (len(b"") << 3 | 1).to_bytes(3, "little")
    with_checksum = (
        b"\x28\xb5\x2f\xfd\x24\x00" + raw_block + b"\x99\xe9\xd8\x51"
    )  # XXH64 of nothing, low 4 bytes
    path = tmp_path / "sum.bin.zst"
    path.write_bytes(with_checksum)
    assert list(read_frames(path)) == []
    path.write_bytes(b"\x28\xb5\x2f\xfd\x20\x00" + (7).to_bytes(3, "little"))
    with pytest.raises(RecordingError, match="an invalid block"):
        list(read_frames(path))


def test_a_missing_file_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file"):
        list(read_frames(tmp_path / "absent.bin.zst"))


@pytest.mark.parametrize("frame", [Frame(0.0, "p" * 70_000, b""), Frame(0.0, "p", bytes(20 * 1024 * 1024))])
def test_a_record_too_long_for_its_field_is_refused(frame: Frame) -> None:
    with pytest.raises(RecordingError, match="too long"):
        encode_frame(frame)
