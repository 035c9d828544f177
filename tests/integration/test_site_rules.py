"""Rule packs that come through the API of a whole site: tried, kept, used, taken back; hostile ones refused or stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.http_site import HttpSite, alert, http_site, site_settings, topology

YAML = {"Content-Type": "application/yaml"}
PACK = """
pack: {name: site, version: 1.0.0, description: What this site knows.}
rules:
  - id: SITE-ROBOT-001
    title: The tape robot jams
    description: Its own word for it.
    match:
      all:
        - evidence: {kind: alert, text: {regex: 'jammed'}}
    then:
      effect: support
      weight: 0.9
      kind: tape_jam
      category: failure
      statement: 'The robot {entity} is jammed: "{text}"'
      actions:
        - {title: Open the door, type: diagnostic, command: open-door}
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[HttpSite]:
    with http_site(site_settings(tmp_path)) as opened:
        yield opened


def put(site: HttpSite, text: str, status: int) -> dict[str, Any]:
    return site.send("PUT", "/api/v1/rules", status, content=text.encode(), headers=YAML)


def first_kind(site: HttpSite, number: int) -> str | None:
    found = site.incident("host:robot", external_id=f"INC-{number}")
    kind: str | None = found["analysis"]["causes"][0]["kind"]
    return kind


def test_a_pack_is_used_from_the_next_analysis_on_until_it_is_taken_back(site: HttpSite) -> None:
    site.learn(topology(["service:backup DEPENDS_ON host:robot"]))
    site.alerts(alert("host:robot", -30, "ArmStuck", summary="arm 3 is jammed"))
    before = site.send("GET", "/api/v1/rules", 200)
    assert {pack["name"] for pack in before["packs"]} >= {"brokers"}
    assert not any(pack["editable"] for pack in before["packs"])
    assert first_kind(site, 1) != "tape_jam"
    assert put(site, PACK, 201)["pack"] == "site"
    assert first_kind(site, 2) == "tape_jam"
    now = site.send("GET", "/api/v1/rules", 200)
    assert now["version"] != before["version"]
    assert [(pack["name"], len(pack["rules"])) for pack in now["packs"] if pack["editable"]] == [("site", 1)]
    assert site.client.get("/api/v1/rules/site").text == PACK
    assert put(site, PACK.replace("1.0.0", "1.0.1"), 200)["pack"] == "site"
    site.send("DELETE", "/api/v1/rules/site", 204)
    site.send("DELETE", "/api/v1/rules/site", 404)
    assert site.client.get("/api/v1/rules/site").status_code == 404
    assert site.send("GET", "/api/v1/rules", 200)["version"] == before["version"]
    assert first_kind(site, 3) != "tape_jam"


def test_a_kept_pack_is_there_after_a_restart(tmp_path: Path) -> None:
    with http_site(site_settings(tmp_path)) as opened:
        put(opened, PACK, 201)
    with http_site(site_settings(tmp_path)) as opened:
        assert opened.client.get("/api/v1/rules/site").text == PACK


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("pack: [", 2, ""),
        (PACK.replace("name: site", "name: ../../etc"), 2, "no pack name"),
        (PACK.replace("effect: support", "effect: explode"), 11, "explode"),
        (PACK.replace("SITE-ROBOT-001", "MSG-LAG-001"), 4, "given twice"),
        (PACK.replace("'jammed'", "'(a+)+\\1'"), 9, ""),
        (PACK + "  - !!python/object/apply:os.system ['true']\n", 18, ""),
        ("a: &a [x, x]\nb: &b [*a, *a]\n", 1, ""),
    ],
    ids=["yaml", "name", "effect", "twice", "regex", "code", "anchors"],
)
def test_what_cannot_be_loaded_is_refused_with_its_line_and_changes_nothing(
    site: HttpSite, text: str, line: int, why: str
) -> None:
    before = site.send("GET", "/api/v1/rules", 200)
    found = site.send("POST", "/api/v1/rules:validate", 200, content=text.encode(), headers=YAML)
    assert not found["ok"]
    assert [(item["severity"], item["line"]) for item in found["findings"]] == [("error", line)]
    assert why in found["findings"][0]["detail"]
    refused = put(site, text, 422)
    assert refused["type"].endswith("invalid-rules")
    assert refused["errors"][0]["line"] == line
    assert site.send("GET", "/api/v1/rules", 200) == before


def test_what_is_odd_is_said_and_may_be_put(site: HttpSite) -> None:
    twin = PACK[PACK.index("  - id") :].replace("SITE-ROBOT-001", "SITE-ROBOT-002")
    found = site.send("POST", "/api/v1/rules:validate", 200, content=(PACK + twin).encode(), headers=YAML)
    assert found["ok"]
    assert {(item["severity"], item["code"]) for item in found["findings"]} == {("warning", "duplicate")}
    assert (
        site.send("POST", "/api/v1/rules:validate", 200, content=PACK.encode(), headers=YAML)["findings"]
        == []
    )


def test_an_empty_body_and_another_type_are_refused(site: HttpSite) -> None:
    put(site, " ", 422)
    site.send("PUT", "/api/v1/rules", 415, json={"pack": 1})
