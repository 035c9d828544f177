"""How far an analysis is, and whom it suspects so far, for whoever watches it run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

#: In this order. ``retrieved``: the subgraph is known; ``observed``: what was seen of it is read; ``scored``: every candidate has
#: its score; ``ranked``: the causes and the verdict are settled; ``explained``: all is put into words.
STAGES: tuple[str, ...] = ("retrieved", "observed", "scored", "ranked", "explained")
#: Suspects told at a stage, likeliest first.
SUSPECTS = 5


@dataclass(frozen=True, slots=True)
class Suspect:
    """``score``: of the stage that tells it, largest 1 when ``scored``, the confidence from ``ranked`` on."""

    entity: str
    score: float


@dataclass(frozen=True, slots=True)
class Progress:
    """``entities``, ``alarms``: how many are looked at. No ``suspects`` before ``scored``, no ``verdict`` before ``ranked``."""

    stage: str
    entities: int
    alarms: int
    suspects: tuple[Suspect, ...] = ()
    verdict: str | None = None


#: Told of each stage as it is reached, in the thread that analyses; what it raises ends the analysis.
Watch = Callable[[Progress], None]


def unwatched(_: Progress) -> None:
    """The :data:`Watch` of nobody."""
