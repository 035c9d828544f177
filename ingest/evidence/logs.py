"""Log lines as evidence: templates that are new, that vanished, that came more or less often than the entity's own mix says.

Counts are compared with the entity's own volume, so an entity that merely got less work has no evidence: a template's
expected count is its share of the entity's baseline lines times the entity's lines in the evaluation window. The
deviation is the signed square root of the Poisson deviance, 2 (c log(c/m) - (c - m)), which is a z for large counts and
stays sane for counts of nought and one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
import pyarrow as pa

from aiops.domain.evidence import Channel, Evidence, Reference, evidence_id
from aiops.domain.graph import Subgraph
from ingest.evidence.detectors import Windows
from ingest.evidence.invariants import Lines, find_breaks
from ingest.evidence.kinship import find_kinship
from ingest.evidence.log_columns import LogColumns, TemplateFunction, encode_lines
from ingest.evidence.log_counts import ONSETS_S, count_lines
from ingest.evidence.strength import strength_of

MAX_PER_ENTITY = 12
MIN_DEVIATION = 1.0
#: Seconds of the evaluation window in which lines may go missing: what begins later is not what the incident is about.
LATEST_S = 300.0
_MASKS: tuple[tuple[str, str], ...] = (
    (r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F-]{13,}", "<id>"),
    (r"\b0x[0-9a-fA-F]+\b", "<hex>"),
    (r"\b[0-9a-f]*[0-9][0-9a-f]{7,}\b", "<hex>"),
    (r"-?[0-9]+", "#"),
    (r"#(?:[.,:/-]#)+", "#"),
    (r"\s+", " "),
)
_TEMPLATE_WORDS = 14
_TEMPLATE_CHARACTERS = 140
#: Words by which people say that something went wrong, in any program's log.
_WRONG = re.compile(
    r"error|exception|fail|fatal|panic|refus|denied|timed?.?out|timeout|unreachable|unavailable|no route|not found|"
    r"reset by peer|broken pipe|out of memory|oom|killed|crash|abort|segfault|corrupt|no space|read-only|lost|"
    r"cannot|can't|could not|couldn't|unable|invalid|rejected|forbidden|unauthori[sz]ed|backoff|back-off|unhealthy|"
    r"evict|exceed|overload|deadlock|stacktrace|traceback|critical|emerg|terminated|disconnect|"
    r"\bdown\b|went down|link down|unschedulable|mismatch|missing|expired|too many",
    re.IGNORECASE,
)
_RIGHT = re.compile(
    r"\b(0|no|without) (error|failure|exception)s?\b|error[=:] ?(0|null|none|nil|false)\b", re.IGNORECASE
)
#: Lines in which a device or a service manager says that somebody did something to it.
_ACTION = re.compile(
    r"config\w*[-_ ](was )?(committed|changed)|configured from|db_commit|commit(ted)? by|transceiver\w*[-_ ]?(removed|inserted)|"
    r"module [^ ]+ .{0,80}(removed|inserted)|administratively down|admin[-_ ]?down|reloading configuration|reconfiguring|"
    r"shut ?down by (user|admin|operator)",
    re.IGNORECASE,
)
_ACTION_STRENGTH = 3.0


def mask_digits(messages: Sequence[str]) -> Sequence[str]:
    """The plain templates used where no miner is given: numbers, ids and times masked, the tail cut off."""
    masked = pl.Series("m", list(messages), dtype=pl.String).str.slice(0, 400)
    for pattern, mark in _MASKS:
        masked = masked.str.replace_all(pattern, mark)
    words = masked.str.split(" ").list.head(_TEMPLATE_WORDS).list.join(" ")
    return words.str.slice(0, _TEMPLATE_CHARACTERS).to_list()


def find_log_evidence(
    logs: pa.Table,
    windows: Windows,
    subgraph: Subgraph,
    *,
    templates: TemplateFunction = mask_digits,
) -> list[Evidence]:
    """Evidence of all entities' logs; ``logs`` follows LOG_SCHEMA. ``subgraph`` tells whose lines belong together."""
    if not logs.num_rows:
        return []
    lines = encode_lines(logs, templates)
    early = replace(windows, eval_end_s=min(windows.eval_end_s, windows.eval_start_s + LATEST_S))
    found = [*_unusual_counts(lines, windows), *_broken(lines, early, subgraph)]
    found.sort(key=lambda item: (item[1].entity, -item[0], item[1].id))
    kept: list[Evidence] = []
    taken: dict[str, int] = {}
    for _, evidence in found:
        taken[evidence.entity] = taken.get(evidence.entity, 0) + 1
        if taken[evidence.entity] <= MAX_PER_ENTITY:
            kept.append(evidence)
    return kept


