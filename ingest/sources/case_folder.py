"""Reads one labelled failure in the form ``rca-case/1``: a folder of topology, metrics, logs, alerts and states.

Never opens ``label.json``: an analysis must not be able to see the answer.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from aiops.contracts import Observations
from aiops.domain.batches import LOG_SCHEMA, EntitySeries, SignalWindow, StateObservation, empty_logs
from aiops.domain.graph import Entity, GraphDelta, Relation
from aiops.domain.occurrences import Alarm, Incident, Symptom, severity_named
from aiops.errors import CaseError

FORMAT = "rca-case/1"
METRIC_COLUMNS = ("at", "entity", "peer", "metric", "value")
#: RFC 5424 table 2.
SYSLOG_SEVERITIES: Mapping[str, int] = {
    **{name: code for code, name in enumerate(("emergency", "alert", "critical", "error"))},
    **{name: code for code, name in enumerate(("warning", "notice", "informational", "debug"), start=4)},
    "info": 6,
    "warn": 4,
    "err": 3,
    "crit": 2,
    "emerg": 0,
}
_MAX_FILE_BYTES = 1 << 30
_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Case:
    """A failure as an analysis may see it: the incident, the topology, and what was observed."""

    id: str
    system: str
    incident: Incident
    delta: GraphDelta
    observations: Observations


def read_case(path: Path) -> Case:
    """Read the case folder ``path``. Raises :class:`CaseError` with file and line or pointer on anything broken."""
    if not path.is_dir():
        raise CaseError(
            f"{path}: not a folder", hint="name a folder that holds case.json", file=str(path), pointer=""
        )
    head = _json_object(path / "case.json")
    _expect(head.get("format") == FORMAT, path / "case.json", "/format", f"must be {FORMAT!r}")
    case_id = _text(head, "id", path / "case.json", "")
    window = _mapping(head.get("window"), path / "case.json", "/window")
    start = _time(window.get("start"), path / "case.json", "/window/start")
    end = _time(window.get("end"), path / "case.json", "/window/end")
    _expect(start < end, path / "case.json", "/window", "start must lie before end")
    detected_at = _time(head.get("detected_at"), path / "case.json", "/detected_at")
    symptoms = _symptoms(head.get("symptoms", []), path / "case.json")
    incident = Incident(
        id=case_id,
        title=str(head.get("description") or f"Incident {case_id}"),
        started_at=detected_at,
        source="case",
        external_id=case_id,
        description=str(head.get("description") or ""),
        affected=tuple(sorted({symptom.entity for symptom in symptoms})),
        symptoms=symptoms,
        window_before_s=max(0.0, (detected_at - start).total_seconds()),
        window_after_s=max(0.0, (end - detected_at).total_seconds()),
    )
    observed = SignalWindow(
        start=start,
        end=end,
        series=_read_metrics(path / "metrics.parquet"),
        logs=_read_logs(path / "logs.jsonl.gz"),
        states=_read_states(path / "states.jsonl.gz"),
    )
    return Case(
        id=case_id,
        system=str(head.get("system") or ""),
        incident=incident,
        delta=_read_topology(path / "topology.json"),
        observations=Observations(observed, _read_alerts(path / "alerts.jsonl.gz", case_id), ()),
    )


def _fail(file: Path, where: str | int, text: str) -> CaseError:
    """An error that says file and line (int) or JSON pointer (str)."""
    if isinstance(where, int):
        return CaseError(
            f"{file}:{where}: {text}", hint="see the format's description", file=str(file), line=where
        )
    return CaseError(
        f"{file}: {where or '/'}: {text}", hint="see the format's description", file=str(file), pointer=where
    )


def _expect(condition: bool, file: Path, where: str | int, text: str) -> None:
    if not condition:
        raise _fail(file, where, text)


def _mapping(value: object, file: Path, where: str | int) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _fail(file, where, "must be an object")
    return value


def _text(row: Mapping[str, object], key: str, file: Path, where: str | int) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise _fail(
            file, where if isinstance(where, int) else f"{where}/{key}", f"{key!r} must be a non-empty text"
        )
    return value


def _time(value: object, file: Path, where: str | int) -> datetime:
    """RFC 3339 with ``Z`` or an offset."""
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            parsed = None
        if parsed is not None and parsed.tzinfo is not None:
            return parsed.astimezone(UTC)
    raise _fail(file, where, f"{value!r} is no RFC 3339 time with a zone")


def _read_bytes(file: Path) -> bytes:
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        raise _fail(file, "", "missing") from None
    except OSError as exc:
        raise _fail(file, "", f"cannot be read: {exc.strerror}") from exc
    return raw


def _json_object(file: Path) -> dict[str, object]:
    raw = _read_bytes(file)
    try:
        return _mapping(orjson.loads(raw), file, "")
    except orjson.JSONDecodeError as exc:
        raise _fail(file, exc.lineno, f"no JSON: {exc.msg}") from exc


def _symptoms(value: object, file: Path) -> tuple[Symptom, ...]:
    _expect(isinstance(value, list), file, "/symptoms", "must be a list")
    assert isinstance(value, list)
    found = []
    for index, item in enumerate(value):
        row = _mapping(item, file, f"/symptoms/{index}")
        metric = row.get("metric")
        found.append(
            Symptom(
                entity=_text(row, "entity", file, f"/symptoms/{index}"),
                metric=metric if isinstance(metric, str) else None,
                at=_time(row.get("at"), file, f"/symptoms/{index}/at"),
            )
        )
    return tuple(found)


def _labels(value: object, file: Path, where: str) -> Mapping[str, str]:
    return {
        str(key): str(text) for key, text in _mapping(value if value is not None else {}, file, where).items()
    }


def _read_topology(file: Path) -> GraphDelta:
    """Entities and relations; a relation to an entity that is not listed is refused with its pointer."""
    document = _json_object(file)
    entities: dict[str, Entity] = {}
    for pointer, row in _objects(document, "entities", file):
        entity_id = _text(row, "id", file, pointer)
        aliases = row.get("aliases")
        entities[entity_id] = Entity(
            id=entity_id,
            kind=_text(row, "kind", file, pointer),
            name=str(row.get("name") or entity_id),
            aliases=tuple(str(alias) for alias in aliases) if isinstance(aliases, list) else (),
            labels=_labels(row.get("labels"), file, f"{pointer}/labels"),
        )
    relations: dict[tuple[str, str, str, str], Relation] = {}
    for pointer, row in _objects(document, "relations", file):
        group = row.get("redundancy_group")
        relation = Relation(
            source_id=_text(row, "from", file, pointer),
            kind=_text(row, "kind", file, pointer),
            target_id=_text(row, "to", file, pointer),
            redundancy_group=group if isinstance(group, str) else None,
            labels=_labels(row.get("labels"), file, f"{pointer}/labels"),
        )
        for end, entity_id in (("from", relation.source_id), ("to", relation.target_id)):
            _expect(
                entity_id in entities, file, f"{pointer}/{end}", f"{entity_id!r} is not among the entities"
            )
        relations[relation.key] = relation
    return GraphDelta(
        source="case",
        entities=tuple(entities[key] for key in sorted(entities)),
        relations=tuple(relations[key] for key in sorted(relations)),
    )


def _objects(document: Mapping[str, object], key: str, file: Path) -> Iterator[tuple[str, dict[str, object]]]:
    value = document.get(key)
    if not isinstance(value, list):
        raise _fail(file, f"/{key}", "must be a list")
    for index, item in enumerate(value):
        pointer = f"/{key}/{index}"
        yield pointer, _mapping(item, file, pointer)


def _read_metrics(file: Path) -> tuple[EntitySeries, ...]:
    """One series per (entity, peer, metric), times ascending; the last of two values at one time is kept."""
    if not file.exists():
        return ()
    try:
        table = pq.read_table(file, columns=list(METRIC_COLUMNS))
    except (pa.ArrowException, OSError) as exc:
        raise _fail(file, "", f"no usable Parquet: {exc}") from exc
    codes, names = [], []
    for column in ("entity", "peer", "metric"):
        encoded = table.column(column).cast(pa.string()).combine_chunks().dictionary_encode()
        words: list[str] = encoded.dictionary.to_pylist()
        order = np.argsort(np.array(words, dtype=object)) if words else np.zeros(0, dtype=np.int64)
        rank = np.empty(len(words) + 1, dtype=np.int64)
        rank[order] = np.arange(len(words))
        rank[-1] = -1
        codes.append(rank[encoded.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)])
        names.append([words[index] for index in order])
    _expect(not (len(codes[0]) and (codes[0] < 0).any()), file, "/entity", "a sample without entity")
    at = table.column("at").cast(pa.float64()).to_numpy()
    value = table.column("value").cast(pa.float64()).to_numpy()
    order = np.lexsort((at, codes[2], codes[1], codes[0]))
    keys = np.stack(codes)[:, order]
    at, value = at[order], value[order]
    if not len(at):
        return ()
    new_key = (np.diff(keys, axis=1) != 0).any(axis=0)
    starts = np.flatnonzero(np.r_[True, new_key])
    keep = np.isfinite(value) & np.r_[new_key | (np.diff(at) > 0), True]
    ends = np.cumsum(np.add.reduceat(keep, starts, dtype=np.int64)).tolist()
    at, value = at[keep], value[keep]
    return tuple(
        EntitySeries(
            entity=names[0][entity],
            peer=names[1][peer] if peer >= 0 else None,
            metric=names[2][metric],
            at_s=at[low:high],
            value=value[low:high],
        )
        for entity, peer, metric, low, high in zip(
            *keys[:, starts].tolist(), [0, *ends[:-1]], ends, strict=True
        )
    )


def _lines(file: Path, read: Callable[[dict[str, object], int], _Row]) -> list[_Row]:
    """``read`` applied to each JSON object of a gzip file of lines; blank lines are skipped."""
    if not file.exists():
        return []
    try:
        with gzip.open(file) as stream:
            raw = stream.read(_MAX_FILE_BYTES)
    except (OSError, EOFError, zlib.error) as exc:
        raise _fail(file, "", f"no usable gzip: {exc}") from exc
    rows = []
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as exc:
            raise _fail(file, number, f"no JSON: {exc.msg}") from exc
        rows.append(read(_mapping(row, file, number), number))
    return rows


def _seconds(texts: list[object], file: Path) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """RFC 3339 UTC texts as epoch seconds, all at once; falls back to one by one to say which is wrong."""
    try:
        stripped = [text[:-1] if isinstance(text, str) and text.endswith("Z") else "" for text in texts]
        parsed = np.array(stripped, dtype="datetime64[us]")
        if not np.isnat(parsed).any():
            return parsed.astype(np.int64) / 1e6
    except ValueError:
        pass  # one by one below, which names the line
    return np.array([_time(text, file, number).timestamp() for number, text in enumerate(texts, start=1)])


def _read_logs(file: Path) -> pa.Table:
    def read(row: dict[str, object], number: int) -> tuple[object, str, int | None, str, str]:
        message, severity = row.get("message"), row.get("severity")
        if not isinstance(message, str):
            raise _fail(file, number, "'message' must be a text")
        level = SYSLOG_SEVERITIES.get(severity.lower()) if isinstance(severity, str) else None
        return row.get("at"), _text(row, "entity", file, number), level, str(row.get("source") or ""), message

    rows = _lines(file, read)
    if not rows:
        return empty_logs()
    at = _seconds([row[0] for row in rows], file)
    order = np.argsort(at, kind="stable").tolist()
    return pa.table(
        {
            "at_s": at[order],
            "entity": [rows[i][1] for i in order],
            "severity": pa.array([rows[i][2] for i in order], pa.int8()),
            "source": [rows[i][3] for i in order],
            "message": [rows[i][4] for i in order],
            "template": pa.nulls(len(rows), pa.string()),
            "event_id": [f"log:{i + 1:07d}" for i in order],
        },
        schema=LOG_SCHEMA,
    )


def _read_states(file: Path) -> tuple[StateObservation, ...]:
    def read(row: dict[str, object], number: int) -> tuple[object, str, str, str]:
        value = row.get("value")
        return (
            row.get("at"),
            _text(row, "entity", file, number),
            _text(row, "property", file, number),
            value if isinstance(value, str) else orjson.dumps(value).decode(),
        )

    rows = _lines(file, read)
    at = _seconds([row[0] for row in rows], file) if rows else np.zeros(0)
    states = [StateObservation(float(t), *row[1:]) for t, row in zip(at, rows, strict=True)]
    return tuple(sorted(states, key=lambda state: (state.at_s, state.entity, state.property, state.value)))


def _read_alerts(file: Path, case_id: str) -> tuple[Alarm, ...]:
    def read(row: dict[str, object], number: int) -> Alarm:
        peer, severity, value = row.get("peer"), row.get("severity"), row.get("value")
        return Alarm(
            id=f"{case_id}:alert:{number}",
            fingerprint=f"{number:06d}",
            name=_text(row, "name", file, number),
            entity=_text(row, "entity", file, number),
            started_at=_time(row.get("at"), file, number),
            severity=severity_named(severity) if isinstance(severity, str) else None,
            peer=peer if isinstance(peer, str) else None,
            value=float(value) if isinstance(value, int | float) else None,
            message=str(row.get("message") or ""),
            source="case",
        )

    alarms = _lines(file, read)
    return tuple(sorted(alarms, key=lambda alarm: (alarm.started_at, alarm.fingerprint)))
