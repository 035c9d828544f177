"""Kinds of lines under watch: bursts, silences and templates that were never seen before."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from aiops.domain.batches import LOG_SCHEMA
from aiops.domain.occurrences import Anomaly
from aiops.errors import ParseError
from ingest.detection.lines import LineRates
from ingest.detection.settings import DetectionSettings
from ingest.templates import TemplateMiner

T0_S = 1_790_000_040.0  # the beginning of a minute


class Stream:
    """Lines of some entities, minute by minute."""

    def __init__(self, settings: DetectionSettings | None = None) -> None:
        self.rates = LineRates(settings or DetectionSettings())
        self.miner = TemplateMiner()

    def minute(self, number: int, counts: dict[tuple[str, str], int]) -> list[Anomaly]:
        """``counts`` of (entity, text)."""
        rows = [(entity, text) for (entity, text), count in counts.items() for _ in range(count)]
        entities = sorted({entity for entity, _text in rows})
        table = pa.Table.from_pylist(
            [
                {
                    "at_s": T0_S + 60.0 * number + 59.0 * place / max(1, len(rows)),
                    "entity": entity,
                    "severity": 4,
                    "message": text,
                    "event_id": f"logs-0@{number}#{place}",
                }
                for place, (entity, text) in enumerate(rows)
            ],
            schema=LOG_SCHEMA,
        )
        mined = self.miner.learn(_series([text for _entity, text in rows]))
        code = np.array([entities.index(entity) for entity, _text in rows], dtype=np.int64)
        return self.rates.observe(table, entities, code, mined)


def _series(texts: list[str]) -> pl.Series:
    return pl.Series(texts, dtype=pl.String)


BUSY = ("host:a", "request served")
OTHER = ("host:b", "request served")


def test_a_burst_and_its_end_are_told() -> None:
    stream, rng = Stream(), np.random.default_rng(1)
    told: list[Anomaly] = []
    for minute in range(90):
        burst = 300 if 60 <= minute < 70 else 20
        told += stream.minute(minute, {BUSY: int(rng.poisson(burst)), OTHER: int(rng.poisson(20))})
    first, last = told[0], told[-1]
    assert (first.entity, first.signal, first.detector, first.direction) == (
        *("host:a", "request served", "log_rate", "up"),
    )
    assert (first.started_at.timestamp() - T0_S) / 60 == 60
    assert first.expected == pytest.approx(20, rel=0.3)
    assert first.value == pytest.approx(300, rel=0.3)
    assert {anomaly.id for anomaly in told} == {first.id}
    assert last.ended_at is not None
    assert (last.ended_at.timestamp() - T0_S) / 60 == 70


def test_a_silence_is_told_as_long_as_others_speak() -> None:
    stream, rng = Stream(), np.random.default_rng(2)
    told: list[Anomaly] = []
    for minute in range(80):
        speaks = {} if minute >= 60 else {BUSY: int(rng.poisson(50))}
        told += stream.minute(minute, {**speaks, OTHER: int(rng.poisson(50))})
    assert [(a.entity, a.direction, (a.started_at.timestamp() - T0_S) / 60) for a in told] == [
        ("host:a", "down", 60)
    ]


def test_a_template_nobody_saw_is_told_once_what_is_usual_is_known() -> None:
    stream = Stream(DetectionSettings(learning_s=600.0))
    told = [stream.minute(minute, {BUSY: 5, OTHER: 5}) for minute in range(20)]
    assert not any(told)
    (new,) = stream.minute(20, {BUSY: 5, ("host:b", "disk sda 17 failed"): 7})
    assert (new.entity, new.signal, new.detector) == ("host:b", "disk sda <*> failed", "new_template")
    assert (new.value, new.score) == (7.0, 4.0)
    assert len(new.events) == 5
    assert new.events[0].startswith("logs-0@20#")
    assert stream.minute(21, {("host:a", "disk sda 19 failed"): 7}) == []


def test_new_templates_are_bounded_and_counted() -> None:
    stream = Stream(DetectionSettings(learning_s=60.0, max_new_templates=5, max_new_templates_per_entity=3))
    for minute in range(5):
        stream.minute(minute, {BUSY: 1})
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"]
    flood = {(f"host:{n % 2}", " ".join([word] * (n + 2))): 1 for n, word in enumerate(words)}
    assert len(stream.minute(5, flood)) == 5
    assert stream.rates.suppressed == 1


def test_late_lines_are_counted_and_a_clock_ahead_moves_nobody() -> None:
    stream = Stream()
    for minute in range(10):
        stream.minute(minute, {BUSY: 5})
    assert stream.rates.late == 0
    stream.minute(2, {BUSY: 4})
    assert stream.rates.late == 4
    stream.minute(500_000, {BUSY: 3})
    assert stream.rates.late == 7
    assert stream.minute(11, {BUSY: 5}) == []


def test_kinds_are_bounded_and_counted() -> None:
    stream = Stream(DetectionSettings(max_kinds=3))
    stream.minute(0, {(f"host:{n}", "hello"): 1 for n in range(5)})
    assert len(stream.rates) == 3


def test_stopped_anywhere_and_restored_it_goes_on_as_if_it_had_not_stopped() -> None:
    rng = np.random.default_rng(3)
    counts = rng.poisson(20, (75, 2))
    counts[50:58, 0] = 200
    settings = DetectionSettings(learning_s=600.0)

    def play(stream: Stream, minutes: range) -> list[list[Anomaly]]:
        return [
            stream.minute(
                n,
                {
                    BUSY: int(counts[n, 0]),
                    OTHER: int(counts[n, 1]),
                    **({("host:b", "out of memory"): 2} if n == 40 else {}),
                },
            )
            for n in minutes
        ]

    never = Stream(settings)
    told = play(never, range(75))
    assert sum(map(len, told)) >= 3
    for stop in (1, 33, 41, 52, 60):
        first, second = Stream(settings), Stream(settings)
        play(first, range(stop))
        second.rates.load(first.rates.save())
        second.miner.load(first.miner.save())
        assert play(second, range(stop, 75)) == told[stop:]
        assert second.rates.save() == never.rates.save()
    with pytest.raises(ParseError, match="line-watch"):
        never.rates.load(b"nothing")
