"""gRPC with its own client, on a real port: the same answers, tokens, tenants, errors and audit as over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import orjson
import pytest
import trustme
from google.protobuf.json_format import ParseDict
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from aiops.api.rpc.generated import aiops_v1_pb2 as messages
from aiops.api.rpc.generated.aiops_v1_pb2_grpc import RootCauseAnalysisStub
from aiops.api.rpc.server import SERVICE, RpcOptions, RpcServer
from aiops.errors import StoreUnavailable
from aiops.wiring.rpc_server import serve_rpc
from benchmarks.analyses import generated_site
from tests.support.http_site import ADMIN, HttpSite, alert, http_site, site_settings, topology
from tests.support.rpc_code import FILES, GENERATED, generate
from tests.support.situations import situation_document


@dataclass(frozen=True, slots=True)
class Rpc:
    """A site, and a channel to its gRPC."""

    site: HttpSite
    channel: grpc.Channel
    stub: RootCauseAnalysisStub
    port: int

    def token(self, *scopes: str) -> tuple[tuple[str, str], ...]:
        made = self.site.send("POST", "/api/v1/tokens", 201, json={"name": "rpc", "scopes": list(scopes)})
        return (("authorization", f"Bearer {made['token']}"),)


ADMINS = (("authorization", f"Bearer {ADMIN}"),)


@pytest.fixture(scope="module")
def rpc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rpc]:
    with http_site(site_settings(tmp_path_factory.mktemp("site"))) as site:
        site.learn(topology(["host:web-1 DEPENDS_ON device:core"]))
        site.alerts(alert("device:core", -60), alert("host:web-1", -30))
        server = RpcServer(site.site.app, RpcOptions("127.0.0.1", 0, 16 * 2**20, health_s=0.2))
        server.start()
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            yield Rpc(site, channel, RootCauseAnalysisStub(channel), server.port)
        server.stop()


def new_incident(external_id: str) -> messages.NewIncident:
    document = {
        "title": "web-1 is slow",
        "source": "desk",
        "external_id": external_id,
        "started_at": "2026-11-22T10:00:00Z",
        "affected": [{"ref": "host:web-1"}],
    }
    return ParseDict(document, messages.NewIncident())


def test_an_incident_is_posted_and_analysed(rpc: Rpc) -> None:
    found = rpc.stub.Analyze(messages.AnalyzeRequest(incident=new_incident("R-1")), metadata=ADMINS)
    assert (found.number, found.verdict) == (1, "confirmed")
    cause = found.causes[0]
    assert cause.entity.id == "device:core"
    assert [(getattr(hop, "from"), hop.to) for hop in cause.paths[0].hops] == [("device:core", "host:web-1")]
    assert {item.id for item in cause.evidence} >= {one for said in cause.statements for one in said.evidence}
    over_http = rpc.site.send("GET", f"/api/v1/incidents/{found.incident_id}/analyses/1", 200)
    assert orjson.loads(found.document) == over_http
    again = rpc.stub.Analyze(messages.AnalyzeRequest(incident_id=found.incident_id), metadata=ADMINS)
    assert (again.incident_id, again.number) == (found.incident_id, 2)
    assert again.engine.inputs_hash == found.engine.inputs_hash
    assume = messages.Assumption(healthy=["device:core"])
    what_if = rpc.stub.Analyze(
        messages.AnalyzeRequest(incident_id=found.incident_id, assume=assume), metadata=ADMINS
    )
    assert not what_if.HasField("number")
    assert all(cause.entity.id != "device:core" for cause in what_if.causes)


def test_a_watched_analysis_sends_causes_as_they_firm_up(rpc: Rpc) -> None:
    request = messages.AnalyzeRequest(incident=new_incident("R-2"))
    events = list(rpc.stub.AnalyzeWatched(request, metadata=ADMINS))
    stages = [event.progress.stage for event in events[:-1]]
    assert stages == ["retrieved", "observed", "scored", "ranked", "explained"]
    assert events[3].progress.suspects[0].entity == events[-1].analysis.causes[0].entity.id == "device:core"
    assert events[-1].analysis.number == 1
    assume = messages.Assumption(failed=["device:core"])
    with pytest.raises(grpc.RpcError) as refused:
        list(
            rpc.stub.AnalyzeWatched(messages.AnalyzeRequest(incident_id="x", assume=assume), metadata=ADMINS)
        )
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_situation_is_answered_as_over_http_and_not_kept(rpc: Rpc) -> None:
    document = situation_document(*generated_site(40))
    before = rpc.site.send("GET", "/api/v1/stats", 200)["graph"]
    found = rpc.stub.Infer(ParseDict(document, messages.InferRequest()), metadata=ADMINS)
    over_http = rpc.site.send("POST", "/api/v1/infer", 200, json=document)
    mine = orjson.loads(found.document)
    assert {**mine, "duration_ms": 0} == {**over_http, "duration_ms": 0}
    assert not found.id
    assert not found.HasField("number")
    assert rpc.site.send("GET", "/api/v1/stats", 200)["graph"] == before


@pytest.mark.parametrize(
    ("request_", "code", "slug"),
    [
        (messages.AnalyzeRequest(incident_id="none"), grpc.StatusCode.NOT_FOUND, "not-found"),
        (messages.AnalyzeRequest(incident_id="../tokens"), grpc.StatusCode.NOT_FOUND, "not-found"),
        (
            messages.AnalyzeRequest(incident=messages.NewIncident(title="x")),
            grpc.StatusCode.INVALID_ARGUMENT,
            "nothing-resolved",
        ),
        (messages.AnalyzeRequest(), grpc.StatusCode.INVALID_ARGUMENT, None),
    ],
)
def test_an_error_has_a_status_and_the_problem(
    rpc: Rpc, request_: messages.AnalyzeRequest, code: grpc.StatusCode, slug: str | None
) -> None:
    for call in (rpc.stub.Analyze, lambda *args, **more: list(rpc.stub.AnalyzeWatched(*args, **more))):
        with pytest.raises(grpc.RpcError) as refused:
            call(request_, metadata=ADMINS)
        assert refused.value.code() is code
        if slug is not None:
            trailing = dict(refused.value.trailing_metadata())
            assert orjson.loads(trailing["problem-bin"])["type"] == f"urn:aiops:problem:{slug}"


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ((), grpc.StatusCode.UNAUTHENTICATED),
        (
            (("authorization", "Bearer aiops_wrong_0123456789abcdef0123456789"),),
            grpc.StatusCode.UNAUTHENTICATED,
        ),
        ((("authorization", "nonsense"),), grpc.StatusCode.UNAUTHENTICATED),
    ],
)
def test_without_a_token_nothing_is_done(
    rpc: Rpc, metadata: tuple[tuple[str, str], ...], code: grpc.StatusCode
) -> None:
    calls = (
        lambda: rpc.stub.Infer(messages.InferRequest(), metadata=metadata),
        lambda: rpc.stub.Analyze(messages.AnalyzeRequest(incident_id="x"), metadata=metadata),
        lambda: list(rpc.stub.AnalyzeWatched(messages.AnalyzeRequest(incident_id="x"), metadata=metadata)),
    )
    for call in calls:
        with pytest.raises(grpc.RpcError) as refused:
            call()
        assert refused.value.code() is code


def test_a_narrow_token_and_its_refusal_in_the_audit_log(rpc: Rpc) -> None:
    narrow = rpc.token("incidents:read")
    with pytest.raises(grpc.RpcError) as refused:
        rpc.stub.Infer(messages.InferRequest(), metadata=narrow)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    entries = rpc.site.send("GET", "/api/v1/audit?kind=refused", 200)["items"]
    assert any(entry["route"] == "/api/v1/infer" and entry["peer"] == "127.0.0.1" for entry in entries)
    enough = rpc.token("analysis:run", "incidents:write")
    found = rpc.stub.Analyze(messages.AnalyzeRequest(incident=new_incident("R-3")), metadata=enough)
    assert found.causes[0].entity.id == "device:core"


def test_health_and_reflection_need_no_token(rpc: Rpc) -> None:
    health = health_pb2_grpc.HealthStub(rpc.channel)
    for name in ("", SERVICE):
        answer = health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    database = ProtoReflectionDescriptorDatabase(rpc.channel)
    assert SERVICE in database.get_services()
    assert database.FindFileContainingSymbol(SERVICE).package == "aiops.v1"


def test_a_message_that_is_too_large_is_refused(rpc: Rpc) -> None:
    large = messages.AnalyzeRequest(incident_id="x" * (17 * 2**20))
    with pytest.raises(grpc.RpcError) as refused:
        rpc.stub.Analyze(large, metadata=ADMINS)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_an_address_that_is_taken_is_named(rpc: Rpc) -> None:
    server = RpcServer(rpc.site.site.app, RpcOptions("127.0.0.1", rpc.port, 2**20))
    with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{rpc.port}"):
        server.start()


def test_tls_with_the_certificate_of_the_settings(rpc: Rpc, tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    issued.private_key_pem.write_to_path(key)
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    settings = site_settings(tmp_path, tls_cert=chain, tls_key=key, grpc_port=0)
    with serve_rpc(settings, rpc.site.site.app) as address:
        trusted = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
        with grpc.secure_channel(f"localhost:{address.rpartition(':')[2]}", trusted) as channel:
            found = RootCauseAnalysisStub(channel).Analyze(
                messages.AnalyzeRequest(incident=new_incident("R-4")), metadata=ADMINS
            )
    assert found.causes[0].entity.id == "device:core"


def test_the_committed_modules_are_those_of_the_proto(tmp_path: Path) -> None:
    made = generate(tmp_path)
    assert {name: (GENERATED / name).read_text("utf-8") for name in FILES} == made