def _unusual_counts(lines: LogColumns, windows: Windows) -> Iterator[tuple[float, Evidence]]:
    """Templates that are new, vanished or came more or less often than the entity's mix says, with how much so."""
    counts = count_lines(lines.at, lines.entity, lines.template, len(lines.entities), windows)
    width = len(lines.templates)
    spread = np.bincount(np.unique(lines.entity * width + lines.template) % width, minlength=width)
    for row in range(len(counts.entity)):
        template, line = int(counts.template[row]), int(counts.first[row])
        text, level = lines.text(line), float(lines.severity[line])
        new, came = counts.before[row] == 0, bool(counts.during[row])
        deviation, known = float(counts.deviation[row]), bool(counts.has_baseline[row])
        wrong = level <= 3 or bool(_WRONG.search(text) and not _RIGHT.search(text))
        score = _score(deviation, float(counts.during[row]), bool(new), wrong, known, level)
        action = bool(new) and came and bool(_ACTION.search(text))
        if abs(score) < MIN_DEVIATION and not action:
            continue
        entity, name = lines.entities[int(counts.entity[row])], lines.templates[template]
        yield (
            abs(score),
            Evidence(
                id=evidence_id("log", entity, name),
                entity=entity,
                peer=None,
                kind="log",
                channel=Channel.CHANGE if action else Channel.LOG,
                name=name,
                at_s=float(lines.at[line]) if came else windows.eval_start_s,
                strength=_ACTION_STRENGTH if action else strength_of(score),
                direction=1 if score > 0 else -1,
                text=text if came else f"no longer seen: {text}",
                ref=Reference("event", lines.field("event_id", line)),
                value=float(counts.during[row]),
                baseline=float(counts.expected[row]),
                severity=_severity_word(level),
                attributes={
                    "new": "1" if new else "0",
                    "wrong": "1" if wrong else "0",
                    "entities": str(int(spread[template])),
                    "source": lines.field("source", line),
                    "z": f"{score:.3f}",
                },
            ),
        )


def _broken(lines: LogColumns, windows: Windows, subgraph: Subgraph) -> Iterator[tuple[float, Evidence]]:
    """Lines that no longer follow what they always followed, with how unlikely that is by chance."""
    kin = find_kinship(subgraph, lines.entities)
    for broken in find_breaks(Lines(lines.at, lines.entity, lines.event), kin, windows, ONSETS_S):
        entity, missing, before = (
            lines.entities[broken.entity],
            lines.events[broken.missing],
            lines.events[broken.before],
        )
        said_by = lines.entities[int(lines.entity[broken.row])]
        where = "" if said_by == entity else f" at {said_by}"
        usual = np.flatnonzero((lines.entity == broken.entity) & (lines.event == broken.missing))[0]
        yield (
            broken.z,
            Evidence(
                id=evidence_id("log", entity, "without", missing, before, said_by),
                entity=entity,
                peer=None,
                kind="log",
                channel=Channel.LOG,
                name=f"{missing} no longer after {before}",
                at_s=float(lines.at[broken.row]),
                strength=strength_of(broken.z),
                direction=-1,
                text=f"{broken.seen:g} of {broken.expected:.3g} lines like this one: {lines.text(int(usual))!r}, "
                f"which used to follow{where}: {lines.text(broken.row)}",
                ref=Reference("event", lines.field("event_id", broken.row)),
                value=broken.seen,
                baseline=broken.expected,
                severity=_severity_word(float(lines.severity[broken.row])),
                attributes={
                    "z": f"{-broken.z:.3f}",
                    "break": "1",
                    "before": before,
                    "source": lines.field("source", int(usual)),
                },
            ),
        )


def _score(
    deviation: float, during: float, new: bool, wrong: bool, has_baseline: bool, level: float
) -> float:
    """The deviation, and what words and severity add: a new line that says that something is wrong tells most."""
    if during == 0:
        return deviation
    if not has_baseline:
        bonus = 3.0 + np.log2(1.0 + during) if wrong else 0.0
        return float(bonus + (2.0 if level <= 2 else 0.0))
    return float(max(deviation, 1.5) if new and wrong else deviation)


def _severity_word(level: float) -> str | None:
    words = ("emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug")
    return words[int(level)] if np.isfinite(level) and 0 <= level <= 7 else None
