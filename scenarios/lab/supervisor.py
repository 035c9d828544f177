"""Process 1 of a host of the lab: mounts what is the host's own, keeps its programs running, logs what systemd would.

Runs under Debian's own Python (standard library only), inside the host's namespaces and control groups:
``python3 supervisor.py SPEC.json``. Talks JSON lines over a unix socket: {"op": "stop"|"start"|"restart", "program"},
{"op": "run"|"spawn", "argv", "user"}, {"op": "status"}.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

RESTART_DELAY_S = 4.0
KERNEL, DAEMON = 0, 3
WARNING, NOTICE, INFO = 4, 5, 6


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def prepare_mounts(spec: dict[str, Any]) -> None:
    """Give the host its own /proc figures, /dev, /run, /var/log, /etc/hosts, programs' settings and disk."""
    if spec["disk"]:
        mount("-o", "loop", spec["disk"]["image"], spec["disk"]["mount"])
    if spec["lxcfs"]:
        for name in ("stat", "meminfo", "loadavg", "uptime", "cpuinfo"):
            mount("--bind", f"{spec['lxcfs']}/proc/{name}", f"/proc/{name}")
    staging = Path(spec["work"]) / "dev"
    staging.mkdir()
    mount("-t", "tmpfs", "-o", "mode=755,size=16m", "dev", str(staging))
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        (staging / name).touch()
        mount("--bind", f"/dev/{name}", str(staging / name))
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        (staging / name).symlink_to(target)
    (staging / "shm").mkdir(mode=0o1777)
    (staging / "shm").chmod(0o1777)
    mount("--rbind", str(staging), "/dev")
    for path, options in (("/run", "mode=755,size=16m"), ("/var/log", "mode=755,size=24m")):
        mount("-t", "tmpfs", "-o", options, "tmpfs", path)
    if spec["srv"]:
        mount("-t", "tmpfs", "-o", "mode=755,size=16m", "tmpfs", "/srv")
        subprocess.run(["cp", "-r", f"{spec['srv']}/.", "/srv/"], check=True)
    for source, target in spec["binds"]:
        mount("--bind", source, target)
    for directory, owner in spec["directories"]:
        Path(directory).mkdir(parents=True, exist_ok=True)
        user = pwd.getpwnam(owner)
        os.chown(directory, user.pw_uid, user.pw_gid)


class Journal:
    """Sends lines to the host's /dev/log; keeps the last ones while rsyslog is not there yet."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque(maxlen=500)

    def log(self, facility: int, severity: int, tag: str, text: str) -> None:
        stamp = time.strftime("%b %e %H:%M:%S")
        self._waiting.append(f"<{facility * 8 + severity}>{stamp} {tag}: {text}".encode()[:2000])
        self.flush()

    def flush(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            try:
                out.connect("/dev/log")
                while self._waiting:
                    out.send(self._waiting[0])
                    self._waiting.popleft()
            except OSError:
                return  # tried again at the next tick


class Program:
    """One supervised program and what became of it."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.name: str = settings["name"]
        self.argv: list[str] = settings["argv"]
        self.user: str = settings.get("user", "root")
        self.environment: dict[str, str] = settings.get("env", {})
        self.oom_score: int = settings.get("oom_score", 0)
        self.stop_signal: int = getattr(signal, settings.get("stop_signal", "SIGTERM"))
        self.process: subprocess.Popen[bytes] | None = None
        self.wanted = True
        self.restarts = 0
        self.start_at = 0.0
        self.failed = False

    @property
    def unit(self) -> str:
        return f"{self.name}.service"


