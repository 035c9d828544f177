"""The causal chain from top to bottom: who, what, when, how long until the next, over which relation, seen or inferred."""

from __future__ import annotations

from aiops.domain.analysis import Hop
from aiops.domain.evidence import Evidence
from aiops.domain.explanation import Sentence
from aiops.reasoning.moments import roughly
from aiops.reasoning.words.boxes import apart
from aiops.reasoning.words.brief import Brief
from aiops.reasoning.words.phrases import happened
from aiops.reasoning.words.verdict_line import silence_id

#: A relation that was last confirmed so long before the incident is called stale: a daily import failed more than once.
STALE_S = 172_800.0


def tell_chain(brief: Brief) -> tuple[Sentence, ...]:
    """The best path of the first cause; empty where no cause is named, or it is itself the one that complains."""
    path = next(iter(brief.first.paths), None) if brief.causes else None
    if path is None:
        return ()
    start, sign = path.hops[0].cause_id, brief.signs_of_causes[0]
    said = [_head(brief, start, sign)]
    before = sign
    for hop in path.hops:
        effect = brief.signs.of(
            hop.effect_id, before.at_s if before is not None else None, but="" if sign is None else sign.id
        )
        said.append(_step(brief, hop, before, effect))
        before = effect if effect is not None else before
    return tuple(said)


def _head(brief: Brief, start: str, sign: Evidence | None) -> Sentence:
    if sign is None:
        text = f"{brief.name(start)} sent nothing (inferred)"
        return Sentence(text, (_silent(brief, start),), mark="inferred")
    said = brief.said(sign)
    if sign.entity == start:
        return Sentence(said.text, said.evidence, said.verbatim, "observed")
    about = [brief.book.rule(firing) for firing in brief.firings() if firing.entity == start][:1]
    about = about or [brief.explained(brief.first)] if start == brief.first.entity.id else about
    if not about:
        return Sentence(said.text, said.evidence, said.verbatim, "observed")
    return Sentence(f"{brief.name(start)}: {said.text}", (*said.evidence, *about), said.verbatim, "observed")


def _step(brief: Brief, hop: Hop, before: Evidence | None, effect: Evidence | None) -> Sentence:
    relation = brief.book.relation(hop)
    mark = "observed" if hop.observed and effect is not None else "inferred"
    doubt = "" if hop.confidence >= 1.0 else f", confidence {hop.confidence:g}"
    edge = f"{brief.book.reading(hop)} ({hop.provenance}{doubt}{age_of(brief, hop)})"
    if effect is None:
        text = f"{brief.name(hop.effect_id)} showed nothing (inferred); {edge}"
        return Sentence(text, (relation, _silent(brief, hop.effect_id)), mark=mark)
    told = happened(effect, brief.names)
    text = f"{brief.name(hop.effect_id)} {told.text} at {brief.clock(effect.at_s)}"
    cited = [brief.book.item(effect), relation]
    if before is not None:
        text += f", {apart(effect.at_s - before.at_s)} {brief.name(before.entity)}"
        cited.append(brief.book.item(before))
    how = "" if mark == "observed" else " (the step is inferred)"
    return Sentence(f"{text}{how}; {edge}", tuple(dict.fromkeys(cited)), told.verbatim, mark)


def age_of(brief: Brief, hop: Hop) -> str:
    """How old the last word on the relation is; empty where it came during the incident."""
    if hop.last_seen is None:
        return ""
    before_s = brief.start_s - hop.last_seen.timestamp()
    if before_s <= 0:
        return ""
    return f", seen {roughly(before_s)} before" + (": stale" if before_s > STALE_S else "")


def _silent(brief: Brief, entity: str) -> str:
    if brief.causes and entity == brief.first.entity.id:
        return silence_id(brief)
    heard = entity in brief.diagnosis.sighting.telemetry
    what = "showed nothing unusual in the window" if heard else "sent nothing in the window"
    return brief.book.gap("quiet" if heard else "silent", f"{brief.name(entity)} {what}", entity=entity)
