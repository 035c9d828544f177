"""Errors of kafka-python as ours."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from kafka import errors

from aiops.errors import ConfigError, StoreUnavailable
from ingest.journal.kafka_settings import KafkaSettings

_RIGHTS = ("SaslAuthenticationFailed", "AuthorizationFailed", "UnsupportedSaslMechanism", "IllegalSaslState")
#: A refused login may end as this alone: only the last of several tries is named, and a broker's answer and its end race.
_NO_BOOTSTRAP = "Unable to bootstrap"
_TLS = ("SSL", "ssl", "certificate")


def unavailable(
    settings: KafkaSettings, what: str, exc: BaseException, *, cause: str = ""
) -> StoreUnavailable:
    """StoreUnavailable that names the brokers and the reason; the password is in neither."""
    said = f"{exc or type(exc).__name__}{f': {cause}' if cause else ''}"
    hint = "see that the brokers run and can be reached from here"
    if isinstance(exc, errors.AuthorizationError) or any(word in said for word in _RIGHTS):
        hint = f"see the user, the password and the rights of {settings.user or 'this client'}"
    elif settings.user and _NO_BOOTSTRAP in said and "certificate" not in said:
        hint = (
            f"see the user, the password and the rights of {settings.user}, the protocol and the certificates,"
            " and that the brokers run"
        )
    elif isinstance(exc, ValueError | errors.KafkaConfigurationError) or any(word in said for word in _TLS):
        hint = "see the settings of the connection: protocol, certificates"
    if settings.password:
        said = said.replace(settings.password, "***")
    return StoreUnavailable(
        f"Kafka at {', '.join(settings.bootstrap)}: {what}: {said}", hint=hint, retry_after_s=2.0
    )


@contextmanager
def translated(settings: KafkaSettings, what: str) -> Iterator[None]:
    """What kafka-python raises within becomes StoreUnavailable."""
    try:
        yield
    except (errors.KafkaError, OSError, ValueError, RuntimeError) as exc:
        raise unavailable(settings, what, exc) from exc


@contextmanager
def connecting(settings: KafkaSettings, what: str) -> Iterator[None]:
    """The same where a client is made: kafka-python raises that time is up, and only its log says what went wrong meanwhile."""
    check_files(settings)
    heard = _LastError()
    log = logging.getLogger("kafka.net")
    log.addHandler(heard)
    try:
        yield
    except (errors.KafkaError, OSError, ValueError, RuntimeError) as exc:
        raise unavailable(settings, what, exc, cause=heard.last) from exc
    finally:
        log.removeHandler(heard)


class _LastError(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if "bootstrap" in said.lower() and "Connection lost" not in said:
            return  # what is raised anyway
        if not self.last or "socket disconnected" not in said:  # the reason comes among many of these
            self.last = said[-300:]


def check_files(settings: KafkaSettings) -> None:
    """Raises ConfigError for a file of certificates that cannot be used."""
    if settings.security_protocol not in ("SSL", "SASL_SSL"):
        return
    context = ssl.create_default_context()
    for file in (settings.ca_file, settings.cert_file, settings.key_file):
        if file is not None and not file.is_file():
            raise ConfigError(f"Kafka: no file {file}", hint="see the settings of TLS", file=str(file))
    try:
        if settings.ca_file is not None:
            context.load_verify_locations(settings.ca_file)
        if settings.cert_file is not None:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError(
            f"Kafka: {settings.ca_file}, {settings.cert_file}, {settings.key_file}: {exc}",
            hint="they must be PEM, and the key that of the certificate",
            file=str(settings.cert_file or settings.ca_file),
        ) from exc
