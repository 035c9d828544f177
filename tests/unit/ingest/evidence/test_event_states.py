"""The states that typed events set are judged as the events are: trouble where the event is bad, none where it is good."""

from __future__ import annotations

import pytest

from ingest.catalogue.events import event_types
from ingest.catalogue.meaning import statement_of
from ingest.catalogue.vocabulary import EventType, Tone, TypedEvent
from ingest.evidence.states import unhealthy

STATEFUL = [event for event in event_types().values() if event.state is not None]
#: Not trouble by themselves, but no state to be in: a port or a service that somebody switched off.
SWITCHED_OFF = {"link.admin_down", "service.stopped"}
#: A tree without loops blocks ports; which of them it should not have blocked is not in the line.
IN_ORDER = {"stp.port_blocked"}


@pytest.mark.parametrize("event", STATEFUL, ids=lambda event: event.name)
@pytest.mark.parametrize("text", ["x1", "2001:db8::1", "vmhba2:C0:T1:L4", "/dev/sdb", "web@1.service"])
def test_evidence_judges_a_state_as_its_event(event: EventType, text: str) -> None:
    fields = {name: "connect" if name == "state" else text for name in event.fields}
    state = statement_of(TypedEvent(event.name, "m", fields)).state
    assert state is not None
    strength = unhealthy(*state)[0]
    if event.name in IN_ORDER:
        assert strength == 0
    else:
        assert (strength > 0) == (event.tone is Tone.BAD or event.name in SWITCHED_OFF), state
