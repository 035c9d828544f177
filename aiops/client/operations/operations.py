"""Operations of ``operations``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from aiops.client import models
from aiops.client.calls import Call


def get_health() -> Call[models.StatusDocument]:
    """The process answers."""
    return Call("GET", "/healthz", {200: models.StatusDocument})


def get_healthy() -> Call[str]:
    """The same, where Prometheus and Alertmanager have it."""
    return Call("GET", "/-/healthy", {200: None}, accept="text/plain")


def get_ready() -> Call[models.ReadyDocument]:
    """Whether everything that an analysis needs is there."""
    return Call("GET", "/readyz", {200: models.ReadyDocument})


def get_ready_plain() -> Call[str]:
    """The same, where Prometheus and Alertmanager have it."""
    return Call("GET", "/-/ready", {200: None}, accept="text/plain")


def get_metrics() -> Call[str]:
    """Our own metrics."""
    return Call("GET", "/metrics", {200: None}, accept="text/plain")


def get_version() -> Call[models.VersionDocument]:
    """What runs."""
    return Call("GET", "/version", {200: models.VersionDocument})


def get_stats() -> Call[models.StatsDocument]:
    """How much is held."""
    return Call("GET", "/api/v1/stats", {200: models.StatsDocument})


def list_sources() -> Call[models.SourceList]:
    """What came from whom since this process began, what became of it, and when something last came."""
    return Call("GET", "/api/v1/sources", {200: models.SourceList})
