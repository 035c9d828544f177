"""Whom an analysis suspects while it runs."""

from __future__ import annotations

import numpy as np

from aiops.domain.candidates import CandidateTable
from aiops.domain.progress import SUSPECTS, Suspect
from aiops.reasoning.diagnosis import Diagnosis


def likeliest(table: CandidateTable) -> tuple[Suspect, ...]:
    """Who has the largest prior score, before rules and ranking had their say; those of score 0 are nobody's suspects."""
    order = np.argsort(-table.prior, kind="stable")[:SUSPECTS].tolist()
    return tuple(
        Suspect(table.entities[row], round(float(table.prior[row]), 4))
        for row in order
        if table.prior[row] > 0
    )


def found_so_far(diagnosis: Diagnosis) -> tuple[Suspect, ...]:
    """The ranked causes and their confidence."""
    return tuple(Suspect(finding.entity.id, finding.confidence) for finding in diagnosis.findings[:SUSPECTS])
