"""All settings: read once, at the top, from the environment and the command line. Stages take plain arguments.

A secret is given by value (``AIOPS_NEO4J_PASSWORD``) or by file (``AIOPS_NEO4J_PASSWORD_FILE``), never both.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from aiops.errors import ConfigError


def default_data_dir() -> Path:
    """Where the embedded store lives unless told otherwise."""
    return Path.home() / ".local" / "share" / "aiops"


class Settings(BaseSettings):
    """Every setting is an environment variable ``AIOPS_<NAME>``; docs/operations.md lists them all."""

    model_config = SettingsConfigDict(env_prefix="AIOPS_", extra="ignore")

    store: Literal["sqlite", "neo4j"] = Field("sqlite", description="where the graph is kept")
    data: Path = Field(
        default_factory=default_data_dir, description="directory of the embedded store, signals, dead letters"
    )
    neo4j_uri: str = Field("bolt://127.0.0.1:7687", description="address of Neo4j")
    neo4j_user: str = Field("neo4j", description="user of Neo4j")
    neo4j_password: SecretStr | None = Field(None, description="password of Neo4j")
    neo4j_password_file: Path | None = Field(None, description="file that holds the password of Neo4j")
    neo4j_database: str = Field("neo4j", description="database within Neo4j")

    host: str = Field("127.0.0.1", description="address the API binds to")
    port: int = Field(8080, ge=0, le=65535, description="port the API binds to; 0 takes a free one")
    bootstrap_token: SecretStr | None = Field(None, description="first administrator's token")
    bootstrap_token_file: Path | None = Field(
        None, description="file that holds the first administrator's token"
    )
    tenant: str = Field(
        "default",
        pattern=r"^[a-z0-9][a-z0-9-]{0,31}$",
        description="tenant that aiops ingest works for; aiops serve serves all",
    )
    tenants_max: int = Field(16, ge=1, le=1000, description="tenants that aiops serve has open at once")
    rate_per_minute: int = Field(
        120_000, ge=0, description="requests a minute of a token that has no rate of its own; 0: no limit"
    )
    tls_cert: Path | None = Field(
        None, description="certificate chain (PEM) to serve HTTPS with; needs AIOPS_TLS_KEY"
    )
    tls_key: Path | None = Field(None, description="private key (PEM) of AIOPS_TLS_CERT")
    tls_key_password: SecretStr | None = Field(None, description="password of the private key")
    tls_key_password_file: Path | None = Field(
        None, description="file that holds the password of the private key"
    )
    allowed_hosts: tuple[str, ...] = Field(
        (),
        description="names that requests may be sent to; by default those of the loopback when bound to it",
    )
    trusted_proxies: tuple[str, ...] = Field(
        (), description="addresses or networks whose X-Forwarded-For and -Proto are believed"
    )
    max_connections: int = Field(1000, ge=10, description="connections at once before the API says 503")
    header_timeout_s: float = Field(
        15.0,
        gt=0,
        description="for the headers of a request to arrive before its connection is closed, seconds",
    )
    metrics_host: str = Field("127.0.0.1", description="address that AIOPS_METRICS_PORT binds to")
    grpc_port: int | None = Field(
        None, ge=0, le=65535, description="port for gRPC; without it there is none, 0 takes a free one"
    )
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="port for /metrics of its own, which is then not served beside the API",
    )
    audit_max_bytes: int = Field(64 * 2**20, ge=2**16, description="bound of the audit log, bytes")
    audit_max_age_s: float = Field(
        400 * 86400.0, gt=0, description="audit entries older than this go first, seconds"
    )
    webhooks_allow_http: bool = Field(False, description="let webhooks go out without TLS")
    webhooks_allow_private: bool = Field(
        False, description="let webhooks go to this machine and to private networks"
    )
    webhooks_ca_file: Path | None = Field(
        None, description="certificates (PEM) of authorities that webhooks trust beside the well-known ones"
    )
    webhooks_max: int = Field(100, ge=0, description="webhooks of a tenant")
    webhooks_pending_max: int = Field(
        10_000,
        ge=1,
        description="webhook deliveries of a tenant that wait; beyond it the oldest are given up",
    )
    webhooks_kept_max: int = Field(
        5_000, ge=1, description="delivered webhooks of a tenant that can be looked at, and as many dead ones"
    )
    max_body_bytes: int = Field(16 * 2**20, ge=1024, description="largest request body, bytes")
    analysis_workers: int = Field(2, ge=1, le=64, description="analyses that run at once")
    analysis_queue: int = Field(64, ge=1, description="analyses that may wait before the API says 503")

    signals_max_bytes: int = Field(2 * 2**30, ge=2**20, description="bound of the raw signals on disk, bytes")
    signals_max_age_s: float = Field(
        7 * 86400.0, gt=0, description="raw signals older than this go first, seconds"
    )
    dead_letters_max_bytes: int = Field(256 * 2**20, ge=2**16, description="bound of the dead letters, bytes")

    rules: tuple[Path, ...] = Field((), description="rule packs to load beside those that ship")
    model: Path | None = Field(None, description="model directory; default is the one that ships")
    model_enabled: bool = Field(True, description="let the network correct the prior")
    mapping: Path | None = Field(None, description="mapping file from labels and lines to the graph")
    catalogue: tuple[Path, ...] = Field(
        (), description="directories of own messages, tried before the catalogue that ships"
    )

    grouping: Path | None = Field(None, description="file of policies for grouping alarms into incidents")
    subgraph_max_entities: int = Field(500, ge=10, description="bound of the candidate subgraph")
    subgraph_chosen_entities: int = Field(
        120, ge=10, description="entities chosen of a neighbourhood that exceeds that bound"
    )
    workers: int = Field(1, ge=1, le=64, description="processes that serve the API behind one address")
    topology_snapshot: bool = Field(True, description="keep the topology in memory for analyses")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="own log level")

    @model_validator(mode="after")
    def _one_way_to_give_a_secret(self) -> Settings:
        for name in ("neo4j_password", "bootstrap_token", "tls_key_password"):
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                raise ValueError(f"give AIOPS_{name.upper()} or AIOPS_{name.upper()}_FILE, not both")
        return self

    @model_validator(mode="after")
    def _certificate_and_key(self) -> Settings:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("give AIOPS_TLS_CERT and AIOPS_TLS_KEY together")
        return self

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for one in given:
            ip_network(one, strict=False)
        return given

    def with_token(self, token: str) -> Settings:
        """The same settings with this administrator's token."""
        return self.model_copy(update={"bootstrap_token": SecretStr(token), "bootstrap_token_file": None})

    def secret(self, name: Literal["neo4j_password", "bootstrap_token", "tls_key_password"]) -> str | None:
        """The secret's text, from its value or its file (the last newline is no part of it).

        Raises :class:`ConfigError` where the file cannot be read or is empty.
        """
        value: SecretStr | None = getattr(self, name)
        path: Path | None = getattr(self, f"{name}_file")
        if path is None:
            return value.get_secret_value() if value is not None else None
        return read_secret(path, f"AIOPS_{name.upper()}_FILE")


