"""What an analysis read is taken down, and anything that would make it read something else is noticed."""

from __future__ import annotations

import pytest

from aiops.domain.occurrences import Change
from aiops.store.memory import MemoryGraphStore, MemorySignalStore
from aiops.wiring.readings import analyse_taking_notes
from tests.support.explained_outage import site
from tests.support.pipelines import make_pipeline
from tests.support.sites import incident, moment


@pytest.mark.parametrize("what", ["nothing", "change", "foreign change", "line", "pipeline"])
def test_a_reading_stands_until_something_else_would_be_read(what: str) -> None:
    graph, signals = MemoryGraphStore(), MemorySignalStore()
    outage = site()
    outage.write(graph, signals)
    pipelines = [make_pipeline(graph, signals)]
    posted = incident("service:shop")
    analysis, reading = analyse_taking_notes(lambda: pipelines[-1], posted)
    assert analysis == pipelines[0].analyze(posted)
    assert {"service:shop", "host:web-1", "device:edge-rtr-1"} <= reading.entities
    assert not reading.any_alarm
    assert reading.stands()
    if "change" in what:
        about = "service:shop" if what == "change" else "host:elsewhere"
        graph.put_changes([Change("d", "ci", "d", "release", "deploy", moment(-60.0), None, (about,))])
    if what == "line":
        site().line("service:shop", -1.0, "a late line").write(MemoryGraphStore(), signals)
    if what == "pipeline":
        pipelines.append(make_pipeline(graph, signals))
    assert reading.stands() is (what in ("nothing", "foreign change"))
