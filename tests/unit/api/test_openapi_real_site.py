"""Schemathesis against the site as it is assembled, on the embedded store: whatever is asked, an answer that is documented."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from starlette.types import Receive, Scope, Send

from aiops.api.app import create_app
from tests.support.api_fakes import fake_site
from tests.support.http_site import ADMIN, HttpSite, alert, http_site, site_settings, topology


class Later:
    """An application that another takes the place of."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def app() -> Iterator[FastAPI]:
    """One site for all examples, with something in it."""
    with (
        tempfile.TemporaryDirectory(prefix="aiops-fuzz-") as data,
        http_site(site_settings(Path(data), model_enabled=False)) as site,
    ):
        fill(site)
        site.site.app.state.services.streams.close()  # a stream of events ends as soon as it has begun
        yield site.site.app


def fill(site: HttpSite) -> None:
    site.learn(topology(["service:shop RUNS_ON host:h1", "service:edge CALLS service:shop"]))
    site.alerts(alert("host:h1", 0))
    site.incident("service:edge")


schemathesis.openapi.media_type(
    "application/x-protobuf", st.binary(max_size=64).map(lambda tail: b"\x04\x0c\x0a\x02" + tail)
)
FAKES = fake_site()
LATER = Later(
    create_app(FAKES.services)
)  # the document is the same whatever is behind it; the site is opened by the tests
schema = schemathesis.openapi.from_asgi("/openapi.json", LATER)


@pytest.mark.timeout(300)
@schema.parametrize()
@settings(max_examples=3, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_of_the_real_site_is_documented(app: FastAPI, case: schemathesis.Case) -> None:
    LATER.app = app
    checks = [not_a_server_error, status_code_conformance, response_schema_conformance]
    case.call_and_validate(headers={"Authorization": f"Bearer {ADMIN}", "Host": "localhost"}, checks=checks)
