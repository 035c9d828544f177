"""The spool: what it took is there after a kill at any byte, damage is stepped over and kept, full means BackPressure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from aiops.domain.batches import Reject
from aiops.errors import BackPressure, ConfigError, InputError, StoreUnavailable
from ingest.journal.seams import Delivered, Partition, Record, Snapshot
from ingest.journal.spool import Spool, SpoolLimits, open_spool
from ingest.journal.spool_consumer import SpoolConsumer
from ingest.journal.spool_frames import HEADER_BYTES

LOGS = Partition("logs", 0)
SMALL = SpoolLimits(max_bytes=64_000, segment_bytes=4_000, max_record_bytes=8_000)


class Site:
    """A directory and what was opened in it; all of it is closed at the end."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.rejects: list[Reject] = []
        self.open_ones: list[Spool] = []

    def open(self, limits: SpoolLimits = SMALL, directory: Path | None = None, **more: int) -> Spool:
        spool = open_spool(
            directory or self.directory,
            set_aside=self.rejects.extend,
            topics=more or {"logs": 1},
            limits=limits,
        )
        self.open_ones.append(spool)
        return spool

    def close(self, spool: Spool) -> None:
        self.open_ones.remove(spool)
        spool.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "spool")
    yield made
    for spool in made.open_ones:
        spool.close()


def put(spool: Spool, *values: bytes, timeout_s: float = 0.0) -> None:
    spool.journal.append([Record("logs", b"k", value) for value in values], timeout_s=timeout_s)


def everything(consumer: SpoolConsumer, max_bytes: int = 1_000) -> list[Delivered]:
    found: list[Delivered] = []
    while records := consumer.poll(timeout_s=0, max_bytes=max_bytes):
        found += records
    return found


def values(records: Sequence[Delivered]) -> list[bytes]:
    return [record.value for record in records]


def segments(directory: Path) -> list[Path]:
    return sorted((directory / "logs-0").glob("*.segment"))


def numbered(count: int, size: int = 100) -> list[bytes]:
    return [f"{number:06d}".encode().ljust(size, b".") for number in range(count)]


def test_a_kill_at_any_byte_loses_nothing_that_was_whole(site: Site, tmp_path: Path) -> None:
    spool = site.open()
    written = numbered(8, 20)
    for value in written:
        put(spool, value)
    [segment] = segments(site.directory)
    data = segment.read_bytes()
    frame = HEADER_BYTES + 20
    for cut in range(len(data)):
        copy = tmp_path / f"cut-{cut}"
        shutil.copytree(site.directory, copy)
        segments(copy)[0].write_bytes(data[:cut])
        again = site.open(directory=copy)
        whole = cut // frame
        assert again.torn_bytes() == cut - whole * frame
        put(again, b"after")
        assert values(everything(again.consumer(["logs"]))) == [*written[:whole], b"after"]
        site.close(again)
        shutil.rmtree(copy)
    assert site.rejects == []


def test_zeros_at_the_end_are_a_torn_tail(site: Site) -> None:
    spool = site.open()
    put(spool, *numbered(3))
    site.close(spool)
    with segments(site.directory)[0].open("ab") as file:
        file.write(bytes(5_000))
    spool = site.open()
    assert spool.torn_bytes() == 5_000
    assert spool.damaged_bytes() == 0
    assert values(everything(spool.consumer(["logs"]))) == numbered(3)


@pytest.mark.parametrize("place", [0, 3, 5, 9, 15, 25, 40])
def test_a_damaged_record_is_stepped_over_and_kept(site: Site, place: int) -> None:
    spool = site.open()
    written = numbered(120)
    put(spool, *written[:60])
    put(spool, *written[60:])
    put(spool, b"last")
    site.close(spool)
    files = segments(site.directory)
    assert len(files) > 1
    frame = HEADER_BYTES + 100
    data = bytearray(files[0].read_bytes())
    data[7 * frame + place] ^= 0x41
    files[0].write_bytes(data)
    spool = site.open()
    consumer = spool.consumer(["logs"])
    assert values(everything(consumer)) == [*written[:7], *written[8:], b"last"]
    assert [reject.raw for reject in site.rejects] == [bytes(data[7 * frame : 8 * frame])]
    assert spool.damaged_bytes() == frame
    assert site.rejects[0].source == "spool logs-0"


