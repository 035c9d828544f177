"""A real Neo4j with its Browser on loopback, in the foreground: ``python -m servers.neo4j_server``.

The test suite starts its own through :func:`start`. Needs a JDK 17 and, the first time, Maven.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import neo4j
from neo4j.exceptions import DriverError, Neo4jError

from servers.jars import ServerUnavailable, jars, java
from servers.processes import end, kill, with_parent

_OPENS = [f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in ("java.nio", "java.io", "sun.nio.ch")]
_FAST = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.disable.jmx=true"]

CONF = """\
server.default_listen_address=127.0.0.1
server.default_advertised_address=127.0.0.1
server.bolt.listen_address=127.0.0.1:{bolt}
server.http.listen_address=127.0.0.1:{http}
server.memory.pagecache.size=128m
dbms.security.auth_enabled=true
dbms.usage_report.enabled=false
db.tx_log.preallocate=false
db.store.files.preallocate=false
internal.dbms.bolt.netty_server_shutdown_quiet_period=0
"""


@dataclass(frozen=True, slots=True)
class Neo4jServer:
    """A running server. ``process`` is None where somebody else runs it."""

    uri: str
    http: str
    user: str
    password: str
    process: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """End the server that :func:`start` began, by its process."""
        end(self.process)

    def kill(self) -> None:
        """kill -9."""
        kill(self.process)


def start(home: Path, password: str, *, bolt: int, http: int, timeout_s: float = 240.0) -> Neo4jServer:
    """Start Neo4j with its data in ``home`` and wait until it answers. Raises ServerUnavailable.

    ``password`` is set on the first start of ``home``; later starts must give the same.
    """
    command = [java(), *_OPENS]
    library = f"{jars('neo4j')}/*"
    conf = home / "conf"
    conf.mkdir(parents=True, exist_ok=True)
    (conf / "neo4j.conf").write_text(CONF.format(bolt=bolt, http=http), "utf-8")
    environment = {**os.environ, "NEO4J_HOME": str(home), "NEO4J_CONF": str(conf)}
    auth = home / "data" / "dbms" / "auth.ini"
    if not auth.exists():
        admin = ["-cp", library, f"-Dbasedir={home}", "org.neo4j.cli.AdminTool"]
        done = subprocess.run(  # noqa: S603 (fixed command)
            [*command, *_FAST, *admin, "dbms", "set-initial-password", password],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode or not auth.exists():
            raise ServerUnavailable(f"cannot set the password: {done.stdout[-300:]}{done.stderr[-600:]}")
    entry = [
        "-cp",
        library,
        "org.neo4j.server.CommunityEntryPoint",
        f"--home-dir={home}",
        f"--config-dir={conf}",
    ]
    with (home / "console.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 (fixed command)
            [*with_parent(), *command, "-Xms256m", "-Xmx512m", *_FAST, *entry],
            env=environment,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    server = Neo4jServer(f"bolt://127.0.0.1:{bolt}", f"http://127.0.0.1:{http}", "neo4j", password, process)
    try:
        _wait(server, home / "console.log", timeout_s)
    except BaseException:
        server.stop()
        raise
    return server


def _wait(server: Neo4jServer, log: Path, timeout_s: float) -> None:
    """Until a first query has been answered, which takes seconds longer than Bolt."""
    assert server.process is not None
    give_up = time.monotonic() + timeout_s
    while True:
        if server.process.poll() is not None:
            raise ServerUnavailable(f"Neo4j ended at once: {log.read_text('utf-8', 'replace')[-800:]}")
        try:
            with neo4j.GraphDatabase.driver(server.uri, auth=(server.user, server.password)) as driver:
                driver.execute_query(
                    "CREATE (n:Warm {n: 1}) WITH n MATCH (m:Warm) DETACH DELETE m RETURN count(*)"
                )
            return
        except (DriverError, Neo4jError) as exc:
            if time.monotonic() > give_up:
                raise ServerUnavailable(f"Neo4j does not answer at {server.uri}: {exc}") from exc
            time.sleep(0.5)


def _password(home: Path) -> str:
    """The password of ``home``: made on the first start, kept beside the data, readable by its owner only."""
    file = home / "password"
    if not file.exists():
        home.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secrets.token_urlsafe(12))
    return file.read_text("utf-8").strip()


def main(arguments: list[str] | None = None) -> int:
    """Run until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m servers.neo4j_server", description=main.__doc__)
    parser.add_argument("--home", type=Path, default=Path("artefacts/neo4j"), help="data and logs; kept")
    parser.add_argument("--bolt", type=int, default=7687, help="port of Bolt")
    parser.add_argument("--http", type=int, default=7474, help="port of Neo4j Browser")
    parser.add_argument(
        "--fetch", action="store_true", help="only fetch the jars, so that a later start is quick"
    )
    options = parser.parse_args(arguments)
    home = options.home.resolve()
    try:
        if options.fetch:
            print(jars("neo4j"))
            return 0
        server = start(home, _password(home), bolt=options.bolt, http=options.http)
    except ServerUnavailable as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    print(f"Neo4j Browser  {server.http}\nBolt           {server.uri}\nuser           {server.user}")
    print(f"password       {home / 'password'}\nCtrl-C stops it; the data stays in {home}", flush=True)
    assert server.process is not None
    with contextlib.suppress(KeyboardInterrupt):
        server.process.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
