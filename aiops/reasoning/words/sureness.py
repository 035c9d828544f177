"""How sure the answer is, in words: what the number means, what it is made of, why it is not more, what would raise it."""

from __future__ import annotations

from aiops.domain.explanation import Sentence
from aiops.reasoning.spread import is_live
from aiops.reasoning.verdict import direct_evidence
from aiops.reasoning.words.brief import Brief
from aiops.reasoning.words.chain import STALE_S, age_of
from aiops.reasoning.words.quantities import counted
from aiops.reasoning.words.verdict_line import confidence_id, silence_id

#: Names that are listed of what would raise the confidence.
NAMED = 4
#: Terms of the score that are told, in order, and what they say; terms of 0 say nothing.
_TERMS = (
    ("prior", "what was seen on it and around it"),
    ("rule", "rules that know this fault"),
    ("model", "the network's correction"),
    ("coverage", "the share of symptoms that it explains"),
    ("path", "the way from it to the symptoms"),
    ("change", "a recorded change just before"),
    ("consequence", "another suspect may be its cause"),
    ("backed_up", "redundancy stands in for it"),
    ("over", "a sure failure stands above what it explains"),
)


def confidence_words(brief: Brief) -> str:
    """One sentence about the number."""
    if not brief.causes:
        return f"No cause is named: {brief.diagnosis.why}."
    first = brief.first
    if not brief.engine.calibrated:
        return f"{first.confidence:.2f} ({first.band}) is uncalibrated: it orders the causes and is no probability."
    return (
        f"{first.confidence:.2f} ({first.band}): of 100 labelled incidents with such a score, about "
        f"{first.confidence * 100:.0f} had the cause that was named first."
    )


def tell_confidence(brief: Brief) -> tuple[Sentence, ...]:
    """The number, its parts, and what keeps a likely answer from being a confirmed one."""
    if not brief.causes:
        return ()
    said = [Sentence(confidence_words(brief), (confidence_id(brief),))]
    if brief.engine.calibration is not None:
        said.append(Sentence(f"How that was measured: {brief.engine.calibration}", (confidence_id(brief),)))
    said.extend(_set(brief))
    said.extend(_terms(brief))
    said.extend(_doubts(brief))
    return tuple(said)


def _set(brief: Brief) -> list[Sentence]:
    """The causes of which one is true as often as the calibration says: many of them is a reason to doubt."""
    found = brief.diagnosis.conformal
    if found is None:
        return []
    names = brief.names.some(found.causes, NAMED)
    text = f"In {found.level:.0%} of incidents a true cause is in such a set, here of {len(found.causes)}: {names}"
    made_of = brief.book.count(
        "set",
        f"{len(found.causes)} causes at the level of {found.level:.0%}: {brief.names.some(found.causes, 40)}",
        len(found.causes),
        members=found.causes,
    )
    return [Sentence(text, (made_of,))]


def _terms(brief: Brief) -> list[Sentence]:
    score = brief.finding.ranked.score
    total = score.get("total", 0.0)
    shown = [(name, words, score[name]) for name, words in _TERMS if abs(score.get(name, 0.0)) >= 0.005]
    if not shown:
        return []
    parts = ", ".join(f"{words} {value:+.2f}" for _, words, value in shown)
    made_of = brief.book.count(
        "score",
        f"score {total:.2f}: " + ", ".join(f"{name} {value:+.2f}" for name, _, value in shown),
        total,
        entity=brief.first.entity.id,
    )
    return [Sentence(f"Its score of {total:.2f} is made of: {parts}", (made_of,))]


def _doubts(brief: Brief) -> list[Sentence]:
    """Each reason why the verdict is not ``confirmed``."""
    if brief.diagnosis.verdict == "confirmed":
        return [
            Sentence("Confirmed: direct evidence, in the right order, most of it explained", _direct(brief))
        ]
    first, finding, limits = brief.first, brief.finding, brief.weights
    said = []
    if finding.ranked.inferred:
        text = "Not confirmed: the cause itself was never seen, it is inferred"
        said.append(Sentence(text, (silence_id(brief),)))
    elif not _direct(brief):
        sign = brief.signs_of_causes[0]
        cited = brief.book.item(sign) if sign is not None else brief.explained(first)
        said.append(Sentence("Not confirmed: nothing says directly what happened to it", (cited,)))
    if first.confidence < limits.confirmed_confidence:
        text = f"Not confirmed: {first.confidence:.2f} is less than the {limits.confirmed_confidence:g} that it takes"
        said.append(Sentence(text, (confidence_id(brief), _limit(brief))))
    if finding.share < limits.confirmed_coverage:
        text = f"Not confirmed: it explains {finding.share:.0%} of the symptoms by weight"
        text += f", {limits.confirmed_coverage:.0%} are needed"
        said.append(Sentence(text, (_share(brief), _limit(brief))))
    inferred = [hop for path in first.paths[:1] for hop in path.hops if not hop.observed]
    if inferred:
        hop = inferred[0]
        text = (
            f"Not confirmed: {len(inferred)} of {len(first.paths[0].hops)} steps of the chain are inferred, "
        )
        text += f"the first to {brief.name(hop.effect_id)}"
        said.append(Sentence(text, (_steps(brief, len(inferred)), brief.book.relation(hop))))
    planned = brief.diagnosis.planned
    if planned is not None:
        veto = next(one for one in brief.diagnosis.vetoes if one.entity == planned.entity)
        cited = brief.book.count(
            "planned work", planned.words, planned.explained, members=veto.evidence, entity=planned.entity
        )
        said.append(Sentence(f"Not confirmed: {planned.words}", (cited,)))
    if not said and brief.signs_of_causes[0] is not None:
        text = "Not confirmed: it showed later than what it would explain"
        said.append(Sentence(text, (brief.book.item(brief.signs_of_causes[0]),)))
    return said


