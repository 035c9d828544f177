"""A recorded outage from its bytes to ranked causes: replayed through the worker, the incident posted through the API."""

from __future__ import annotations

import asyncio
import json
import secrets
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import httpx

from aiops.contracts import Observations
from aiops.domain.graph import Subgraph
from aiops.domain.occurrences import Incident
from aiops.errors import InputError, RecordingError, StoreUnavailable
from aiops.reasoning.retrieval import retrieve
from aiops.settings import Settings
from aiops.wiring.analysis import make_pipeline
from aiops.wiring.api import Site, open_site
from ingest.counters import Taken
from ingest.replay import replay

_BASE = "http://localhost"


def scenarios() -> Mapping[str, Path]:
    """The recorded outages that ship, by name."""
    folder = Path(str(resources.files("aiops") / "scenarios"))
    return {path.parent.name: path.parent for path in sorted(folder.glob("*/recording.json"))}


@dataclass(frozen=True, slots=True)
class Played:
    """What became of a recording. ``analysis`` is the document that the API answered with.

    ``expected`` are the entities that the label calls right; ``rank`` is the place of the first of them, None: not listed.
    """

    scenario: str
    title: str
    expected: tuple[str, ...]
    rank: int | None
    analysis: dict[str, Any]
    counters: Mapping[str, Taken]
    replay_s: float
    analysis_s: float

    def document(self) -> dict[str, object]:
        """The machine-readable result of ``aiops demo``."""
        return {
            "scenario": self.scenario,
            "expected": self.expected[0] if self.expected else None,
            "rank": self.rank,
            "seconds": round(self.replay_s + self.analysis_s, 3),
            "analysis": self.analysis,
        }


def play(
    settings: Settings, folder: Path, *, on_progress: Callable[[float], None] = lambda _: None
) -> Played:
    """Replay ``folder`` into a new embedded store in a temporary directory and post its incident.

    Raises :class:`RecordingError` and what the pipeline raises.
    """
    title = str(_read(folder / "recording.json").get("title", folder.name))
    incident = _read(folder / "incident.json")
    with tempfile.TemporaryDirectory(prefix="aiops-") as data:
        token = f"aiops_demo_{secrets.token_hex(16)}"
        own = settings.model_copy(update={"data": Path(data), "store": "sqlite"})
        with open_site(own.with_token(token)) as site:
            began = time.perf_counter()
            report = replay(folder, site.worker, on_progress=on_progress)
            replayed = time.perf_counter()
            analysis = asyncio.run(_post(site, token, incident))
            ended = time.perf_counter()
    expected = expected_entities(folder)
    return Played(
        scenario=folder.name,
        title=title,
        expected=expected,
        rank=rank_of(analysis, expected),
        analysis=analysis,
        counters=report.counters,
        replay_s=replayed - began,
        analysis_s=ended - replayed,
    )


def watch(settings: Settings, folder: Path) -> tuple[Incident, Subgraph, Observations]:
    """What an analysis of the recording in ``folder`` starts from, after a replay as in :func:`play`."""
    incident = _read(folder / "incident.json")
    with tempfile.TemporaryDirectory(prefix="aiops-") as data:
        token = f"aiops_demo_{secrets.token_hex(16)}"
        own = settings.model_copy(update={"data": Path(data), "store": "sqlite", "model_enabled": False})
        with open_site(own.with_token(token)) as site:
            replay(folder, site.worker)
            asyncio.run(_post(site, token, incident))
            (posted,) = site.stores.incidents.incidents(limit=1)
            pipeline = make_pipeline(own, site.stores.graph, site.stores.signals)
            found = retrieve(pipeline.graph, posted, pipeline.bounds)
            return posted, found.subgraph, pipeline.observe(posted, found)


def expected_entities(folder: Path) -> tuple[str, ...]:
    """What ``label.json`` calls right. Read after the analysis, and by nothing else."""
    return tuple(str(cause["entity"]) for cause in _read(folder / "label.json")["root_causes"])


def rank_of(analysis: Mapping[str, Any], expected: tuple[str, ...]) -> int | None:
    """Place of the first right cause, counted from 1."""
    return next((cause["rank"] for cause in analysis["causes"] if cause["entity"]["id"] in expected), None)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordingError(f"{path}: {error}", hint="docs/lab.md has the format", file=str(path)) from error
    if not isinstance(document, dict):
        raise RecordingError(f"{path}: not an object", hint="docs/lab.md has the format", file=str(path))
    return document


async def _post(site: Site, token: str, incident: Mapping[str, object]) -> dict[str, Any]:
    """The incident through the HTTP surface, in this process."""
    headers = {"Authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(app=site.app)
    async with httpx.AsyncClient(
        transport=transport, base_url=_BASE, headers=headers, timeout=60.0
    ) as client:
        answer = await client.post("/api/v1/incidents", params={"wait": "30s"}, json=incident)
    body = answer.json()
    if answer.status_code == 422:
        raise InputError(f"the incident was refused: {body.get('detail')}", **body)
    if answer.status_code not in (200, 201):
        raise StoreUnavailable(
            f"no analysis: {answer.status_code} {body.get('title', '')} {body.get('detail', '')}".strip()
        )
    analysis = body["analysis"]
    assert isinstance(analysis, dict)
    return analysis
