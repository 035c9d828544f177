"""Detection in the stream: how fast, how often wrong on noise, how soon on shifts.

Noise that does not change (a sample every 15 s) gives false alarms a series and day; shifts of 2, 3, 5 and 10 standard
deviations that last give the share found within 30 minutes, and the delay until it is told.

Run: ``python -m benchmarks.detection [--quick] [--only NAME] [-o FILE]``.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from aiops.domain.batches import FloatArray, SeriesColumns
from benchmarks.report import Result, parser, rate_per_cpu_s, result, write
from ingest.detection.arrays import ArrayDetector, SlotColumns
from ingest.detection.series import SeriesWatch
from ingest.detection.settings import DetectionSettings

SEED = 20260205
STEP_S = 15.0
DAY = int(86_400 / STEP_S)
T0_S = 1_790_000_000.0
SHIFTS = (2.0, 3.0, 5.0, 10.0)
BEFORE, AFTER = 400, 120

Noise = Callable[[np.random.Generator, int, int], FloatArray]


def _autoregressive(r: float) -> Noise:
    def made(rng: np.random.Generator, count: int, series: int) -> FloatArray:
        steps = rng.normal(0.0, 10.0 * np.sqrt(1.0 - r * r), (count, series))
        values = np.empty((count, series))
        values[0] = rng.normal(0.0, 10.0, series)
        for row in range(1, count):
            values[row] = r * values[row - 1] + steps[row]
        return 100.0 + values

    return made


def _daily(rng: np.random.Generator, count: int, series: int) -> FloatArray:
    phase = np.arange(count)[:, np.newaxis] * STEP_S / 86_400.0
    values: FloatArray = 100.0 + 40.0 * np.sin(2.0 * np.pi * phase) + rng.normal(0.0, 10.0, (count, series))
    return values


NOISES: Mapping[str, Noise] = {
    "normal": lambda rng, count, series: rng.normal(100.0, 10.0, (count, series)),
    "lognormal": lambda rng, count, series: rng.lognormal(-3.0, 0.5, (count, series)),
    "poisson_5": lambda rng, count, series: rng.poisson(5.0, (count, series)).astype(np.float64),
    "poisson_0.02": lambda rng, count, series: rng.poisson(0.02, (count, series)).astype(np.float64),
    "student_3": lambda rng, count, series: 100.0 + 10.0 * rng.standard_t(3, (count, series)),
    "autoregressive_0.5": _autoregressive(0.5),
    "autoregressive_0.9": _autoregressive(0.9),
    "daily": _daily,
}


def _told(values: FloatArray) -> dict[str, tuple[str, float, float]]:
    """By anomaly: whose it is, when it began and when it was first told, in samples."""
    count, series = values.shape
    keys = tuple((f"host:{n}", None, "m", ()) for n in range(series))
    watch, starts = SeriesWatch(DetectionSettings()), np.arange(series + 1)
    told: dict[str, tuple[str, float, float]] = {}
    for row in range(count):
        at_s = np.full(series, T0_S + row * STEP_S)
        for anomaly in watch.observe(SeriesColumns(keys, starts, at_s, values[row])):
            began = (anomaly.started_at.timestamp() - T0_S) / STEP_S
            told.setdefault(anomaly.id, (anomaly.entity, began, float(row)))
    return told


def false_alarms(name: str, series: int, days: float) -> Result:
    values = NOISES[name](np.random.default_rng(SEED), int(days * DAY), series)
    return result(f"false_alarms_{name}", [len(_told(values)) / (series * days)], "a series and day")


def delays(name: str, series: int) -> list[Result]:
    found: list[Result] = []
    for shift in SHIFTS:
        rng = np.random.default_rng(SEED + 1)
        values = NOISES[name](rng, BEFORE + AFTER, series)
        values[BEFORE:] += shift * values[:BEFORE].std(axis=0)
        hits: dict[str, float] = {}
        for entity, began, told in _told(values).values():
            if told >= BEFORE and began >= BEFORE - 8:
                hits.setdefault(entity, (told - BEFORE) * STEP_S)
        found.append(result(f"found_{name}_{shift:g}", [len(hits) / series], "share"))
        delay_s = statistics.median(hits.values()) if hits else float("nan")
        found.append(result(f"delay_{name}_{shift:g}", [delay_s], "s"))
    return found


def array_step(series: int, runs: int) -> Result:
    """Both detectors on every series, samples a second of CPU time."""
    rng = np.random.default_rng(SEED)
    detector, columns = ArrayDetector(DetectionSettings()), SlotColumns.zeros(series)
    samples = [rng.normal(100.0, 10.0, series) for _ in range(4)]
    elapsed = np.full(series, STEP_S, dtype=np.float32)
    steps = max(1, 2_000_000 // series)

    def work() -> int:
        for step in range(steps):
            detector.advance(columns, slice(0, series), elapsed, samples[step % 4])
        return steps * series

    for step in range(40):  # past the warm-up
        detector.advance(columns, slice(0, series), elapsed, samples[step % 4])
    return result(f"array_step_{series}", rate_per_cpu_s(work, runs=runs), "samples/cpu_s")


def watch_rate(series: int, runs: int) -> Result:
    """The same with identities, windows and judgement of what the detectors point at."""
    rng = np.random.default_rng(SEED)
    keys = tuple((f"host:{n % 500}", None, f"m{n % 200}", (("cpu", str(n)),)) for n in range(series))
    watch, starts = SeriesWatch(DetectionSettings()), np.arange(series + 1)
    rounds = iter(range(10_000))

    def work() -> int:
        at_s = np.full(series, T0_S + next(rounds) * STEP_S)
        watch.observe(SeriesColumns(keys, starts, at_s, rng.normal(100.0, 10.0, series)))
        return series

    for _ in range(34):
        work()
    return result(f"watch_{series}", rate_per_cpu_s(work, runs=runs), "samples/cpu_s")


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser("Detection in the stream").parse_args(arguments)
    series, days, runs = (20, 0.1, 2) if options.quick else (100, 1.0, 5)
    measured: list[Result] = []
    for size in (10_000, 100_000, 1_000_000):
        if not options.only or options.only in "array_step":
            measured.append(array_step(size, runs))
    if not options.only or options.only in "watch":
        measured.append(watch_rate(100_000, runs))
    for name in NOISES:
        if not options.only or options.only in name:
            measured.append(false_alarms(name, series, days))
            measured += delays(name, series)
    write(measured, seed=SEED, output=options.output)


if __name__ == "__main__":
    main()
