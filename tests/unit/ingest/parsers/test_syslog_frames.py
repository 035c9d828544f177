"""Framing of TCP streams: whatever the pieces, the messages are the same."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops.domain.batches import Payloads
from ingest.parsers import syslog_frames
from ingest.parsers.syslog_frames import MAX_MESSAGE_BYTES, Frames, SyslogFramer

COUNTED = b"5 <1>ab6 <1>abc\n10 <1>two\nnls"
LINES = b"<1>one\n\n<1>two\r\n<1>three"


def split_frames(pieces: Iterable[bytes], *, max_message_bytes: int = MAX_MESSAGE_BYTES) -> Frames:
    """All messages of one connection, given as the pieces that were read."""
    framer = SyslogFramer(max_message_bytes=max_message_bytes)
    parts = [framer.feed(piece) for piece in pieces]
    parts.append(framer.close())
    return Frames(
        tuple(message for part in parts for message in part.messages),
        tuple(reject for part in parts for reject in part.rejects),
    )


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_both_framings_in_pieces_of_any_size(size: int) -> None:
    def pieces(data: bytes) -> list[bytes]:
        return [data[at : at + size] for at in range(0, len(data), size)]

    assert split_frames(pieces(COUNTED)).messages == (b"<1>ab", b"<1>abc", b"<1>two\nnls")
    assert split_frames(pieces(LINES)).messages == (b"<1>one", b"<1>two", b"<1>three")
    assert split_frames(pieces(LINES)).rejects == ()


def test_a_counted_message_that_is_too_long_is_skipped_and_the_stream_goes_on() -> None:
    frames = split_frames([b"20 " + b"x" * 10, b"x" * 10 + b"5 <1>ab"], max_message_bytes=8)
    assert frames.messages == (b"<1>ab",)
    (reject,) = frames.rejects
    assert (reject.size_bytes, reject.raw) == (20, b"x" * 8)


def test_a_line_that_is_too_long_is_skipped_and_the_stream_goes_on() -> None:
    frames = split_frames([b"x" * 20, b"x" * 5, b"xx\n<1>ab\n", b"y" * 9 + b"\n<1>cd\n"], max_message_bytes=8)
    assert frames.messages == (b"<1>ab", b"<1>cd")
    assert [reject.size_bytes for reject in frames.rejects] == [28, 9]


def test_a_giant_count_is_never_allocated() -> None:
    framer = SyslogFramer()
    assert framer.feed(b"999999999 abc").rejects == ()
    (reject,) = framer.close().rejects
    assert reject.size_bytes == 3
    frames = split_frames([b"99999999999999999999 abc\n<1>next\n"])
    assert frames.messages == (b"<1>next",)
    assert frames.rejects[0].reason == "no octet count stands where one must"


def test_no_count_after_a_counted_message_resumes_at_the_next_line() -> None:
    frames = split_frames([b"5 <1>abgarbage\n5 <1>cd"])
    assert frames.messages == (b"<1>ab", b"<1>cd")
    assert frames.rejects[0].raw == b"garbage"


def test_endless_garbage_after_a_counted_message_stays_bounded() -> None:
    frames = split_frames([b"5 <1>ab", *([b"g" * 6] * 5), b"\n<1>cd\n"], max_message_bytes=8)
    assert frames.messages == (b"<1>ab", b"<1>cd")
    assert frames.rejects[0].size_bytes == 31


def test_half_a_counted_message_at_the_end_is_a_reject() -> None:
    (reject,) = split_frames([b"50 <1>ab"]).rejects
    assert reject.reason == "the connection ended inside a counted message"


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=12), st.integers(1, 30))
def test_any_bytes_in_any_pieces_give_the_same_messages(pieces: list[bytes], limit: int) -> None:
    frames = split_frames(pieces, max_message_bytes=limit)
    assert split_frames([b"".join(pieces)], max_message_bytes=limit).messages == frames.messages
    assert all(len(message) <= limit for message in frames.messages)
    assert all(len(reject.raw) <= limit for reject in frames.rejects)


LINE = st.builds(
    bytes.__add__,
    st.binary(max_size=30),
    st.sampled_from([b"\n", b"\r\n", b"\x00\n", b"\r\x00\r\n", b"\n\n", b"\r" * 9 + b"\n"]),
)


@settings(deadline=None)
@given(st.lists(LINE, max_size=40), st.integers(1, 40), st.integers(1, 400))
def test_lines_are_cut_in_arrays_as_one_by_one(lines: list[bytes], limit: int, size: int) -> None:
    stream = b"<1>first\n" + b"".join(lines)
    whole = split_frames([stream], max_message_bytes=limit)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(syslog_frames, "_SMALL_BYTES", 1)
        assert split_frames([stream], max_message_bytes=limit) == whole
        pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert split_frames(pieces, max_message_bytes=limit).messages == whole.messages


def test_a_piece_of_lines_is_one_block() -> None:
    messages = SyslogFramer().feed(b"<13>Feb  3 04:05:06 h a: x\n" * 500).messages
    assert isinstance(messages, Payloads)
    assert len(messages) == 500
    assert set(messages) == {b"<13>Feb  3 04:05:06 h a: x"}


def test_counted_messages_are_one_block() -> None:
    messages = SyslogFramer().feed(b"5 <1>ab7 <1>abc\n" * 500).messages
    assert isinstance(messages, Payloads)
    assert list(messages) == [b"<1>ab", b"<1>abc"] * 500


@pytest.mark.parametrize("begin", [b"", b"5 <1>ab", b"5 <1>abx", b"9000 "])
def test_a_message_that_comes_byte_by_byte_is_held_until_its_end(begin: bytes) -> None:
    framer = SyslogFramer(max_message_bytes=10_000)
    copied = framer.feed(begin)
    for _ in range(8_999):
        copied = framer.feed(b"x")
        assert copied.messages == ()
    assert framer.held_bytes >= 8_999
    assert framer.feed(b"x" * 2_000 + b"\n").messages == (() if begin != b"9000 " else (b"x" * 9_000,))
