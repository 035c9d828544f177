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
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from aiops.domain.batches import FloatArray, IntArray
from aiops.domain.evidence import Channel, Evidence, Reference, evidence_id
from ingest.evidence.detectors import Windows
from ingest.evidence.strength import strength_of

TemplateFunction = Callable[[Sequence[str]], Sequence[str]]

MAX_PER_ENTITY = 12
MIN_DEVIATION = 1.0
MIN_BASELINE_LINES = 5
MAX_MINUTES = 60
#: The fault may begin anywhere in the first minutes of the evaluation window.
ONSETS_S = (0.0, 60.0, 120.0, 180.0)
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


@dataclass(frozen=True, slots=True)
class _Counts:
    """Per (entity, template) key: lines before and in the evaluation window, deviation, its first line in the window."""

    entity: IntArray
    template: IntArray
    before: FloatArray
    during: FloatArray
    expected: FloatArray
    deviation: FloatArray  # 0 where the entity has no baseline
    has_baseline: npt.NDArray[np.bool_]  # per key
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
    counts = _count(at, entity_code, template_code, len(entities), windows)
    spread = np.bincount(
        np.unique(np.stack([template_code, entity_code]), axis=1)[0], minlength=len(names[0])
    )
    found: list[tuple[int, float, Evidence]] = []
    for row in range(len(counts.entity)):
        entity, template = int(counts.entity[row]), int(counts.template[row])
        line = int(counts.first[row])
        text = messages[message_code[line]]
        level = severity[line]
        deviation, known = float(counts.deviation[row]), bool(counts.has_baseline[row])
        wrong = bool(level <= 3) or bool(_WRONG.search(text) and not _RIGHT.search(text))
        new = counts.before[row] == 0
        score = _score(deviation, counts.during[row], new, wrong, known, level)
        action = new and bool(counts.during[row]) and bool(_ACTION.search(text))
        if abs(score) < MIN_DEVIATION and not action:
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
                    channel=Channel.CHANGE if action else Channel.LOG,
                    name=names[0][template],
                    at_s=float(at[line]) if counts.during[row] else windows.eval_start_s,
                    strength=_ACTION_STRENGTH if action else strength_of(score),
                    direction=1 if score > 0 else -1,
                    text=text if counts.during[row] else f"no longer seen: {text}",
                    ref=Reference("event", str(logs.column("event_id")[line].as_py() or "")),
                    value=float(counts.during[row]),
                    baseline=float(counts.expected[row]),
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


def _count(
    at: FloatArray, entity: IntArray, template: IntArray, n_entities: int, windows: Windows
) -> _Counts:
    """Counts and deviations of every (entity, template). The onset is not known, so the deviation is the mean over
    :data:`ONSETS_S`; it is divided by how unsteady the template's share is from minute to minute in the baseline."""
    before = at < windows.base_end_s
    during = (at >= windows.eval_start_s) & (at <= windows.eval_end_s)
    width = int(template.max()) + 1
    key, where = np.unique(entity * width + template, return_inverse=True)
    size = len(key)
    owner = key // width
    first = np.full(size, -1, dtype=np.int64)
    rows = np.arange(len(at))
    first[where] = rows  # last line of each, overwritten by the first line in the window
    reverse = rows[during][::-1]
    first[where[reverse]] = reverse
    count_before = _bincount(where, weights=before, minlength=size)
    total_before = _bincount(entity, weights=before, minlength=n_entities)
    share = count_before / np.maximum(total_before[owner], 1.0)
    deviations = []
    for onset_s in ONSETS_S:
        inside = (at >= windows.eval_start_s + onset_s) & (at <= windows.eval_end_s)
        seen = _bincount(where, weights=inside, minlength=size)
        total = _bincount(entity, weights=inside, minlength=n_entities)
        deviations.append(_deviation(seen, share * total[owner]))
    known = total_before[owner] >= MIN_BASELINE_LINES
    unsteady = _unsteadiness(at, where, entity, owner, share, before, windows)
    total_during = _bincount(entity, weights=during, minlength=n_entities)
    return _Counts(
        entity=owner,
        template=key % width,
        before=count_before,
        during=_bincount(where, weights=during, minlength=size),
        expected=share * total_during[owner],
        deviation=np.where(known, np.mean(deviations, axis=0) / unsteady, 0.0),
        has_baseline=known,
        first=first,
    )


def _bincount(
    codes: IntArray, weights: npt.NDArray[np.bool_] | None = None, minlength: int = 0
) -> FloatArray:
    """:func:`numpy.bincount` that always counts in floats."""
    return np.asarray(np.bincount(codes, weights=weights, minlength=minlength), dtype=np.float64)


def _unsteadiness(
    at: FloatArray,
    where: IntArray,
    entity: IntArray,
    owner: IntArray,
    share: FloatArray,
    before: npt.NDArray[np.bool_],
    windows: Windows,
) -> FloatArray:
    """Root mean square of the per-minute deviations in the baseline, at least 1; 1 with fewer than three minutes."""
    minute = ((windows.base_end_s - at[before]) // 60.0).astype(np.int64)
    n_minutes = int(min(minute.max() + 1, MAX_MINUTES)) if len(minute) else 0
    if n_minutes < 3:
        return np.ones(len(owner))
    kept = minute < n_minutes
    minute, where_before, entity_before = minute[kept], where[before][kept], entity[before][kept]
    squares, minutes = np.zeros(len(owner)), np.zeros(len(owner))
    n_entities = int(entity.max()) + 1
    for number in range(n_minutes):
        chosen = minute == number
        seen = _bincount(where_before[chosen], minlength=len(owner))
        total = _bincount(entity_before[chosen], minlength=n_entities)[owner]
        squares += np.where(total > 0, _deviation(seen, share * total) ** 2, 0.0)
        minutes += total > 0
    return np.where(minutes >= 3, np.maximum(1.0, np.sqrt(squares / np.maximum(minutes, 1.0))), 1.0)


def _deviation(count: FloatArray, expected: FloatArray) -> FloatArray:
    """Signed root of the Poisson deviance, with a third of a line added to both."""
    seen, mean = count + 0.3, expected + 0.3
    deviance = 2.0 * (seen * np.log(seen / mean) - (seen - mean))
    return np.asarray(np.sign(seen - mean) * np.sqrt(np.maximum(deviance, 0.0)))


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
