"""The behaviours of incidents that nobody posts: alerts go in, and the incident with its analysis comes out."""

from __future__ import annotations

import itertools
from datetime import timedelta

import orjson
import pytest

from tests.support.behaviours import CHAINS, REDUNDANT, SHARED, Fresh, members
from tests.support.http_site import START, Document, HttpSite, alert, entity, lasting, ranked, stamp, topology


def kinds(site: HttpSite, incident: Document) -> list[str]:
    history = site.site.stores.incidents.activities(incident_id=str(incident["id"]))
    return [one.kind for one in history]


@pytest.mark.parametrize("via", ["webhook", "v2"])
@pytest.mark.parametrize("chain", sorted(CHAINS))
def test_a_late_parent_re_roots_the_same_incident(site: HttpSite, chain: str, via: str) -> None:
    child, parent, _ = members(chain)
    site.learn(topology(CHAINS[chain]))
    before = site.grouped(alert(child, 0, "Unreachable"), via=via)
    assert ranked(before["analysis"])[0] == child
    after = site.grouped(alert(parent, 40, "Down"), via=via)
    assert after["id"] == before["id"]
    assert ranked(after["analysis"])[0] == parent
    assert after["analysis"]["causes"][0]["explains"]["count"] == 2
    assert kinds(site, after).count("rerooted") == 1
    assert kinds(site, after).count("created") == 1


def test_a_parent_that_began_before_the_child_and_came_after_it(site: HttpSite) -> None:
    site.learn(topology(CHAINS["network"]))
    first = site.grouped(alert("host:web-1", 40, "Unreachable"))
    again = site.grouped(alert("device:core", 0, "Down"))
    assert (again["id"], again["started_at"]) == (first["id"], stamp(0))
    assert ranked(again["analysis"])[0] == "device:core"


@pytest.mark.parametrize("chain", ["network", "shop", "containment"])
def test_any_order_gives_the_same_analysis(fresh: Fresh, chain: str) -> None:
    child, between, parent = members(chain)
    given = [alert(child, 0, "Slow"), alert(between, 15, "Errors"), alert(parent, 40, "Down")]
    answers: set[bytes] = set()
    for order in itertools.permutations(given):
        with fresh() as other:
            other.learn(topology(CHAINS[chain]))
            for one in order:
                found = other.grouped(one)
            assert (found["severity"], found["started_at"]) == ("critical", stamp(0))
            answers.add(orjson.dumps([found["title"], found["affected"], lasting(found["analysis"])]))
    assert len(answers) == 1


@pytest.mark.parametrize("case", sorted(REDUNDANT))
def test_both_of_two_are_one_incident_and_both_are_named(site: HttpSite, case: str) -> None:
    top = REDUNDANT[case][0].split()[0]
    both = [text.split()[2] for text in REDUNDANT[case]]
    site.learn(topology(REDUNDANT[case]))
    found = site.grouped(
        alert(top, 3, "Unreachable"), alert(both[0], 0, "Down"), alert(both[1], 1, "Down"), via="webhook"
    )
    assert set(ranked(found["analysis"])[:2]) == set(both)


@pytest.mark.parametrize("case", sorted(SHARED))
def test_what_shares_a_cause_that_never_spoke_is_one_incident(site: HttpSite, case: str) -> None:
    who, below, shared, expected = SHARED[case]
    names = [who.format(number) for number in range(12)]
    edges = [f"{name} {below.format(number % 2)}" for number, name in enumerate(names)]
    site.learn(topology([*edges, *(shared.format(number) for number in range(2))]))
    found = site.grouped(*(alert(name, number % 4, "Silent") for number, name in enumerate(names)))
    assert ranked(found["analysis"])[0] == expected
    assert found["analysis"]["verdict"] == "likely"
    assert found["title"].startswith("Silent and 11 more on ")
    assert found["affected"] == sorted(names)


@pytest.mark.parametrize("silent", [1, 2])
@pytest.mark.parametrize("kind", ["DEPENDS_ON", "CONNECTED_TO"])
def test_a_silent_hop_does_not_part_an_incident(site: HttpSite, silent: int, kind: str) -> None:
    names = [f"device:s{number}" for number in range(silent + 2)]
    site.learn(topology([f"{a} {kind} {b}" for a, b in itertools.pairwise(names)]))
    found = site.grouped(alert(names[0], 5, "Unreachable"), alert(names[-1], 0))
    assert found["affected"] == [names[0], names[-1]]
    assert ranked(found["analysis"])[0] == names[-1]


