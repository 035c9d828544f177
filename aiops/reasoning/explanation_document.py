"""The explanation's members of the analysis resource, as plain JSON values."""

from __future__ import annotations

from typing import Any

from aiops.domain.explanation import (
    Alternative,
    Box,
    Boxes,
    Cited,
    Explanation,
    Moment,
    Section,
    Sentence,
    Similar,
)
from aiops.reasoning.moments import rfc3339_of

Document = dict[str, Any]


def explanation_members(said: Explanation) -> Document:
    """Keys are only ever added to."""
    return {
        "boxes": None if said.boxes is None else _boxes(said.boxes),
        "timeline": [_moment(moment) for moment in said.timeline],
        "sections": [_section(section) for section in said.sections],
        "evidence": [_cited(cited) for cited in said.evidence],
        "confidence_words": said.confidence_words,
        "would_raise": list(said.would_raise),
        "alternatives": [_alternative(one) for one in said.alternatives],
        "similar": [_similar(one) for one in said.similar],
    }


def _sentence(sentence: Sentence) -> Document:
    return {
        "text": sentence.text,
        "evidence": list(sentence.evidence),
        "verbatim": sentence.verbatim or None,
        "mark": sentence.mark or None,
        "link": sentence.link or None,
    }


def _boxes(boxes: Boxes) -> Document:
    return {
        "root_cause": _box(boxes.root_cause),
        "critical_failure": _box(boxes.critical_failure),
        "impact": _box(boxes.impact),
    }


def _box(box: Box) -> Document:
    return {
        "title": box.title,
        "sentences": [_sentence(sentence) for sentence in box.sentences],
        "entity": box.entity,
    }


def _moment(moment: Moment) -> Document:
    return {
        "at": rfc3339_of(moment.at_s),
        "lane": moment.lane,
        "entity": moment.entity,
        "text": moment.text,
        "evidence": list(moment.evidence),
        "until": rfc3339_of(moment.until_s),
        "skew_s": moment.skew_s,
        "detected_at": rfc3339_of(moment.detected_at_s),
    }


def _section(section: Section) -> Document:
    return {
        "id": section.id,
        "title": section.title,
        "sentences": [_sentence(sentence) for sentence in section.sentences],
    }


def _cited(cited: Cited) -> Document:
    return {
        "id": cited.id,
        "kind": cited.kind,
        "name": cited.name,
        "entity": cited.entity,
        "entity_name": cited.entity_name,
        "peer": cited.peer,
        "peer_name": cited.peer_name,
        "channel": cited.channel,
        "at": rfc3339_of(cited.at_s),
        "until": rfc3339_of(cited.until_s),
        "text": cited.text,
        "value": cited.value,
        "baseline": cited.baseline,
        "unit": cited.unit,
        "severity": cited.severity,
        "source": cited.source,
        "strength": cited.strength,
        "weight": cited.weight,
        "supports": cited.supports,
        "details": list(cited.details),
        "members": list(cited.members),
        "ref": {"type": cited.ref.type, "id": cited.ref.id},
        "href": None,
    }


def _alternative(one: Alternative) -> Document:
    return {
        "rank": one.rank,
        "entity": {"id": one.entity, "name": one.entity_name},
        "kind": one.kind,
        "confidence": one.confidence,
        "explains": {"count": one.explained, "of": one.of},
        "text": one.sentence.text,
        "evidence": list(one.sentence.evidence),
    }


def _similar(one: Similar) -> Document:
    return {
        "incident_id": one.incident_id,
        "title": one.title,
        "similarity": one.similarity,
        "confirmed_cause": one.cause if one.confirmed else None,
        "cause": one.cause,
        "cause_kind": one.cause_kind,
        "confirmed": one.confirmed,
        "resolution": one.resolution,
        "shared": list(one.shared),
        "evidence": one.evidence,
    }
