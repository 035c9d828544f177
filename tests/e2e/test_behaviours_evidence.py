"""The behaviours that are about what counts as evidence, from outside: alerts, lines, samples, changes in, analysis out."""

from __future__ import annotations

import numpy as np
import orjson
import pytest

from tests.support.behaviours import CHAINS, Fresh, members
from tests.support.http_site import (
    HttpSite,
    alert,
    entity,
    lasting,
    ranked,
    stamp,
    topology,
)

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