def test_a_damaged_end_of_an_older_segment_does_not_hide_the_next(site: Site) -> None:
    spool = site.open()
    written = numbered(60)
    for value in written:
        put(spool, value)
    site.close(spool)
    first, second = segments(site.directory)[:2]
    data = first.read_bytes()
    first.write_bytes(data[:-150])
    spool = site.open()
    read = values(everything(spool.consumer(["logs"])))
    held = len(data) // (HEADER_BYTES + 100)
    assert read == [*written[: held - 2], *written[held:]]
    assert sum(len(reject.raw) for reject in site.rejects) == 2 * (HEADER_BYTES + 100) - 150
    assert second.exists()


def test_offsets_of_a_damaged_tail_are_not_given_again(site: Site) -> None:
    spool = site.open()
    put(spool, *numbered(5))
    consumer = spool.consumer(["logs"])
    before = everything(consumer)
    consumer.commit({LOGS: before[-1].offset + 1})
    site.close(spool)
    [segment] = segments(site.directory)
    data = bytearray(segment.read_bytes())
    data[-10] ^= 1
    segment.write_bytes(data)
    spool = site.open()
    assert [reject.raw for reject in site.rejects] == [bytes(data[-(HEADER_BYTES + 100) :])]
    put(spool, b"new")
    [new] = everything(spool.consumer(["logs"]))
    assert new.value == b"new"
    assert new.offset > before[-1].offset


def test_a_spool_that_is_made_anew_has_other_offsets(site: Site, tmp_path: Path) -> None:
    one, other = (
        open_spool(tmp_path / name, set_aside=site.rejects.extend, now=lambda at=at: at)  # type: ignore[misc]
        for name, at in (("a", 1_000.0), ("b", 2_000.0))
    )
    for spool in (one, other):
        put(spool, b"x")
    ids = [everything(spool.consumer(["logs"]))[0].position for spool in (one, other)]
    assert ids == ["logs-0@1000000", "logs-0@2000000"]
    one.close()
    other.close()


def test_full_is_back_pressure_until_something_is_committed(site: Site) -> None:
    spool = site.open()
    taken = 64_000 // (1_000 + HEADER_BYTES)
    for _ in range(taken):
        put(spool, b"x" * 1_000)
    with pytest.raises(BackPressure, match=r"the spool is full: \d+ of 64000 bytes, 1028 more do not fit"):
        put(spool, b"x" * 1_000)
    assert spool.wants_snapshot()
    consumer = spool.consumer(["logs"])
    records = everything(consumer)
    assert len(records) == taken
    assert spool.journal.size_bytes() == spool.disk_bytes() == taken * (1_000 + HEADER_BYTES)
    done = threading.Event()

    def wait_for_room() -> None:
        put(spool, b"y" * 1_000, timeout_s=30.0)
        done.set()

    waiting = threading.Thread(target=wait_for_room)
    waiting.start()
    assert not done.wait(0.1)
    consumer.commit({LOGS: records[30].offset + 1})
    waiting.join()
    assert done.is_set()
    records = everything(consumer)
    assert records[-1].value == b"y" * 1_000
    consumer.commit({LOGS: records[-1].offset + 1})
    assert not spool.wants_snapshot()


def test_a_full_spool_of_committed_records_takes_more(site: Site) -> None:
    """Also where all of it lies in the segment that is written."""
    spool = site.open(SpoolLimits(max_bytes=40_000, segment_bytes=10_000, max_record_bytes=30_000))
    consumer = spool.consumer(["logs"])
    for _ in range(20):
        put(spool, b"x" * 25_000)
        records = everything(consumer, 100_000)
        consumer.commit({LOGS: records[-1].offset + 1})
    assert spool.disk_bytes() <= 40_000


def test_a_snapshot_keeps_what_a_restart_would_read(site: Site) -> None:
    spool = site.open()
    put(spool, *numbered(10))
    consumer = spool.consumer(["logs"])
    first = everything(consumer)[0].offset
    spool.snapshots.save(LOGS, Snapshot(first + 4, {"state": b"4"}))
    for value in numbered(190):
        put(spool, value)
    records = everything(consumer)
    consumer.commit({LOGS: records[-1].offset + 1})
    consumer.seek(LOGS, first + 4)
    assert [record.offset for record in everything(consumer)] == list(range(first + 4, first + 200))
    spool.snapshots.save(LOGS, Snapshot(first + 199, {"state": b"199"}))
    consumer.seek(LOGS, first + 4)
    left = [record.offset for record in everything(consumer)]
    assert left[0] > first + 150
    assert left[-1] == first + 199


