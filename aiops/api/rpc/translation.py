"""Messages as the documents of the HTTP API and back. Names and shapes are the same on both sides, so nothing is spelled out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc
import orjson
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message

from aiops.api.rpc.generated import aiops_v1_pb2 as messages

#: HTTP's status for gRPC's (https://grpc.io/docs/guides/status-codes/): what the caller can do about it is the same.
CODES: Mapping[int, grpc.StatusCode] = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    409: grpc.StatusCode.ABORTED,
    412: grpc.StatusCode.FAILED_PRECONDITION,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.UNAVAILABLE,
}
#: Members of a cause that have no field of their own: they are in ``document``.
_CAUSE = frozenset({field.name for field in messages.RootCause.DESCRIPTOR.fields})


def code_of(status: int) -> grpc.StatusCode:
    return CODES.get(status, grpc.StatusCode.UNKNOWN)


def document_of(message: Message) -> dict[str, Any]:
    """What is set in ``message``, as the HTTP API's JSON."""
    found: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return found


def analysis_of(document: Mapping[str, Any]) -> messages.Analysis:
    """The analysis resource as a message, with the whole of it beside."""
    causes = [
        {name: value for name, value in cause.items() if name in _CAUSE} for cause in document["causes"]
    ]
    plain = {name: value for name, value in document.items() if name != "document"}
    found = ParseDict({**plain, "causes": causes}, messages.Analysis(), ignore_unknown_fields=True)
    found.document = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    return found


def progress_of(document: Mapping[str, Any]) -> messages.Progress:
    return ParseDict(dict(document), messages.Progress(), ignore_unknown_fields=True)
