"""The server in front of an application: its socket, its bounds, its certificate. The API and the daemon have the same."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import structlog
import uvicorn
from fastapi import FastAPI

from aiops.errors import ConfigError, StoreUnavailable
from aiops.settings import Settings
from aiops.wiring.http_protocol import bounded_protocol

_log = structlog.get_logger(__name__)
LOOPBACK = ("127.0.0.1", "::1", "localhost")
MAX_HEAD_BYTES = 32 * 1024  # first line and headers; the application refuses less than that with a problem


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises :class:`StoreUnavailable` naming the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns Nagle's algorithm off; else every short answer waits 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StoreUnavailable(
            f"cannot listen on {host}:{port}: {error.strerror}", hint="take another with --port"
        ) from error
    return listener


def make_server(
    app: FastAPI, settings: Settings, *, keep_alive_s: int = 5, stop_s: int = 10
) -> uvicorn.Server:
    """Unstarted. Raises :class:`ConfigError` where the certificate cannot be used."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        http=bounded_protocol(settings.header_timeout_s),
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        limit_concurrency=settings.max_connections,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        timeout_keep_alive=keep_alive_s,
        timeout_graceful_shutdown=stop_s,
    )
    if settings.tls_cert is not None:
        context = tls_context(settings)
        config.ssl_context_factory = lambda _config, _default: context
    return uvicorn.Server(config)


def tls_context(settings: Settings) -> ssl.SSLContext:
    """TLS 1.2 or newer with the certificate of the settings. Raises :class:`ConfigError`."""
    assert settings.tls_cert is not None
    assert settings.tls_key is not None
    for key, path in (("AIOPS_TLS_CERT", settings.tls_cert), ("AIOPS_TLS_KEY", settings.tls_key)):
        _readable(path, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    password = settings.secret("tls_key_password")
    try:
        # An empty password, where none is given, so that OpenSSL does not ask on the terminal.
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password or "")
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(
            f"cannot use {settings.tls_cert} with {settings.tls_key}: {error}",
            hint="check that they belong together, and AIOPS_TLS_KEY_PASSWORD_FILE",
        ) from error
    return context


def renew_certificate(server: uvicorn.Server, settings: Settings) -> None:
    """Connections from now on get the certificate that is in the files now. One that cannot be used is logged, and the one from
    before stays."""
    context = getattr(server.config, "ssl", None)
    if settings.tls_cert is None or context is None:
        return
    try:
        tls_context(settings)  # as a whole, before any of it is used
        context.load_cert_chain(
            settings.tls_cert, settings.tls_key, settings.secret("tls_key_password") or ""
        )
    except (ConfigError, ssl.SSLError, OSError) as error:
        _log.error("the changed certificate is refused, the old one stays", reason=str(error))
    else:
        _log.info("certificate renewed")


def _readable(path: Path, key: str) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", hint=f"check {key}") from error


def hosts_allowed(settings: Settings) -> tuple[str, ...]:
    """The names of ``AIOPS_ALLOWED_HOSTS``; without them those of the loopback where we are bound to it, else any."""
    if settings.allowed_hosts:
        return tuple(dict.fromkeys((*settings.allowed_hosts, "localhost")))
    return ("localhost",) if settings.host in LOOPBACK else ()
