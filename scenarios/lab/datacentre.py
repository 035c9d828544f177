"""One running lab: built, driven and taken away again, whatever happens in between."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from scenarios.lab.cgroups import ControlGroups
from scenarios.lab.commands import LabError, run
from scenarios.lab.layout import HOSTS, SWITCHES, Host, hosts_file
from scenarios.lab.network import Network
from scenarios.lab.programs import (
    LINKWATCH,
    RSYSLOG,
    SERVICE_FILES,
    SETTINGS,
    Lab,
    directories,
    preparation,
    programs_of,
    rsyslog_conf,
)

HERE = Path(__file__).resolve().parent
CPU_SHARES = 10_240  # ten times the default, so that other work on the machine disturbs a recording less


class DataCentre:
    """A context manager: entering builds and starts everything, leaving removes everything by its id."""

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.work = Path(tempfile.mkdtemp(prefix=f"{name}-", dir="/var/tmp"))
        self.work.chmod(0o755)
        self.lab = Lab(self.work, HERE.parents[1], sys.executable, seed)
        self.network = Network(name)
        self.groups = ControlGroups(name)
        self._lxcfs: subprocess.Popen[bytes] | None = None
        self._inits: list[subprocess.Popen[bytes]] = []

    @property
    def received(self) -> Path:
        """The folder into which the recorder writes."""
        return self.work / "received"

    def __enter__(self) -> DataCentre:
        try:
            self._build()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    # -- driving ----------------------------------------------------------------------------------

    def ask(self, host: str, **request: Any) -> dict[str, Any]:
        """Send one request to the supervisor of ``host``; raises :class:`LabError` if it failed."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(40)
            try:
                connection.connect(str(self.work / host / "control"))
                connection.sendall(json.dumps(request).encode() + b"\n")
                answer: dict[str, Any] = json.loads(connection.makefile("rb").readline())
            except (OSError, ValueError) as exc:
                raise LabError(f"{host} does not answer {request}: {exc}") from exc
        if "error" in answer or answer.get("rc"):
            raise LabError(f"{host}: {request}: {answer}")
        return answer

    def shell(self, host: str, *argv: str, user: str = "root") -> str:
        """Run a command on ``host`` and return its output."""
        return str(self.ask(host, op="run", argv=list(argv), user=user)["out"])

    def in_network(self, name: str, *argv: str, text: str | None = None) -> str:
        """Run a command in the network namespace of a host or switch."""
        return self.network.inside(name, *argv, text=text)

    def fetch(self, url: str) -> Any:
        """GET a JSON document from inside mon-1."""
        return json.loads(self.network.inside("mon-1", "curl", "-sS", "--max-time", "5", url))

    def down_targets(self) -> list[str]:
        """Targets that Prometheus cannot scrape, and probes that fail."""
        failing = []
        for query in ("up", "probe_success"):
            answer = self.fetch(f"http://127.0.0.1:9090/api/v1/query?query={query}")
            results = answer["data"]["result"]
            if not results:
                return [f"no {query} yet"]
            failing += [
                f"{query} {r['metric']['job']} {r['metric']['instance']}"
                for r in results
                if r["value"][1] != "1"
            ]
        return sorted(failing)

    def alerts(self) -> list[dict[str, Any]]:
        """Alerts that are pending or firing, as Prometheus tells it."""
        answer: list[dict[str, Any]] = self.fetch("http://127.0.0.1:9090/api/v1/alerts")["data"]["alerts"]
        return answer

    def wait_until_up(self, timeout_s: float = 90.0) -> None:
        """Return once everything is up; raises :class:`LabError` that names what is not."""
        deadline = time.monotonic() + timeout_s
        failing = ["prometheus"]
        while time.monotonic() < deadline:
            with contextlib.suppress(LabError, ValueError):
                failing = self.down_targets()
                if not failing:
                    return
            time.sleep(2)
        raise LabError(f"{self.name} is not up after {timeout_s:.0f} s: {', '.join(failing)}")

    # -- building ---------------------------------------------------------------------------------

    def _build(self) -> None:
        self.received.mkdir()
        (self.work / "hosts").write_text(hosts_file())
        self.groups.build(CPU_SHARES)
        self.network.build()
        self._start_lxcfs()
        for switch in SWITCHES:
            if switch.address:
                self._start_switch(switch.name)
        for host in HOSTS:
            self._start_host(host)

    def _start_lxcfs(self) -> None:
        mountpoint = self.work / "lxcfs"
        mountpoint.mkdir()
        self._lxcfs = subprocess.Popen(
            ["lxcfs", "-f", "-l", "--enable-cfs", "-p", str(self.work / "lxcfs.pid"), str(mountpoint)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _wait_for(lambda: (mountpoint / "proc" / "stat").exists(), "lxcfs to mount its files")

    def _start_switch(self, name: str) -> None:
        """A core switch: a host of its own kind, with nothing but rsyslog and the link watcher."""
        home = self.work / name
        home.mkdir()
        (home / "srv").mkdir()
        shutil.copy(HERE / "services" / "linkwatch.py", home / "srv")
        self.groups.add(name, 0.2, 96)
        self._launch(
            name,
            programs=[p.as_json() for p in (RSYSLOG, LINKWATCH)],
            binds=self._settings(home, (), rsyslog_conf("rfc3164-udp", name)),
            srv=str(home / "srv"),
        )

    def _start_host(self, host: Host) -> None:
        home = self.work / host.name
        home.mkdir()
        self.groups.add(host.name, host.cpu_cores, host.memory_mb)
        for program in host.programs:
            for file in SERVICE_FILES.get(program, ()):
                target = home / "srv" / program
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy(HERE / file, target)
                (target / "flags.json").write_text("{}")
        image = home / "disk.img"
        if host.disk:
            with image.open("wb") as blocks:
                blocks.truncate(host.disk.size_mb * 1024 * 1024)
            run(["mkfs.ext4", "-q", "-m", "0", str(image)])
        self._launch(
            host.name,
            programs=[p.as_json() for p in programs_of(host, self.lab)],
            binds=self._settings(
                home,
                host.programs,
                rsyslog_conf(host.syslog, host.fqdn if host.fqdn_in_syslog else host.name),
            ),
            srv=str(home / "srv") if (home / "srv").exists() else "",
            disk={"image": str(image), "mount": host.disk.mount} if host.disk else None,
            directories=directories(host),
            prepare=preparation(host),
        )

    def _settings(self, home: Path, programs: tuple[str, ...], rsyslog: str) -> list[tuple[str, str]]:
        (home / "rsyslog.conf").write_text(rsyslog)
        (home / "resolv.conf").write_text("")
        binds = [
            (str(self.work / "hosts"), "/etc/hosts"),
            (str(home / "resolv.conf"), "/etc/resolv.conf"),
            (str(home / "rsyslog.conf"), "/etc/rsyslog.conf"),
        ]
        for program in programs:
            if program in SETTINGS:
                target, files = SETTINGS[program]
                folder = home / "etc" / program
                folder.mkdir(parents=True)
                for file in files:
                    shutil.copy(HERE / "config" / file, folder)
                binds.append((str(folder), target))
        return binds

    def _launch(self, name: str, **spec: Any) -> None:
        home = self.work / name
        whole = {
            "hostname": name,
            "work": str(home),
            "lxcfs": str(self.work / "lxcfs"),
            "cgroup": f"/{self.name}/{name}",
            "memory_cgroup": str(self.groups.path("memory", name)),
            "control": str(home / "control"),
            "disk": None,
            "srv": "",
            "directories": [],
            "prepare": [],
        } | spec
        (home / "spec.json").write_text(json.dumps(whole, indent=1))
        with (self.work / f"{name}.log").open("wb") as log:
            init = subprocess.Popen(
                [
                    *("nsenter", f"--net=/run/netns/{self.network.namespace(name)}"),
                    *("unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"),
                    *("/usr/bin/python3", "-E", str(HERE / "supervisor.py"), str(home / "spec.json")),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: self.groups.join(name),
            )
        self._inits.append(init)
        _wait_for(lambda: (home / "control").exists() or init.poll() is not None, f"the supervisor of {name}")
        if init.poll() is not None:
            raise LabError(
                f"the supervisor of {name} ended: {(self.work / f'{name}.log').read_text()[-2000:]}"
            )

    # -- removing ---------------------------------------------------------------------------------

    def remove(self) -> None:
        """Undo everything. Never raises for what is already gone, so that it can run after any failure."""
        self.stop()
        if os.environ.get("AIOPS_LAB_KEEP") != "1":
            shutil.rmtree(self.work, ignore_errors=True)

    def stop(self) -> None:
        """End every process and take away groups, namespaces and mounts; the files stay."""
        for init in self._inits:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(init.pid, signal.SIGKILL)
        self.groups.remove()
        for init in self._inits:
            with contextlib.suppress(subprocess.TimeoutExpired):
                init.wait(timeout=5)
        self._inits.clear()
        self.network.remove()
        if self._lxcfs is not None:
            self._lxcfs.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._lxcfs.wait(timeout=5)
            with contextlib.suppress(LabError):
                run(["umount", "-l", str(self.work / "lxcfs")])
            self._lxcfs = None


def _wait_for(condition: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"waited {timeout_s:.0f} s in vain for {what}")
        time.sleep(0.05)
