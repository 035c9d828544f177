"""A served site that the tests of this folder share; each posts things of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aiops.client import Client
from tests.support.http_site import ADMIN, topology
from tests.support.served_site import ServedSite, served_site


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedSite]:
    data: Path = tmp_path_factory.mktemp("site")
    with served_site(data) as site:
        with Client(site.address, ADMIN) as client:
            client.import_topology(
                topology(["service:orders RUNS_ON host:db-1", "service:shop CALLS service:orders"])
            )
        yield site


@pytest.fixture
def client(served: ServedSite) -> Iterator[Client]:
    """An administrator's."""
    with Client(served.address, ADMIN) as made:
        yield made
