"""The behaviours that are about where failure comes from, from outside: topology and alerts in, analysis out, all over HTTP."""

from __future__ import annotations

import itertools

import orjson
import pytest

from tests.support.behaviours import CHAINS, REDUNDANT, SHARED, Fresh, members
from tests.support.http_site import (
    HttpSite,
    alert,
    entity,
    lasting,
    ranked,
    topology,
)

# 1. Late parent


@pytest.mark.parametrize("via", ["webhook", "v2"])
@pytest.mark.parametrize("chain", sorted(CHAINS))
def test_a_late_parent_becomes_the_root(site: HttpSite, chain: str, via: str) -> None:
    child, parent, _ = members(chain)
    site.learn(topology(CHAINS[chain]))
    site.alerts(alert(child, 0, "Unreachable"), via=via)
    before = site.incident(child)
    assert ranked(before["analysis"])[0] == child
    site.alerts(alert(parent, 40, "Down"), via=via)
    after = site.incident(child, status=200)
    assert ranked(after["analysis"])[0] == parent
    assert after["id"] == before["id"]
    assert (before["analysis"]["number"], after["analysis"]["number"]) == (1, 2)
    assert after["analysis"]["causes"][0]["explains"]["count"] == 2
    assert len(site.send("GET", "/api/v1/incidents", 200)["items"]) == 1
    newest = site.send("GET", f"/api/v1/incidents/{after['id']}", 200)
    assert newest["analysis"] == after["analysis"]


@pytest.mark.parametrize("chain", ["network", "cluster"])
def test_a_late_parent_is_found_when_the_analysis_is_asked_for_again(site: HttpSite, chain: str) -> None:
    child, parent, _ = members(chain)
    site.learn(topology(CHAINS[chain]))
    posted = site.incident(child, alerts=[alert(child, 0, "Unreachable")])
    assert ranked(posted["analysis"])[0] == child
    site.alerts(alert(parent, 40, "Down"))
    again = site.send("POST", f"/api/v1/incidents/{posted['id']}/analyses?wait=30s", 201, json={})
    assert (again["number"], ranked(again)[0]) == (2, parent)


@pytest.mark.parametrize("chain", ["network", "shop"])
def test_any_order_of_the_same_alerts_gives_the_same_analysis(
    fresh: Fresh, site: HttpSite, chain: str
) -> None:
    child, between, parent = members(chain)
    given = [alert(child, 0, "Slow"), alert(between, 15, "Errors"), alert(parent, 40, "Down")]
    site.learn(topology(CHAINS[chain]))
    site.alerts(*given)
    expected = lasting(site.analysis(child))
    assert ranked(expected)[0] == parent
    for order in list(itertools.permutations(given))[1:]:
        with fresh() as other:
            other.learn(topology(CHAINS[chain]))
            other.alerts(*order)
            assert lasting(other.analysis(child)) == expected


# 2. Redundancy


@pytest.mark.parametrize("case", sorted(REDUNDANT))
def test_one_of_two_does_not_explain_who_has_both(site: HttpSite, case: str) -> None:
    top, first = REDUNDANT[case][0].split()[0], REDUNDANT[case][0].split()[2]
    site.learn(topology(REDUNDANT[case]))
    site.alerts(alert(first, 0, "Down"), alert(top, 3, "Unreachable"))
    analysis = site.analysis(top)
    for cause in analysis["causes"]:
        if cause["entity"]["id"] == first:
            assert cause["path"] == []
            assert cause["explains"]["unexplained"]
    assert ranked(analysis)[0] == top


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
@pytest.mark.parametrize("case", sorted(REDUNDANT))
def test_both_of_two_explain_who_has_both(site: HttpSite, case: str, order: tuple[int, ...]) -> None:
    top = REDUNDANT[case][0].split()[0]
    both = [text.split()[2] for text in REDUNDANT[case]]
    site.learn(topology(REDUNDANT[case]))
    given = [alert(both[0], 0, "Down"), alert(both[1], 1, "Down"), alert(top, 3, "Unreachable")]
    site.alerts(*(given[place] for place in order))
    analysis = site.analysis(top)
    assert set(ranked(analysis)[:2]) == set(both)
    for cause in analysis["causes"][:2]:
        assert cause["path"], cause


# 3. Shared cause without telemetry