def test_appends_from_many_threads_while_it_is_read(site: Site) -> None:
    spool = site.open(SpoolLimits(max_bytes=10_000_000, segment_bytes=20_000, max_record_bytes=8_000), logs=3)
    consumer = spool.consumer(["logs"])
    many, each = 8, 60

    def write(writer: int) -> None:
        for number in range(each):
            spool.journal.append(
                [Record("logs", b"%d" % writer, b"%d %d" % (writer, number)), Record("logs", b"x", b"noise")],
                timeout_s=30,
            )

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(many)]
    for thread in threads:
        thread.start()
    found: list[Delivered] = []
    give_up = time.monotonic() + 60
    while len(found) < 2 * many * each and time.monotonic() < give_up:
        records = consumer.poll(timeout_s=1.0, max_bytes=2_000)
        found += records
        consumer.commit({record.partition: record.offset + 1 for record in records})
    for thread in threads:
        thread.join()
    for writer in range(many):
        own = [record.value for record in found if record.value.startswith(b"%d " % writer)]
        assert own == [b"%d %d" % (writer, number) for number in range(each)]
    assert sum(record.value == b"noise" for record in found) == many * each
    assert set(consumer.lag().values()) == {0}


def test_interval_sync_gives_records_once_they_are_synced(site: Site) -> None:
    limits = SpoolLimits(64_000, 4_000, 8_000, sync="interval", sync_interval_s=0.05)
    spool = site.open(limits)
    consumer = spool.consumer(["logs"])
    put(spool, b"a", b"b")
    assert values(consumer.poll(timeout_s=20, max_bytes=100)) == [b"a", b"b"]


_WRITER = """
import sys
from pathlib import Path
from ingest.journal.seams import Record
from ingest.journal.spool import SpoolLimits, open_spool
spool = open_spool(Path(sys.argv[1]), set_aside=lambda rejects: None, topics={"logs": 1},
                   limits=SpoolLimits(1 << 30, 50_000, 8_000, sync=sys.argv[2]))
for number in range(1_000_000):
    spool.journal.append([Record("logs", b"k", b"%d" % number)], timeout_s=0)
    print(number, flush=True)
"""


@pytest.mark.parametrize("sync", ["always", "interval"])
def test_kill_9_of_the_writer_loses_nothing_that_was_acknowledged(site: Site, sync: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(site.directory), sync], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(300)]
    with pytest.raises(StoreUnavailable, match=f"in use by process {process.pid}"):
        site.open()
    process.kill()
    told += [int(line) for line in process.stdout.read().split("\n") if line]
    process.wait()
    process.stdout.close()
    spool = site.open()
    read = [int(value) for value in values(everything(spool.consumer(["logs"]), 100_000))]
    assert read[: len(told)] == told == list(range(len(told)))
    assert len(read) - len(told) <= 1


_FULL_DISK = """
import os, resource, sys
from pathlib import Path
from aiops.errors import BackPressure
from ingest.journal.seams import Partition, Record
from ingest.journal.spool import SpoolLimits, open_spool
spool = open_spool(Path(sys.argv[1]), set_aside=lambda rejects: None, topics={"logs": 1},
                   limits=SpoolLimits(1 << 30, 200_000, 8_000))
put = lambda value: spool.journal.append([Record("logs", b"k", value)], timeout_s=0)
put(b"first")
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
taken = 0
try:
    while True:
        put(b"%07d" % taken + b"." * 1_000)
        taken += 1
except BackPressure as exc:
    assert "cannot append to the spool" in str(exc), exc
for _ in range(5):
    try:
        put(b"z" * 3_000)
        raise SystemExit("a record was taken that does not fit")
    except BackPressure:
        pass
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
put(b"last")
consumer = spool.consumer(["logs"])
found = []
while records := consumer.poll(timeout_s=0, max_bytes=10_000):
    found += records
assert [record.value[:7] for record in found] == [b"first", *(b"%07d" % one for one in range(taken)), b"last"]
consumer.commit({Partition("logs", 0): found[-1].offset + 1})
spool.close()
print(taken)
"""


