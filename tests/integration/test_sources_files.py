"""Followed files on a real file system: rotation, truncation, restarts, long lines, many files."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops.domain.batches import RawBatch
from aiops.errors import InputError
from ingest.sources.file_positions import load_positions
from ingest.sources.files import FollowedFiles, StartAt
from ingest.sources.followed_file import FollowedFile
from ingest.sources.inbox import Inbox
from tests.support.daemons import until
from tests.support.inboxes import Drained

pytestmark = pytest.mark.integration


@pytest.fixture
def drained() -> Iterator[Drained]:
    with Drained(Inbox()) as reading:
        yield reading


def follower(
    folder: Path, pattern: str = "*.log", *, start_at: StartAt = "beginning", **more: object
) -> FollowedFiles:
    return FollowedFiles(
        [str(folder / pattern)],
        folder / "state" / "positions.json",
        start_at=start_at,
        host="h",
        poll_s=0.02,
        scan_s=0.05,
        left_s=0.3,
        **more,  # type: ignore[arg-type]
    )


def append(path: Path, *lines: str, end: str = "\n") -> None:
    with path.open("a") as file:
        file.write("\n".join(lines) + end)


def numbered(start: int, end: int) -> list[str]:
    return [f"line {number}" for number in range(start, end)]


def payloads_of(drained: Drained) -> list[str]:
    return [payload.decode(errors="replace") for payload in drained.payloads()]


def test_rotation_by_rename_loses_and_doubles_nothing(tmp_path: Path, drained: Drained) -> None:
    log = tmp_path / "app.log"
    append(log, *numbered(0, 10))
    files = follower(tmp_path)
    files.start(drained.inbox)
    until(lambda: drained.lines() == 10)
    for round_ in range(1, 4):
        append(log, *numbered(round_ * 10, round_ * 10 + 5))
        log.rename(tmp_path / f"app.log.{round_}")
        append(
            tmp_path / f"app.log.{round_}", *numbered(round_ * 10 + 5, round_ * 10 + 8)
        )  # still open there
        until(lambda expected=round_ * 10 + 8: drained.lines() >= expected)  # type: ignore[misc]
        append(log, *numbered(round_ * 10 + 8, round_ * 10 + 10))
        until(lambda expected=round_ * 10 + 10: drained.lines() >= expected)  # type: ignore[misc]
    until(lambda: files.counts()["open"] == 1, what="the rotated files closed")
    files.stop()
    assert payloads_of(drained) == numbered(0, 40)
    assert {batch.peer for batch in drained.batches()} == {f"file:{log} h"}
    assert {batch.transport for batch in drained.batches()} == {"file"}
    assert files.counts()["rotated"] == 3


def test_copy_and_truncate_starts_anew_and_a_partial_line_waits(tmp_path: Path, drained: Drained) -> None:
    log = tmp_path / "app.log"
    append(log, *numbered(0, 5))
    files = follower(tmp_path)
    files.start(drained.inbox)
    until(lambda: drained.lines() == 5)
    (tmp_path / "app.log.1").write_bytes(log.read_bytes())
    os.truncate(log, 0)
    append(log, "line 5", "half", end="")
    until(lambda: drained.lines() == 6)
    append(log, "of one", end="")
    append(log, " line")
    until(lambda: drained.lines() == 7)
    os.truncate(log, 0)
    append(
        log, "another file of at least the same length as before: line 7", "line 8"
    )  # told by its first bytes
    until(lambda: drained.lines() == 9)
    files.stop()
    assert payloads_of(drained) == [
        *numbered(0, 6),
        "halfof one line",
        "another file of at least the same length as before: line 7",
        "line 8",
    ]
    assert files.counts()["restarted"] == 2


@pytest.mark.parametrize("between", ["fstat", "pread"])
def test_a_cut_amid_the_look_at_the_file_is_seen_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, between: str
) -> None:
    log = tmp_path / "app.log"
    append(log, *numbered(0, 5))
    followed = FollowedFile(log, max_line_bytes=100)
    assert (read := followed.read()) is not None
    assert len(read.payloads) == 5
    look = getattr(os, between)

    def looked_and_then_cut(*arguments: int) -> object:
        found = look(*arguments)
        monkeypatch.setattr(os, between, look)
        os.truncate(log, 0)
        append(log, "line 5")
        return found

    monkeypatch.setattr(os, between, looked_and_then_cut)
    restarts, lines = 0, list[bytes]()
    for _ in range(4):
        restarts += followed.restarted()
        got = followed.read()
        lines.extend(got.payloads if got is not None else ())
    followed.close()
    assert (restarts, lines) == (1, [b"line 5"])


def test_a_restart_goes_on_where_the_journal_had_everything(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    append(log, *numbered(0, 100))
    inbox = Inbox()
    files = follower(tmp_path)
    files.start(inbox)
    taken = inbox.take(30.0)
    assert isinstance(taken, RawBatch)
    files.stop()  # a kill before the acknowledgement
    inbox = Inbox()
    files = follower(tmp_path)
    files.start(inbox)
    again = inbox.take(30.0)
    assert isinstance(again, RawBatch)
    assert again.payloads == taken.payloads
    files.stop()
    inbox.done()  # durable after the stop: saved with the last acknowledgement
    (held,) = load_positions(tmp_path / "state" / "positions.json") or ()
    assert held.offset == log.stat().st_size
    append(log, *numbered(100, 102))
    log.rename(tmp_path / "app.log.1")  # rotated while nobody looked
    append(log, *numbered(102, 104))
    with Drained(Inbox()) as drained:
        files = follower(tmp_path)
        files.start(drained.inbox)
        until(lambda: drained.lines() >= 4)
        files.stop()
        assert sorted(payloads_of(drained)) == sorted(numbered(100, 104))
        assert payloads_of(drained)[:2] == numbered(100, 102)


def test_start_at_the_end_reads_the_line_being_written_and_new_files_whole(
    tmp_path: Path, drained: Drained
) -> None:
    log = tmp_path / "app.log"
    append(log, "old", "new beg", end="")
    files = follower(tmp_path, start_at="end")
    files.start(drained.inbox)
    append(log, "un")
    append(tmp_path / "later.log", "whole")
    until(lambda: drained.lines() == 2)
    files.stop()
    assert sorted(payloads_of(drained)) == ["new begun", "whole"]


def test_long_lines_are_bounded_and_bytes_stay_as_they_are(tmp_path: Path, drained: Drained) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(
        b"a" * 300 + b"\n\n\xff\xfe\x00 raw\r\n" + b"b" * 700_000 + b"\nlast\n" + b"c" * 99 + b"\n"
    )
    files = follower(tmp_path, max_line_bytes=100)
    files.start(drained.inbox)
    until(lambda: drained.lines() == 3)
    files.stop()
    assert drained.payloads() == [b"\xff\xfe\x00 raw\r", b"last", b"c" * 99]
    assert [(reject.reason, reject.raw) for reject in drained.rejects()] == [
        ("longer than 100 bytes (300); the head is kept", b"a" * 100),
        ("longer than 100 bytes (700000); the head is kept", b"b" * 100),
    ]
    (held,) = load_positions(tmp_path / "state" / "positions.json") or ()
    assert held.offset == log.stat().st_size


def test_a_thousand_files_are_followed_without_waiting_for_one_another(
    tmp_path: Path, drained: Drained
) -> None:
    for number in range(1_000):
        append(tmp_path / f"{number:04d}.log", "first")
    files = follower(tmp_path)
    files.start(drained.inbox)
    until(lambda: drained.lines() == 1_000)
    for number in range(1_000):
        append(tmp_path / f"{number:04d}.log", "second", "third")
    until(lambda: drained.lines() == 3_000)
    files.stop()
    assert files.counts()["open"] == 1_000
    assert len({batch.peer for batch in drained.batches()}) == 1_000


def test_what_cannot_be_followed_is_said_once(tmp_path: Path, drained: Drained) -> None:
    os.mkfifo(tmp_path / "pipe.log")
    (tmp_path / "folder.log").mkdir()
    append(tmp_path / "a.log", "a")
    append(tmp_path / "b.log", "b")
    append(tmp_path / "old.log.gz", "no text")
    files = follower(tmp_path, "*.log*", max_files=1)
    files.start(drained.inbox)
    until(lambda: drained.lines() == 1)
    files.stop()
    counts = files.counts()
    assert (counts["too_many"], counts["unreadable"], counts["open"]) == (2, 0, 1)
    damaged = follower(tmp_path)
    (tmp_path / "state" / "positions.json").write_text('{"format": "else"}')
    with pytest.raises(InputError, match="start_at"):
        damaged.start(drained.inbox)


def test_a_full_inbox_holds_the_files_back(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    append(log, *("x" * 1_000 for _ in range(5_000)))
    inbox = Inbox(max_bytes=1_000_000)
    files = follower(tmp_path)
    files.start(inbox)
    until(lambda: not inbox.has_room() or inbox.size_bytes > 700_000)
    assert inbox.size_bytes <= 1_000_000
    with Drained(inbox) as drained:
        until(lambda: drained.lines() == 5_000)
        files.stop()


def test_a_stop_with_a_full_inbox_saves_what_is_durable_in_the_end(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    append(log, *("x" * 1_000 for _ in range(2_000)))
    inbox = Inbox(max_bytes=600_000)
    files = follower(tmp_path)
    files.start(inbox)
    until(lambda: inbox.size_bytes > 500_000)
    files.stop()
    taken = inbox.take_several(0.0, max_bytes=1 << 30)
    inbox.done(len(taken))
    lines = sum(len(item.payloads) for item in taken if isinstance(item, RawBatch))
    (held,) = load_positions(tmp_path / "state" / "positions.json") or ()
    assert held.offset == lines * 1_001


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.binary(max_size=40).filter(lambda part: b"\n" not in part), max_size=20),
    st.integers(min_value=1, max_value=30),
    st.integers(min_value=1, max_value=20),
)
def test_however_a_file_is_written_its_lines_come_out(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], step: int, limit: int
) -> None:
    path = tmp_path_factory.mktemp("followed") / "log"
    path.touch()
    file = FollowedFile(path, max_line_bytes=limit)
    text = b"\n".join(lines)
    found: list[bytes] = []
    long: list[int] = []
    with path.open("ab", buffering=0) as out:
        for at in range(0, len(text) + 1, step):
            out.write(text[at : at + step])
            while (read := file.read()) is not None:
                found += read.payloads
                long += [size for _head, size in read.too_long]
        while (read := file.read(last=True)) is not None:
            found += read.payloads
            long += [size for _head, size in read.too_long]
    file.close()
    assert found == [line for line in lines if 0 < len(line) <= limit]
    assert long == [len(line) for line in lines if len(line) > limit]


def test_a_file_that_cannot_be_read_for_a_moment_does_not_end_the_others(
    tmp_path: Path, drained: Drained, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = {tmp_path / "a.log"}
    has_news = FollowedFile.has_news

    def stale(file: FollowedFile) -> bool:
        if file.path in failing:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return has_news(file)

    monkeypatch.setattr(FollowedFile, "has_news", stale)
    for name in ("a", "b"):
        append(tmp_path / f"{name}.log", name)
    files = follower(tmp_path)
    files.start(drained.inbox)
    try:
        until(lambda: drained.lines() == 1)
        assert files.counts()["unreadable"] == 1
        failing.clear()
        until(lambda: drained.lines() == 2)
    finally:
        files.stop()
    assert payloads_of(drained) == ["b", "a"]
