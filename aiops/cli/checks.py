"""What ``aiops doctor`` looks at. Each check is a function that returns what it saw or raises what is wrong."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from aiops import wiring
from aiops.errors import AiopsError, ConfigError, StoreUnavailable
from aiops.packages import check_package_is_ours
from aiops.settings import Settings

#: A clock before this is certainly wrong (epoch seconds of 2026-01-01).
OLDEST_SANE_CLOCK_S = 1_767_225_600.0
LEAST_FREE_BYTES = 2**30


def run_checks(settings: Settings) -> list[dict[str, object]]:
    """Every check's outcome, in the order in which a set-up fails."""
    checks: tuple[tuple[str, Callable[[Settings], str]], ...] = (
        ("package", _package),
        ("clock", _clock),
        ("data directory", _data_directory),
        ("disk space", _disk_space),
        ("graph store", _graph_store),
        ("rule packs", _rule_packs),
        ("model", _model),
        ("mapping", _mapping),
        ("port", _port),
        ("access", _access),
    )
    return [_outcome(name, check, settings) for name, check in checks]


def _outcome(name: str, check: Callable[[Settings], str], settings: Settings) -> dict[str, object]:
    try:
        return {"check": name, "result": "ok", "detail": check(settings), "hint": ""}
    except AiopsError as error:
        return {"check": name, "result": "failed", "detail": error.message, "hint": error.hint}


def _package(_: Settings) -> str:
    check_package_is_ours("rules")
    return "rules is ours"


def _clock(_: Settings) -> str:
    now = time.time()
    if now < OLDEST_SANE_CLOCK_S:
        raise ConfigError("the system clock is years behind", hint="set it; event times are compared with it")
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))


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
    if settings.store == "neo4j" and settings.secret("neo4j_password") is None:
        raise ConfigError("no password for Neo4j", hint="set AIOPS_NEO4J_PASSWORD_FILE")
    if settings.store == "sqlite" and not (settings.data / wiring.GRAPH_FILE).exists():
        return "sqlite, new"
    stores = wiring.open_stores(settings)
    try:
        counts = stores.graph.counts()
    finally:
        stores.close()
    return f"{settings.store}: {sum(count for key, count in counts.items() if key.startswith('entity:'))} entities"


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
            hint = "another server has it; take another with --port" if error.errno == 98 else "check --host"
            raise StoreUnavailable(
                f"{settings.host}:{settings.port}: {os.strerror(error.errno or 0)}", hint=hint
            ) from error
    return f"{settings.host}:{settings.port} is free"


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
