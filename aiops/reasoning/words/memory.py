"""Past incidents that looked alike: what caused them, whether that was confirmed, and what fixed it."""

from __future__ import annotations

from collections.abc import Iterable

from aiops.domain.explanation import Sentence, Similar
from aiops.reasoning.similarity import Resemblance
from aiops.reasoning.words.book import Book
from aiops.reasoning.words.brief import Brief
from aiops.reasoning.words.names import Names, shortened
from aiops.reasoning.words.phrases import QUOTED


def recall(found: Iterable[Resemblance], book: Book, names: Names) -> tuple[Similar, ...]:
    """The resemblances as they are told, each cited."""
    return tuple(_similar(one, book, names) for one in found)


def _similar(one: Resemblance, book: Book, names: Names) -> Similar:
    past, shared = one.past, _shared(one, names)
    title = shortened(" ".join(past.incident.title.split()), QUOTED)
    resolution = shortened(" ".join(past.resolution.split()), QUOTED)
    details = [f"similarity {one.similarity:.2f}", *shared]
    if past.cause is not None:
        details.append(f"cause {names.of(past.cause)}, {'confirmed' if past.confirmed else 'not confirmed'}")
    if past.cause_kind is not None:
        details.append(f"kind {past.cause_kind}")
    if resolution:
        details.append(f"resolution: {resolution}")
    cited = book.past(past, f"{past.incident.id}: {title}", details)
    return Similar(
        past.incident.id,
        title,
        one.similarity,
        past.cause,
        past.cause_kind,
        past.confirmed,
        resolution,
        shared,
        cited,
    )


def _shared(one: Resemblance, names: Names) -> tuple[str, ...]:
    found = []
    if one.entities:
        found.append(f"the same affected: {names.some(one.entities)}")
    if one.alarms:
        shown = ", ".join(one.alarms[:4])
        more = f" and {len(one.alarms) - 4} more" if len(one.alarms) > 4 else ""
        found.append(f"the same alerts: {shortened(shown, QUOTED)}{more}")
    if one.same_cause:
        found.append("the same cause")
    if one.same_kind:
        found.append("the same kind of fault")
    return tuple(found)


def tell_similar(brief: Brief) -> tuple[Sentence, ...]:
    """One sentence each, most alike first."""
    return tuple(_sentence(brief, one) for one in brief.similar)


def _sentence(brief: Brief, one: Similar) -> Sentence:
    text = f"{one.incident_id} “{one.title}” ({one.similarity:.2f} alike"
    text += f"; {'; '.join(one.shared)})" if one.shared else ")"
    if one.cause is not None:
        how = "confirmed cause" if one.confirmed else "suspected cause, never confirmed"
        text += f": {how} {brief.name(one.cause)}"
    if one.resolution:
        text += f"; fixed by: {one.resolution}"
    return Sentence(text, (one.evidence,), one.title)
