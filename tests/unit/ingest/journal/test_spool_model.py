"""The spool against a simple model: random sequences of appends, polls, commits, seeks, snapshots, kills and cuts."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from aiops.domain.batches import Reject
from aiops.errors import BackPressure
from ingest.journal.seams import Partition, Record, Snapshot
from ingest.journal.spool import Spool, SpoolLimits, open_spool
from ingest.journal.spool_frames import HEADER_BYTES

LIMITS = SpoolLimits(max_bytes=20_000, segment_bytes=1_500, max_record_bytes=5_000)
KEYS = [b"a", b"b", b"c", b"d", b"e"]


class Model:
    """What must be true: the records of every partition in their order, and where each is read and committed."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.directory = directory
        self.rejects: list[Reject] = []
        self.number = 0
        self.first: dict[Partition, int] = {}
        self.records: dict[Partition, list[bytes]] = {}
        self.position: dict[Partition, int] = {}
        self.committed: dict[Partition, int] = {}
        self.snapshots: dict[Partition, Snapshot] = {}
        #: by key, where an append put its records: found out at the first one
        self.spool: Spool
        self.open()

    def open(self) -> None:
        self.spool = open_spool(
            self.directory,
            set_aside=self.rejects.extend,
            topics={"logs": 2, "alerts": 1},
            limits=LIMITS,
            now=lambda: 1.0,
        )
        self.logs = self.spool.consumer(["logs"])
        self.alerts = self.spool.consumer(["alerts"])
        for partition in (Partition("logs", 0), Partition("logs", 1), Partition("alerts", 0)):
            self.first.setdefault(partition, 1_000)
            self.records.setdefault(partition, [])
            self.position[partition] = self.committed.get(partition, 0)
            consumer = self.consumer(partition)
            assert consumer.committed(partition) == (
                self.first[partition] + self.committed[partition] if partition in self.committed else None
            )
            assert self.spool.snapshots.load(partition) == self.snapshots.get(partition)

    def consumer(self, partition: Partition):  # type: ignore[no-untyped-def]
        return self.logs if partition.topic == "logs" else self.alerts

    def some(self) -> Partition:
        return self.random.choice(sorted(self.records))

    # -- the actions

    def append(self) -> None:
        records = []
        for _ in range(self.random.randint(1, 4)):
            self.number += 1
            size = self.random.choice([0, 10, 100, 700, 2_000])
            records.append(
                Record(
                    self.random.choice(["logs", "logs", "alerts"]),
                    self.random.choice(KEYS),
                    b"%06d" % self.number + b"." * size,
                )
            )
        try:
            self.spool.journal.append(records, timeout_s=0)
        except BackPressure:
            need = sum(len(record.value) + HEADER_BYTES for record in records)
            assert self.spool.disk_bytes() + need > LIMITS.max_bytes
            held = sum(self.unspent(partition) for partition in self.records)
            # segments go as a whole: what is full holds at least this much that a restart would read
            assert need + held + len(self.records) * (LIMITS.segment_bytes + 9_000) > LIMITS.max_bytes
            return
        for record in records:
            self.records[self.where(record)].append(record.value)

    def unspent(self, partition: Partition) -> int:
        """Bytes of records that a restart would read."""
        upto = self.committed.get(partition, 0)
        if partition in self.snapshots:
            upto = min(upto, self.snapshots[partition].offset - self.first[partition])
        return sum(len(value) + HEADER_BYTES for value in self.records[partition][max(0, upto) :])

    def where(self, record: Record) -> Partition:
        [partition] = [
            one
            for one in self.records
            if one.topic == record.topic
            and (one.topic == "alerts" or one == self.spool.journal._partition(record))
        ]
        return partition

    def poll(self) -> None:
        partition = self.some()
        consumer = self.consumer(partition)
        for found in consumer.poll(timeout_s=0, max_bytes=self.random.choice([1, 500, 5_000])):
            one = found.partition
            place = found.offset - self.first[one]
            assert place == self.position[one]
            assert found.value == self.records[one][place]
            self.position[one] += 1
        for one, lag in consumer.lag().items():
            assert lag == len(self.records[one]) - self.position[one]

    def commit(self) -> None:
        partition = self.some()
        upto = self.random.randint(0, self.position[partition])
        self.consumer(partition).commit({partition: self.first[partition] + upto})
        self.committed[partition] = max(upto, self.committed.get(partition, 0))  # it never goes back

    def seek(self) -> None:
        partition = self.some()
        held = self.committed.get(partition, 0)
        if partition in self.snapshots:
            held = min(held, self.snapshots[partition].offset - self.first[partition])
        place = self.random.randint(max(0, held), len(self.records[partition]))
        self.consumer(partition).seek(partition, self.first[partition] + place)
        self.position[partition] = place

    def snapshot(self) -> None:
        partition = self.some()
        least = 0
        if partition in self.snapshots:
            least = self.snapshots[partition].offset - self.first[partition]
        if self.position[partition] < least or (
            partition not in self.snapshots and self.committed.get(partition)
        ):
            return  # older records may be gone
        place = self.random.randint(least, self.position[partition])
        snapshot = Snapshot(self.first[partition] + place, {"n": b"%d" % self.number})
        self.spool.snapshots.save(partition, snapshot)
        self.snapshots[partition] = snapshot

    def close(self) -> None:
        self.spool.close()
        self.open()

    def kill(self) -> None:
        """What is on the disk now, with half an append behind it."""
        copy = self.directory.with_name("copy")
        shutil.copytree(self.directory, copy)
        self.spool.close()
        shutil.rmtree(self.directory)
        copy.rename(self.directory)
        for folder in self.directory.glob("*-*"):
            last = sorted(folder.glob("*.segment"))[-1]
            frame = b"\xf5AJ1" + (500).to_bytes(4, "little") + bytes(500 + HEADER_BYTES - 8)
            with last.open("ab") as file:
                file.write(frame[: self.random.randint(0, len(frame) - 1)])
        self.open()


@pytest.mark.parametrize("seed", range(12))
def test_random_sequences(tmp_path: Path, seed: int) -> None:
    model = Model(tmp_path / "spool", seed)
    actions = [model.append] * 6 + [model.poll] * 8 + [model.commit] * 3
    actions += [model.seek, model.snapshot, model.close, model.kill]
    for _ in range(250):
        model.random.choice(actions)()
    assert model.rejects == []
    # in the end everything that was appended is read, from the committed offset on
    model.close()
    for _ in range(200):
        model.poll()
    for partition, records in model.records.items():
        consumer = model.consumer(partition)
        while consumer.lag()[partition]:
            model.poll()
        assert model.position[partition] == len(records)
    model.spool.close()
