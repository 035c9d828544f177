"""How alarms become incidents, and what becomes of these by themselves: every figure with its meaning, none hidden in code."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from aiops.domain.occurrences import SEVERITIES
from aiops.errors import ConfigError

#: Who acts where nobody does: the actor of activities, and the source of incidents that were opened from alarms.
ACTOR = "aiops"
Reopen = Literal["never", "same", "any"]


@dataclass(frozen=True, slots=True)
class GroupingPolicy:
    """One tenant's policy. Times are event times unless it says "by the clock".

    ``enabled``: whether alarms open, join and close incidents at all. ``min_severity``: what is less severe opens nothing and
    joins nothing; an alarm without a severity counts as ``warning``.

    ``gap_s``: two alarms that began farther apart belong together only by others in between. ``distance``: most relations on a
    path along which failure spreads from one to the other; ``shared_distance``: most relations from a common cause that says
    nothing. ``shared_share``: such a cause is suspected once two things that hang on it directly have alarms within the gap, and
    at least this share of all that do; where ``hub_degree`` or more do, a path does not go on through it unless it is suspected,
    and beyond ``shared_degree`` it is never suspected. ``reach``: most entities that are looked at for one alarm.
    ``repeat_s``: the same alarm that comes back within so long joins its incident whatever the gap, so that flapping is one.

    ``reopen``: whether an alarm re-opens what was resolved, ``never``, only the ``same`` alarm what was resolved by itself, or
    ``any`` alarm that would have joined; ``reopen_s``: how long after its end. Otherwise a new incident is opened.
    ``resolve_after_s``: so long after the last alarm ended an incident is resolved by itself, by the clock; None: never.
    ``resolve_posted``: also one that somebody posted.

    ``settle_s``: an incident is opened once nothing that belongs to it came for so long, by the clock, and after
    ``settle_max_s`` in any case. ``analyse_quiet_s``, ``analyse_late_s``: the same for its analysis when something new is known.
    ``looks_s``: when an open incident is looked at again by itself, in seconds after it was opened or posted; an analysis that
    finds the same from the same is not kept. ``most_alarms``: of one incident; one that is full attracts no more.
    ``memory_s``: how old an alarm may be, by the clock, to be compared with others.
    """

    enabled: bool = True
    min_severity: str = "warning"
    gap_s: float = 900.0
    distance: int = 4
    shared_distance: int = 3
    shared_share: float = 0.15
    hub_degree: int = 64
    shared_degree: int = 1000
    reach: int = 256
    repeat_s: float = 3600.0
    reopen: Reopen = "same"
    reopen_s: float = 1800.0
    resolve_after_s: float | None = 300.0
    resolve_posted: bool = False
    settle_s: float = 2.0
    settle_max_s: float = 10.0
    analyse_quiet_s: float = 2.0
    analyse_late_s: float = 30.0
    looks_s: tuple[float, ...] = (15.0, 60.0, 300.0)
    most_alarms: int = 20_000
    memory_s: float = 7200.0

    def __post_init__(self) -> None:
        """Raises :class:`ConfigError` naming what is wrong."""
        wrong = [
            f"{one.name} must not be negative"
            for one in fields(self)
            if isinstance(value := getattr(self, one.name), int | float) and value < 0
        ]
        if self.min_severity not in SEVERITIES:
            wrong.append(f"min_severity must be one of {', '.join(SEVERITIES)}")
        if self.reopen not in ("never", "same", "any"):
            wrong.append("reopen must be never, same or any")
        if self.shared_share > 1.0:
            wrong.append("shared_share must be at most 1")
        if wrong:
            raise ConfigError(
                f"the grouping policy is wrong: {'; '.join(wrong)}", hint="docs/incidents.md lists it"
            )

    def counts(self, severity: str | None) -> bool:
        """Whether an alarm of this severity opens or joins incidents."""
        worst = SEVERITIES.index(severity if severity in SEVERITIES else "warning")
        return worst <= SEVERITIES.index(self.min_severity)
