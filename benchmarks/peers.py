"""BARO and NSigma by their authors' own package, on the metrics of a case.

They are told the time of detection less the lead, as we are. A case without metrics, or one that the package cannot rank,
is a miss of theirs.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial

import numpy as np

from aiops.contracts import Observations
from aiops.wiring.bench import Peer
from ingest.evidence.extractor import LEAD_S
from ingest.sources.case_folder import Case


def _frame(seen: Observations) -> object:
    """All series of entities as columns of one frame on a common grid, forward filled."""
    import pandas as pd

    columns = {
        f"{one.entity}\t{one.metric}": pd.Series(one.value, index=one.at_s.astype(np.int64))
        .groupby(level=0)
        .last()
        for one in seen.window.series
        if one.peer is None and len(one.value) > 1
    }
    frame = pd.DataFrame(columns).sort_index().ffill().bfill()
    frame.insert(0, "time", frame.index)
    return frame


def rank_by_package(method: str, case: Case) -> Sequence[str]:
    """Metrics in the package's order, each entity at its first metric."""
    from baro import root_cause_analysis

    if not case.observations.window.series:
        return ()
    at = int(case.incident.started_at.timestamp() - LEAD_S)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = getattr(root_cause_analysis, method)(_frame(case.observations), at)
        except IndexError:
            return ()  # it cannot rank a case that lacks samples on either side
    return tuple(dict.fromkeys(str(name).partition("\t")[0] for name in found["ranks"]))


PEERS: dict[str, Peer] = {
    "baro": partial(rank_by_package, "robust_scorer"),
    "nsigma": partial(rank_by_package, "nsigma"),
}

#: What they are, for the tables.
DESCRIBED = {
    "baro": "BARO's robust scorer (fse-baro), on metrics",
    "nsigma": "NSigma (fse-baro), on metrics",
}
