"""The behaviours that are about what the program puts up with, from outside: hostile rules, ten thousand alerts, daily noise."""

from __future__ import annotations

import numpy as np
import orjson
import pytest

from tests.support.http_site import HttpSite, alert, entity, ranked, topology

RULE = """
pack: {{name: hostile, version: 1.0.0, description: tries something}}
rules:
  - id: BAD-001
    title: Something
    description: Something.
    match:
      all:
        - evidence: {{kind: log, text: {{regex: '{regex}'}}}}
    then: {{effect: support, weight: 0.5, kind: other, category: failure, statement: '{statement}'{more}}}
"""

HOSTILE = {
    "a tag that makes an object": "pack: !!python/object/apply:os.system ['touch /tmp/hostile']\nrules: []\n",
    "an alias that explodes": "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\npack: *c\nrules: []\n",
    "a regular expression that never ends": RULE.format(regex="(a+)+$(?=b)", statement="x", more=""),
    "code where a word belongs": RULE.format(regex="x", statement="{entity.__class__.__mro__}", more=""),
    "a key that nobody knows": RULE.format(regex="x", statement="x", more=", exec: 'import os'"),
    "no YAML": "pack: {name: [",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_rule_is_refused_and_told_where(site: HttpSite, name: str) -> None:
    answer = site.client.post(
        "/api/v1/rules:validate", content=HOSTILE[name].encode(), headers={"Content-Type": "application/yaml"}
    )
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["ok"] is False
    worst = next(one for one in found["findings"] if one["severity"] == "error")
    assert worst["line"] >= 1
    assert worst["detail"]
    refused = site.client.post(
        "/api/v1/rules", content=HOSTILE[name].encode(), headers={"Content-Type": "application/yaml"}
    )
    assert refused.status_code in (405, 422)


def test_ten_thousand_open_alerts_are_listed_and_analysed(site: HttpSite) -> None:
    site.learn(topology([f"host:x-{number} DEPENDS_ON device:y-{number // 20}" for number in range(1000)]))
    for begin in range(0, 10_000, 1000):
        body = [alert(f"host:x-{n % 1000}", n % 300, f"Alert{n // 1000}") for n in range(begin, begin + 1000)]
        site.send("POST", "/api/v2/alerts", 200, json=body)
    for _ in range(30):
        site.pass_time(1.0, steps=1)
    incidents = site.incidents(limit="500")
    assert len(incidents) == 50
    kept = site.site.stores.incidents
    assert sum(len(kept.incident_alarms(item["id"])) for item in incidents) == 10_000
    first = incidents[0]["id"]
    done = site.send("PATCH", f"/api/v1/incidents/{first}", 200, json={"status": "acknowledged"})
    assert done["status"] == "acknowledged"
    assert ranked(site.whole(first)["analysis"])


@pytest.mark.parametrize("daily", [True, False])
def test_what_was_as_bad_yesterday_at_this_hour_is_no_evidence(site: HttpSite, daily: bool) -> None:
    site.learn(topology(["service:shop RUNS_ON host:nightly"], entity("host:nightly", "10.9.9.9")))
    rng = np.random.default_rng(5)
    points = []
    for day_s in (-86_400.0, 0.0):
        for at_s in np.arange(-3400.0, 590.0, 15.0).tolist():
            busy = at_s >= -60.0 and (daily or day_s == 0.0)
            points.append((day_s + at_s, (40.0 if busy else 1.0) * (1.0 + rng.normal(scale=0.03))))
    site.samples(("node_load1", {"instance": "10.9.9.9:9100", "job": "node"}, points))
    site.alerts(alert("service:shop", 0, "Errors"))
    analysis = site.analysis("service:shop")
    said = [item for cause in analysis["causes"] for item in cause["evidence"] if item["supports"]]
    assert any(item["entity"] == "host:nightly" for item in said) is not daily, orjson.dumps(said)
    assert any("as bad yesterday" in gap for gap in analysis["gaps"]) is daily