def test_topology_that_left_with_the_fault_still_groups(site: HttpSite) -> None:
    site.learn(topology(["host:app-3 DEPENDS_ON device:sw-a"]))
    site.learn(topology(["device:sw-a CONNECTED_TO device:sw-b"], source="lldp", complete=True))
    site.learn(topology([], entity("device:sw-a"), source="lldp", at_s=-20, complete=True))
    found = site.grouped(
        alert("device:sw-b", 0),
        alert("device:sw-a", 4, "Unreachable"),
        alert("host:app-3", 30, "Unreachable"),
    )
    assert ranked(found["analysis"])[0] == "device:sw-b"


def test_loud_strangers_are_other_incidents(site: HttpSite) -> None:
    child, between, parent = members("network")
    far = [f"host:far-{number} DEPENDS_ON device:far" for number in range(50)]
    site.learn(topology([*CHAINS["network"], *far]))
    before = site.grouped(alert(child, 20, "Slow"), alert(between, 5), alert(parent, 0))
    loud = [alert(f"host:far-{number % 50}", -number / 10, f"Down{number}") for number in range(1000)]
    site.send("POST", "/api/v2/alerts", 200, json=loud)
    site.pass_time(20)
    after = site.whole(before["id"])
    assert ranked(after["analysis"]) == ranked(before["analysis"])
    assert (after["affected"], after["title"]) == (before["affected"], before["title"])
    assert len(site.incidents()) == 2


def test_traps_of_delivery_open_no_ghost_and_no_double(site: HttpSite) -> None:
    child, parent, _ = members("network")
    site.learn(topology(CHAINS["network"]))
    over = alert(parent, -20, "Flap", ended_s=-5)
    site.alerts(over, alert(parent, -20, "Flap"), over)
    for replica in ("a", "b"):
        site.alerts(alert({"entity": parent, "prometheus_replica": replica}, 0))
    site.alerts(alert(parent, 0), alert(child, 4, "Unreachable"))
    found = site.grouped(alert(parent, 0), alert(child, 4, "Unreachable"))
    assert len(site.site.stores.incidents.incident_alarms(found["id"])) == 3
    told = kinds(site, found)
    site.alerts(alert(parent, 0), alert(child, 4, "Unreachable"), via="v2")
    site.pass_time(60)
    assert kinds(site, site.incidents()[0]) == told


def test_one_thing_by_many_names_is_one_incident(site: HttpSite) -> None:
    full = "edge-rtr-1.fra1.example.net"
    site.learn(
        topology(["service:pay RUNS_ON device:edge-rtr-1"], entity("device:edge-rtr-1", "10.0.0.1", full))
    )
    found = site.grouped(
        alert({"instance": "10.0.0.1:9100"}, 0, "HostDown"),
        alert({"host": full}, 2, "Unreachable"),
        alert({"device": "edge-rtr-1"}, 3, "BGPDown"),
        alert({"service": "pay"}, 9, "Errors"),
    )
    assert found["affected"] == ["device:edge-rtr-1", "service:pay"]
    assert ranked(found["analysis"])[0] == "device:edge-rtr-1"


@pytest.mark.parametrize("island", ["host:lonely", "service:cron", "device:lab-sw"])
def test_an_island_is_its_own_incident(site: HttpSite, island: str) -> None:
    site.learn(topology(CHAINS["network"], entity(island)))
    site.alerts(alert(island, 0, "DiskFull"), alert("device:core", 0), alert("host:web-1", 3, "Unreachable"))
    site.alerts(alert({"host": "stray-4"}, 1, "DiskFull"))
    site.pass_time()
    assert sorted(item["affected"] for item in site.incidents()) == [
        ["device:core", "host:web-1"],
        *sorted([["host:stray-4"], [island]]),
    ]
    alone = next(item for item in site.incidents() if item["affected"] == [island])
    assert ranked(site.whole(alone["id"])["analysis"]) == [island]


def test_after_the_end_a_new_incident_is_opened(site: HttpSite) -> None:
    site.learn(topology(CHAINS["network"]))
    first = site.grouped(alert("host:web-1", 0, "Unreachable"))
    site.send("PATCH", f"/api/v1/incidents/{first['id']}", 200, json={"status": "resolved"})
    before = kinds(site, first)
    site.alerts(alert("device:core", 60), via="v2")
    site.pass_time()
    by_status = {item["status"]: item for item in site.incidents()}
    assert set(by_status) == {"resolved", "open"}
    assert by_status["open"]["affected"] == ["device:core"]
    assert kinds(site, first) == before
    assert len(site.site.stores.incidents.incident_alarms(first["id"])) == 1


