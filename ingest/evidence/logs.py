"""Log lines as evidence: templates that are new, that vanished, that came more or less often than the entity's own mix says.

Counts are compared with the entity's own volume, so an entity that merely got less work has no evidence: a template's
expected count is its share of the entity's baseline lines times the entity's lines in the evaluation window. The
deviation is the signed square root of the Poisson deviance, 2 (c log(c/m) - (c - m)), which is a z for large counts and
stays sane for counts of nought and one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from aiops.domain.batches import FloatArray, IntArray
from aiops.domain.evidence import Channel, Evidence, Reference, evidence_id
from ingest.evidence.detectors import Windows
from ingest.evidence.strength import strength_of

TemplateFunction = Callable[[Sequence[str]], Sequence[str]]

MAX_PER_ENTITY = 12
MIN_DEVIATION = 1.5
_MASKS: tuple[tuple[str, str], ...] = (
    (r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F-]{13,}", "<id>"),
    (r"\b0x[0-9a-fA-F]+\b", "<hex>"),
    (r"\b[0-9a-f]*[0-9][0-9a-f]{7,}\b", "<hex>"),
    (r"[0-9]+", "#"),
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
_RIGHT = re.compile(r"\b(0|no|without) (error|failure|exception)s?\b|error[=:] ?(0|null|none|nil|false)\b", re.IGNORECASE)


def mask_digits(messages: Sequence[str]) -> Sequence[str]:
    """The plain templates used where no miner is given: numbers, ids and times masked, the tail cut off."""
    masked = pl.Series("m", list(messages), dtype=pl.String).str.slice(0, 400)
    for pattern, mark in _MASKS:
        masked = masked.str.replace_all(pattern, mark)
    words = masked.str.split(" ").list.head(_TEMPLATE_WORDS).list.join(" ")
    return words.str.slice(0, _TEMPLATE_CHARACTERS).to_list()


@dataclass(frozen=True, slots=True)
class _Counts:
    """Per (entity, template): lines before and in the evaluation window, first line seen in it."""

    entity: IntArray
    template: IntArray
    before: FloatArray
    during: FloatArray
    first: IntArray  # row of the first line in the window; of the last line before it where there is none


def find_log_evidence(
    logs: pa.Table, windows: Windows, *, templates: TemplateFunction = mask_digits
) -> list[Evidence]:
    """Evidence of all entities' logs; ``logs`` follows LOG_SCHEMA."""
    if not logs.num_rows:
        return []
    at = logs.column("at_s").to_numpy()
    severity = logs.column("severity").cast(pa.float64()).to_numpy(zero_copy_only=False)
    entities, entity_code = _encode(logs.column("entity"))
    messages, message_code = _encode(logs.column("message"))
    names = _template_names(logs, messages, message_code, templates)
    template_of_message = names[1]
    template_code = template_of_message[message_code]
    counts = _count(at, entity_code, template_code, windows)
    spread = np.bincount(
        np.unique(np.stack([template_code, entity_code]), axis=1)[0], minlength=len(names[0])
    )
    expected, has_baseline = _expected(counts, len(entities))
    found: list[tuple[int, float, Evidence]] = []
    for row in range(len(counts.entity)):
        entity, template = int(counts.entity[row]), int(counts.template[row])
        line = int(counts.first[row])
        text = messages[message_code[line]]
        level = severity[line]
        deviation = _deviation(counts.during[row], expected[row]) if has_baseline[entity] else 0.0
        wrong = bool(level <= 3) or bool(_WRONG.search(text) and not _RIGHT.search(text))
        new = counts.before[row] == 0
        score = _score(deviation, counts.during[row], new, wrong, bool(has_baseline[entity]), level)
        if abs(score) < MIN_DEVIATION:
            continue
        found.append(
            (
                entity,
                abs(score),
                Evidence(
                    id=evidence_id("log", entities[entity], names[0][template]),
                    entity=entities[entity],
                    peer=None,
                    kind="log",
                    channel=Channel.LOG,
                    name=names[0][template],
                    at_s=float(at[line]) if counts.during[row] else windows.eval_start_s,
                    strength=strength_of(score),
                    direction=1 if score > 0 else -1,
                    text=text if counts.during[row] else f"no longer seen: {text}",
                    ref=Reference("event", str(logs.column("event_id")[line].as_py() or "")),
                    value=float(counts.during[row]),
                    baseline=float(expected[row]),
                    severity=_severity_word(level),
                    attributes={
                        "new": "1" if new else "0",
                        "wrong": "1" if wrong else "0",
                        "entities": str(int(spread[template])),
                        "source": str(logs.column("source")[line].as_py() or ""),
                        "z": f"{score:.3f}",
                    },
                ),
            )
        )
    found.sort(key=lambda item: (item[0], -item[1], item[2].id))
    kept: list[Evidence] = []
    taken: dict[int, int] = {}
    for entity, _, evidence in found:
        taken[entity] = taken.get(entity, 0) + 1
        if taken[entity] <= MAX_PER_ENTITY:
            kept.append(evidence)
    return kept


