"""Who else was looked at: the causes after the first with why they stand behind it, and who was ruled out and why."""

from __future__ import annotations

from aiops.domain.analysis import RootCause, RuledOut
from aiops.domain.explanation import Alternative, Sentence
from aiops.reasoning.words.brief import Brief
from aiops.reasoning.words.phrases import happened

#: Causes after the first that are told, reasons for ruling out, and names with one reason.
TOLD, RULED_OUT, NAMED = 4, 8, 6


def make_alternatives(brief: Brief) -> tuple[Alternative, ...]:
    """Ranks 2 to 5."""
    return tuple(
        _alternative(brief, cause, place) for place, cause in enumerate(brief.causes) if 0 < place <= TOLD
    )


def _alternative(brief: Brief, cause: RootCause, place: int) -> Alternative:
    sign = brief.signs_of_causes[place]
    name = brief.name(cause.entity.id)
    total = len(cause.explained) + len(cause.unexplained)
    cited = [_confidence(brief, cause)]
    text = f"{cause.rank}. {name} ({cause.confidence:.2f})"
    verbatim = ""
    if sign is not None:
        told = happened(sign, brief.names)
        whose = "" if sign.entity == cause.entity.id else f"{brief.name(sign.entity)} "
        text += f": {whose}{told.text} at {brief.clock(sign.at_s)}"
        verbatim = told.verbatim
        cited.append(brief.book.item(sign))
    text += f"; explains {len(cause.explained)} of {total}"
    cited.append(brief.explained(cause))
    if cause.entity.id in brief.consequences.reached:
        text += f"; may itself follow from {brief.name(brief.first.entity.id)}"
        cited.append(_follows(brief, cause))
    sentence = Sentence(text, tuple(dict.fromkeys(cited)), verbatim)
    return Alternative(
        cause.rank, cause.entity.id, name, cause.kind, cause.confidence, len(cause.explained), total, sentence
    )


def _confidence(brief: Brief, cause: RootCause) -> str:
    name = brief.name(cause.entity.id)
    return brief.book.count(
        "rank",
        f"rank {cause.rank}: {name}, confidence {cause.confidence:.2f}",
        cause.confidence,
        entity=cause.entity.id,
    )


def _follows(brief: Brief, cause: RootCause) -> str:
    first, name = brief.name(brief.first.entity.id), brief.name(cause.entity.id)
    return brief.book.count("follows", f"a failure of {first} reaches {name}", 1, members=(cause.entity.id,))


def tell_ruled_out(brief: Brief) -> tuple[Sentence, ...]:
    """Suspects that could explain something and are not the cause; those with the same reason in one sentence."""
    by_reason: dict[str, list[RuledOut]] = {}
    for out in brief.ruled_out:
        by_reason.setdefault(out.reason, []).append(out)
    said = []
    for reason, group in list(by_reason.items())[:RULED_OUT]:
        entities = [out.entity.id for out in group]
        names = brief.names.some(entities, NAMED)
        cited = brief.book.count(
            "ruled out",
            f"{brief.names.some(entities, 40)}: {reason}",
            len(group),
            members=[name for out in group for name in out.evidence],
            details=(f"{names}: {reason}",),
        )
        said.append(Sentence(f"{names}: {reason}", (cited,)))
    return tuple(said)


def tell_vetoed_rival(brief: Brief) -> Sentence | None:
    """Whoever was ruled out by a rule, a maintenance or an assumption, and would explain more than the first cause."""
    explained = brief.diagnosis.explained
    if not brief.causes or not len(explained.entities):
        return None
    share = explained.count()
    rivals = [
        (-float(share[column]), veto)
        for veto in brief.diagnosis.vetoes
        if (column := brief.diagnosis.graph.index.get(veto.entity)) is not None
        and float(share[column]) > brief.finding.share
    ]
    if not rivals:
        return None
    value, veto = min(rivals, key=lambda rival: (rival[0], rival[1].entity))
    name = brief.name(veto.entity)
    text = f"Doubt this: {name} would explain {-value:.0%} of the symptoms by weight and was ruled out"
    cited = brief.book.count(
        "ruled out rival",
        f"{name} would explain {-value:.0%} of the symptoms by weight; ruled out: {veto.reason}",
        -value,
        1.0,
        members=veto.evidence,
        entity=veto.entity,
    )
    return Sentence(f"{text} ({veto.reason})", (cited,))
