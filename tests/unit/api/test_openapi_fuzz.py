"""Schemathesis over the whole OpenAPI document, every check on, the same examples every time."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from aiops.api.app import create_app
from aiops.api.services import ApiLimits
from tests.support.api_fakes import ADMIN, fake_site

#: Operations that refuse what no schema can say: names that mean nothing, times out of order or of reason.
JUDGING = (
    *("POST /api/v1/webhooks", "PATCH /api/v1/webhooks/{webhook_id}", "GET /api/v1/webhooks:dead-letters"),
    *("GET /api/v1/webhooks/{webhook_id}/deliveries", "GET /api/v1/audit"),
    *("POST /api/v1/incidents", "GET /api/v1/incidents", "POST /api/v1/incidents/{incident_id}/analyses"),
    *("POST /api/v1/topology:import", "GET /api/v1/topology:export", "POST /api/v1/changes"),
    *("GET /api/v1/entities/{entity_id}/neighbors", "GET /api/v1/entities", "POST /api/v1/tokens"),
    *("GET /api/v1/entities/{entity_id}/impact", "POST /api/v1/infer"),
    *("GET /api/v1/incidents/{incident_id}/analyses/{number}", "PATCH /api/v1/incidents/{incident_id}"),
    *("POST /api/v1/incidents/{incident_id}/merge", "POST /api/v1/incidents/{incident_id}/split"),
    *("POST /api/v1/incidents/{incident_id}/alerts", "DELETE /api/v1/incidents/{incident_id}/alerts"),
    *("GET /api/v1/incidents/{incident_id}/alerts", "POST /api/v1/incidents/{incident_id}/feedback"),
    *("GET /api/v1/incidents/{incident_id}/events", "GET /api/v1/incidents:events"),
    *("GET /api/v1/alerts", "GET /api/v2/alerts", "GET /api/v1/entities/{entity_id}/alerts"),
    *("POST /api/v1/maintenance", "POST /api/v1/topology:import-netbox", "GET /api/v1/audit"),
    *("PUT /api/v1/rules", "POST /api/v1/rules:validate", "POST /api/v1/rules:backtest"),
)
ACCEPTED = ["2xx", "401", "403", "404", "409", "429"]
CONFIG = schemathesis.Config.from_dict(
    {
        "operations": [
            {
                "include-name": name,
                "checks": {"positive_data_acceptance": {"expected-statuses": [*ACCEPTED, "406", "422"]}},
            }
            for name in JUDGING
        ]
        # No schema can say what a snappy block is, and the strategy for it is one for all modules of a test run. Of what other
        # systems send the schema says only what it looks like.
        + [
            {
                "include-name": name,
                "checks": {"positive_data_acceptance": {"expected-statuses": [*ACCEPTED, "400"]}},
            }
            for name in ("POST /api/v1/write", "POST /api/v1/ingest/pagerduty")
        ]
    }
)
SITE = fake_site(limits=ApiLimits(analysis_workers=1, stream_s=0.01))
schemathesis.openapi.media_type(
    "application/x-protobuf", st.binary(max_size=64).map(lambda tail: b"snappy" + tail)
)
schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(SITE.services), config=CONFIG)


@pytest.mark.timeout(600)
@schema.parametrize()
@settings(max_examples=5, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_operation_keeps_its_contract(case: schemathesis.Case) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {ADMIN}"})
