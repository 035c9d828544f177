"""The behaviours that are about how things are delivered and named, from outside, all over HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.behaviours import CHAINS, Fresh, members
from tests.support.http_site import (
    START,
    HttpSite,
    alert,
    entity,
    lasting,
    ranked,
    stamp,
    topology,
    webhook,
)

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


# Names that nobody gave, events that nobody can read


def test_a_thing_without_a_name_is_called_as_its_id_says_and_keeps_a_name_that_somebody_gave(
    site: HttpSite,
) -> None:
    bare = [{"id": "database:pg-1", "kind": "Database"}, {"id": "service:pay", "kind": "Service"}]
    edge = {"from": "service:pay", "kind": "CALLS", "to": "database:pg-1"}
    site.learn({"source": "cmdb", "entities": bare, "relations": [edge]})
    site.alerts(alert({"host": "pg-1"}, 0, "InstanceDown"), alert({"service": "pay"}, 4, "Errors"))
    assert ranked(site.analysis("pay"))[0] == "database:pg-1"
    site.learn({"source": "crm", "entities": [{**bare[1], "name": "Payments"}]})
    site.learn({"source": "cmdb", "entities": bare})
    assert site.send("GET", "/api/v1/entities/service:pay", 200)["name"] == "Payments"


def test_an_event_that_cannot_be_read_is_refused(site: HttpSite) -> None:
    headers = {"Content-Type": "application/cloudevents+json"}
    told = site.send("POST", "/api/v1/ingest/events", 400, content=b'{"specversion": "1.0"}', headers=headers)
    assert told["errors"]
