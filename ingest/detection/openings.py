"""Anomalies from their beginning to their end: opened once, told again when they get worse, closed when it is calm; bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime

from aiops.domain.evidence import evidence_id
from aiops.domain.occurrences import Anomaly
from ingest.detection.settings import DetectionSettings

#: An open anomaly is told again once its score has grown so much.
WORSE = 1.5


@dataclass(slots=True)
class _Open:
    anomaly: Anomaly
    told: float  # the score that was told
    calm: int = 0
    calm_since_s: float = 0.0
    last_s: float = 0.0


def time_of(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)


def _fields(anomaly: Anomaly) -> dict[str, object]:
    values = {one.name: getattr(anomaly, one.name) for one in fields(anomaly)}
    return {**values, "labels": dict(anomaly.labels)}


def anomaly_id(
    entity: str, peer: str | None, signal: str, labels: Iterable[tuple[str, str]], detector: str, at_s: float
) -> str:
    """The same for the same samples, whoever sees them."""
    said = "\x1f".join(f"{name}={value}" for name, value in labels)
    parts = (entity, peer or "", signal, said, detector, f"{at_s:.3f}")
    return f"anomaly-{evidence_id(*parts)[1:]}"


class OpenAnomalies:
    """By slot. ``suppressed`` counts what was over the bounds and therefore not told."""

    def __init__(self, settings: DetectionSettings) -> None:
        self._settings = settings
        self._open: dict[int, _Open] = {}
        self._of_entity: Counter[str] = Counter()
        self.suppressed = 0

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, slot: int) -> bool:
        return slot in self._open

    def slots(self) -> list[int]:
        return sorted(self._open)

    def open(self, slot: int, anomaly: Anomaly, at_s: float) -> Anomaly | None:
        """``anomaly`` if there is room for it."""
        full = len(self._open) >= self._settings.max_open
        if full or self._of_entity[anomaly.entity] >= self._settings.max_open_per_entity:
            self.suppressed += 1
            return None
        self._open[slot] = _Open(anomaly, abs(anomaly.score), last_s=at_s)
        self._of_entity[anomaly.entity] += 1
        return anomaly

    def seen(self, slot: int, z: float, at_s: float, value: float) -> Anomaly | None:
        """A sample of an open one: what changed, if that is to be told. Ended ones are gone from here."""
        held, s = self._open[slot], self._settings
        held.last_s = at_s
        if abs(z) < s.calm:
            if held.calm == 0:
                held.calm_since_s = at_s
            held.calm += 1
            if held.calm >= s.calm_samples:
                return self._close(slot, held.calm_since_s)
            return None
        held.calm = 0
        if at_s - held.anomaly.started_at.timestamp() > s.max_open_s:
            return self._close(slot, at_s)
        if abs(z) <= abs(held.anomaly.score):
            return None
        held.anomaly = replace(held.anomaly, score=z, value=value)
        if abs(z) < WORSE * held.told:
            return None
        held.told = abs(z)
        return held.anomaly

    def end_silent(self, now_s: float) -> list[tuple[int, Anomaly]]:
        """Those whose samples stopped, ended where they did."""
        gone = [slot for slot, held in self._open.items() if held.last_s < now_s - self._settings.silent_s]
        return [(slot, self._close(slot, self._open[slot].last_s)) for slot in sorted(gone)]

    def _close(self, slot: int, at_s: float) -> Anomaly:
        anomaly = self._open.pop(slot).anomaly
        self._of_entity[anomaly.entity] -= 1
        if not self._of_entity[anomaly.entity]:
            del self._of_entity[anomaly.entity]
        return replace(anomaly, ended_at=time_of(max(at_s, anomaly.started_at.timestamp())))

    def dump(self) -> list[object]:
        rows = [
            (slot, _fields(held.anomaly), held.told, held.calm, held.calm_since_s, held.last_s)
            for slot, held in self._open.items()
        ]
        return [self.suppressed, rows]

    def fill(
        self, suppressed: int, rows: list[tuple[int, dict[str, object], float, int, float, float]]
    ) -> None:
        """Become what :meth:`dump` gave, through JSON."""
        self.suppressed = suppressed
        for slot, row, told, calm, since_s, last_s in rows:
            start = datetime.fromisoformat(str(row["started_at"]))
            made = Anomaly(**{**row, "started_at": start, "events": tuple(row["events"])})  # type: ignore[arg-type]
            self._open[slot] = _Open(made, told, calm, since_s, last_s)
            self._of_entity[made.entity] += 1
