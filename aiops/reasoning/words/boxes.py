"""The three boxes: what changed its state, who suffered first, and who suffers. A rise of latency or errors is a symptom."""

from __future__ import annotations

from aiops.domain.evidence import Evidence
from aiops.domain.explanation import Box, Boxes, Sentence
from aiops.reasoning.moments import span
from aiops.reasoning.spread import is_live
from aiops.reasoning.words.brief import Brief
from aiops.reasoning.words.names import shortened
from aiops.reasoning.words.phrases import fault_phrase, happened, is_symptomatic, without_ids
from aiops.reasoning.words.quantities import counted
from aiops.reasoning.words.rivals import tell_vetoed_rival
from aiops.reasoning.words.signs import SAME_MOMENT_S
from aiops.reasoning.words.verdict_line import silence_id

#: Rules that are quoted in the first box.
RULES_SAID = 2
NAMED = 5
#: Longest sentence of a rule that is told, in characters.
QUOTED_RULE = 600


def make_boxes(brief: Brief) -> Boxes | None:
    """None where no cause is named."""
    if not brief.causes:
        return None
    return Boxes(_root_cause(brief), _critical_failure(brief), _impact(brief))


def _root_cause(brief: Brief) -> Box:
    first, sign = brief.first, brief.signs_of_causes[0]
    name = brief.name(first.entity.id)
    said: list[Sentence] = []
    if sign is not None:
        said.append(_what_happened(brief, sign))
    if brief.finding.ranked.inferred:
        text = f"{name} sent nothing in the window; that it failed is inferred: "
        text += f"it would explain {len(first.explained)} {brief.noun(len(first.explained))}"
        said.append(Sentence(text, (silence_id(brief), brief.explained(first))))
    elif is_symptomatic(first.kind):
        text = f"This is a symptom of {name}, no change of its state; what lies behind it was not seen"
        cited = () if sign is None else (brief.book.item(sign),)
        said.append(Sentence(text, (*cited, brief.explained(first))))
    said.extend(_rules(brief))
    said.extend(more for more in (_change_before(brief, sign), tell_vetoed_rival(brief)) if more is not None)
    return Box("Root cause", tuple(said), first.entity.id)


def _what_happened(brief: Brief, sign: Evidence) -> Sentence:
    first = brief.first
    told = happened(sign, brief.names)
    whose = brief.name(sign.entity) if sign.entity != first.entity.id else "it"
    what = fault_phrase(brief.name(first.entity.id), first.kind)
    kind = [brief.book.rule(firing) for firing in brief.firings() if firing.kind == first.kind][:1]
    text = f"{what}: at {brief.clock(sign.at_s)} {whose} {told.text}"
    if sign.entity != first.entity.id:
        kind.append(brief.explained(first))
    return Sentence(text, (brief.book.item(sign), *kind), told.verbatim)


def _rules(brief: Brief) -> list[Sentence]:
    spoken = [firing for firing in brief.firings() if firing.effect in ("support", "pin")]
    spoken.sort(key=lambda firing: firing.kind != brief.first.kind)
    return [
        Sentence(f"Rule {firing.rule}: {said}", (brief.book.rule(firing),), said)
        for firing in spoken[:RULES_SAID]
        for said in [shortened(without_ids(firing.statement), QUOTED_RULE)]
    ]


def _change_before(brief: Brief, sign: Evidence | None) -> Sentence | None:
    """The newest change of the cause before its sign, where the sign is not the change itself."""
    if sign is None or sign.kind == "change":
        return None
    changes = [
        item for item in brief.finding.evidence
        if item.kind == "change" and is_live(item) and item.at_s <= sign.at_s
    ]  # fmt: skip
    if not changes:
        return None
    change = max(changes, key=lambda item: (item.at_s, item.id))
    said = brief.said(change, after=f", {span(sign.at_s - change.at_s)} before")
    return Sentence(said.text, (*said.evidence, brief.book.item(sign)), said.verbatim)