class Supervisor:
    """The loop: output, deaths, restarts, kernel lines, control requests, unit states as metrics."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.journal = Journal()
        self.programs = {p["name"]: Program(p) for p in spec["programs"]}
        self.selector = selectors.DefaultSelector()
        self.oom_kills = 0
        self._kernel_line_is_ours = False
        self._partial: dict[int, bytes] = {}

    def log(self, text: str, severity: int = INFO) -> None:
        self.journal.log(DAEMON, severity, "systemd[1]", text)

    # -- programs ---------------------------------------------------------------------------------

    def start(self, program: Program) -> None:
        read_end, write_end = os.pipe()
        user = pwd.getpwnam(program.user)
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": user.pw_dir}
        program.process = subprocess.Popen(
            program.argv,
            stdin=subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            env=environment | program.environment,
            user=user.pw_uid,
            group=user.pw_gid,
            extra_groups=[],
            cwd="/",
            start_new_session=True,
        )
        os.close(write_end)
        os.set_blocking(read_end, False)
        Path(f"/proc/{program.process.pid}/oom_score_adj").write_text(str(program.oom_score))
        self.selector.register(read_end, selectors.EVENT_READ, ("output", program.name, program.process.pid))
        program.failed = False
        self.log(f"Started {program.unit}.")

    def stop(self, program: Program) -> None:
        program.wanted = False
        if program.process is not None:
            self.log(f"Stopping {program.unit}...")
            program.process.send_signal(program.stop_signal)

    def reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for program in self.programs.values():
                if program.process is not None and program.process.pid == pid:
                    program.process.returncode = os.waitstatus_to_exitcode(status)
                    self.ended(program, os.waitstatus_to_exitcode(status))

    def ended(self, program: Program, code: int) -> None:
        program.process = None
        if not program.wanted:
            self.log(f"{program.unit}: Deactivated successfully.")
            self.log(f"Stopped {program.unit}.")
            return
        killed_by_oom = code == -9 and self.count_oom_kills() > self.oom_kills
        self.oom_kills = self.count_oom_kills()
        if killed_by_oom:
            self.log(f"{program.unit}: A process of this unit has been killed by the OOM killer.", NOTICE)
        if code < 0:
            how = f"code=killed, status={-code}/{signal.Signals(-code).name.removeprefix('SIG')}"
        else:
            how = f"code=exited, status={code}/{'SUCCESS' if code == 0 else 'FAILURE'}"
        result = "oom-kill" if killed_by_oom else "signal" if code < 0 else "exit-code"
        self.log(f"{program.unit}: Main process exited, {how}", NOTICE)
        self.log(f"{program.unit}: Failed with result '{result}'.", WARNING)
        program.failed = True
        program.start_at = time.monotonic() + RESTART_DELAY_S

    def restart_due(self) -> None:
        for program in self.programs.values():
            if program.process is None and program.wanted and time.monotonic() >= program.start_at:
                program.restarts += 1
                self.log(f"{program.unit}: Scheduled restart job, restart counter is at {program.restarts}.")
                self.start(program)

    def count_oom_kills(self) -> int:
        text = Path(self.spec["memory_cgroup"], "memory.oom_control").read_text()
        match = re.search(r"^oom_kill (\d+)", text, re.MULTILINE)
        return int(match[1]) if match else 0

    # -- lines ------------------------------------------------------------------------------------

    def forward_output(self, fd: int, name: str, pid: int) -> None:
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return
        if not data:
            self.selector.unregister(fd)
            os.close(fd)
            self._partial.pop(fd, None)
            return
        *lines, rest = (self._partial.get(fd, b"") + data).split(b"\n")
        self._partial[fd] = rest[-4000:]
        for line in lines:
            if line.strip():
                self.journal.log(DAEMON, INFO, f"{name}[{pid}]", line.decode(errors="replace"))

    def read_kernel(self, fd: int) -> None:
        """Pass on the kernel's lines about this host's own memory group; the rest is other machines' business."""
        while True:
            try:
                record = os.read(fd, 8192).decode(errors="replace")
            except BlockingIOError:
                return
            except OSError:
                continue  # EPIPE: lines were overwritten before we read them
            head, _, text = record.partition(";")
            text = text.split("\n", 1)[0]
            if "oom-kill:" in text:
                self._kernel_line_is_ours = f"oom_memcg={self.spec['cgroup']}," in text
            if self._kernel_line_is_ours and ("oom-kill:" in text or "Killed process" in text):
                severity = int(head.split(",", 1)[0]) & 7
                self.journal.log(KERNEL, severity, "kernel", text)

    # -- control ----------------------------------------------------------------------------------

    def serve(self, server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.settimeout(5)
            with connection.makefile("rwb") as stream:
                try:
                    answer = self.answer(json.loads(stream.readline()))
                except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
                    answer = {"error": repr(error)}
                with contextlib.suppress(OSError):
                    stream.write(json.dumps(answer).encode() + b"\n")
                    stream.flush()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        op = request["op"]
        if op == "status":
            return {name: p.process.pid if p.process else None for name, p in self.programs.items()}
        if op == "run":
            user = request.get("user", "root")
            done = subprocess.run(
                request["argv"],
                user=user,
                capture_output=True,
                text=True,
                timeout=request.get("timeout_s", 20),
                stdin=subprocess.DEVNULL,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
                cwd="/",
            )
            return {"rc": done.returncode, "out": done.stdout[-2000:], "err": done.stderr[-2000:]}
        if op == "spawn":
            subprocess.Popen(
                request["argv"],
                user=request.get("user", "root"),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
                cwd="/",
                start_new_session=True,
            )
            return {"rc": 0}
        program = self.programs[request["program"]]
        if op == "stop":
            self.stop(program)
        elif op == "start":
            program.wanted = True
            if program.process is None:
                self.start(program)
        elif op == "restart":
            self.stop(program)
            if program.process is not None:
                program.process.wait(timeout=15)
                self.ended(program, program.process.returncode)
            program.wanted = True
            self.start(program)
        else:
            raise ValueError(f"unknown op {op!r}")
        return {"rc": 0}

    def write_states(self) -> None:
        """Unit states under the names that node_exporter's systemd collector has, for its textfile collector."""
        lines = []
        for program in self.programs.values():
            for state, on in (("active", program.process is not None), ("failed", program.failed)):
                lines.append(
                    f'node_systemd_unit_state{{name="{program.unit}",state="{state}",type="simple"}} {int(on)}'
                )
            lines.append(f'node_systemd_service_restart_total{{name="{program.unit}"}} {program.restarts}')
        path = Path("/run/textfile/units.prom")
        path.with_suffix(".tmp").write_text("\n".join(lines) + "\n")
        path.with_suffix(".tmp").replace(path)

    def run(self) -> None:
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.selector.register(wake_read, selectors.EVENT_READ, ("wake", "", 0))
        kernel = self.spec.pop("kernel_fd")
        self.selector.register(kernel, selectors.EVENT_READ, ("kernel", "", 0))
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(self.spec["control"])
        server.listen(8)
        self.selector.register(server, selectors.EVENT_READ, ("control", "", 0))
        for program in self.programs.values():
            self.start(program)
        next_tick = next_report = 0.0
        while True:
            for key, _ in self.selector.select(timeout=2.0):
                what, name, pid = key.data
                if what == "wake":
                    os.read(wake_read, 4096)
                elif what == "kernel":
                    self.read_kernel(kernel)
                elif what == "control":
                    self.serve(server)
                else:
                    self.forward_output(key.fd, name, pid)
            self.reap()
            if time.monotonic() >= next_tick:
                next_tick = time.monotonic() + 1.0
                self.restart_due()
                self.journal.flush()
            if time.monotonic() >= next_report:
                next_report = time.monotonic() + 4.0
                self.write_states()


def main() -> None:
    spec = json.loads(Path(sys.argv[1]).read_text())
    socket.sethostname(spec["hostname"])
    spec["kernel_fd"] = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    os.lseek(spec["kernel_fd"], 0, os.SEEK_END)
    prepare_mounts(spec)
    Path("/run/textfile").mkdir()
    for step in spec["prepare"]:
        subprocess.run(
            step["argv"], check=True, user=step.get("user", "root"), stdout=subprocess.DEVNULL, cwd="/"
        )
    Supervisor(spec).run()


if __name__ == "__main__":
    main()