@pytest.mark.parametrize("case", sorted(SHARED))
def test_a_shared_cause_that_never_spoke_comes_first(site: HttpSite, case: str) -> None:
    who, below, shared, expected = SHARED[case]
    names = [who.format(number) for number in range(12)]
    edges = [f"{name} {below.format(number % 2)}" for number, name in enumerate(names)]
    site.learn(topology([*edges, *(shared.format(number) for number in range(2))]))
    site.alerts(*(alert(name, number % 4, "Silent") for number, name in enumerate(names)))
    analysis = site.analysis(*names[:3])
    assert ranked(analysis)[0] == expected
    assert analysis["verdict"] == "likely"
    first = analysis["causes"][0]
    assert first["explains"]["count"] == 12
    assert first["path"]
    assert not any(hop["observed"] for hop in first["path"])
    assert "inferred" in orjson.dumps(first).decode()


# 4. Silent hop


@pytest.mark.parametrize("silent", [1, 2])
@pytest.mark.parametrize("kinds", [("host", "device", "DEPENDS_ON"), ("service", "service", "CALLS")])
def test_a_silent_hop_does_not_cut_the_chain(
    site: HttpSite, silent: int, kinds: tuple[str, str, str]
) -> None:
    bottom, kind, relation = kinds
    names = [f"{bottom}:x-0", *(f"{kind}:x-{number}" for number in range(1, silent + 2)), f"{kind}:x-root"]
    site.learn(topology([f"{a} {relation} {b}" for a, b in itertools.pairwise(names)]))
    site.alerts(alert(names[0], 5, "Unreachable"), alert(names[1], 3, "Unreachable"), alert(names[-1], 0))
    analysis = site.analysis(names[0])
    assert ranked(analysis)[0] == names[-1]
    path = analysis["causes"][0]["path"]
    assert [hop["to"] for hop in path] == names[-2::-1]
    assert [hop["observed"] for hop in path].count(True) == 1


# 5. Topology that leaves with the fault


@pytest.mark.parametrize("leaves_at_s", [-20, 1, 30])
def test_topology_that_left_with_the_fault_is_used(site: HttpSite, leaves_at_s: int) -> None:
    site.learn(topology(["host:app-3 DEPENDS_ON device:sw-a"]))
    site.learn(topology(["device:sw-a CONNECTED_TO device:sw-b"], source="lldp", complete=True))
    site.alerts(
        alert("device:sw-b", 0),
        alert("device:sw-a", 4, "Unreachable"),
        alert("host:app-3", 30, "Unreachable"),
    )
    left = topology([], entity("device:sw-a"), source="lldp", at_s=leaves_at_s, complete=True)
    assert site.learn(left)["closed"] == 1
    analysis = site.analysis("host:app-3", offset_s=0)
    assert ranked(analysis)[0] == "device:sw-b"
    assert [hop["relation"] for hop in analysis["causes"][0]["path"]] == ["CONNECTED_TO", "DEPENDS_ON"]


# 6. Loud stranger


@pytest.mark.parametrize("chain", ["network", "shop"])
def test_a_thousand_alerts_elsewhere_change_nothing(site: HttpSite, chain: str) -> None:
    child, between, parent = members(chain)
    far = [f"host:far-{number} DEPENDS_ON device:far" for number in range(50)]
    site.learn(topology([*CHAINS[chain], *far]))
    site.alerts(alert(child, 20, "Slow"), alert(between, 5), alert(parent, 0))
    before = site.analysis(child)
    loud = [alert(f"host:far-{number % 50}", -number / 10, f"Down{number}") for number in range(1000)]
    site.send("POST", "/api/v2/alerts", 200, json=loud)
    after = site.analysis(child, status=200)
    assert ranked(after) == ranked(before)
    assert after["causes"][0]["explains"] == before["causes"][0]["explains"]


# 12. Island


@pytest.mark.parametrize("island", ["host:lonely", "service:cron", "device:lab-sw"])
def test_an_island_is_its_own_incident(site: HttpSite, island: str) -> None:
    site.learn(topology(CHAINS["network"], entity(island)))
    site.alerts(alert(island, 0, "DiskFull"), alert("device:core", 0), alert("host:web-1", 3, "Unreachable"))
    analysis = site.analysis(island)
    assert ranked(analysis) == [island]
    assert analysis["causes"][0]["path"] == []
    assert analysis["causes"][0]["explains"]["count"] == 1
    elsewhere = site.analysis("host:web-1", external_id="INC-2")
    assert ranked(elsewhere)[0] == "device:core"
    assert island not in ranked(elsewhere)


def test_an_island_that_no_topology_names(site: HttpSite) -> None:
    site.learn(topology(CHAINS["network"]))
    posted = site.incident(alerts=[alert({"host": "stray-4"}, 0, "DiskFull")])
    assert posted["affected"] == ["host:stray-4"]
    assert ranked(posted["analysis"]) == ["host:stray-4"]
    unmatched = site.send("GET", "/api/v1/entities:unmatched", 200)
    assert [item["id"] for item in unmatched["items"]] == ["host:stray-4"]
