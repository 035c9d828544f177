"""Places for analyses, shared by tenants."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from aiops.api.app import create_app
from aiops.api.places import Places
from aiops.api.services import ApiLimits, Services
from aiops.errors import BackPressure
from tests.support.api_client import ApiClient
from tests.support.api_fakes import FakeSite, fake_site

POSTED = {"title": "x", "affected": [{"ref": "service:shop/cart"}]}


def taken(places: Places, tenant: str) -> int:
    """How many places a tenant gets now."""
    count = 0
    while True:
        try:
            places.take(tenant)
        except BackPressure:
            return count
        count += 1


def test_a_tenant_that_is_alone_may_take_all() -> None:
    assert taken(Places(8), "a") == 8


def test_a_busy_tenant_leaves_a_quarter_to_one_that_has_less() -> None:
    places = Places(8)
    places.take("b")
    places.give_back("b")
    assert (taken(places, "a"), taken(places, "b")) == (6, 2)
    places.give_back("a")
    assert (taken(places, "a"), taken(places, "b")) == (0, 1), (
        "what the busy one gives back goes to the other"
    )
    assert taken(places, "c") == 0
    for _ in range(3):
        places.give_back("a")
    assert taken(places, "c") == 2


def test_one_place_goes_around() -> None:
    places = Places(1)
    for tenant in ("a", "b", "a"):
        assert taken(places, tenant) == 1
        places.give_back(tenant)


class _Two:
    """Two tenants over one fake site."""

    def __init__(self, site: FakeSite) -> None:
        self._services = site.services

    def services(self, tenant: str) -> Services:
        return replace(self._services, tenant=tenant)


@pytest.fixture
def crowded() -> Iterator[tuple[FakeSite, FastAPI]]:
    site = fake_site(limits=ApiLimits(analysis_workers=1, analysis_queue=4))
    site.analyze.gate = threading.Event()
    services = replace(site.services, registry=CollectorRegistry())
    app = create_app(services, tenants=_Two(site))
    yield site, app
    site.analyze.gate.set()
    app.state.desks.close()
    site.close()


def test_a_flood_of_one_tenant_leaves_room_for_another(crowded: tuple[FakeSite, FastAPI]) -> None:
    site, app = crowded
    clients = {name: ApiClient(app, site.token("admin", tenant=name)) for name in ("blue", "green")}

    def posted(name: str) -> int:
        return clients[name].post("/api/v1/incidents?wait=0s", json=POSTED).status_code

    assert posted("green") == 202
    assert [posted("blue") for _ in range(4)] == [202, 202, 429, 429]
    assert [posted("green") for _ in range(2)] == [202, 429]
    site.analyze.gate.set()  # type: ignore[union-attr]
    for client in clients.values():
        client.close()
