"""What runs on the lab's hosts: the supervisor's words, the recorder's bytes, the link watcher's lines."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from scenarios.lab import sealing, supervisor
from scenarios.lab.recorder import RawFile, _receive_stream
from scenarios.lab.services.linkwatch import LINE


class FakeJournal(supervisor.Journal):
    """Keeps lines instead of sending them."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def log(self, facility: int, severity: int, tag: str, text: str) -> None:
        self.lines.append(f"{facility}.{severity} {tag}: {text}")


@pytest.fixture
def host(tmp_path: Path) -> supervisor.Supervisor:
    (tmp_path / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 0\n")
    spec: dict[str, Any] = {
        "memory_cgroup": str(tmp_path),
        "cgroup": "/dc7/app-1",
        "programs": [{"name": "shop", "argv": ["shop"]}],
    }
    made = supervisor.Supervisor(spec)
    made.journal = FakeJournal()
    return made


def lines_of(host: supervisor.Supervisor) -> list[str]:
    assert isinstance(host.journal, FakeJournal)
    return host.journal.lines


def test_a_failure_is_told_in_systemds_words_and_leads_to_a_restart(host: supervisor.Supervisor) -> None:
    shop = host.programs["shop"]
    host.ended(shop, 1)
    assert lines_of(host) == [
        "3.5 systemd[1]: shop.service: Main process exited, code=exited, status=1/FAILURE",
        "3.4 systemd[1]: shop.service: Failed with result 'exit-code'.",
    ]
    assert shop.failed
    assert shop.start_at > 0


def test_a_kill_by_the_kernel_is_told_apart_from_another_kill(
    host: supervisor.Supervisor, tmp_path: Path
) -> None:
    shop = host.programs["shop"]
    host.ended(shop, -9)
    assert lines_of(host)[-1].endswith("Failed with result 'signal'.")
    (tmp_path / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
    host.ended(shop, -9)
    assert lines_of(host)[-3:] == [
        "3.5 systemd[1]: shop.service: A process of this unit has been killed by the OOM killer.",
        "3.5 systemd[1]: shop.service: Main process exited, code=killed, status=9/KILL",
        "3.4 systemd[1]: shop.service: Failed with result 'oom-kill'.",
    ]


def test_a_stop_that_was_asked_for_is_no_failure(host: supervisor.Supervisor) -> None:
    shop = host.programs["shop"]
    shop.wanted = False
    host.ended(shop, 0)
    assert lines_of(host)[-1] == "3.6 systemd[1]: Stopped shop.service."
    assert not shop.failed


def test_only_the_kernels_lines_about_this_host_are_passed_on(host: supervisor.Supervisor) -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    kill = "Memory cgroup out of memory: Killed process 5 (python3)"
    for record in (
        "6,1,1,-;oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/dc8/app-1,task=python3",
        f"3,2,2,-;{kill}",
        "6,3,3,-;oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/dc7/app-1,task=python3",
        f"3,4,4,-;{kill}",
        "6,5,5,-;eth0: something else",
    ):
        os.write(write_end, record.encode())
        host.read_kernel(read_end)
    os.close(write_end)
    os.close(read_end)
    assert lines_of(host) == [
        "0.6 kernel: oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/dc7/app-1,task=python3",
        f"0.3 kernel: {kill}",
    ]


def test_output_becomes_lines_also_when_it_comes_in_pieces(host: supervisor.Supervisor) -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    for piece in (b"first li", b"ne\n\nsecond\nrest"):
        os.write(write_end, piece)
        host.forward_output(read_end, "shop", 7)
    os.close(write_end)
    os.close(read_end)
    assert lines_of(host) == ["3.6 shop[7]: first line", "3.6 shop[7]: second"]


def test_a_stream_is_recorded_as_it_came(tmp_path: Path) -> None:
    path = tmp_path / "syslog.bin"
    out = RawFile(path)
    here, there = socket.socketpair()
    here.sendall(b"11 <13>1 hello\xff\n")
    here.close()
    _receive_stream(there, "tcp 10.77.2.11:4#1", out)
    out.close()
    frames = list(sealing.read_raw(path, 0.0, 1e12))
    assert [(frame.peer, frame.payload) for frame in frames] == [
        ("tcp 10.77.2.11:4#1", b"11 <13>1 hello\xff\n")
    ]


@pytest.mark.parametrize(
    ("line", "port", "up"),
    [
        (
            "5: swp2@if6: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1500 master br0 state LOWERLAYERDOWN",
            "swp2",
            False,
        ),
        ("5: swp2@if6: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 master br0 state UP", "swp2", True),
        ("2: uplink: <BROADCAST,MULTICAST> mtu 1500 state DOWN", "uplink", False),
    ],
)
def test_the_link_watcher_reads_what_ip_prints(line: str, port: str, up: bool) -> None:
    match = LINE.match(line)
    assert match is not None
    assert match["port"] == port
    assert ("LOWER_UP" in match["flags"].split(",")) is up
