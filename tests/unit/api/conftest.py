"""A fake site and a client for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aiops.api.app import create_app
from tests.support.api_client import ApiClient
from tests.support.api_fakes import FakeSite, fake_site


@pytest.fixture
def site() -> Iterator[FakeSite]:
    made = fake_site()
    yield made
    made.close()


@pytest.fixture
def client(site: FakeSite) -> Iterator[ApiClient]:
    """An administrator's."""
    app = create_app(site.services)
    made = ApiClient(app, site.admin)
    yield made
    made.close()
    app.state.desk.close()
