"""gRPC beside the HTTP surface of a process, on a port of its own, with the same certificate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from fastapi import FastAPI

from aiops.api.rpc.server import RpcOptions, RpcServer
from aiops.errors import ConfigError
from aiops.settings import Settings


@contextmanager
def serve_rpc(settings: Settings, app: FastAPI) -> Iterator[str]:
    """Served until left; gives the address. Raises :class:`ConfigError`, :class:`aiops.errors.StoreUnavailable`."""
    assert settings.grpc_port is not None
    options = RpcOptions(settings.host, settings.grpc_port, settings.max_body_bytes, _certificate(settings))
    server = RpcServer(app, options)
    server.start()
    try:
        yield f"{settings.host}:{server.port}"
    finally:
        server.stop()


def _certificate(settings: Settings) -> tuple[bytes, bytes] | None:
    """Key, without its password, and chain: gRPC takes no password."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    password = settings.secret("tls_key_password")
    try:
        chain, key = settings.tls_cert.read_bytes(), settings.tls_key.read_bytes()
        if password is not None:
            loaded = load_pem_private_key(key, password.encode())
            key = loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"cannot use {settings.tls_key}: {error}", hint="check AIOPS_TLS_KEY_PASSWORD_FILE"
        ) from error
    return key, chain
