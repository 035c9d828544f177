"""The answer in one line: verdict, confidence, who, what, when, and how much of it follows."""

from __future__ import annotations

from aiops.domain.explanation import Sentence
from aiops.reasoning.words.brief import Brief
from aiops.reasoning.words.phrases import fault_phrase, is_symptomatic


def verdict_line(brief: Brief) -> Sentence:
    """``LIKELY (0.83): et-0/0/1 on edge-rtr-1 lost link 10:01:58; explains 14/15 alerts``."""
    if not brief.causes:
        why = brief.diagnosis.why
        return Sentence(f"INCONCLUSIVE: {why}.", (brief.book.gap("inconclusive", why),))
    first, sign = brief.first, brief.signs_of_causes[0]
    cited = [confidence_id(brief)]
    scale = "" if brief.engine.calibrated else ", uncalibrated"
    head = f"{brief.diagnosis.verdict.upper()} ({first.confidence:.2f}{scale})"
    what = fault_phrase(brief.name(first.entity.id), first.kind)
    if brief.finding.ranked.inferred:
        what = f"{brief.name(first.entity.id)} is the likely cause, inferred, as it sends no telemetry"
        cited.append(silence_id(brief))
    elif is_symptomatic(first.kind):
        what += " (a symptom: what lies behind it was not seen)"
    when = ""
    if sign is not None:
        when = f" {brief.clock(sign.at_s)}"
        cited.append(brief.book.item(sign))
    cited.extend(brief.book.rule(firing) for firing in brief.firings() if firing.kind == first.kind)
    total = len(first.explained) + len(first.unexplained)
    cited.append(brief.explained(first))
    text = f"{head}: {what}{when}; explains {len(first.explained)}/{total} {brief.noun(total)}"
    return Sentence(text, tuple(dict.fromkeys(cited)))


def confidence_id(brief: Brief) -> str:
    """The id of the first cause's confidence."""
    first = brief.first
    how = brief.engine.calibration or "not calibrated: an order, and no probability"
    return brief.book.count(
        "confidence",
        f"confidence {first.confidence:.2f}, {first.band}: {100 * first.confidence:.0f} of 100 labelled incidents"
        if brief.engine.calibrated
        else f"confidence {first.confidence:.2f}, {first.band}, uncalibrated",
        first.confidence,
        entity=first.entity.id,
        details=(how, f"raw score {brief.finding.raw:.3f}"),
    )


def silence_id(brief: Brief) -> str:
    """The id of the statement that the first cause sent nothing."""
    name = brief.name(brief.first.entity.id)
    return brief.book.gap("silent", f"{name} sent nothing in the window", entity=brief.first.entity.id)
