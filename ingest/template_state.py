"""What a template miner has learned, as bytes: JSON in a zstd frame, with a version."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from ingest.partition_parts import packed_part, unpacked_part
from ingest.template_tree import Cluster

_FORMAT = "aiops-templates/1"

Counts = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class TemplateState:
    """``counts``: next number, lines read, lines until which nothing is idle, overflowed, evicted. ``cached``: masked text and
    number of its cluster, in order of first sight."""

    counts: Counts
    clusters: tuple[Cluster, ...]
    cached: tuple[tuple[str, int], ...]


def save_state(state: TemplateState) -> bytes:
    clusters = [(c.number, c.path, c.tokens, c.size, c.seen) for c in state.clusters]
    return packed_part(_FORMAT, orjson.dumps([state.counts, clusters, state.cached]))


def load_state(data: bytes) -> TemplateState:
    """Raises :class:`aiops.errors.ParseError` for anything but what :func:`save_state` made."""
    counts, clusters, cached = unpacked_part(_FORMAT, data, orjson.loads)
    return TemplateState(
        tuple(counts),
        tuple(
            Cluster(number, tuple(path), tokens, tokens.count(None), size, seen)
            for number, path, tokens, size, seen in clusters
        ),
        tuple((text, number) for text, number in cached),
    )
