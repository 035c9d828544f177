from __future__ import annotations

from datetime import UTC, datetime

from aiops.domain.candidates import TEXTS_KEPT
from aiops.domain.evidence import Channel, Evidence, Reference
from aiops.domain.graph import Entity, Relation, Subgraph
from aiops.reasoning.candidate_texts import NameMask, candidate_texts
from aiops.reasoning.things import find_things

MASK = NameMask(["shop/basket-7f9c", "basketservice", "ledger", "db-1/data"])


def test_names_ids_and_digits_are_masked_and_words_are_kept() -> None:
    assert MASK.mask("BasketController#17 answered 503") == "@ controller # answered #"
    assert MASK.mask("basket service: ledgerd timed out, ledger0") == "@ service @ timed out #"
    assert MASK.mask("no space left on device 0xDEAD at 10.0.0.1") == "no space left on device # at #"
    assert MASK.mask("HTTPServer panic at a1b2-c3") == "http server panic at #"


def test_short_parts_of_names_do_not_swallow_words() -> None:
    assert NameMask(["db-1"]).mask("dbase debug") == "dbase debug"
    assert NameMask(["cat-1"]).mask("catalogue of cat") == "catalogue of @"


def _item(entity: str, name: str, strength: float, kind: str = "log", direction: int = 1) -> Evidence:
    return Evidence(
        id=f"{entity}{name}", entity=entity, peer=None, kind=kind, channel=Channel.LOG, name=name, at_s=0.0, strength=strength,
        direction=direction, text="verbatim", ref=Reference("event", "1"),
    )  # fmt: skip


def test_rows_hold_the_strongest_texts_of_their_thing() -> None:
    subgraph = Subgraph(
        datetime(2026, 1, 1, tzinfo=UTC),
        (Entity("pod:basket-1", "pod", "basket-1"), Entity("service:basket", "service", "basket"),
         Entity("service:ledger", "service", "ledger")),
        (Relation("service:basket", "ROUTES_TO", "pod:basket-1"), Relation("service:basket", "CALLS", "service:ledger")),
    )  # fmt: skip
    items = [_item("pod:basket-1", f"failure {'abcdefghijkl'[n]}xx", float(n)) for n in range(12)]
    items += [
        _item("service:ledger", "ledger says bye", 2.0, direction=-1),
        _item("service:ledger", "12 34", 9.0),
    ]
    items += [_item("service:ledger", "cpu_usage", 9.0, kind="metric")]
    things = find_things(subgraph)
    texts = candidate_texts(subgraph, items, things)
    assert len(texts) == 3
    assert [text.weight for text in texts[0]] == [float(n) for n in range(11, 11 - TEXTS_KEPT, -1)]
    assert texts[0][0].text == "failure lxx"
    assert [(one.text, one.weight) for one in texts[2]] == [("@ says bye", -2.0)]
    assert texts[1] == (texts[0] if things.of[0] == things.of[1] else ())
