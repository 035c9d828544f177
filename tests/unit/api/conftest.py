"""A fake site and a client for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from aiops.api.app import create_app
from aiops.telemetry import configure_logging
from tests.support.api_client import ApiClient
from tests.support.api_fakes import FakeSite, fake_site


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """Logs as the product sets them up; structlog's own default prints every frame's locals."""
    configure_logging(json=True)
    yield
    structlog.reset_defaults()


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
