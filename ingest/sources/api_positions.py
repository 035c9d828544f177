"""How far a Prometheus API has been read, and which of its alerts are open as far as anybody was told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from aiops.errors import InputError
from ingest.sources.prometheus_client import ActiveAlert
from ingest.sources.whole_files import write_whole

FORMAT = "aiops-api-positions/1"


@dataclass(frozen=True, slots=True)
class ApiPositions:
    """``next_s``: by a query's key, the first time that was not read and made durable, epoch seconds."""

    next_s: Mapping[str, float]
    alerts: tuple[ActiveAlert, ...] = ()


def load_api_positions(path: Path) -> ApiPositions:
    """Empty where there is no such file. Raises InputError for one that cannot be used."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return ApiPositions({})
    except OSError as exc:
        raise InputError(f"cannot read the positions {path}: {exc.strerror}", file=str(path)) from exc
    try:
        document = orjson.loads(raw)
        if document["format"] != FORMAT:
            raise ValueError(f"the format is {document['format']!r}, not {FORMAT!r}")
        return ApiPositions(
            {str(key): float(at_s) for key, at_s in document["queries"].items()},
            tuple(
                ActiveAlert(
                    dict(row["labels"]),
                    dict(row["annotations"]),
                    str(row["state"]),
                    datetime.fromisoformat(row["active_at"]),
                )
                for row in document["alerts"]
            ),
        )
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError) as exc:
        raise InputError(
            f"{path}: no positions of a Prometheus API ({exc})",
            hint="restore it, or remove it to begin anew",
            file=str(path),
        ) from exc


def save_api_positions(path: Path, positions: ApiPositions) -> None:
    """Whole and durable. Raises OSError."""
    document = {
        "format": FORMAT,
        "queries": dict(sorted(positions.next_s.items())),
        "alerts": [
            {
                "labels": dict(alert.labels),
                "annotations": dict(alert.annotations),
                "state": alert.state,
                "active_at": alert.active_at.isoformat(),
            }
            for alert in positions.alerts
        ],
    }
    write_whole(path, orjson.dumps(document, option=orjson.OPT_INDENT_2))