def test_it_ends_by_itself_and_the_same_alarm_re_opens_it(site: HttpSite) -> None:
    site.learn(topology(CHAINS["shop"]))
    first = site.grouped(alert("database:books", 0), alert("service:mail", 4, "Errors"))
    site.alerts(alert("database:books", 0, ended_s=200), alert("service:mail", 4, "Errors", ended_s=210))
    site.pass_time(400)
    assert [(item["status"], item["ended_at"]) for item in site.incidents()] == [("resolved", stamp(210))]
    again = site.grouped(alert("database:books", 500))
    assert (again["id"], again["status"]) == (first["id"], "open")
    assert "reopened" in kinds(site, first)


@pytest.mark.parametrize("way", ["changes", "maintenance"])
def test_what_is_in_maintenance_opens_nothing(site: HttpSite, way: str) -> None:
    site.learn(topology([*CHAINS["network"], "interface:core/e1 PART_OF device:core"]))
    if way == "changes":
        site.change("device:core", -7200, "firmware", kind="maintenance", ended_at=stamp(7200))
    else:
        window = {
            "title": "firmware",
            "entities": ["core"],
            "starts_at": stamp(-60),
            "ends_at": stamp(7200),
            "reason": "new release",
        }
        site.send("POST", "/api/v1/maintenance", 201, json=window)
    site.alerts(alert("device:core", 0), alert("interface:core/e1", 2, "LinkDown"), via="v2")
    site.pass_time(30)
    assert site.incidents() == []
    kept = site.send("GET", "/api/v1/entities/device:core/alerts", 200)
    assert len(kept["items"]) == 1
    found = site.grouped(alert("host:web-1", 10, "Unreachable"))
    assert found["affected"] == ["host:web-1"]
    assert "device:core" not in ranked(found["analysis"])


@pytest.mark.parametrize(
    ("began_s", "ended_s"), [(-20 * 86_400, 86_400), (-3600, 30), (-3600, -30), (3600, 7200)]
)
def test_a_window_counts_for_as_long_as_it_lasts(site: HttpSite, began_s: float, ended_s: float) -> None:
    site.learn(
        topology(["host:h1 PART_OF rack:r1", "interface:h1/e0 PART_OF host:h1", "pod:shop/p RUNS_ON host:h1"])
    )
    site.clock.at = START + timedelta(seconds=20)
    window = {"title": "power", "entities": ["r1"], "starts_at": stamp(began_s), "ends_at": stamp(ended_s)}
    site.send("POST", "/api/v1/maintenance", 201, json=window)
    site.alerts(alert("host:h1", 0), alert("interface:h1/e0", 2, "LinkDown"))
    site.pass_time(5)
    in_force = began_s <= 0 < ended_s
    assert bool(site.incidents()) is not in_force
    if in_force:
        site.alerts(alert("pod:shop/p", 6, "NotReady"))
        site.pass_time(3)
        (pod,) = site.incidents()
        analysis = site.whole(pod["id"])["analysis"]
        assert (analysis["verdict"], analysis["causes"]) == ("inconclusive", [])
        assert "r1, in maintenance (power), would explain 1 of 1" in analysis["summary"]
    site.pass_time(30)
    site.pass_time(30)
    left = [item for item in site.incidents() if "host:h1" in item["affected"]]
    assert bool(left) is (ended_s < 80 or began_s > 0)
    for item in left:
        assert ranked(site.whole(item["id"])["analysis"])[0] in ("host:h1", "interface:h1/e0")


def test_a_change_that_is_told_late_is_quoted(site: HttpSite) -> None:
    child, between, parent = members("shop")
    site.learn(topology(CHAINS["shop"]))
    before = site.grouped(alert(child, 0, "HighErrorRate"), alert(between, 5, "HighErrorRate"))
    site.pass_time(10)
    site.change(parent, -120, "release 1.7.3")
    site.pass_time(10)
    site.pass_time(10)
    after = site.whole(before["id"])
    assert ranked(after["analysis"])[0] == parent
    assert "release 1.7.3" in orjson.dumps(after["analysis"]["causes"][0]["statements"]).decode()


@pytest.mark.parametrize("first", ["alerts", "incident"])
def test_a_posted_incident_and_its_alerts_are_one(site: HttpSite, first: str) -> None:
    child, parent, _ = members("network")
    site.learn(topology(CHAINS["network"]))
    if first == "alerts":
        site.alerts(alert(child, 0, "Unreachable"))
        site.pass_time()
    posted = site.incident(child)
    site.pass_time()
    site.alerts(alert(child, 0, "Unreachable"), alert(parent, 40, "Down"))
    site.pass_time()
    (found,) = site.incidents()
    assert found["id"] == posted["id"]
    whole = site.whole(posted["id"])
    assert ranked(whole["analysis"])[0] == parent
    assert whole["affected"] == [child]
    assert len(site.site.stores.incidents.incident_alarms(posted["id"])) == 2
