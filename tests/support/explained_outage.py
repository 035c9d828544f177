"""The outage that docs/explanations.md explains: a port loses its link behind two hosts, one of two uplinks of a third is spared.

``python -m tests.support.explained_outage`` writes the examples of that page anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from aiops.domain.graph import Entity
from aiops.domain.incident_records import PastIncident
from aiops.domain.occurrences import Incident
from aiops.reasoning.calibration import shipped_calibration
from aiops.reasoning.documents import analysis_document
from aiops.reasoning.rendering import render_markdown, render_text
from aiops.store.memory import MemoryGraphStore, MemorySignalStore
from tests.support.pipelines import make_pipeline
from tests.support.sites import START, Site, moment

PAGE = Path(__file__).parents[2] / "docs" / "explanations.md"
PORT = "interface:edge-rtr-1/et-0/0/1"


def site() -> Site:
    """Topology and what was seen."""
    built = Site()
    built.entities[PORT] = Entity(PORT, "Interface", "edge-rtr-1/et-0/0/1")
    built.relate(PORT, "PART_OF", "device:edge-rtr-1")
    for host in ("host:web-1", "host:web-2"):
        built.relate(host, "CONNECTED_TO", PORT, by="lldp").relate(
            "service:checkout", "ROUTES_TO", host, by="cmdb"
        )
    built.relate("host:db-1", "DEPENDS_ON", PORT, "uplinks").relate(
        "host:db-1", "DEPENDS_ON", "device:edge-rtr-2", "uplinks"
    )
    built.relate("service:shop", "CALLS", "service:checkout", by="traces")
    built.line(
        PORT, -2.0, "%LINK-3-UPDOWN: Interface et-0/0/1, changed state to down", 3, source="edge-rtr-1"
    )
    built.alarm(PORT, 4.0, "LinkDown", "critical").alarm("host:web-1", 8.0, "InstanceDown").alarm(
        "host:web-2", 9.0, "InstanceDown"
    )
    built.alarm("service:checkout", 18.0, "HighErrorRate", "critical").alarm(
        "service:shop", 25.0, "HighErrorRate"
    )
    built.metric("service:checkout", "http_request_duration_seconds_mean", normal=0.021, bad=3.4, from_s=3.0)
    built.metric("host:db-1", "node_load1", normal=0.4).metric(
        "device:edge-rtr-2", "if_in_errors", normal=0.1
    )
    return built.change("service:shop", -1500.0, "release 5.2.0")


class Past:
    """The same port, a month ago."""

    def past_incidents(self, *, before: datetime) -> Sequence[PastIncident]:
        began = START - timedelta(days=31)
        old = Incident(
            "01JC3V9Q8W",
            "Checkout fails in FRA1",
            began,
            status="resolved",
            affected=("service:checkout", "service:shop"),
        )
        return (
            PastIncident(
                old, ("HighErrorRate", "LinkDown"), PORT, "link_down", True, "optic of et-0/0/1 replaced"
            ),
        )


def document() -> Mapping[str, Any]:
    """Its analysis, with the rules and the map of confidence that ship and without the network."""
    graph, signals = MemoryGraphStore(), MemorySignalStore()
    site().write(graph, signals)
    pipeline = replace(make_pipeline(graph, signals, calibration=shipped_calibration()), history=Past())
    posted = Incident(
        "incident-1",
        "Checkout fails in FRA1",
        moment(10.0),
        "critical",
        affected=("service:checkout",),
        window_after_s=300.0,
    )
    return analysis_document(pipeline.analyze(posted))


def examples() -> Mapping[str, str]:
    """By name: the whole text, the first lines of the Markdown, one box and what it cites as JSON."""
    told = document()
    box = told["boxes"]["root_cause"]
    wanted = set(box["sentences"][0]["evidence"])
    cited = [
        {key: one[key] for key in ("id", "kind", "entity_name", "at", "text", "source")}
        for one in told["evidence"]
        if one["id"] in wanted
    ]
    body = {"boxes": {"root_cause": {**box, "sentences": box["sentences"][:1]}}, "evidence": cited}
    text = render_text(told)
    return {
        "text": text[: text.rindex("\n\naiops ")],
        "markdown": "\n".join(render_markdown(told).splitlines()[:12]),
        "json": json.dumps(body, indent=2, ensure_ascii=False),
    }


def with_examples(page: str) -> str:
    """``page`` with the blocks after ``<!-- example: NAME -->`` made anew."""
    for name, body in examples().items():
        pattern = re.compile(
            rf"(<!-- example: {name} -->\n\n(`{{3,}})\w+\n).*?(^\2\n)", re.DOTALL | re.MULTILINE
        )
        page, found = pattern.subn(lambda block, body=body: f"{block.group(1)}{body}\n{block.group(3)}", page)
        assert found == 1, name
    return page


if __name__ == "__main__":
    PAGE.write_text(with_examples(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
