"""Operations of ``deliveries``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiops.client import models
from aiops.client.calls import Call


def post_webhook(document: Mapping[str, object]) -> Call[models.Receipt]:
    """An Alertmanager or Grafana webhook, version 4."""
    return Call("POST", "/api/v1/ingest/alertmanager", {200: models.Receipt}, body=document)


def post_v2_alerts(document: Sequence[Mapping[str, object]]) -> Call[None]:
    """Alerts as Prometheus sends them to an Alertmanager."""
    return Call("POST", "/api/v2/alerts", {200: None}, body=document)


def post_remote_write(
    document: bytes | str,
    *,
    content_type: str = "application/x-protobuf",
    content_encoding: str | None = None,
) -> Call[None]:
    """Prometheus remote write, 1.0 or 2.0 by its content type: snappy-compressed protobuf.

    2.0 is told what was written by its headers, and 400 where a part could not be: the rest is written all
    the same, and the sender does not try again.
    """
    return Call(
        "POST",
        "/api/v1/write",
        {204: None},
        headers={"content-encoding": content_encoding},
        body=document,
        content_type=content_type,
    )


def post_otlp_logs(
    document: bytes | str,
    *,
    content_type: str = "application/x-protobuf",
    content_encoding: str | None = None,
) -> Call[None]:
    """OTLP/HTTP logs, protobuf or JSON, plain or gzip. A body that is sent again is kept once."""
    return Call(
        "POST",
        "/v1/logs",
        {200: None},
        headers={"content-encoding": content_encoding},
        body=document,
        content_type=content_type,
    )


def post_otlp_metrics(
    document: bytes | str,
    *,
    content_type: str = "application/x-protobuf",
    content_encoding: str | None = None,
) -> Call[None]:
    """OTLP/HTTP metrics, protobuf or JSON, plain or gzip."""
    return Call(
        "POST",
        "/v1/metrics",
        {200: None},
        headers={"content-encoding": content_encoding},
        body=document,
        content_type=content_type,
    )


def post_cloudevents(
    document: Mapping[str, object] | Sequence[Mapping[str, object]],
    *,
    content_type: str = "application/cloudevents+json",
) -> Call[models.Receipt]:
    """CloudEvents 1.0: structured or batched by content type, binary by ``ce-`` headers."""
    return Call(
        "POST", "/api/v1/ingest/cloudevents", {200: models.Receipt}, body=document, content_type=content_type
    )


def post_pagerduty(document: Mapping[str, object]) -> Call[models.PagerDutyReceipt]:
    """An event as PagerDuty's Events API v2 takes it: ``trigger``, ``acknowledge``, ``resolve`` of the alert
    that ``dedup_key`` names. An acknowledgement goes on to the alert's incident. ``routing_key`` is
    ignored: the token says who sends.
    """
    return Call("POST", "/api/v1/ingest/pagerduty", {202: models.PagerDutyReceipt}, body=document)


def post_lines(
    document: bytes | str, *, content_type: str = "text/plain", content_encoding: str | None = None
) -> Call[models.Receipt]:
    """Lines of syslog or of log files, with a priority or a time each; one body by one ``Idempotency-Key`` is
    kept once.
    """
    return Call(
        "POST",
        "/api/v1/ingest/lines",
        {200: models.Receipt},
        headers={"content-encoding": content_encoding},
        body=document,
        content_type=content_type,
        keyed=True,
    )


def get_status() -> Call[models.AlertmanagerStatus]:
    """What Alertmanager's clients ask before they send."""
    return Call("GET", "/api/v2/status", {200: models.AlertmanagerStatus})


def post_change(document: models.ChangeRequest | Mapping[str, object]) -> Call[models.Receipt]:
    """A deployment, a configuration, a maintenance; the same source and external id again updates it."""
    return Call("POST", "/api/v1/changes", {200: models.Receipt, 201: models.Receipt}, body=document)
