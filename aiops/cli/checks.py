"""What ``aiops doctor`` looks at on this machine, before or beside a server.

Each check is a function that returns what it saw or raises what is wrong.
"""

from __future__ import annotations

import difflib
import errno
import os
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from aiops import wiring
from aiops.cli.outcomes import Check, Doubt, Row, outcomes
from aiops.errors import ConfigError, StoreUnavailable
from aiops.packages import check_package_is_ours
from aiops.settings import Settings

#: A clock before this is certainly wrong (epoch seconds of 2026-01-01).
OLDEST_SANE_CLOCK_S = 1_767_225_600.0
LEAST_FREE_BYTES = 2**30
#: From here on two names of settings are alike (difflib's ratio).
ALIKE = 0.88


def run_checks(settings: Settings) -> list[Row]:
    """Every check's outcome, in the order in which a set-up fails."""
    return outcomes(_CHECKS, settings)


def _package(_: Settings) -> str:
    check_package_is_ours("rules")
    return "no other package has taken its place"


def _clock(_: Settings) -> str:
    now = time.time()
    if now < OLDEST_SANE_CLOCK_S:
        raise ConfigError("the system clock is years behind", hint="set it; event times are compared with it")
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))


def _environment(_: Settings) -> str:
    """Variables that are nearly one of ours: such a setting is silently not in force."""
    known = {f"AIOPS_{name.upper()}" for name in Settings.model_fields}
    near = {
        name: match[0]
        for name in sorted(os.environ)
        if name.startswith("AIOPS_") and name not in known
        if (match := difflib.get_close_matches(name, known, n=1, cutoff=ALIKE))
    }
    if near:
        said = ", ".join(f"{name} (did you mean {match}?)" for name, match in near.items())
        raise Doubt(f"no setting is called {said}", hint="docs/operations.md lists every setting")
    count = sum(name in known for name in os.environ)
    return f"settings given by AIOPS_ variables: {count}"


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _data_directory(settings: Settings) -> str:
    place = _existing(settings.data)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise ConfigError(
            f"cannot write below {place}: {error.strerror}",
            hint="give --data or AIOPS_DATA a writable directory",
        ) from error
    return str(settings.data)


def _disk_space(settings: Settings) -> str:
    free = shutil.disk_usage(_existing(settings.data)).free
    if free < LEAST_FREE_BYTES:
        raise ConfigError(f"{free // 2**20} MB free", hint="make room, or lower AIOPS_SIGNALS_MAX_BYTES")
    wanted = settings.signals_max_bytes
    if free < wanted:
        raise ConfigError(
            f"{free // 2**20} MB free, signals may take {wanted // 2**20} MB",
            hint="lower AIOPS_SIGNALS_MAX_BYTES",
        )
    return f"{free // 2**30} GB free"


def _graph_store(settings: Settings) -> str:
    if settings.store == "sqlite" and not (settings.data / wiring.GRAPH_FILE).exists():
        return "sqlite, new"
    if settings.store == "neo4j":
        if settings.secret("neo4j_password") is None:
            raise ConfigError("no password for Neo4j", hint="set AIOPS_NEO4J_PASSWORD_FILE")
        _neo4j_answers(settings.neo4j_uri)
    try:
        counts = _counts(settings)
    except ConfigError as error:
        if settings.store != "neo4j" or "credentials" not in error.message:
            raise
        raise ConfigError(
            f"Neo4j at {settings.neo4j_uri} refuses user {settings.neo4j_user!r} with this password",
            hint="set AIOPS_NEO4J_USER and AIOPS_NEO4J_PASSWORD_FILE to what `cypher-shell` logs in with",
        ) from error
    known = sum(count for key, count in counts.items() if key.startswith("entity:"))
    if known == counts.get("entity:Unknown", 0):
        raise Doubt(
            f"{settings.store}: no topology is in it, so nothing that alerts name can be matched",
            hint="aiops topology import FILE, or aiops topology from-netbox FILE --import",
        )
    return f"{settings.store}: {known} entities"


def _counts(settings: Settings) -> Mapping[str, int]:
    stores = wiring.open_stores(settings)
    try:
        return stores.graph.counts()
    finally:
        stores.close()


def _neo4j_answers(uri: str) -> None:
    """Raises :class:`StoreUnavailable` at once where nobody listens, and not only after the driver's patience."""
    parts = urlsplit(uri)
    host, port = parts.hostname or "", parts.port or 7687
    try:
        socket.create_connection((host, port), timeout=5.0).close()
    except OSError as error:
        raise StoreUnavailable(
            f"nobody answers at Neo4j's {host}:{port}: {error.strerror or error}",
            hint="start Neo4j, or set AIOPS_NEO4J_URI to where it listens (bolt, usually port 7687)",
        ) from error


def _rule_packs(settings: Settings) -> str:
    return wiring.load_rule_engine(settings).version


def _model(settings: Settings) -> str:
    corrector = wiring.load_corrector(settings)
    return corrector.model if corrector is not None else "switched off"


def _mapping(settings: Settings) -> str:
    wiring.load_mapping(settings)
    return str(settings.mapping or "the one that ships")


def _port(settings: Settings) -> str:
    if settings.port == 0:
        return "any free one"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            if error.errno == errno.EADDRINUSE and _is_ours(where):
                raise Doubt(
                    f"an aiops server runs at {where} already",
                    hint=f"check it: aiops doctor --server http://{where}",
                ) from error
            hint = "check --host"
            if error.errno == errno.EADDRINUSE:
                hint = "another server has it; take another with --port"
            elif error.errno == errno.EACCES:
                hint = "ports below 1024 are for root; take another with --port"
            raise StoreUnavailable(f"{where}: {os.strerror(error.errno or 0)}", hint=hint) from error
    return f"{settings.host}:{settings.port} is free"


def _is_ours(where: str) -> bool:
    try:
        return "rules" in httpx.get(f"http://{where}/version", timeout=2.0, trust_env=False).json()
    except (httpx.HTTPError, ValueError):
        return False


def _secrets(settings: Settings) -> str:
    """Files that hold secrets: there, readable for us, and for nobody else."""
    files = [
        path for path in (settings.neo4j_password_file, settings.bootstrap_token_file) if path is not None
    ]
    settings.secret("bootstrap_token")
    if settings.store == "neo4j":
        settings.secret("neo4j_password")
    for path in files:
        if path.exists() and path.stat().st_mode & (
            stat.S_IRGRP | stat.S_IROTH | stat.S_IWGRP | stat.S_IWOTH
        ):
            raise Doubt(f"{path} can be read by others", hint=f"chmod 600 {path}")
    return f"in files that only their owner reads: {len(files)}" if files else "none is in a file"


def _access(settings: Settings) -> str:
    token = settings.secret("bootstrap_token")
    if (
        settings.host not in ("127.0.0.1", "::1", "localhost")
        and token is None
        and not (settings.data / wiring.TOKEN_FILE).exists()
    ):
        raise ConfigError(
            f"the API would listen on {settings.host} and no token exists",
            hint="set AIOPS_BOOTSTRAP_TOKEN_FILE",
        )
    return "loopback only" if settings.host in ("127.0.0.1", "::1", "localhost") else "token exists"


_CHECKS: tuple[Check[Settings], ...] = (
    ("package", _package),
    ("clock", _clock),
    ("environment", _environment),
    ("data directory", _data_directory),
    ("disk space", _disk_space),
    ("secrets", _secrets),
    ("graph store", _graph_store),
    ("rule packs", _rule_packs),
    ("model", _model),
    ("mapping", _mapping),
    ("port", _port),
    ("access", _access),
)