def read_secret(path: Path, key: str) -> str:
    """The text of a file that holds a secret; the last newline is no part of it. ``key`` is what named the file.

    Raises :class:`ConfigError` where it cannot be read or is empty.
    """
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}", hint=f"check {key}", file=str(path)) from error
    if not text:
        raise ConfigError(f"{path} is empty", hint="it must hold the secret and nothing else", file=str(path))
    return text


def load_settings(*, file: Mapping[str, object] | None = None, **overrides: object) -> Settings:
    """Settings from ``file`` (what a configuration file says), the environment above it, ``overrides`` (those that are not None)
    on top.

    Raises :class:`ConfigError` naming each setting that is wrong.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**(_beneath_environment(file or {}) | given))  # type: ignore[arg-type]
    except ValidationError as error:
        problems = "; ".join(
            f"AIOPS_{'_'.join(str(part) for part in item['loc']).upper() or 'SETTINGS'}: {item['msg']}"
            for item in error.errors()
        )
        raise ConfigError(
            f"settings are wrong: {problems}", hint="docs/operations.md lists every setting"
        ) from error
    except SettingsError as error:
        found = re.search(r'field "(\w+)"', str(error))
        name = f"AIOPS_{found[1].upper()}" if found else "a setting"
        raise ConfigError(
            f"settings are wrong: {name}: {os.environ.get(name, '')!r} is not JSON",
            hint=f"""several values are a JSON list: {name}='["one", "other"]'""",
        ) from error


def _beneath_environment(values: Mapping[str, object]) -> dict[str, object]:
    """Those of ``values`` that no variable gives, be it by the other way to give the same secret."""
    taken = {name.upper() for name in os.environ}

    def is_given(name: str) -> bool:
        plain = name.removesuffix("_file").upper()
        return bool(taken & {f"AIOPS_{name.upper()}", f"AIOPS_{plain}", f"AIOPS_{plain}_FILE"})

    return {name: value for name, value in values.items() if not is_given(name)}
