"""The tools: each asks the server through :class:`aiops.client.AsyncClient` and quotes what it says."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Literal, ParamSpec, TypeVar

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from aiops.client import AsyncClient, ClientError, NotFound
from aiops.client.models import AnalysisDocument
from aiops.mcp.quoting import citation, quoted, quoted_text

P = ParamSpec("P")
T = TypeVar("T")
Answer = dict[str, object]
Entity = Annotated[
    str, Field(description="Id, name or alias of an entity, for example host:db-1 or 10.0.0.5.")
]
Incident = Annotated[str, Field(description="Id of an incident, as list_incidents gives it.")]
Number = Annotated[int | None, Field(ge=1, description="Which analysis; default is the newest.")]
At = Annotated[datetime | None, Field(description="As the topology stood then (RFC 3339); default is now.")]
Names = Annotated[list[str], Field(description="Ids, names or aliases of entities.", max_length=100)]


def told(method: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """What the server refuses is told to the assistant with its reason and the nearest names."""

    @functools.wraps(method)
    async def asked(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await method(*args, **kwargs)
        except ClientError as error:
            raise ToolError(str(error)) from error

    return asked


class ReadingTools:
    """Tools that change nothing. ``max_chars``: bound of an answer."""

    def __init__(self, client: AsyncClient, max_chars: int) -> None:
        self._client = client
        self._max_chars = max_chars

    def _quoted(self, data: object, analysis: AnalysisDocument | None = None) -> Answer:
        cite = None if analysis is None else citation(analysis.plain())
        return quoted(data, cite=cite, max_chars=self._max_chars)

    async def _id_of(self, name: str) -> str:
        try:
            return (await self._client.get_entity(name)).id
        except NotFound:
            found = (await self._client.resolve_entities({"names": [name]})).names[name]
        if len(found.ids) == 1:
            return found.ids[0]
        if found.ids:
            raise ToolError(f"{name!r} means several entities: {', '.join(found.ids[:10])}; give an id")
        near = f"; names like it: {', '.join(found.nearest[:5])}" if found.nearest else ""
        raise ToolError(f"no entity is called {name!r}{near}")

    @told
    async def search_entities(
        self,
        text: Annotated[str, Field(description="Part of an id, a name or an alias; empty: all.")] = "",
        kind: Annotated[
            str | None, Field(description="Only this kind, for example Host, Service, Interface.")
        ] = None,
        limit: Annotated[int, Field(ge=1, le=200)] = 20,
    ) -> Answer:
        """Find entities of the topology by text."""
        page = await self._client.list_entities(q=text, kind=kind, limit=limit)
        return self._quoted(
            {"entities": [one.plain() for one in page.items], "more": page.next_cursor is not None}
        )

    @told
    async def get_entity(self, entity: Entity) -> Answer:
        """One entity with its aliases and labels, and its open alerts."""
        found = await self._client.get_entity(await self._id_of(entity))
        alerts = await self._client.get_alerts_of(found.id, since=datetime.now(UTC))
        return self._quoted({"entity": found.plain(), "open_alerts": [one.plain() for one in alerts.items]})

    @told
    async def neighbors(
        self,
        entity: Entity,
        depth: Annotated[int, Field(ge=1, le=5, description="Relations away.")] = 1,
        limit: Annotated[int, Field(ge=1, le=500, description="Entities at most.")] = 50,
        at: At = None,
    ) -> Answer:
        """What an entity depends on, what depends on it, and what is around, with the provenance of each relation."""
        found = await self._client.get_neighbours(
            await self._id_of(entity), depth=depth, limit=limit, at=_utc(at)
        )
        return self._quoted(found.plain())

    @told
    async def impact(self, entity: Entity, at: At = None) -> Answer:
        """What goes down if this entity fails, nearest first, and what redundancy keeps alive. Computed from the graph."""
        found = await self._client.get_impact(await self._id_of(entity), at=_utc(at))
        return self._quoted(found.plain())

    @told
    async def list_incidents(
        self,
        status: Annotated[
            Literal["open", "acknowledged", "resolved"] | None, Field(description="Only those.")
        ] = None,
        text: Annotated[str | None, Field(description="Only with this text.")] = None,
        entity: Annotated[str | None, Field(description="Only about this entity.")] = None,
        since: Annotated[datetime | None, Field(description="Begun at or after this time.")] = None,
        limit: Annotated[int, Field(ge=1, le=200)] = 20,
    ) -> Answer:
        """Incidents, newest first, with their likely cause."""
        page = await self._client.list_incidents(
            status=None if status is None else [status],
            q=text,
            entity=None if entity is None else await self._id_of(entity),
            since=_utc(since),
            limit=limit,
        )
        return self._quoted(
            {"incidents": [one.plain() for one in page.items], "more": page.next_cursor is not None}
        )

    @told
    async def get_incident(self, incident_id: Incident) -> Answer:
        """An incident without its analysis: what it is about, its status, owner and alerts."""
        found = await self._client.get_incident(incident_id)
        alerts = await self._client.list_incident_alerts(incident_id, limit=100)
        incident = {name: value for name, value in found.plain().items() if name != "analysis"}
        data = {"incident": incident, "alerts": [one.plain() for one in alerts.items]}
        return self._quoted(data, found.analysis)

    @told
    async def analyze(
        self,
        incident_id: Incident,
        number: Number = None,
    ) -> Answer:
        """The ranked root causes of an incident: verdict, confidence, causal paths, evidence with ids, what was ruled out,
        actions, gaps. Reads the stored analysis; the same inputs always give the same answer."""
        found = await self._client.get_analysis(incident_id, "latest" if number is None else number)
        return self._quoted(_short(found), found)

    @told
    async def explain(self, incident_id: Incident, number: Number = None) -> str:
        """The explanation of an incident in Markdown, as engineers read it; every sentence cites evidence ids."""
        which = "latest" if number is None else number
        analysis = await self._client.get_analysis(incident_id, which)
        text = await self._client.get_analysis_as(incident_id, analysis.number or which, format="markdown")
        cite = citation(analysis.plain())
        said = ", ".join(f"{name}: {cite[name]}" for name in ("verdict", "confidence", "analysis"))
        return f"{said}, engine: {cite['engine']}\n{quoted_text(text, max_chars=self._max_chars)}"

    @told
    async def what_if(
        self,
        incident_id: Incident,
        healthy: Annotated[Names, Field(description="What is taken to be healthy.")] = [],  # noqa: B006  copied by pydantic
        failed: Annotated[Names, Field(description="What is taken to have failed.")] = [],  # noqa: B006
    ) -> Answer:
        """The analysis as it would be if entities were healthy or had failed. Nothing is stored."""
        if not healthy and not failed:
            raise ToolError("name at least one entity under healthy or failed")
        assumed = {
            "healthy": [await self._id_of(name) for name in healthy],
            "failed": [await self._id_of(name) for name in failed],
        }
        found = await self._client.post_analysis(incident_id, {"assume": assumed})
        assert isinstance(found, AnalysisDocument)
        return self._quoted({"assumed": assumed, **_short(found)}, found)

    @told
    async def timeline(
        self, incident_id: Incident, limit: Annotated[int, Field(ge=1, le=500)] = 100
    ) -> Answer:
        """What happened when, by its own time: alerts, log lines, metrics, changes, maintenance."""
        return self._quoted((await self._client.get_timeline(incident_id, limit=limit)).plain())

    @told
    async def similar(self, incident_id: Incident) -> Answer:
        """Earlier incidents that looked like this one, with what engineers confirmed and what fixed them."""
        return self._quoted((await self._client.get_similar(incident_id)).plain())

    @told
    async def export_topology(
        self,
        at: At = None,
        limit: Annotated[int, Field(ge=1, le=2000, description="Entities at most.")] = 200,
    ) -> Answer:
        """The topology as a document, bounded: so many entities by id, and the relations among them."""
        whole = await self._client.export_topology(at=_utc(at))
        entities = sorted(whole.entities or (), key=lambda one: one.id)
        shown = {one.id for one in entities[:limit]}
        relations = [one for one in whole.relations or () if one.from_ in shown and one.to in shown]
        data = {
            "entities": [{"id": one.id, "kind": one.kind, "name": one.name} for one in entities[:limit]],
            "relations": [{"from": one.from_, "kind": one.kind, "to": one.to} for one in relations],
            "entities_in_all": len(entities),
            "relations_in_all": len(whole.relations or ()),
        }
        return self._quoted(data)


class WritingTools(ReadingTools):
    """Those beside them that store something; only with ``--allow-write``."""

    @told
    async def reanalyze(self, incident_id: Incident) -> Answer:
        """Analyse an incident again with what is known now; the result is stored as its newest analysis."""
        found = await self._client.post_analysis(incident_id, {}, wait="30s")
        if not isinstance(found, AnalysisDocument):
            done = await self._client.wait_for_analysis(incident_id, timeout_s=120.0)
            if done.analysis is None:
                raise ToolError(f"there is no analysis: it is {done.analysis_status}")
            found = done.analysis
        return self._quoted(_short(found), found)

    @told
    async def feedback(
        self,
        incident_id: Incident,
        verdict: Annotated[
            Literal["correct", "partial", "wrong", "unknown"], Field(description="Of the newest analysis.")
        ],
        cause: Annotated[
            str | None, Field(description="What it was: id, name or alias of an entity.")
        ] = None,
        comment: Annotated[str, Field(max_length=4000)] = "",
    ) -> Answer:
        """Store an engineer's judgement of the newest analysis. Only what the user said themselves."""
        document: dict[str, object] = {"verdict": verdict, "comment": comment}
        if cause is not None:
            document["root_cause"] = {"entity": await self._id_of(cause)}
        return self._quoted((await self._client.post_feedback(incident_id, document)).plain())


def _short(analysis: AnalysisDocument) -> dict[str, object]:
    """What an assistant needs to quote: the words of the page (sections, boxes) are for people."""
    left_out = {"sections", "boxes", "timeline", "evidence"}
    return {name: value for name, value in analysis.plain().items() if name not in left_out}


def _utc(at: datetime | None) -> datetime | None:
    return at if at is None or at.tzinfo is not None else at.replace(tzinfo=UTC)
