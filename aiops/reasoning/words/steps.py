"""What to do: safe diagnostics first, then mitigation with its risk and how to undo it, each with the rule that says so."""

from __future__ import annotations

import re

from aiops.domain.candidates import RuleAction
from aiops.domain.explanation import Sentence
from aiops.reasoning.words.brief import Brief

#: Actions told.
TOLD = 6
#: What is shown as a link: http or https, without anything that could end it early.
_ADDRESS = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]{1,1000}")
_RISKS = {"safe": "safe", "low": "low risk", "high": "high risk"}


def tell_actions(brief: Brief) -> tuple[Sentence, ...]:
    """The first cause's; where no rule proposes one, that is said."""
    if not brief.causes:
        return ()
    if not brief.first.actions:
        spoke = len(brief.firings())
        cited = brief.book.count(
            "actions", f"{spoke} rules spoke, none proposes an action", 0, entity=brief.first.entity.id
        )
        name = brief.name(brief.first.entity.id)
        return (
            Sentence(f"No rule proposes an action for this; look at the evidence on {name} first", (cited,)),
        )
    firings = {firing.rule: firing for firing in reversed(brief.firings())}
    return tuple(
        _action(action, rule, (brief.book.rule(firings[rule]),))
        for action, rule in brief.first.actions[:TOLD]
    )


def _action(action: RuleAction, rule: str, cited: tuple[str, ...]) -> Sentence:
    what = "Diagnose" if action.type == "diagnostic" else "Mitigate"
    text = f"{what} ({_RISKS.get(action.risk, action.risk)}): {action.title}"
    if action.command:
        text += f": {action.command}"
    if action.undo:
        text += f"; to undo: {action.undo}"
    link = action.runbook if action.runbook and _ADDRESS.fullmatch(action.runbook) else ""
    if action.runbook and not link:
        text += f"; runbook: {action.runbook}"
    return Sentence(f"{text} (rule {rule})", cited, action.command or "", action.risk, link)


def tell_next_steps(brief: Brief) -> tuple[Sentence, ...]:
    """After an inconclusive answer: what to look at, by what was missing."""
    matter, book = brief.matter, brief.book
    said = []
    if not matter.incident.affected and not matter.incident.symptoms:
        gap = book.gap("nothing named", "the incident names no entity that is affected")
        said.append(
            Sentence("Name the service or host that hurts in the incident, and analyse again", (gap,))
        )
    if not matter.seen.alarms:
        gap = book.gap("no alerts", "no alert was open around the incident on what was looked at")
        said.append(
            Sentence("See whether alerts reach this system: none was open around the incident", (gap,))
        )
    heard = brief.diagnosis.sighting.telemetry
    mute = [entity.id for entity in matter.subgraph.entities if entity.id not in heard]
    if mute:
        names = brief.names.some(mute, 40)
        gap = book.gap(
            "silent",
            f"{len(mute)} of {len(matter.subgraph.entities)} entities sent nothing: {names}",
            members=mute,
        )
        text = f"Send logs, metrics or alerts of {brief.names.some(mute, 4)}: {len(mute)} of "
        said.append(Sentence(f"{text}{len(matter.subgraph.entities)} entities sent nothing", (gap,)))
    for out in [out for out in brief.ruled_out if out.evidence][:2]:
        name = brief.name(out.entity.id)
        cited = book.count("ruled out", f"{name}: {out.reason}", 1, members=out.evidence)
        said.append(Sentence(f"Doubt what was ruled out if you know better: {name}: {out.reason}", (cited,)))
    if not said:
        gap = book.gap("inconclusive", brief.diagnosis.why)
        said.append(
            Sentence("Analyse again when more has come in, or with a longer window before the start", (gap,))
        )
    return tuple(said)
