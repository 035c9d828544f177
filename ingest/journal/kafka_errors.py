"""Errors of kafka-python as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kafka import errors

from aiops.errors import StoreUnavailable
from ingest.journal.kafka_settings import KafkaSettings

_RIGHTS = (
    errors.AuthorizationError,
    errors.SaslAuthenticationFailedError,
    errors.UnsupportedSaslMechanismError,
    errors.IllegalSaslStateError,
)


def unavailable(settings: KafkaSettings, what: str, exc: BaseException) -> StoreUnavailable:
    """StoreUnavailable that names the brokers and the reason; the password is in neither."""
    hint = "see that the brokers run and can be reached from here"
    if isinstance(exc, _RIGHTS):
        hint = f"see the user, the password and the rights of {settings.user or 'this client'}"
    elif isinstance(exc, OSError | ValueError | errors.KafkaConfigurationError):
        hint = "see the settings of the connection: protocol, files of certificates"
    said = str(exc) or type(exc).__name__
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
