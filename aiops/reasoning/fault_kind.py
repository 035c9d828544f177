"""Which kind of fault a cause has: the strongest specific thing that was said of it.

1. Rules that support or pin a member of the cause and name a kind: specific kinds before general ones
   (:mod:`aiops.domain.fault_kinds`), then by weight, then by the rule's id.
2. Otherwise the channel of the strongest live evidence that is no symptom.
"""

from __future__ import annotations

from collections.abc import Iterable

from aiops.domain.candidates import RuleFiring
from aiops.domain.evidence import SYMPTOM_CHANNELS, Channel, Evidence
from aiops.domain.fault_kinds import is_general
from aiops.reasoning.spread import is_live


def choose_kind(evidence: Iterable[Evidence], firings: Iterable[RuleFiring]) -> tuple[str | None, str | None]:
    """Kind and category of a cause with this evidence, of which rules said ``firings``."""
    named = [
        (is_general(firing.kind), -firing.weight, firing.rule, firing.kind, firing.category)
        for firing in firings
        if firing.kind is not None and firing.effect in ("support", "pin")
    ]
    if named:
        *_, kind, category = min(named)
        return kind, category
    live = [item for item in evidence if is_live(item)]
    telling = [item for item in live if item.channel not in SYMPTOM_CHANNELS] or live
    if not telling:
        return None, None
    strongest = min(telling, key=lambda item: (-item.strength, item.at_s, item.id))
    return strongest.channel.value, "change" if strongest.channel is Channel.CHANGE else "failure"
