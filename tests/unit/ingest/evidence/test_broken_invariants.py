"""Lines that belong together: what breaks, where it is said to have broken, and what must not look like a break."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from aiops.domain.batches import LOG_SCHEMA
from aiops.domain.evidence import Evidence
from aiops.domain.graph import Entity, Relation, Subgraph
from ingest.evidence.detectors import Windows
from ingest.evidence.kinship import find_kinship
from ingest.evidence.logs import find_log_evidence

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
AT = START.timestamp()
WINDOWS = Windows(AT - 180, AT - 180, AT + 120)
SHOP, STOCK = "pod:ns/shop-1", "pod:ns/stock-1"
Line = tuple[float, str, str]
GRAPH = Subgraph(
    START,
    tuple(
        Entity(id, kind, id)
        for id, kind in [
            (SHOP, "Pod"),
            (STOCK, "Pod"),
            ("service:shop", "Service"),
            ("service:stock", "Service"),
        ]
    ),
    (
        Relation(SHOP, "PART_OF", "service:shop"),
        Relation(STOCK, "PART_OF", "service:stock"),
        Relation("service:shop", "CALLS", "service:stock"),
    ),
)


def requests(*, seed: int = 1, quiet_from_s: float = np.inf) -> Iterator[tuple[int, float]]:
    """Requests at the whims of users: a rate of its own for every minute; a tenth of it after ``quiet_from_s``."""
    rng = np.random.default_rng(seed)
    number = 0
    for minute in range(-15, 2):
        rate = int(rng.integers(6, 30)) if minute * 60 < quiet_from_s else 2
        for at in np.sort(rng.uniform(0, 59, rate)):
            number += 1
            yield number, minute * 60.0 + float(at)


def order(number: int, at: float, *, until: int = 6) -> list[Line]:
    """The lines of one request, of which a fault leaves the first ``until``."""
    return [
        (at, SHOP, f"order {number} received"),
        (at + 0.010, SHOP, f"asking stock for item of {number}"),
        (at + 0.015, STOCK, f"reserve item for {number}"),
        (at + 0.020, STOCK, f"reserved shelf {number}"),
        (at + 0.030, SHOP, f"stock answered for {number} with shelf"),
        (at + 0.040, SHOP, f"order {number} completed and sent"),
    ][:until]


def found(lines: list[Line], graph: Subgraph = GRAPH) -> list[Evidence]:
    rows = sorted(lines)
    table = pa.table(
        {
            "at_s": [AT + row[0] for row in rows],
            "entity": [row[1] for row in rows],
            "severity": pa.array([6] * len(rows), pa.int8()),
            "source": ["app"] * len(rows),
            "message": [row[2] for row in rows],
            "template": pa.nulls(len(rows), pa.string()),
            "event_id": [f"e{i}" for i in range(len(rows))],
        },
        schema=LOG_SCHEMA,
    )
    return [item for item in find_log_evidence(table, WINDOWS, graph) if "break" in item.attributes]


def traffic(until: Callable[[float], int], **options: float) -> list[Line]:
    return [line for number, at in requests(**options) for line in order(number, at, until=until(at))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("until", "entity", "missing", "before"),
    [
        (1, SHOP, "asking stock for item of #", "order # received"),
        (2, STOCK, "reserve item for #", "asking stock for item of #"),
        (3, STOCK, "reserved shelf #", "reserve item for #"),
        (4, SHOP, "stock answered for # with shelf", "reserved shelf #"),
        (5, SHOP, "order # completed and sent", "stock answered for # with shelf"),
    ],
)
def test_the_first_line_that_is_missing_is_told_and_nothing_that_follows_from_it(
    until: int, entity: str, missing: str, before: str
) -> None:
    (broken,) = found(traffic(lambda at: until if at > -100 else 6))
    assert (broken.entity, broken.direction) == (entity, -1)
    assert broken.name.startswith(f"{missing} no longer after ")
    assert broken.value is not None
    assert broken.baseline is not None
    assert broken.value < 0.5 * broken.baseline
    assert float(broken.attributes["z"]) < -5
    order_of = ["order # received", "asking stock for item of #", "reserve item for #", "reserved shelf #"]
    order_of += ["stock answered for # with shelf"]
    assert order_of.index(broken.attributes["before"]) <= order_of.index(before)


def test_what_is_cited_is_the_line_that_nothing_followed() -> None:
    (broken,) = found(traffic(lambda at: 5 if at > -60 else 6))
    assert AT - 60 <= broken.at_s < AT
    assert broken.ref.id.startswith("e")
    assert "completed and sent" in broken.text


def test_a_fault_of_the_same_kind_in_the_baseline_does_not_hide_this_one() -> None:
    earlier = [(-800, -740), (-500, -440)]
    (broken,) = found(traffic(lambda at: 5 if at > -100 or any(a < at < b for a, b in earlier) else 6))
    assert broken.name.startswith("order # completed and sent no longer")


def test_less_traffic_and_whole_requests_break_nothing() -> None:
    assert found(traffic(lambda at: 6)) == []
    assert found(traffic(lambda at: 6, quiet_from_s=-120)) == []


def test_what_merely_keeps_the_same_time_does_not_belong_together() -> None:
    ticks = [(float(at), SHOP, f"heartbeat {at + 2000}") for at in range(-900, 120, 6)]
    saves = [(at + 1.0, STOCK, f"saved {int(at) + 2000} pages") for at in np.arange(-900.0, -60.0, 6.0)]
    assert found([*ticks, *saves]) == []


def test_strangers_are_not_compared() -> None:
    lines = traffic(lambda at: 2 if at > -100 else 6)
    apart = Subgraph(START, GRAPH.entities, GRAPH.relations[:2])
    assert {item.entity for item in found(lines, apart)} == {SHOP}


def test_replicas_that_share_the_work_are_compared_with_what_all_their_callers_say() -> None:
    second = "pod:ns/shop-2"
    lines = [
        (at, second if entity == SHOP and hash_of(text) % 2 else entity, text)
        for at, entity, text in traffic(lambda at: 2 if at > -100 else 6)
    ]
    graph = Subgraph(
        START,
        (*GRAPH.entities, Entity(second, "Pod", second)),
        (*GRAPH.relations, Relation(second, "PART_OF", "service:shop")),
    )
    assert [item.entity for item in found(lines, graph) if item.entity == STOCK] == [STOCK]


def hash_of(text: str) -> int:
    return int("".join(filter(str.isdigit, text)))


def test_the_order_of_the_rows_does_not_matter() -> None:
    lines = traffic(lambda at: 3 if at > -100 else 6)
    assert found(lines) == found(lines[::-1])


def test_statements_count_whatever_they_fill_in() -> None:
    def shown(number: int, text: str) -> str:
        return f"c.a.Basket#{number} {text}"

    lines = []
    for number, at in requests():
        lines.append((at, SHOP, shown(10, f"basket {number} opened")))
        if at < -100:
            text = f"kept {number}" if at < -240 else f"kept {number} of a new colour and size {number}"
            lines.append((at + 0.01, SHOP, shown(20, text)))
    (broken,) = found(lines)
    assert broken.name == "c.a.Basket#20 no longer after c.a.Basket#10"


def test_units_and_partners() -> None:
    kin = find_kinship(GRAPH, [SHOP, "service:shop", STOCK, "host:elsewhere"])
    assert kin.unit == (0, 0, 1, 2)
    assert dict(kin.partners) == {0: (1,), 1: (0,)}
