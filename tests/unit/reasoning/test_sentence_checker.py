"""The checker of sentences itself: it passes what is true, and each kind of lie is found."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from aiops.reasoning.documents import analysis_document
from aiops.store.memory import MemoryGraphStore, MemorySignalStore
from tests.support.pipelines import make_pipeline
from tests.support.sentence_checker import display_names, faults, sentences, unseen
from tests.support.sites import START, Site, chain, incident

Document = dict[str, Any]


def outage() -> Site:
    return (
        chain()
        .alarm("database:orders", 0.0, "InstanceDown")
        .alarm("service:shop", 5.0, "HighErrorRate")
        .alarm("service:edge", 9.0, "HighErrorRate")
        .line("database:orders", -2.0, "PANIC: could not write to file: No space left on device", 2)
        .metric("database:orders", "disk_used_bytes", normal=4e8, bad=2.1e9, from_s=-30.0)
        .change("database:orders", -240.0, "release 1.7.3")
    )


def told() -> tuple[Document, Any, Any]:
    graph, signals = MemoryGraphStore(), MemorySignalStore()
    outage().write(graph, signals)
    pipeline = make_pipeline(graph, signals)
    posted = incident("service:edge")
    subgraph = graph.export(as_of=START)
    from aiops.reasoning.retrieval import retrieve

    seen = pipeline.observe(posted, retrieve(graph, posted, pipeline.bounds))
    return analysis_document(pipeline.analyze(posted)), seen, subgraph


DOCUMENT, SEEN, SUBGRAPH = told()


def test_what_follows_from_what_is_cited_passes() -> None:
    assert sum(1 for _ in sentences(DOCUMENT)) > 30
    assert faults(DOCUMENT, display_names(SUBGRAPH)) == []
    assert unseen(DOCUMENT, SEEN, SUBGRAPH) == []


def sentence_with(document: Document, part: str) -> Document:
    """The first sentence of a section that says ``part``."""
    every = (one for section in document["sections"] for one in section["sentences"])
    found: Document = next(one for one in every if part in one["text"])
    return found


def replaced(part: str, lie: str) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        one = sentence_with(document, part)
        one["text"] = one["text"].replace(part, lie)

    return change


def cite_nothing(document: Document) -> None:
    sentence_with(document, "PANIC")["evidence"] = []


def cite_the_unknown(document: Document) -> None:
    sentence_with(document, "PANIC")["evidence"] = ["e000000000000"]


def cite_something_else(document: Document) -> None:
    """Another thing that is listed, and says nothing of the kind."""
    other = next(one["id"] for one in document["evidence"] if one["kind"] == "gap")
    sentence_with(document, "PANIC")["evidence"] = [other]


def count_too_many(document: Document) -> None:
    next(one for one in document["evidence"] if one["name"] == "explained")["value"] += 1


def quote_somebody_else(document: Document) -> None:
    one = sentence_with(document, "PANIC")
    one["text"] = one["text"].replace("PANIC", "FATAL")
    one["verbatim"] = one["verbatim"].replace("PANIC", "FATAL")


LIES: dict[str, Callable[[Document], None]] = {
    "a number": replaced("explains 3/3", "explains 4/3"),
    "a time": replaced("at 10:00:05", "at 10:00:06"),
    "a span": replaced("7 s after", "17 s after"),
    "an order": replaced("7 s after", "7 s before"),
    "a name": replaced("service shop raised", "host db-1 raised"),
    "a verb": replaced("service shop raised", "service shop logged"),
    "a direction": replaced("rise to", "fall to"),
    "a value": replaced("rise to 2.", "rise to 3."),
    "a unit": replaced(" GB from", " MB from"),
    "a usual value": replaced("from a usual 4", "from a usual 9"),
    "a share": replaced("weight 0.", "weight 1."),
    "a date": replaced("2026-11-22", "2026-11-23"),
    "a quotation": replaced("PANIC: could", "PANIC: should"),
    "words of nobody": quote_somebody_else,
    "no evidence": cite_nothing,
    "evidence that is not listed": cite_the_unknown,
    "evidence of something else": cite_something_else,
    "a wrong count": count_too_many,
}


@pytest.mark.parametrize("lie", sorted(LIES))
def test_every_kind_of_lie_is_found(lie: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    before = copy.deepcopy(DOCUMENT)
    LIES[lie](document)
    assert document != before, "the document holds nothing to lie about"
    assert faults(document, display_names(SUBGRAPH)) != []


@pytest.mark.parametrize("kind", ["log", "alert", "change", "topology"])
def test_what_nobody_saw_is_found(kind: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    thing = next(one for one in document["evidence"] if one["kind"] == kind)
    thing["text"] = "something that never happened"
    thing["source"], thing["name"] = "nobody", "NOWHERE"
    assert unseen(document, SEEN, SUBGRAPH) != []
