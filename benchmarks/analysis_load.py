"""From a posted incident to its analysis on a generated site: latency in process and over HTTP, clients, memory, growth.

``python -m benchmarks.analysis_load [--quick] [--only NAME] [-o FILE]``; NAME: ``process``, ``http``, ``clients``, ``growth``.
Sites are written into the embedded stores first, which takes minutes for the largest. Every figure is of processes of its own.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import Result, parser, result, write
from benchmarks.site import SEED, incidents
from benchmarks.stored_site import Made, peak_mb, site_faults, store_site

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "bench_0123456789abcdef0123456789abcdef"
ENTITIES, SMALL, LARGE = 100_000, 10_000, 1_000_000
CLIENTS = 8
LIMIT_MS, HTTP_LIMIT_MS, LIMIT_RATE, LIMIT_MB, GROWTH_LIMIT = 32.0, 60.0, 200.0, 1500.0, 1.5


def main(arguments: Sequence[str] | None = None) -> None:
    arguments_of = parser(__doc__ or "")
    arguments_of.add_argument(
        "--sites", metavar="FOLDER", type=Path, help="keep the sites here, use those there"
    )
    options = arguments_of.parse_args(arguments)
    wanted = [name for name in ("process", "http", "clients", "growth") if options.only in (None, name)]
    with tempfile.TemporaryDirectory(prefix="aiops-") as temporary:
        folder = options.sites or Path(temporary)
        results = [row for name in wanted for row in _bench(name, folder, quick=options.quick)]
    write(results, seed=SEED, output=options.output)


def _bench(name: str, folder: Path, *, quick: bool) -> list[Result]:
    count, seconds = (40, 5.0) if quick else (200, 20.0)
    if name == "growth":
        return _growth(folder, count, quick=quick)
    made = _site(folder, SMALL if quick else ENTITIES)
    if name == "process":
        return _in_process(made, count)
    return _over_http(made, count) if name == "http" else _clients(made, seconds)


def _site(folder: Path, entities: int) -> Made:
    """The site of that size, written unless it has been."""
    place = folder / str(entities)
    written = folder / f"{entities}.json"
    if not written.exists():
        made = store_site(place, entities)
        written.write_text(json.dumps([made.entities, made.relations, made.alarms, made.seconds]))
    found = json.loads(written.read_text())
    return Made(place, *found)


def _named(made: Made) -> str:
    return f"{made.entities:,} entities, {made.relations:,} relations, {made.alarms:,} alarms"


def _in_process(made: Made, count: int) -> list[Result]:
    found = _measured(made, count)
    name = _named(made)
    return [
        _p95(f"in process, {name}: wall, p95", found["wall_ms"], "ms", LIMIT_MS),
        _p95(f"in process, {name}: CPU, p95", found["cpu_ms"], "CPU ms", LIMIT_MS),
        result(f"in process, {name}: CPU, median", found["cpu_ms"], "CPU ms"),
        result(f"in process, {name}: memory", [found["peak_mb"]], "MB", peer="limit", peer_runs=[LIMIT_MB]),
    ]


def _growth(folder: Path, count: int, *, quick: bool) -> list[Result]:
    """p95 at a million entities over that at ten thousand; CPU time, since the machine has other work as well."""
    rows = []
    runs: dict[int, list[float]] = {}
    for entities in (SMALL, ENTITIES if quick else LARGE):
        made = _site(folder, entities)
        found = _measured(made, count)
        runs[entities] = found["cpu_ms"]
        rows.append(_p95(f"in process, {_named(made)}: CPU, p95", found["cpu_ms"], "CPU ms", LIMIT_MS))
        rows.append(result(f"in process, {_named(made)}: memory", [found["peak_mb"]], "MB"))
    small, large = (float(np.quantile(values, 0.95)) for values in runs.values())
    named = " over ".join(f"{entities:,}" for entities in reversed(runs))
    rows.append(
        Result(
            f"p95 at {named} entities", large / small, "", "limit", GROWTH_LIMIT, large / small / GROWTH_LIMIT
        )
    )
    return rows


def _measured(made: Made, count: int) -> dict[str, Any]:
    child = subprocess.run(
        [sys.executable, "-m", "benchmarks.stored_site", str(made.folder), str(count)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(child.stdout)
    return found


def _p95(name: str, runs: Sequence[float], unit: str, limit: float) -> Result:
    value = float(np.quantile(runs, 0.95))
    return Result(name, value, unit, "limit", limit, value / limit, tuple(round(run, 3) for run in runs))


# over HTTP ----------------------------------------------------------------------------------------------------------


def _over_http(made: Made, count: int) -> list[Result]:
    with _served(made.folder) as (port, _):
        times = [_timed(port, body) for body in _bodies(count + 40, "one")][40:]
    return [_p95(f"over HTTP, {_named(made)}: wall, p95", times, "ms", HTTP_LIMIT_MS)]


def _clients(made: Made, seconds: float) -> list[Result]:
    """Eight clients as fast as they can, and the same eight at an empty route of the same framework."""
    rows = []
    bodies = list(_bodies(20_000, "many"))
    for workers in (1, 2):
        with _served(made.folder, workers=workers) as (port, server):
            for body in bodies[:40]:
                _timed(port, body)
            bodies = bodies[40:]
            before = _cpu_s(server)
            done, times = _load(port, "/api/v1/incidents?wait=30s", bodies, seconds)
            spent = _cpu_s(server) - before
            bodies = bodies[done:]
            held = sum(peak_mb(str(process)) for process in _family(server))
        name = f"eight clients, {_named(made)}, {workers} process{'es' if workers > 1 else ''}"
        rate = done / seconds
        rows.append(Result(f"{name}: analyses", rate, "1/s", "limit", LIMIT_RATE, rate / LIMIT_RATE))
        rows.append(_p95(f"{name}: wall, p95", times, "ms", HTTP_LIMIT_MS))
        each = spent * 1000.0 / max(1, done)
        rows.append(result(f"{name}: CPU of the server an analysis", [each], "CPU ms"))
        rows.append(result(f"{name}: memory", [held], "MB", peer="limit", peer_runs=[LIMIT_MB]))
    with _empty_route() as port:
        done, _ = _load(port, "/empty", [bodies[0]] * 200_000, seconds / 3.0)
    empty = done / (seconds / 3.0)
    best = max(row.value for row in rows if row.unit == "1/s")
    rows.append(
        Result("analyses over requests to an empty FastAPI route", best, "1/s", "empty", empty, best / empty)
    )
    return rows


def _bodies(count: int, run: str) -> Iterator[bytes]:
    """Incidents as they are posted, each with an external id of its own."""
    for incident in incidents(site_faults(), count):
        document = {
            "title": incident.title,
            "started_at": incident.started_at.isoformat().replace("+00:00", "Z"),
            "source": "bench",
            "external_id": f"{run}-{time.time_ns()}",
            "affected": [{"ref": entity} for entity in incident.affected],
        }
        yield json.dumps(document).encode()


def _timed(port: int, body: bytes, path: str = "/api/v1/incidents?wait=30s") -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    began = time.perf_counter()
    _post(connection, path, body)
    took = (time.perf_counter() - began) * 1000.0
    connection.close()
    return took


def _post(connection: http.client.HTTPConnection, path: str, body: bytes) -> None:
    """Raises SystemExit on an answer that holds no analysis."""
    connection.request(
        "POST", path, body, {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    )
    answer = connection.getresponse()
    said = answer.read()
    if path != "/empty" and (answer.status != 201 or b'"analysis_status":"done"' not in said):
        raise SystemExit(f"POST {path} answered {answer.status}: {said[:300]!r}")


def _load(port: int, path: str, bodies: Sequence[bytes], seconds: float) -> tuple[int, list[float]]:
    """How many were answered in that time, and how long each took, ms."""
    waiting, lock = iter(bodies), threading.Lock()
    times: list[float] = []
    end = time.perf_counter() + seconds

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while (began := time.perf_counter()) < end:
            with lock:
                body = next(waiting)
            _post(connection, path, body)
            with lock:
                times.append((time.perf_counter() - began) * 1000.0)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(times), times


@contextmanager
def _served(folder: Path, workers: int = 1) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """``aiops serve`` on that data, as a user runs it; its port and its process."""
    policy = folder / "grouping.yaml"
    policy.write_text(
        "default: {enabled: false}\n"
    )  # posted incidents are measured, not those that alarms make
    environment = {**os.environ, "AIOPS_BOOTSTRAP_TOKEN": TOKEN, "AIOPS_RATE_PER_MINUTE": "0"}
    environment["AIOPS_GROUPING"] = str(policy)
    command = [sys.executable, "-m", "aiops", "serve", "--data", str(folder), "--port", "0"]
    command += ["--workers", str(workers)] if workers > 1 else []
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    try:
        said = ""
        while "aiops serves" not in said:
            said = server.stderr.readline()
            if not said and server.poll() is not None:
                raise SystemExit("aiops serve ended before it served")
        threading.Thread(target=server.stderr.read, daemon=True).start()
        port = int(said.partition("127.0.0.1:")[2].split()[0])
        _wait_until_ready(port)
        yield port, server
    finally:
        server.terminate()
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_ready(port: int) -> None:
    end = time.monotonic() + 120.0
    while time.monotonic() < end:
        with (
            suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer,
        ):
            if answer.status == 200:
                return
        time.sleep(0.2)
    raise SystemExit("aiops serve was not ready after two minutes")


def _family(server: subprocess.Popen[str]) -> list[int]:
    """A process and its children. Linux only."""
    found = [server.pid]
    for task in Path(f"/proc/{server.pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _cpu_s(server: subprocess.Popen[str]) -> float:
    """CPU seconds that a process and its children have used. Linux only."""
    ticks = 0
    for process in _family(server):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


_EMPTY = """
import sys, uvicorn
from fastapi import FastAPI
app = FastAPI()
@app.post("/empty")
async def empty():
    return {}
config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning")
server = uvicorn.Server(config)
sock = config.bind_socket()
print(sock.getsockname()[1], flush=True)
server.run(sockets=[sock])
"""


@contextmanager
def _empty_route() -> Iterator[int]:
    server = subprocess.Popen([sys.executable, "-c", _EMPTY], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        port = int(server.stdout.readline())
        time.sleep(1.0)  # the address is bound, the loop begins
        yield port
    finally:
        server.terminate()
        server.wait(30)


if __name__ == "__main__":
    main()
