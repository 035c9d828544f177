"""The service of ``aiops_v1.proto``: each call is a request to the HTTP application, in and out of messages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import quote

import grpc
import orjson
from google.protobuf.message import Message
from starlette.types import ASGIApp

from aiops.api.rpc.generated import aiops_v1_pb2 as messages
from aiops.api.rpc.generated.aiops_v1_pb2_grpc import RootCauseAnalysisServicer
from aiops.api.rpc.inner import Answered, Asked, Conversation, ask
from aiops.api.rpc.translation import analysis_of, code_of, document_of, progress_of

Context = grpc.aio.ServicerContext[Message, Message]
#: Metadata that goes on as headers.
PASSED = ("authorization", "idempotency-key")
WAIT = "wait=30s"


@dataclass(frozen=True, slots=True)
class Service(RootCauseAnalysisServicer):
    """``secure``: callers come over TLS."""

    app: ASGIApp
    secure: bool = False

    async def Infer(self, request: messages.InferRequest, context: Context) -> messages.Analysis:
        """See the .proto."""
        answered = await self._ask(context, "/api/v1/infer", document_of(request))
        return analysis_of(orjson.loads(answered.body))

    async def Analyze(self, request: messages.AnalyzeRequest, context: Context) -> messages.Analysis:
        """See the .proto."""
        what_if = document_of(request.assume)
        if request.WhichOneof("what") == "incident" and not what_if:
            posted = await self._post(request, context, analyze=True)
            return await self._finished(posted.get("analysis"), posted["analysis_status"], context)
        path = await self._analyses(request, context)
        answered = await self._ask(context, path, {"assume": what_if} if what_if else {}, query=WAIT)
        document = orjson.loads(answered.body)
        status = document.get("analysis_status", "done")
        return await self._finished(document if status == "done" else None, status, context)

    async def AnalyzeWatched(
        self, request: messages.AnalyzeRequest, context: Context
    ) -> AsyncIterator[messages.AnalysisEvent]:
        """See the .proto."""
        if document_of(request.assume):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a what-if is not watched: use Analyze")
        asked = self._asked(context, f"{await self._analyses(request, context)}:watch", {})
        async with Conversation(self.app, asked) as conversation:
            status, headers = await conversation.head()
            if status != 200:
                body = b"".join([part async for part in conversation.body()])
                await _refuse(Answered(status, headers, body), context)
            async for name, document in _events(conversation):
                if name == "progress":
                    yield messages.AnalysisEvent(progress=progress_of(document))
                elif name == "analysis":
                    yield messages.AnalysisEvent(analysis=analysis_of(document))
                else:
                    await context.abort(code_of(document["status"]), document["detail"])

    async def _analyses(self, request: messages.AnalyzeRequest, context: Context) -> str:
        """The path of the incident's analyses; a new incident is stored first."""
        match request.WhichOneof("what"):
            case "incident_id":
                found = request.incident_id
            case "incident":
                found = (await self._post(request, context, analyze=False))["id"]
            case _:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "give incident_id or incident")
        return f"/api/v1/incidents/{quote(found, safe='')}/analyses"

    async def _post(
        self, request: messages.AnalyzeRequest, context: Context, *, analyze: bool
    ) -> dict[str, Any]:
        document = {**document_of(request.incident), "analyze": analyze}
        answered = await self._ask(context, "/api/v1/incidents", document, query=WAIT)
        posted: dict[str, Any] = orjson.loads(answered.body)
        return posted

    async def _finished(
        self, document: dict[str, Any] | None, status: str, context: Context
    ) -> messages.Analysis:
        if status == "running":
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "still running; the incident will show it")
        if document is None:
            await context.abort(grpc.StatusCode.INTERNAL, "the analysis failed; our log says why")
        return analysis_of(document)

    async def _ask(
        self, context: Context, path: str, document: dict[str, Any], *, query: str = ""
    ) -> Answered:
        """The answer, where it is a good one; anything else ends the call with its status."""
        answered = await ask(self.app, self._asked(context, path, document, query=query))
        if answered.status >= 300:
            await _refuse(answered, context)
        return answered

    def _asked(self, context: Context, path: str, document: dict[str, Any], *, query: str = "") -> Asked:
        given = {str(name): _text(value) for name, value in context.invocation_metadata() or ()}
        headers = {name: given[name] for name in PASSED if name in given}
        return Asked(
            "POST",
            path,
            orjson.dumps(document),
            {**headers, "content-type": "application/json"},
            query,
            peer=_address(context.peer()),
            secure=self.secure,
        )


async def _refuse(answered: Answered, context: Context) -> NoReturn:
    """The problem as status, detail and trailing metadata."""
    try:
        problem = orjson.loads(answered.body)
    except orjson.JSONDecodeError:
        problem = {}
    detail = str(problem.get("detail") or problem.get("title") or f"HTTP status {answered.status}")
    trailing: list[tuple[str, str | bytes]] = [("problem-bin", answered.body)]
    if "retry-after" in answered.headers:
        trailing.append(("retry-after", answered.headers["retry-after"]))
    await context.abort(code_of(answered.status), detail, tuple(trailing))


async def _events(conversation: Conversation) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Server-sent events as (name, document); comments and pings are left out."""
    pending = b""
    async for part in conversation.body():
        pending += part.replace(b"\r\n", b"\n")
        while b"\n\n" in pending:
            block, pending = pending.split(b"\n\n", 1)
            fields = dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line)
            if b"event" in fields and b"data" in fields:
                yield fields[b"event"].decode(), orjson.loads(fields[b"data"])


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _address(peer: str) -> str:
    """``127.0.0.1`` of ``ipv4:127.0.0.1:5000``, ``::1`` of ``ipv6:%5B::1%5D:5000``."""
    address = peer.partition(":")[2].rpartition(":")[0]
    return address.replace("%5B", "").replace("%5D", "").strip("[]")
