"""The gRPC server: the service, its health and its reflection, on a loop and a thread of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection
from starlette.types import ASGIApp

from aiops.api.rpc.generated import aiops_v1_pb2 as messages
from aiops.api.rpc.generated.aiops_v1_pb2_grpc import add_RootCauseAnalysisServicer_to_server
from aiops.api.rpc.inner import Asked, ask
from aiops.api.rpc.service import Service
from aiops.errors import StoreUnavailable

SERVICE = messages.DESCRIPTOR.services_by_name["RootCauseAnalysis"].full_name
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RpcOptions:
    """``certificate``: PEM of (key, chain); None: no TLS. ``health_s``: how often readiness is looked at."""

    host: str
    port: int
    message_bytes: int
    certificate: tuple[bytes, bytes] | None = None
    concurrent: int = 64
    health_s: float = 5.0
    stop_s: float = 10.0


class _Loop:
    """The one event loop that gRPC runs on: its library wakes the loop it was first used on, and no other, so the loop is made
    once a process, by its first server, and lives as long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """``work`` to its end, on the loop; raises what it raises."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="grpc", daemon=True).start()
        asyncio.run_coroutine_threadsafe(work, self._loop).result()


_LOOP = _Loop()


class RpcServer:
    """Serves between :meth:`start` and :meth:`stop`; ``port`` is the one that was taken."""

    def __init__(self, app: ASGIApp, options: RpcOptions) -> None:
        self._app = app
        self._options = options
        self._server: grpc.aio.Server | None = None
        self._watching: asyncio.Task[None] | None = None
        self.port = options.port

    def start(self) -> None:
        """Raises :class:`StoreUnavailable` where the address is taken."""
        _LOOP.run(self._begin())

    def stop(self) -> None:
        """Calls that are running may end within ``stop_s``."""
        _LOOP.run(self._finish())

    async def _begin(self) -> None:
        options = self._options
        server = grpc.aio.server(
            maximum_concurrent_rpcs=options.concurrent,
            options=(
                ("grpc.max_receive_message_length", options.message_bytes),
                ("grpc.so_reuseport", 0),
            ),
        )
        add_RootCauseAnalysisServicer_to_server(  # type: ignore[no-untyped-call]
            Service(self._app, secure=options.certificate is not None), server
        )
        health = HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
        reflection.enable_server_reflection(
            (SERVICE, "grpc.health.v1.Health", reflection.SERVICE_NAME), server
        )
        address = (
            f"[{options.host}]:{options.port}" if ":" in options.host else f"{options.host}:{options.port}"
        )
        try:
            if options.certificate is None:
                self.port = server.add_insecure_port(address)
            else:
                credentials = grpc.ssl_server_credentials([options.certificate])
                self.port = server.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise StoreUnavailable(
                f"cannot listen on {address} for gRPC", hint="take another with --grpc-port"
            ) from error
        await server.start()
        self._server = server
        self._watching = asyncio.create_task(self._watch(health))

    async def _watch(self, health: HealthServicer) -> None:
        """Health as ``/readyz`` has it, for the server ("") and for the service."""
        while True:
            answered = await ask(self._app, Asked("GET", "/readyz"))
            serving = health_pb2.HealthCheckResponse.SERVING
            status = serving if answered.status == 200 else health_pb2.HealthCheckResponse.NOT_SERVING
            for name in ("", SERVICE):
                await health.set(name, status)
            await asyncio.sleep(self._options.health_s)

    async def _finish(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        if self._server is not None:
            await self._server.stop(self._options.stop_s)
