"""Machines whose clocks are wrong, by what was stated of them. Whoever read their lines has corrected the times already."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from aiops.domain.batches import CLOCK_SKEW, StateObservation

_MINUTES = re.compile(r"([+-]?\d{1,6}) min")


def clock_skews(states: Iterable[StateObservation]) -> Mapping[str, float]:
    """Seconds by which each machine's clock runs ahead (negative: behind), by the newest statement; sorted by entity. A clock
    that is right by now, or a value that says no minutes, is left out."""
    newest: dict[str, StateObservation] = {}
    for state in states:
        if state.property == CLOCK_SKEW:
            held = newest.get(state.entity)
            if held is None or (state.at_s, state.value) > (held.at_s, held.value):
                newest[state.entity] = state
    found = {entity: _seconds(newest[entity].value) for entity in sorted(newest)}
    return {entity: seconds for entity, seconds in found.items() if seconds}


def _seconds(value: str) -> float:
    said = _MINUTES.fullmatch(value.strip())
    return 60.0 * int(said.group(1)) if said else 0.0
