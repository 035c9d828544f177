"""What is in a maintenance window, for how long, and what is only expected to fail with it."""

from __future__ import annotations

from datetime import timedelta

from aiops.domain.graph import Subgraph
from aiops.reasoning.maintenance import Maintenance, find_maintenance
from tests.support.sites import Site, incident


def found(site: Site) -> Maintenance:
    posted = incident("host:a")
    until = posted.started_at + timedelta(seconds=301)
    graph = Subgraph(posted.started_at, tuple(site.entities.values()), tuple(site.relations))
    return find_maintenance(site.changes, posted, graph, site.alarms, until)


def test_a_window_holds_from_its_start_to_its_end() -> None:
    site = (
        Site()
        .relate("host:a", "DEPENDS_ON", "host:b")
        .relate("host:c", "DEPENDS_ON", "host:d")
        .change("host:a", -60 * 86_400.0, "open", "maintenance")
        .change("host:b", -600.0, "over", "maintenance", -60.0)
        .change("host:c", 60.0, "later", "maintenance")
        .change("host:d", -60.0, "rollout")
    )
    assert {entity: one.change.title for entity, one in found(site).held.items()} == {"host:a": "open"}


def test_it_holds_for_the_parts_and_what_rests_on_them_is_expected_to_fail() -> None:
    site = (
        Site()
        .relate("interface:a/e0", "PART_OF", "host:a")
        .relate("host:a", "PART_OF", "rack:r")
        .relate("rack:r", "PART_OF", "site:s")
        .relate("service:web", "RUNS_ON", "host:a")
        .relate("service:shop", "CALLS", "service:web")
        .change("rack:r", -600.0, "power", "maintenance", 600.0)
    )
    held = found(site).held
    assert {entity for entity, one in held.items() if not one.expected} == {
        "rack:r",
        "host:a",
        "interface:a/e0",
    }
    assert {entity for entity, one in held.items() if one.expected} == {"service:web"}
    assert found(site).muted() == {"rack:r", "host:a", "interface:a/e0"}
    site.change("service:web", -120.0, "web 7")
    assert "service:web" not in found(site).held


def test_a_window_that_began_after_the_fault_does_not_hold_and_before_its_first_alarm_does() -> None:
    site = (
        Site()
        .relate("host:a", "DEPENDS_ON", "host:b")
        .change("host:b", 30.0, "repair", "maintenance", 3600.0)
    )
    assert set(found(site.alarm("host:b", 60.0)).held) == {"host:b"}
    assert set(found(site.alarm("host:b", 0.0, "Earlier")).held) == set()


def test_an_alarm_that_outlived_the_window_counts() -> None:
    site = (
        Site().relate("host:a", "DEPENDS_ON", "host:b").change("host:b", -600.0, "work", "maintenance", 0.5)
    )
    site.alarm("host:b", 0.0)
    assert (set(found(site).held), set(found(site).outlived)) == (set(), {"host:b"})
    longer = Site().relate("host:a", "DEPENDS_ON", "host:b").alarm("host:b", 0.0)
    longer.change("host:b", -600.0, "work", "maintenance", 3600.0)
    assert set(found(longer).held) == {"host:b"}
