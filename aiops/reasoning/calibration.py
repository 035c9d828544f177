"""What a score is worth: maps from raw confidence to a probability, and sets of causes that hold the true one as often as said.

Both were measured on labelled incidents and ship as ``calibration.json`` beside this module, made by
``python -m benchmarks.calibration``. Nothing here learns; :mod:`aiops.evaluation.calibration` does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise

import numpy as np
import orjson

from aiops.domain.batches import FloatArray
from aiops.errors import ModelError

FORMAT = "calibration/1"
#: Sharpness of the shares that conformal sets are cut by; flat, so that sets stay small where many are alike.
SET_SHARPNESS = 2.0


@dataclass(frozen=True, slots=True)
class Knots:
    """A monotone map given at points: linear between them, from (0, 0) to the first, constant behind the last.

    ``raw`` rises strictly within [0, 1], ``probability`` never falls and stays within [0, 1]. Below what was ever
    measured the map runs to 0: what is less certain than every labelled incident does not get their certainty.
    """

    raw: tuple[float, ...]
    probability: tuple[float, ...]

    def __call__(self, value: float) -> float:
        """The probability for a raw confidence."""
        return float(np.interp(value, (0.0, *self.raw), (0.0, *self.probability)))


@dataclass(frozen=True, slots=True)
class Calibration:
    """``first``: for the first cause; ``later``: for those after it. ``level``: how often a conformal set holds a true
    cause; ``least_share``: the share of a candidate from which it is in the set. ``incidents``, ``systems``: how many
    the maps were made from; ``error`` and ``error_left_out``: calibration error of the first cause on incidents, and on
    systems, that the map had not seen. ``version``: SHA-256 of the document."""

    first: Knots
    later: Knots
    level: float
    least_share: float
    incidents: int
    systems: int
    error: float
    error_left_out: float
    version: str = ""

    def describe(self) -> str:
        """How the map was made, in one sentence for the analysis."""
        return (
            f"isotonic regression on {self.incidents} labelled incidents of {self.systems} systems; calibration error"
            f" {self.error:.3f} on incidents held out, {self.error_left_out:.3f} on systems held out;"
            f" map sha256.{self.version[:12]}"
        )


def shares(totals: Sequence[float] | FloatArray, sharpness: float) -> FloatArray:
    """Softmax of ``sharpness`` x total over all candidates, float64 [n]: how far each stands apart from the rest."""
    values = np.asarray(totals, dtype=np.float64)
    if not len(values):
        return values
    mass = np.exp(sharpness * (values - values.max()))
    return np.asarray(mass / mass.sum())


def conformal_set(entities: Sequence[str], totals: Sequence[float], least_share: float) -> tuple[str, ...]:
    """Entities whose share is at least ``least_share``, largest first, ties by id; never empty where there is a candidate.

    Split conformal prediction with the nonconformity 1 - share (Vovk et al. 2005; Lei et al. 2018): with exchangeable
    incidents the set holds a true cause with the probability that the threshold was chosen for.
    """
    found = shares(totals, SET_SHARPNESS)
    order = sorted(range(len(entities)), key=lambda row: (-float(found[row]), entities[row]))
    chosen = [entities[row] for row in order if found[row] >= least_share]
    return tuple(chosen or [entities[row] for row in order[:1]])


def calibration_json(calibration: Calibration) -> bytes:
    """The document that ships, without its version."""
    return orjson.dumps(
        {
            "format": FORMAT,
            "first": _document(calibration.first),
            "later": _document(calibration.later),
            "conformal": {"level": calibration.level, "least_share": calibration.least_share},
            "incidents": calibration.incidents,
            "systems": calibration.systems,
            "calibration_error": calibration.error,
            "calibration_error_left_out": calibration.error_left_out,
        },
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
    )


def parse_calibration(content: bytes) -> Calibration:
    """Raises :class:`ModelError` on a document that is none, or whose map is not monotone."""
    try:
        document = orjson.loads(content)
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']!r}, expected {FORMAT!r}")
        return Calibration(
            first=_knots(document["first"]),
            later=_knots(document["later"]),
            level=float(document["conformal"]["level"]),
            least_share=float(document["conformal"]["least_share"]),
            incidents=int(document["incidents"]),
            systems=int(document["systems"]),
            error=float(document["calibration_error"]),
            error_left_out=float(document["calibration_error_left_out"]),
            version=hashlib.sha256(content).hexdigest(),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"no calibration: {error}", hint="make it anew with `python -m benchmarks.calibration`"
        ) from error


def shipped_calibration() -> Calibration:
    """The map that ships with this package. Raises :class:`ModelError`."""
    return parse_calibration((resources.files("aiops.reasoning") / "calibration.json").read_bytes())


def _document(knots: Knots) -> dict[str, list[float]]:
    return {"raw": list(knots.raw), "probability": list(knots.probability)}


def _knots(document: Mapping[str, Sequence[float]]) -> Knots:
    raw = tuple(float(value) for value in document["raw"])
    probability = tuple(float(value) for value in document["probability"])
    if not raw or len(raw) != len(probability):
        raise ValueError("a map needs as many probabilities as raw values, and at least one")
    if any(after <= before for before, after in pairwise((0.0, *raw))) or raw[-1] > 1:
        raise ValueError("raw values must rise within (0, 1]")
    if any(after < before for before, after in pairwise((0.0, *probability))) or probability[-1] > 1:
        raise ValueError("probabilities must not fall and must lie in [0, 1]")
    return Knots(raw, probability)