def _direct(brief: Brief) -> tuple[str, ...]:
    found = frozenset(
        direct_evidence(brief.finding.evidence, brief.matter.rules.firings, brief.finding.ranked.members)
    )
    chosen = [citation.evidence for citation in brief.first.citations if citation.evidence.id in found]
    return tuple(brief.book.item(item) for item in chosen[:3])


def _limit(brief: Brief) -> str:
    limits = brief.weights
    return brief.book.count(
        "limits",
        f"a confirmed verdict takes a confidence of {limits.confirmed_confidence:g} and "
        f"{limits.confirmed_coverage:.0%} of the symptoms",
        limits.confirmed_confidence,
    )


def _share(brief: Brief) -> str:
    share = brief.finding.share
    return brief.book.count(
        "share", f"{share:.0%} of the symptoms by weight", share, 1.0, entity=brief.first.entity.id
    )


def _steps(brief: Brief, inferred: int) -> str:
    total = len(brief.first.paths[0].hops)
    return brief.book.count("steps", f"{inferred} of {total} steps are inferred", inferred, total)


def tell_what_would_raise(brief: Brief) -> tuple[Sentence, ...]:
    """What is missing and would make the answer surer, nearest to the chain first."""
    said = [*_silent_on_the_way(brief), *_unexplained(brief), *_rival(brief), *_stale(brief), *_others(brief)]
    return tuple(dict.fromkeys(said))


def _silent_on_the_way(brief: Brief) -> list[Sentence]:
    if not brief.causes:
        return []
    heard = brief.diagnosis.sighting.telemetry
    way = [entity for path in brief.first.paths[:1] for entity in path.entities()]
    mute = [entity for entity in dict.fromkeys(way) if entity not in heard]
    if not mute and brief.finding.ranked.inferred:
        mute = [brief.first.entity.id]
    if not mute:
        return []
    names = brief.names.some(mute, NAMED)
    gap = brief.book.gap(
        "silent on the way", f"sent nothing in the window: {brief.names.some(mute, 40)}", members=mute
    )
    return [Sentence(f"Telemetry of {names}: on the way and silent", (gap,))]


def _unexplained(brief: Brief) -> list[Sentence]:
    if not brief.causes or not brief.first.unexplained:
        return []
    left = frozenset(brief.first.unexplained)
    entities = [item.entity for item in brief.diagnosis.complaints.items if left.intersection(item.ids)]
    names = brief.names.some(dict.fromkeys(entities), NAMED)
    noun = brief.noun(len(left))
    every = brief.names.some(dict.fromkeys(entities), 40)
    do = "do" if len(left) > 1 else "does"
    gap = brief.book.count(
        "unexplained",
        f"{len(left)} {noun} {do} not follow from the first cause, on {every}",
        len(left),
        members=brief.first.unexplained,
        details=(f"on {counted(len(dict.fromkeys(entities)), 'entity')}",),
    )
    return [Sentence(f"An explanation of the {len(left)} {noun} that {do} not follow, on {names}", (gap,))]


def _rival(brief: Brief) -> list[Sentence]:
    if len(brief.causes) < 2 or brief.causes[1].confidence < 0.5 * brief.first.confidence:
        return []
    second = brief.causes[1]
    name = brief.name(second.entity.id)
    text = f"Something that tells {brief.name(brief.first.entity.id)} from {name}, which has {second.confidence:.2f}"
    made_of = brief.book.count(
        "rival",
        f"{name} has a confidence of {second.confidence:.2f}",
        second.confidence,
        entity=second.entity.id,
    )
    return [Sentence(text, (made_of, confidence_id(brief)))]


def _stale(brief: Brief) -> list[Sentence]:
    said = []
    for path in brief.first.paths[:1] if brief.causes else ():
        for hop in path.hops:
            if hop.last_seen is not None and brief.start_s - hop.last_seen.timestamp() > STALE_S:
                text = f"A fresh look at the topology: {brief.book.reading(hop)}{age_of(brief, hop)}"
                said.append(Sentence(text, (brief.book.relation(hop),)))
    return said[:NAMED]


def _others(brief: Brief) -> list[Sentence]:
    """What the stages before could not look at, and lines or metrics of the cause that nobody sends."""
    said = []
    unmatched = next((gap for gap in brief.gaps if gap.startswith("not matched to the topology")), None)
    if unmatched is not None:
        cited = brief.book.gap("unmatched", unmatched)
        said.append(Sentence(f"A place in the topology for what is {unmatched}", (cited,)))
    if brief.causes and not brief.finding.ranked.inferred:
        kinds = {item.kind for item in brief.finding.evidence if is_live(item)}
        name = brief.name(brief.first.entity.id)
        for kind, word in (("log", "Log lines"), ("metric", "Metrics")):
            if kind not in kinds and len(kinds) < 3:
                lacking = brief.book.gap(
                    f"no {kind}", f"no {kind} of {name} says anything unusual", entity=brief.first.entity.id
                )
                said.append(Sentence(f"{word} of {name} that say what happened", (lacking,)))
    return said