def test_a_full_disk_is_back_pressure_and_leaves_no_half_record(site: Site) -> None:
    """The limit on the size of a file gives the write errors of a full disk: some bytes taken, then none."""
    done = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(site.directory)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == (100_000 - HEADER_BYTES - 5) // (1_007 + HEADER_BYTES)
    spool = site.open(SpoolLimits(1 << 30, 200_000, 8_000))
    assert spool.torn_bytes() == spool.damaged_bytes() == 0
    assert everything(spool.consumer(["logs"])) == []


def test_both_slots_of_the_committed_offsets_take_turns(site: Site) -> None:
    spool = site.open()
    put(spool, *numbered(5))
    consumer = spool.consumer(["logs"])
    first = everything(consumer)[0].offset
    consumer.commit({LOGS: first + 2})
    consumer.commit({LOGS: first + 3})
    site.close(spool)
    file = site.directory / "committed"
    data = bytearray(file.read_bytes())
    data[20] ^= 1  # the second write, in the first slot
    file.write_bytes(data)
    spool = site.open()
    consumer = spool.consumer(["logs"])
    assert consumer.committed(LOGS) == first + 2
    assert [record.offset for record in everything(consumer)] == [first + 2, first + 3, first + 4]


def test_what_cannot_be_is_refused(site: Site) -> None:
    spool = site.open()
    with pytest.raises(InputError, match="a record of 9000 bytes"):
        put(spool, b"x" * 9_000)
    with pytest.raises(InputError, match="no topic 'metrics'"):
        spool.journal.append([Record("metrics", b"", b"")], timeout_s=0)
    consumer = spool.consumer(["logs"])
    with pytest.raises(ConfigError, match="is being read already"):
        spool.consumer(["logs"])
    consumer.close()
    spool.consumer(["logs"])
    with pytest.raises(StoreUnavailable, match=f"in use by process {os.getpid()}"):
        site.open()
    with pytest.raises(ConfigError, match="does not fit segments"):
        site.open(SpoolLimits(max_bytes=1_000, segment_bytes=1_000), site.directory / "other")


def test_partitions_that_are_there_stay(site: Site) -> None:
    spool = site.open(logs=4)
    records = [Record("logs", b"%d" % number, b"%d" % number) for number in range(40)]
    spool.journal.append(records, timeout_s=0)
    site.close(spool)
    spool = site.open(logs=1)
    read = everything(spool.consumer(["logs"]))
    assert sorted(values(read)) == sorted(record.value for record in records)
    assert len({record.partition for record in read}) == 4


def test_a_sync_that_fails_takes_nothing_with_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = site.open()
    put(spool, b"before")
    working = os.fdatasync
    failures = [OSError(5, "Input/output error")]

    def fdatasync(fd: int) -> None:
        if failures:
            raise failures.pop()
        working(fd)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    with pytest.raises(StoreUnavailable, match="failed while it was synced"):
        put(spool, b"refused")
    put(spool, b"after")
    consumer = spool.consumer(["logs"])
    found = everything(consumer)
    assert values(found) == [b"before", b"after"]
    site.close(spool)
    spool = site.open()
    assert spool.torn_bytes() == 0
    again = everything(spool.consumer(["logs"]))
    assert [record.position for record in again] == [record.position for record in found]


def test_dead_letters_that_are_away_hold_a_poll_back_and_lose_nothing(site: Site) -> None:
    spool = site.open()
    written = numbered(100)
    for value in written:
        put(spool, value)
    site.close(spool)
    second = segments(site.directory)[1]
    data = bytearray(second.read_bytes())
    data[40] ^= 1
    second.write_bytes(data)
    taken: list[Reject] = []
    away = [True, True]

    def set_aside(rejects: Sequence[Reject]) -> None:
        if away:
            away.pop()
            raise StoreUnavailable("no room for dead letters")
        taken.extend(rejects)

    spool = open_spool(site.directory, set_aside=set_aside, topics={"logs": 1}, limits=SMALL)
    site.open_ones.append(spool)
    consumer = spool.consumer(["logs"])
    found: list[Delivered] = []
    raised = 0
    while len(found) < 99:
        try:
            found += consumer.poll(timeout_s=0, max_bytes=100_000)
        except StoreUnavailable:
            raised += 1
    assert raised == 2
    first = (segments(site.directory)[0]).stat().st_size // (HEADER_BYTES + 100)
    assert values(found) == [*written[:first], *written[first + 1 :]]
    assert [reject.raw for reject in taken] == [bytes(data[: HEADER_BYTES + 100])]
