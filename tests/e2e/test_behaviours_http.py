"""What the product is judged by, from outside: everything goes in and comes out through HTTP (syslog through the worker).

The names, kinds and relations of a scenario are data, so that nothing can hold for one spelling of it only.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import numpy as np
import orjson
import pytest

from servers.neo4j_server import Neo4jServer
from tests.support.http_site import (
    START,
    HttpSite,
    alert,
    entity,
    http_site,
    lasting,
    ranked,
    site_settings,
    stamp,
    topology,
    webhook,
)

Fresh = Callable[[], AbstractContextManager[HttpSite]]

#: Effect first, cause last: each a chain of dependence with other kinds and other relations.
CHAINS = {
    "network": ("host:web-1 DEPENDS_ON device:access-1", "device:access-1 DEPENDS_ON device:core"),
    "shop": ("service:mail CALLS service:ledger", "service:ledger CALLS database:books"),
    "cluster": ("pod:prod/cart-7d9 RUNS_ON node:k8s-n3", "node:k8s-n3 RUNS_ON host:hv-12"),
    "storage": ("database:orders MOUNTS volume:vol-9", "volume:vol-9 BACKED_BY disk:nvme-3"),
    "containment": ("device:leaf-4 CONTAINS interface:leaf-4/et1", "host:db-9 DEPENDS_ON device:leaf-4"),
}


def members(chain: str) -> tuple[str, str, str]:
    """(effect, between, cause) of a chain."""
    if chain == "containment":
        return ("host:db-9", "device:leaf-4", "interface:leaf-4/et1")
    first, second = CHAINS[chain]
    return (first.split()[0], first.split()[2], second.split()[2])


@pytest.fixture(params=["sqlite", pytest.param("neo4j", marks=pytest.mark.integration)])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HttpSite]:
    server: Neo4jServer | None = None
    if request.param == "neo4j":
        from tests.support.neo4j_server import empty

        server = request.getfixturevalue("neo4j_server")
        empty(server)
    with http_site(site_settings(tmp_path, server)) as opened:
        yield opened


@pytest.fixture
def fresh(tmp_path: Path) -> Fresh:
    """Makes any number of empty embedded sites, one after the other."""
    count = itertools.count()

    def make() -> AbstractContextManager[HttpSite]:
        return http_site(site_settings(tmp_path / str(next(count))))

    return make


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


REDUNDANT = {
    "uplinks": (
        "device:acc-7 DEPENDS_ON device:up-1 [uplinks]",
        "device:acc-7 DEPENDS_ON device:up-2 [uplinks]",
    ),
    "replicas": (
        "service:front CALLS instance:shop-a [shop]",
        "service:front CALLS instance:shop-b [shop]",
    ),
}


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


SHARED = {
    "power": ("device:tor-{:02}", "PART_OF rack:r-{}", "rack:r-{} POWERED_BY powerunit:pdu-9", "powerunit:pdu-9"),
    "direct": ("host:srv-{:02}", "POWERED_BY powerunit:ups-{}", "powerunit:ups-{} POWERED_BY powerunit:mains", "powerunit:mains"),
    "volumes": ("pod:shop/p-{:02}", "MOUNTS volume:v-{}", "volume:v-{} BACKED_BY disk:array-2", "disk:array-2"),
}  # fmt: skip


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


# 7. No evidence


@pytest.mark.parametrize("chain", ["network", "cluster"])
def test_no_evidence_is_inconclusive(site: HttpSite, chain: str) -> None:
    site.learn(topology(CHAINS[chain]))
    analysis = site.analysis(members(chain)[0])
    assert analysis["verdict"] == "inconclusive"
    assert analysis["causes"] == []


def test_steady_samples_and_alerts_long_over_are_no_evidence(site: HttpSite) -> None:
    site.learn(topology(CHAINS["shop"]))
    points = [(at_s, 0.5) for at_s in np.arange(-3000.0, 300.0, 15.0).tolist()]
    site.samples(("node_load1", {"entity": "service:mail", "instance": "mail"}, points))
    site.alerts(alert("service:ledger", -7200, "Slow", ended_s=-5000))
    analysis = site.analysis("service:mail")
    assert (analysis["verdict"], analysis["causes"]) == ("inconclusive", [])


# 8. Determinism


def test_the_same_input_twice_gives_the_same_bytes(site: HttpSite, fresh: Fresh) -> None:
    def tell(to: HttpSite) -> bytes:
        to.learn(topology(CHAINS["shop"], entity("host:db-1", "10.0.0.1"), entity("service:edge")))
        to.learn(topology(["database:books RUNS_ON host:db-1"], source="cmdb"))
        to.alerts(alert("service:mail", 5, "Slow"), alert("database:books", 0), via="v2")
        to.syslog("db-1", -1, "EXT4-fs error (device sda1): remounting filesystem read-only")
        bad = [(at_s, 0.0 if at_s > -20 else 1e10) for at_s in np.arange(-3000.0, 300.0, 15.0).tolist()]
        to.samples(("node_filesystem_avail_bytes", {"instance": "10.0.0.1:9100", "mountpoint": "/"}, bad))
        to.change("database:books", -300, "books 42")
        return orjson.dumps(lasting(to.analysis("service:mail")))

    first = tell(site)
    again = orjson.dumps(lasting(site.analysis("service:mail", status=200)))
    with fresh() as other:
        assert first == again == tell(other)


# 9. Delivery traps of Alertmanager


def told_with_traps(site: HttpSite, child: str, parent: str) -> None:
    """Replicas, repeats, a truncated group, resolved before firing."""
    flapped = alert(parent, -600, "Flap")
    over = {**flapped, "endsAt": stamp(-500)}
    site.alerts(over)
    site.alerts(flapped)
    site.alerts(over)
    for replica in ("a", "b"):
        site.alerts(alert({"entity": parent, "prometheus_replica": replica}, 0))
    group = [alert(parent, 0), alert(child, 4, "Unreachable")]
    for truncated in (0, 3, 0):
        site.send("POST", "/api/v1/ingest/alertmanager", 200, json=webhook(group, truncated=truncated))


@pytest.mark.parametrize("chain", ["network", "storage"])
def test_traps_of_delivery_make_no_ghost_and_no_double(site: HttpSite, fresh: Fresh, chain: str) -> None:
    child, parent, _ = members(chain)
    site.learn(topology(CHAINS[chain]))
    told_with_traps(site, child, parent)
    found = site.analysis(child)
    with fresh() as plain:
        plain.learn(topology(CHAINS[chain]))
        plain.alerts(
            alert(parent, -600, "Flap", ended_s=-500), alert(parent, 0), alert(child, 4, "Unreachable")
        )
        assert lasting(plain.analysis(child)) == lasting(found)
    assert ranked(found)[0] == parent
    assert site.send("GET", "/api/v1/stats", 200)["graph"]["alarm"] == 3


# 10. One thing, many names


@pytest.mark.parametrize(
    ("name", "address", "kind"), [("edge-rtr-1", "10.0.0.1", "device"), ("db-7", "192.0.2.44", "host")]
)
def test_one_thing_has_many_names(site: HttpSite, name: str, address: str, kind: str) -> None:
    machine, full = f"{kind}:{name}", f"{name}.fra1.example.net"
    site.learn(topology([f"service:pay RUNS_ON {machine}"], entity(machine, address, full)))
    site.alerts(alert({"instance": f"{address}:9100"}, 0, "HostDown"), alert("service:pay", 9, "Errors"))
    site.alerts(alert({"host": full}, 2, "Unreachable"))
    site.syslog(name, -1, "Kernel panic - not syncing: Fatal exception", severity=0)
    site.syslog(full, -1, "Kernel panic - not syncing: Fatal exception", severity=0, app="console")
    analysis = site.analysis("service:pay")
    assert ranked(analysis)[0] == machine
    assert analysis["causes"][0]["explains"]["count"] == 3
    names = {item["id"] for item in site.send("GET", "/api/v1/entities", 200)["items"]}
    assert names == {machine, "service:pay"}
    assert any(item["kind"] == "log" for item in analysis["causes"][0]["evidence"])


def test_two_hosts_of_one_short_name_are_two(site: HttpSite) -> None:
    site.learn(
        topology(
            ["service:a RUNS_ON host:fra1/app-17", "service:b RUNS_ON host:ams2/app-17"],
            entity("host:fra1/app-17", "app-17.fra1.example.net", "app-17", site="fra1"),
            entity("host:ams2/app-17", "app-17.ams2.example.net", "app-17", site="ams2"),
        )
    )
    site.alerts(alert({"host": "app-17", "site": "ams2"}, 0, "HostDown"), alert("service:b", 5, "Errors"))
    site.alerts(alert({"host": "app-17.fra1.example.net"}, -300, "DiskSlow"), alert("service:a", 6, "Errors"))
    assert ranked(site.analysis("service:b"))[0] == "host:ams2/app-17"
    other = site.analysis("service:a", external_id="INC-2")
    assert ranked(other)[0] == "host:fra1/app-17"
    assert "host:ams2/app-17" not in ranked(other)


# 11. Skewed clock


@pytest.mark.parametrize("ahead_s", [420.0, -420.0])
def test_a_skewed_clock_is_flagged_and_not_blamed(site: HttpSite, ahead_s: float) -> None:
    site.learn(topology(["host:front DEPENDS_ON host:back", "host:front DEPENDS_ON host:odd"]))
    for at_s in range(-600, 200, 10):
        for host in ("front", "back"):
            site.syslog(host, at_s, "session opened for user root", app="sshd", severity=6)
        site.syslog("odd", at_s, "session opened for user root", app="sshd", severity=6, ahead_s=ahead_s)
    site.syslog("back", 0, "Out of memory: Killed process 811 (postgres)", severity=2)
    site.syslog("odd", 12, "connection to back lost", app="agent", severity=3, ahead_s=ahead_s)
    site.alerts(alert("host:back", 10), alert("host:front", 20, "Errors"))
    analysis = site.analysis("host:front")
    assert ranked(analysis)[0] == "host:back"
    assert any("odd" in gap and "clock" in gap for gap in analysis["gaps"]), analysis["gaps"]


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


# 13. After the end


def test_an_alert_after_the_end_joins_nothing_in_silence(site: HttpSite) -> None:
    site.learn(topology(CHAINS["network"]))
    first = site.incident("host:web-1", alerts=[alert("host:web-1", 0, "Unreachable")], ended_at=stamp(120))
    site.send("PATCH", f"/api/v1/incidents/{first['id']}", 200, json={"status": "resolved"})
    site.alerts(alert("device:core", 1200))
    again = site.send("POST", f"/api/v1/incidents/{first['id']}/analyses?wait=30s", 201, json={})
    assert "device:core" not in [c["entity"]["id"] for c in again["causes"] if c["explains"]["count"] > 1]
    assert ranked(again)[0] == "host:web-1"
    later = site.incident(
        "host:web-1", external_id="INC-2", alerts=[alert("host:web-1", 1205, "Unreachable")], offset_s=1205
    )
    assert later["id"] != first["id"]
    assert ranked(later["analysis"])[0] == "device:core"
    assert site.send("GET", f"/api/v1/incidents/{first['id']}", 200)["status"] == "resolved"


# 14. Change first


@pytest.mark.parametrize("chain", ["shop", "network"])
@pytest.mark.parametrize("late", [False, True])
def test_a_change_just_before_comes_first_and_is_quoted(site: HttpSite, chain: str, late: bool) -> None:
    child, between, parent = members(chain)
    site.learn(topology(CHAINS[chain], entity("host:elsewhere")))
    given = [alert(child, 0, "HighErrorRate"), alert(between, 5, "HighErrorRate")]
    if late:
        site.alerts(*given)
    site.change(parent, -120, "release 1.7.3", kind="deploy")
    site.change("host:elsewhere", -60, "kernel update 99", kind="config")
    if not late:
        site.alerts(*given)
    analysis = site.analysis(child)
    assert ranked(analysis)[0] == parent
    assert "release 1.7.3" in orjson.dumps(analysis["causes"][0]["statements"]).decode()
    assert b"elsewhere" not in orjson.dumps(analysis)
    assert b"kernel update 99" not in orjson.dumps(analysis)


# 15. Maintenance


@pytest.mark.parametrize("chain", ["network", "shop", "storage"])
def test_what_is_in_maintenance_is_not_the_answer(site: HttpSite, chain: str) -> None:
    child, between, parent = members(chain)
    site.learn(topology(CHAINS[chain]))
    site.change(parent, -7200, "firmware", kind="maintenance", ended_at=stamp(3600))
    site.alerts(alert(parent, 0), alert(between, 5, "Errors"), alert(child, 10, "Errors"))
    analysis = site.analysis(child)
    assert parent not in ranked(analysis)
    reasons = {out["entity"]["id"]: out["reason"] for out in analysis["ruled_out"]}
    assert "maintenance" in reasons[parent]


# 16. Chronic noise


@pytest.mark.parametrize("metric", ["node_load1", "node_disk_io_time_seconds_total"])
def test_what_was_always_bad_is_no_evidence(site: HttpSite, metric: str) -> None:
    site.learn(topology(["service:shop RUNS_ON host:busy"], entity("host:busy", "10.9.9.9")))
    rng = np.random.default_rng(5)
    at = np.arange(-3400.0, 290.0, 15.0)
    value = 40.0 * (1.0 + rng.normal(scale=0.05, size=len(at)))
    points = list(
        zip(at.tolist(), (np.cumsum(value) if metric.endswith("_total") else value).tolist(), strict=True)
    )
    site.samples((metric, {"instance": "10.9.9.9:9100", "job": "node"}, points))
    site.alerts(alert("host:busy", -80_000, "LoadHigh"), alert("service:shop", 0, "Errors"))
    analysis = site.analysis("service:shop")
    assert ranked(analysis)[0] == "service:shop"
    said = [item for cause in analysis["causes"] for item in cause["evidence"] if item["supports"]]
    assert not any(item["entity"] == "host:busy" for item in said)
    assert any("open since before the window" in gap for gap in analysis["gaps"])


# 17. Counterfactual


@pytest.mark.parametrize("chain", ["network", "shop", "storage"])
def test_without_the_cause_the_explained_share_falls(site: HttpSite, chain: str) -> None:
    child, between, parent = members(chain)
    site.learn(topology(CHAINS[chain], entity("host:bystander")))
    site.alerts(alert(parent, 0), alert(between, 4, "Errors"), alert(child, 9, "Errors"))
    posted = site.incident(child)
    first = posted["analysis"]["causes"][0]
    assert first["entity"]["id"] == parent
    assert first["counterfactual"]["delta_explained"] == -3
    without = site.send(
        "POST",
        f"/api/v1/incidents/{posted['id']}/analyses",
        200,
        json={"assume": {"healthy": [parent]}},
    )
    assert parent not in ranked(without)
    assert without["causes"][0]["explains"]["count"] < first["explains"]["count"]


# 18. Ruled out


@pytest.mark.parametrize(
    ("effect", "cause", "host"), [("service:a", "service:b", "host:h"), ("pod:n/x", "database:d", "node:k")]
)
def test_a_healthy_suspect_is_ruled_out_with_the_reason(
    site: HttpSite, effect: str, cause: str, host: str
) -> None:
    site.learn(topology([f"{effect} CALLS {cause}", f"{cause} RUNS_ON {host}"], entity(host, "10.1.1.1")))
    steady = [(at_s, 0.5 + 0.001 * (at_s % 7)) for at_s in np.arange(-3000.0, 300.0, 15.0).tolist()]
    site.samples(("node_load1", {"instance": "10.1.1.1:9100"}, steady))
    site.alerts(alert(cause, 0, "InstanceDown"), alert(effect, 5, "HighErrorRate"))
    analysis = site.analysis(effect)
    assert ranked(analysis)[0] == cause
    reasons = {out["entity"]["id"]: out["reason"] for out in analysis["ruled_out"]}
    assert reasons[host].startswith("healthy in the window")


# What comes with a change is kept


def test_links_and_labels_of_a_change_are_kept(site: HttpSite) -> None:
    site.learn(topology(CHAINS["shop"]))
    links = [{"rel": "run", "href": "https://ci.test/42"}]
    for _ in range(2):
        site.change("database:books", -120, "books 42", labels={"team": "ledger"}, links=links)
    began = START - timedelta(seconds=120)
    (kept,) = site.site.stores.graph.changes(start=began, end=began + timedelta(seconds=1))
    assert dict(kept.labels) == {"team": "ledger", "link:run": "https://ci.test/42"}
    assert kept.entities == ("database:books",)
