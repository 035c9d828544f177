"""Log records of OTLP as events.

==================  ==================================================================================================
column              from
==================  ==================================================================================================
``host``            resource ``host.name``, else ``k8s.node.name``, else the record's ``host.name`` or ``hostname``
``app``             resource ``service.name`` (unless it is the SDK's ``unknown_service``), else ``k8s.container.name``,
                    ``process.executable.name``, else the record's ``appname`` or ``syslog.appname``
``procid``          resource ``process.pid``, else the record's ``proc_id``
``msgid``           ``event_name``, else the record's ``msg_id``
``severity``        ``severity_number`` by the table below, else the word in ``severity_text``
``message``         the body as text; without a body the event's name
``structured_data`` ``resource``, ``scope``, ``attributes`` and ``trace`` (``trace_id``, ``span_id`` in hexadecimal)
==================  ==================================================================================================

https://opentelemetry.io/docs/specs/otel/logs/data-model/
"""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from aiops.domain.batches import EventBatch
from ingest.parsers.event_rows import EventRows, severity_of_word, structured
from ingest.parsers.otlp_values import text_of, texts

#: SeverityNumber 1 to 24 to RFC 5424: the log data model's appendix B read backwards (TRACE and DEBUG 7, INFO 6, INFO2 to INFO4
#: notice 5, WARN 4, ERROR 3, ERROR2 critical 2, ERROR3 and ERROR4 alert 1, FATAL emergency 0).
SEVERITIES: tuple[int | None, ...] = (None, *([7] * 8), 6, 5, 5, 5, 4, 4, 4, 4, 3, 2, 1, 1, 0, 0, 0, 0)


def log_events(request: ExportLogsServiceRequest, *, source: str, received_at_s: float) -> EventBatch:
    """One event or one reject for every log record, in their order."""
    rows = EventRows(source, received_at_s)
    for group in request.resource_logs:
        resource = _Resource(texts(group.resource.attributes))
        for scoped in group.scope_logs:
            scope = _scope(scoped.scope)
            for record in scoped.log_records:
                _add(rows, record, resource, scope)
    return rows.batch()


def _scope(scope: InstrumentationScope) -> dict[str, str]:
    named = {"name": scope.name, "version": scope.version}
    return {name: text for name, text in named.items() if text} | texts(scope.attributes)


class _Resource:
    """What every record of a resource has from it."""

    __slots__ = ("app", "attributes", "host", "procid")

    def __init__(self, attributes: dict[str, str]) -> None:
        self.attributes = attributes
        self.host = _first(attributes, "host.name", "k8s.node.name")
        self.app = _app(attributes)
        self.procid = attributes.get("process.pid")


def _add(rows: EventRows, record: LogRecord, resource: _Resource, scope: dict[str, str]) -> None:
    raw = record.SerializeToString(deterministic=True)
    attributes = texts(record.attributes)
    message = text_of(record.body) or record.event_name
    if not message and not attributes:
        rows.reject(raw, "log record: it has no body, no event name and no attributes")
        return
    nanos = record.time_unix_nano or record.observed_time_unix_nano
    number = record.severity_number
    severity = SEVERITIES[number] if 0 <= number < len(SEVERITIES) else None
    groups = {"resource": resource.attributes, "scope": scope, "attributes": attributes}
    if record.trace_id or record.span_id:
        named = (("trace_id", record.trace_id), ("span_id", record.span_id))
        groups["trace"] = {name: value.hex() for name, value in named if any(value)}
    rows.add(
        raw,
        message,
        at_s=nanos / 1e9 if nanos else None,
        host=resource.host or _first(attributes, "host.name", "hostname"),
        app=resource.app or _first(attributes, "appname", "syslog.appname"),
        procid=resource.procid or attributes.get("proc_id"),
        msgid=record.event_name or attributes.get("msg_id"),
        severity=severity if severity is not None else severity_of_word(record.severity_text),
        structured_data=structured(groups),
    )


def _first(texts_of: Mapping[str, str], *names: str) -> str | None:
    return next((texts_of[name] for name in names if name in texts_of), None)


def _app(resource: Mapping[str, str]) -> str | None:
    service = resource.get("service.name", "")
    if service and not service.startswith("unknown_service"):
        return service
    return _first(resource, "k8s.container.name", "process.executable.name")