def _encode(column: pa.ChunkedArray) -> tuple[list[str], IntArray]:
    """Distinct texts, sorted, and the code of each row."""
    encoded = column.cast(pa.string()).combine_chunks().fill_null("").dictionary_encode()
    words: list[str] = encoded.dictionary.to_pylist()
    order = sorted(range(len(words)), key=words.__getitem__)
    rank = np.empty(len(words), dtype=np.int64)
    rank[order] = np.arange(len(words))
    return [words[i] for i in order], rank[encoded.indices.to_numpy(zero_copy_only=False)]


def _template_names(
    logs: pa.Table, messages: list[str], message_code: IntArray, templates: TemplateFunction
) -> tuple[list[str], IntArray]:
    """Distinct templates and, for each distinct message, the code of its template."""
    mined = logs.column("template")
    if mined.null_count == 0:
        of_message = [""] * len(messages)
        for code, name in zip(message_code.tolist(), mined.to_pylist(), strict=True):
            of_message[code] = name
    else:
        of_message = list(templates(messages))
    distinct = sorted(set(of_message))
    code_of = {name: code for code, name in enumerate(distinct)}
    return distinct, np.array([code_of[name] for name in of_message], dtype=np.int64)


def _count(at: FloatArray, entity: IntArray, template: IntArray, windows: Windows) -> _Counts:
    before = at < windows.base_end_s
    during = (at >= windows.eval_start_s) & (at <= windows.eval_end_s)
    width = int(template.max()) + 1
    key, where = np.unique(entity * width + template, return_inverse=True)
    size = len(key)
    first = np.full(size, -1, dtype=np.int64)
    rows = np.arange(len(at))
    first[where] = rows  # last line of each, overwritten by the first line in the window
    reverse = rows[during][::-1]
    first[where[reverse]] = reverse
    return _Counts(
        entity=key // width,
        template=key % width,
        before=np.bincount(where, weights=before, minlength=size),
        during=np.bincount(where, weights=during, minlength=size),
        first=first,
    )


def _expected(counts: _Counts, n_entities: int) -> tuple[FloatArray, FloatArray]:
    """Expected lines in the window from the entity's own mix; and which entities have a baseline at all."""
    total_before = np.bincount(counts.entity, weights=counts.before, minlength=n_entities)
    total_during = np.bincount(counts.entity, weights=counts.during, minlength=n_entities)
    share = (counts.before + 0.0) / np.maximum(total_before[counts.entity], 1.0)
    return share * total_during[counts.entity], total_before >= 5


def _deviation(count: float, expected: float) -> float:
    """Signed root of the Poisson deviance, with half a line added to both."""
    seen, mean = count + 0.3, expected + 0.3
    deviance = 2.0 * (seen * np.log(seen / mean) - (seen - mean))
    return float(np.sign(seen - mean) * np.sqrt(max(deviance, 0.0)))


def _score(deviation: float, during: float, new: bool, wrong: bool, has_baseline: bool, level: float) -> float:
    """The deviation, and what words and severity add: a new line that says that something is wrong tells most."""
    if during == 0:
        return deviation
    if not has_baseline:
        bonus = 3.0 + np.log2(1.0 + during) if wrong else 0.0
        return float(bonus + (2.0 if level <= 2 else 0.0))
    score = deviation
    if new:
        score = max(score, 2.0)
    if wrong and score > 0:
        score *= 1.5
    return float(score)


def _severity_word(level: float) -> str | None:
    words = ("emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug")
    return words[int(level)] if np.isfinite(level) and 0 <= level <= 7 else None
