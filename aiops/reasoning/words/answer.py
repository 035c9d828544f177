"""The whole explanation: every section in the order in which an engineer needs it."""

from __future__ import annotations

from collections.abc import Iterable

from aiops.domain.explanation import Boxes, Explanation, Section
from aiops.reasoning.words.argument import tell_evidence
from aiops.reasoning.words.boxes import make_boxes
from aiops.reasoning.words.brief import Brief
from aiops.reasoning.words.chain import tell_chain
from aiops.reasoning.words.looked_at import tell_gaps, tell_incident, tell_looked_at
from aiops.reasoning.words.memory import tell_similar
from aiops.reasoning.words.rivals import make_alternatives, tell_ruled_out
from aiops.reasoning.words.steps import tell_actions, tell_next_steps
from aiops.reasoning.words.sureness import confidence_words, tell_confidence, tell_what_would_raise
from aiops.reasoning.words.timeline import make_timeline, tell_timeline
from aiops.reasoning.words.verdict_line import verdict_line
from aiops.reasoning.words.what_if import tell_what_if


def put_into_words(brief: Brief) -> Explanation:
    """Everything that is said about ``brief``. Pure: the same brief, the same words."""
    boxes, timeline, alternatives = make_boxes(brief), make_timeline(brief), make_alternatives(brief)
    raising = tell_what_would_raise(brief)
    sections = [
        Section("verdict", "Verdict", (verdict_line(brief),)),
        Section("incident", "Incident", tell_incident(brief)),
        *_boxed(boxes),
        Section("chain", "Causal chain", tell_chain(brief)),
        Section("actions", "What to do", tell_actions(brief) if brief.causes else tell_next_steps(brief)),
        Section("evidence", "Evidence", tell_evidence(brief) if brief.causes else ()),
        Section("confidence", "How sure", tell_confidence(brief)),
        Section("would_raise", "What would make it surer", raising),
        Section("what_if", "What if it were healthy or taken away", tell_what_if(brief)),
        Section("alternatives", "Other suspects", tuple(one.sentence for one in alternatives)),
        Section("ruled_out", "Ruled out", tell_ruled_out(brief)),
        Section("similar", "Similar past incidents", tell_similar(brief)),
        Section("timeline", "Timeline", tell_timeline(brief, timeline)),
        Section("looked_at", "What was looked at", tell_looked_at(brief)),
        Section("gaps", "Gaps", tell_gaps(brief)),
    ]
    _cite_statements(brief)
    return Explanation(
        sections=tuple(section for section in sections if section.sentences),
        evidence=brief.book.entries(),
        boxes=boxes,
        timeline=timeline,
        alternatives=alternatives,
        similar=brief.similar,
        confidence_words=confidence_words(brief),
        would_raise=tuple(sentence.text for sentence in raising),
    )


def _boxed(boxes: Boxes | None) -> Iterable[Section]:
    if boxes is None:
        return
    for identifier, box in (
        ("root_cause", boxes.root_cause),
        ("critical_failure", boxes.critical_failure),
        ("impact", boxes.impact),
    ):
        yield Section(identifier, box.title, box.sentences)


def _cite_statements(brief: Brief) -> None:
    """What the causes' own statements and what was ruled out refer to is listed too."""
    for cause in brief.causes:
        wanted = {name for sentence in cause.statements for name in sentence[1]}
        for citation in cause.citations:
            if citation.evidence.id in wanted:
                brief.book.item(citation.evidence)
    wanted = {name for out in brief.ruled_out for name in out.evidence}
    if wanted:
        for item in brief.matter.evidence.items:
            if item.id in wanted:
                brief.book.item(item)
