"""Which server a command speaks to, and with which token: the option wins, then the environment, then the file.

The file is ``config.toml`` in ``$XDG_CONFIG_HOME/aiops`` (``~/.config/aiops``)::

    profile = "prod"                        # taken where neither --profile nor AIOPS_PROFILE says otherwise

    [profiles.prod]
    server = "https://aiops.example.net"
    token_file = "/home/me/.config/aiops/prod.token"
    ca_file = "/etc/ssl/site-ca.pem"
    output = "table"
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aiops.client import SERVER
from aiops.errors import ConfigError

KEYS = ("server", "token", "token_file", "ca_file", "output")


@dataclass(frozen=True, slots=True)
class Connection:
    """Where to, as whom. ``origins``: for each of the parts who said it, for ``aiops config connection`` and errors."""

    server: str = SERVER
    token: str | None = None
    ca_file: Path | None = None
    output: str | None = None
    profile: str | None = None
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_chosen(self) -> bool:
        """Whether somebody named a server."""
        return "server" in self.origins


def config_path(environment: Mapping[str, str]) -> Path:
    base = environment.get("XDG_CONFIG_HOME") or str(Path(environment.get("HOME") or Path.home()) / ".config")
    return Path(base) / "aiops" / "config.toml"


def find_connection(
    server: str | None = None,
    token: str | None = None,
    ca_file: Path | None = None,
    profile: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Connection:
    """What is in force. Raises :class:`ConfigError` on a file that cannot be used and a profile that is not there."""
    given = os.environ if environment is None else environment
    path = config_path(given)
    known = read_profiles(path)
    name = profile or given.get("AIOPS_PROFILE") or known.chosen
    kept = known.profile(name) if name else {}
    where = f"{path} [profiles.{name}]"
    origins: dict[str, str] = {}

    def first(key: str, option: object, variable: str) -> str | None:
        for value, origin in (
            (option, f"--{key.replace('_', '-')}"),
            (given.get(variable), variable),
            (kept.get(key), where),
        ):
            if value:
                origins[key] = origin
                return str(value)
        return None

    address = first("server", server, "AIOPS_SERVER")
    authority = first("ca_file", ca_file, "AIOPS_CA_FILE")
    secret = _token(token, given, kept, where, origins)
    return Connection(
        server=address or SERVER,
        token=secret,
        ca_file=Path(authority) if authority else None,
        output=kept.get("output"),
        profile=name,
        origins=origins,
    )


@dataclass(frozen=True, slots=True)
class Profiles:
    """What the file says. ``chosen``: the profile that is taken unless told otherwise."""

    path: Path
    chosen: str | None = None
    profiles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def profile(self, name: str) -> Mapping[str, str]:
        """Raises :class:`ConfigError` where there is none, with those that are."""
        if name not in self.profiles:
            near = difflib.get_close_matches(name, self.profiles, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(self.profiles) or 'none'}"
            raise ConfigError(f"{self.path} has no profile {name!r}", hint=hint, file=str(self.path))
        return self.profiles[name]


def read_profiles(path: Path) -> Profiles:
    """The file at ``path``; empty where there is none. Raises :class:`ConfigError`."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return Profiles(path)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot read {path}: {error}", hint="docs/cli.md shows one", file=str(path)
        ) from error
    chosen, tables = document.pop("profile", None), document.pop("profiles", {})
    if document or not isinstance(tables, dict) or not isinstance(chosen, (str, type(None))):
        wrong = next(iter(document), "profiles")
        raise ConfigError(
            f"{path}: {wrong!r} is not understood", hint="docs/cli.md shows one", file=str(path)
        )
    return Profiles(path, chosen, {name: _profile(path, name, table) for name, table in tables.items()})


def _profile(path: Path, name: str, table: object) -> Mapping[str, str]:
    if not isinstance(table, dict):
        raise ConfigError(
            f"{path}: profiles.{name} is no table", hint="docs/cli.md shows one", file=str(path)
        )
    for key, value in table.items():
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(KEYS)}"
            raise ConfigError(f"{path}: profiles.{name}.{key} is unknown", hint=hint, file=str(path))
        if not isinstance(value, str):
            raise ConfigError(
                f"{path}: profiles.{name}.{key} must be text", hint="put it in quotes", file=str(path)
            )
    return table


def _token(
    option: str | None,
    given: Mapping[str, str],
    kept: Mapping[str, str],
    where: str,
    origins: dict[str, str],
) -> str | None:
    """The token's text, from the first that gives one: a value, or a file that holds it."""
    for value, file, origin in (
        (option, None, "--token"),
        (given.get("AIOPS_TOKEN"), None, "AIOPS_TOKEN"),
        (None, given.get("AIOPS_TOKEN_FILE"), "AIOPS_TOKEN_FILE"),
        (kept.get("token"), kept.get("token_file"), where),
    ):
        if value:
            origins["token"] = origin
            return value
        if file:
            origins["token"] = f"{origin} ({file})"
            return _read_token(Path(file), origin)
    return None


def _read_token(path: Path, origin: str) -> str:
    try:
        text = path.expanduser().read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"cannot read the token in {path}: {reason}", hint=f"check {origin}") from error
    if not text:
        raise ConfigError(
            f"{path} is empty", hint=f"it must hold a token and nothing else; {origin} names it"
        )
    return text
