"""Tenants opened and closed, with the work that goes on for them in the background."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiops.errors import StoreUnavailable
from aiops.wiring.api import open_site
from aiops.wiring.stores import make_data_directory
from aiops.wiring.tenants import TenantSite, sum_readings
from ingest.counters import Reading, Taken
from tests.support.http_site import START, site_settings
from tests.support.ingest_sites import FixedClock


def test_background_work_begins_with_each_tenant_and_ends_before_its_stores(tmp_path: Path) -> None:
    running: list[str] = []

    def start(site: TenantSite) -> object:
        running.append(site.tenant)

        def stop() -> None:
            assert site.stores.graph.counts() is not None, "the stores are still open"
            running.remove(site.tenant)

        return stop

    with open_site(site_settings(tmp_path, model_enabled=False), FixedClock(START)) as site:
        site.tenants.attach(start)  # type: ignore[arg-type]
        assert running == ["default"]
        site.tenants.site("blue")
        assert site.tenants.site("blue") is site.tenants.site("blue")
        assert running == ["default", "blue"]
        assert [one.tenant for one in site.tenants.opened()] == ["blue", "default"]
        tenants = site.tenants
    assert running == []
    with pytest.raises(StoreUnavailable, match="stopping"):
        tenants.site("green")


def test_a_tenant_that_cannot_be_opened_now_is_tried_again(tmp_path: Path) -> None:
    with open_site(site_settings(tmp_path, model_enabled=False), FixedClock(START)) as site:
        blocked = tmp_path / "tenants"
        blocked.write_text("in the way")
        site.tenants.open_all(["default", "blue"])
        with pytest.raises(StoreUnavailable):
            site.tenants.services("blue")
        blocked.unlink()
        assert site.tenants.services("blue").tenant == "blue"


@pytest.mark.parametrize("name", ["..", "a/b", "", "A", "-a", "a" * 33, "a\x00"])
def test_a_tenants_name_cannot_lead_out_of_the_data_directory(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="tenant"):
        make_data_directory(site_settings(tmp_path, model_enabled=False), name)


def test_readings_of_tenants_are_added() -> None:
    one = Reading(
        {"syslog": Taken(3, 2, 1, 0)}, {("syslog", "empty"): 1}, 1, 2, 3, last_seen={"syslog": START}
    )
    two = Reading({"syslog": Taken(1, 1, 0, 0), "otlp": Taken(2, 2, 0, 0)}, {}, 10, 20, 30)
    both = sum_readings([one, two])
    assert both.sources == {"otlp": Taken(2, 2, 0, 0), "syslog": Taken(4, 3, 1, 0)}
    assert (both.relations, both.ambiguous, both.skewed_hosts) == (11, 22, 33)
    assert both.reject_reasons == {("syslog", "empty"): 1}
    assert both.last_seen == {"syslog": START}