def _critical_failure(brief: Brief) -> Box:
    first, entity = brief.first, brief.first.critical_failure
    title = "First critical failure"
    if entity is None:
        text = "Nobody else has complained" if first.explained else "Nothing that complained follows from it"
        return Box(title, (Sentence(text, (brief.explained(first),)),))
    sign = brief.signs_of_causes[0]
    hurt = _complaint(brief, entity)
    if hurt is None:
        hurt = brief.signs.of(
            entity, None if sign is None else sign.at_s, but="" if sign is None else sign.id
        )
    if hurt is None:
        text = f"{brief.name(entity)} was the first to be reported"
        named = brief.book.gap("silent", f"{brief.name(entity)} was reported and sent nothing", entity=entity)
        return Box(title, (Sentence(text, (named,)),), entity)
    told = happened(hurt, brief.names)
    text = f"{brief.name(entity)} was the first to suffer: at {brief.clock(hurt.at_s)} it {told.text}"
    cited = [brief.book.item(hurt)]
    if sign is not None:
        text += f", {apart(hurt.at_s - sign.at_s)} the first sign of the fault"
        cited.append(brief.book.item(sign))
    return Box(title, (Sentence(text, tuple(cited), told.verbatim),), entity)


def _complaint(brief: Brief, entity: str) -> Evidence | None:
    """The first alert of ``entity`` that follows from the first cause."""
    explained = frozenset(brief.first.explained)
    alerts = [item for item in brief.signs.live(entity) if item.kind == "alert" and item.ref.id in explained]
    return min(alerts, key=lambda item: (item.at_s, item.id), default=None)


def apart(lag_s: float) -> str:
    """``18 s after``; what lies within the tolerance of clocks is in no order."""
    if abs(lag_s) < 0.05:
        return "at the same moment as"
    if lag_s < 0 and -lag_s <= SAME_MOMENT_S:
        return f"within {span(lag_s)} of"
    return f"{span(lag_s)} {'after' if lag_s > 0 else 'before'}"


def _impact(brief: Brief) -> Box:
    first, reached = brief.first, brief.consequences
    name = brief.name(first.entity.id)
    total = len(first.explained) + len(first.unexplained)
    text = f"It explains {len(first.explained)} of {total} {brief.noun(total)}"
    said = [Sentence(text, (brief.explained(first),))]
    if reached.reached:
        text = f"A failure of {name} reaches {counted(len(reached.reached), 'other entity')}"
        if reached.services:
            text += f", services among them: {brief.names.some(reached.services, NAMED)}"
        said.append(Sentence(text, (reached_id(brief),)))
    if reached.kept:
        text = f"{brief.names.some(reached.kept, NAMED)} {'is' if len(reached.kept) == 1 else 'are'} kept alive by redundancy"
        said.append(Sentence(text, (kept_id(brief),)))
    return Box("Impact", tuple(said))


def reached_id(brief: Brief) -> str:
    """The id of the count of what a failure of the first cause reaches."""
    reached = brief.consequences
    name = brief.name(brief.first.entity.id)
    services = f"; services: {brief.names.some(reached.services, 40)}" if reached.services else ""
    return brief.book.count(
        "reached",
        f"{counted(len(reached.reached), 'other entity')} can be reached by a failure of {name}, "
        f"{len(reached.suffering)} of them have symptoms{services}",
        len(reached.reached),
        members=reached.reached,
        entity=brief.first.entity.id,
        details=(counted(len(reached.services), "service"),),
    )


def kept_id(brief: Brief) -> str:
    """The id of the count of what redundancy keeps alive."""
    kept = brief.consequences.kept
    return brief.book.count(
        "redundant",
        f"kept alive by redundancy: {brief.names.some(kept, 40)}",
        len(kept),
        members=kept,
        entity=brief.first.entity.id,
    )
