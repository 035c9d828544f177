"""Streams of events of a real server process: nothing is missed by its restart, and they end cleanly with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.http_site import ADMIN
from tests.support.processes import Program, aiops

EVENTS = "/api/v1/incidents:events"


@contextmanager
def serving(data: Path) -> Iterator[tuple[Program, httpx.Client]]:
    """``aiops serve`` without its network, and a client of it."""
    arguments = ("serve", "--port", "0", "--data", str(data))
    with aiops(*arguments, environment={"AIOPS_MODEL_ENABLED": "false"}) as program:
        url = program.wait_for(r"serves (http://\S+)")[1]
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {ADMIN}"}, timeout=30) as client:
            yield program, client


def test_streams_end_with_the_process_and_nothing_is_missed(tmp_path: Path) -> None:
    with serving(tmp_path) as (program, client), client.stream("GET", EVENTS) as answer:
        lines = answer.iter_lines()
        assert [next(lines), next(lines)] == [": listening", "id: 0"]
        alerts = [{"labels": {"alertname": "Down", "host": "h1"}}]
        posted = client.post("/api/v1/incidents", json={"title": "x", "alerts": alerts, "analyze": False})
        assert posted.status_code == 201
        assert program.end() == 0
        rest = [line for line in lines if line.startswith("id: ")]  # read to the end: it was not cut off
        assert rest[:1] == ["id: 1"]
    with serving(tmp_path) as (_, client):
        ticket = posted.json()["id"]
        assert client.post(f"/api/v1/incidents/{ticket}/ack").status_code == 200
        with client.stream("GET", EVENTS, headers={"Last-Event-ID": str(len(rest))}) as answer:
            told = []
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    told.append(json.loads(line.removeprefix("data: ")))
                if told and told[-1]["kind"] == "acknowledged":
                    break
        numbered = [event["number"] for event in told if "number" in event]
        assert numbered == list(
            range(len(rest) + 1, len(rest) + 1 + len(numbered))
        )  # others may have done something meanwhile
        assert told[-1]["incident_id"] == ticket
