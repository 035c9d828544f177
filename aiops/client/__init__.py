"""Typed Python client of the HTTP API, sync and async. It imports nothing of the server.

>>> from aiops.client import Client
>>> with Client("http://127.0.0.1:8080", token="aiops_...") as client:  # doctest: +SKIP
...     incident = client.get_incident("01J...")
"""

from __future__ import annotations

from aiops.client.client import SERVER, AsyncClient, Client
from aiops.client.errors import (
    BadRequest,
    Busy,
    CannotConnect,
    ClientError,
    Conflict,
    ConnectionLost,
    Fault,
    Forbidden,
    Invalid,
    NotFound,
    Problem,
    ProblemAnswer,
    ServerFailed,
    Stale,
    Unauthorized,
    UnexpectedAnswer,
)
from aiops.client.event_stream import Event
from aiops.client.exchange import Retries

__all__ = [
    "SERVER",
    "AsyncClient",
    "BadRequest",
    "Busy",
    "CannotConnect",
    "Client",
    "ClientError",
    "Conflict",
    "ConnectionLost",
    "Event",
    "Fault",
    "Forbidden",
    "Invalid",
    "NotFound",
    "Problem",
    "ProblemAnswer",
    "Retries",
    "ServerFailed",
    "Stale",
    "Unauthorized",
    "UnexpectedAnswer",
]
