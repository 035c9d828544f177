"""The client against a served site: results, errors, paging, waits, retries, in both flavours."""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from aiops.client import (
    AsyncClient,
    CannotConnect,
    Client,
    ConnectionLost,
    Forbidden,
    Invalid,
    NotFound,
    Retries,
    Stale,
    Unauthorized,
    UnexpectedAnswer,
)
from aiops.client import models as documents
from aiops.client.event_stream import EventReader
from tests.support.http_site import ADMIN
from tests.support.served_site import ServedSite, served_site
from tests.support.served_site import served as served_by


@pytest.fixture
def site_of_ones_own(tmp_path: Path) -> Iterator[ServedSite]:
    with served_site(tmp_path / "own") as site:
        yield site


NUMBERS = itertools.count()
QUICK = Retries(attempts=3, first_s=0.01, longest_s=0.05)


def incident(**more: object) -> dict[str, object]:
    return {
        "source": "desk", "external_id": f"INC-{next(NUMBERS)}", "title": "Orders fail",
        "started_at": "2026-11-22T10:00:00Z", "affected": [{"ref": "service:orders"}], **more,
    }  # fmt: skip


def test_an_incident_and_its_analysis_are_typed(client: Client) -> None:
    posted = client.post_incident(incident(labels={"team": "x"}), wait="20s")
    assert posted.answer_facts.status == 201
    assert posted.started_at == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert posted.affected == ("service:orders",)
    assert posted.labels == {"team": "x"}
    read = client.get_incident(posted.id)
    assert read.analysis is not None
    assert read.analysis.verdict == "inconclusive"
    assert read.analysis == client.get_analysis(posted.id, "latest") == client.get_analysis(posted.id, 1)
    assert "inconclusive" in client.get_analysis_as(posted.id, "latest", format="text").lower()
    with pytest.raises(ValueError, match="frozen"):
        read.title = "other"  # type: ignore[misc]


def test_a_request_may_be_a_document_or_a_model(client: Client) -> None:
    request = documents.IncidentRequest(
        title="Orders fail",
        started_at=datetime(2026, 11, 22, 10, tzinfo=UTC),
        affected=(documents.Affected(ref="host:db-1"),),
        analyze=False,
    )
    posted = client.post_incident(request)
    assert (posted.affected, posted.analysis_status) == (("host:db-1",), "none")
    assert posted.severity == "major"


def test_both_flavours_give_the_same(served: ServedSite, client: Client) -> None:
    async def ask() -> list[object]:
        async with AsyncClient(served.address, ADMIN) as other:
            posted = await other.post_incident(incident(), wait="20s")
            done = await other.wait_for_analysis(posted.id)
            entity = await other.get_entity("host:db-1")
            found = [item.id async for item in other.iter_entities(limit=1)]
            with pytest.raises(NotFound):
                await other.get_incident("01JAAAAAAAAAAAAAAAAAAAAAAA")
            return [done, entity, found]

    done, entity, found = asyncio.run(ask())
    assert isinstance(done, documents.IncidentDocument)
    assert done == client.get_incident(done.id)
    assert entity == client.get_entity("host:db-1")
    assert found == [item.id for item in client.iter_entities(limit=1)]
    assert {"host:db-1", "service:orders", "service:shop"} <= set(found)  # type: ignore[arg-type]


def test_paging_follows_the_cursor_to_the_end(client: Client) -> None:
    posted = {client.post_incident(incident(source="pages", analyze=False)).id for _ in range(5)}
    found = [item.id for item in client.iter_incidents(source="pages", limit=2)]
    assert len(found) == 5
    assert set(found) == posted


def test_a_change_needs_the_tag_of_the_last_read(client: Client) -> None:
    posted = client.get_incident(client.post_incident(incident(analyze=False)).id)
    tag = posted.answer_facts.etag
    assert tag
    assert client.patch_incident(posted.id, {"status": "acknowledged"}, if_match=tag).status == "acknowledged"
    with pytest.raises(Stale, match="read it again"):
        client.patch_incident(posted.id, {"status": "resolved"}, if_match=tag)


def test_what_if_is_typed_and_not_kept(client: Client) -> None:
    posted = client.post_incident(incident(), wait="20s")
    answered = client.post_analysis(posted.id, {"assume": {"healthy": ["host:db-1"]}})
    assert isinstance(answered, documents.AnalysisDocument)
    assert answered.number is None


def test_problems_carry_what_the_server_said(served: ServedSite, client: Client) -> None:
    with pytest.raises(NotFound, match="did you mean host:db-1") as missing:
        client.get_entity("host:db-2")
    assert missing.value.nearest[0] == "host:db-1"
    assert missing.value.problem.request_id
    with pytest.raises(Invalid) as wrong:
        client.post_incident({"title": "x", "affected": [{"ref": 5}]})
    assert "/affected/0/ref" in {fault.pointer for fault in wrong.value.problem.faults}
    with pytest.raises(Invalid) as nothing:
        client.post_incident(incident(affected=[{"ref": "service:ordres"}]))
    assert nothing.value.problem.slug == "nothing-resolved"
    assert "service:orders" in str(nothing.value)
    made = client.post_token({"name": "narrow", "scopes": ["ingest:write"]})
    with Client(served.address, made.token) as narrow, pytest.raises(Forbidden, match="incidents:read"):
        narrow.list_incidents()
    client.delete_token(made.prefix)
    with Client(served.address, made.token) as revoked, pytest.raises(Unauthorized, match="AIOPS_TOKEN"):
        revoked.list_incidents()
    with Client(served.address) as nobody, pytest.raises(Unauthorized):
        nobody.get_stats()


def test_names_with_slashes_and_odd_signs_are_found(client: Client) -> None:
    odd = "interface:leaf 1/ge-0/0/1?x#y%2F"
    client.import_topology({"source": "odd", "entities": [{"id": odd, "kind": "Interface", "name": "ge"}]})
    assert client.get_entity(odd).id == odd
    assert [item.id for item in client.get_neighbours(odd, depth=2).entities] == [odd]


def test_nobody_there_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    slept: list[float] = []
    with (
        Client(f"http://127.0.0.1:{port}", retries=QUICK, sleep=slept.append) as client,
        pytest.raises(CannotConnect, match="aiops serve"),
    ):
        client.get_version()
    assert len(slept) == 2
    for wrong in ("localhost:8080", "http://", "http://[", "http://127.0.0.1:99999", "ftp://x", ""):
        with pytest.raises(CannotConnect, match="for example"):
            Client(wrong)
    for wrong in ("ключ", "a b", "a\nb"):
        with pytest.raises(CannotConnect, match="no token has"):
            Client("http://127.0.0.1", wrong)


def test_a_certificate_of_ones_own_has_to_be_named(site_of_ones_own: ServedSite, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate, trusted, other = (tmp_path / name for name in ("server.pem", "ca.pem", "other.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    authority.cert_pem.write_to_path(str(trusted))
    trustme.CA().cert_pem.write_to_path(str(other))
    with served_by(site_of_ones_own.site.app, certificate=certificate) as address:
        with Client(address, ADMIN, ca_file=trusted) as client:
            assert client.get_stats().graph is not None
        for wrong in (None, other):
            with (
                Client(address, ADMIN, ca_file=wrong, retries=QUICK) as client,
                pytest.raises(CannotConnect, match="--ca-file"),
            ):
                client.get_stats()
    with pytest.raises(CannotConnect, match="PEM"):
        Client(address, ca_file=tmp_path / "none.pem")


@contextmanager
def answering(*answers: bytes) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server that gives these answers one after the other, closing each connection; what it was asked."""
    asked: list[dict[str, str]] = []
    rest = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                return
            self.rfile.read(int(self.headers.get("content-length", 0)))
            asked.append(
                {name.lower(): value for name, value in self.headers.items()} | {":method": self.command}
            )
            self.wfile.write(rest.pop(0) if rest else b"")
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reply(status: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


VERSION = reply("200 OK", b'{"version":"1","commit":"","rules":"","model":null}')
BUSY = reply("503 Service Unavailable", b"", Retry_After="0")


@pytest.mark.parametrize("trouble", [BUSY, b"", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"])
def test_what_is_safe_is_tried_again(trouble: bytes) -> None:
    with answering(trouble, trouble, VERSION) as (address, asked), Client(address, retries=QUICK) as client:
        assert client.get_version().version == "1"
    assert len(asked) == 3


def test_a_post_with_a_key_is_tried_again_with_the_same_key() -> None:
    refused = reply("422 Unprocessable", b'{"title": "no", "status": 422}')
    with (
        answering(BUSY, b"", refused) as (address, asked),
        Client(address, retries=QUICK) as client,
        pytest.raises(Invalid),
    ):
        client.post_incident({"title": "x"})
    keys = {one["idempotency-key"] for one in asked}
    assert len(asked) == 3
    assert len(keys) == 1


@pytest.mark.parametrize(("trouble", "error"), [(b"", ConnectionLost), (BUSY, Exception)])
def test_a_post_without_a_key_is_sent_once(trouble: bytes, error: type[Exception]) -> None:
    with (
        answering(trouble, VERSION) as (address, asked),
        Client(address, retries=QUICK) as client,
        pytest.raises(error),
    ):
        client.import_topology({"source": "x"})
    assert len(asked) == 1


def test_it_waits_as_long_as_it_is_told_but_not_for_ever() -> None:
    slept: list[float] = []
    patient = Retries(attempts=5, longest_s=10.0)
    answers: Sequence[bytes] = (reply("429 Too Many", Retry_After="7"), reply("503 Away", Retry_After="900"))
    with (
        answering(*answers) as (address, asked),
        Client(address, retries=patient, sleep=slept.append) as client,
        pytest.raises(Exception, match="900"),
    ):
        client.get_version()
    assert slept == [7.0]
    assert len(asked) == 2


def test_what_is_no_aiops_server_is_said_so() -> None:
    page = reply("200 OK", b"<html>hello</html>")
    with (
        answering(page) as (address, _),
        Client(address) as client,
        pytest.raises(UnexpectedAnswer, match="is it an aiops server"),
    ):
        client.get_version()


def test_events_are_read_across_lines_and_comments() -> None:
    reader = EventReader()
    lines = [
        ": ping",
        "",
        "id: 7",
        "event: analyzed",
        'data: {"a":',
        "data: 1}",
        "retry: 250",
        "",
        "data: [1]",
        "",
    ]
    first, second = [event for line in lines for event in reader.take(line)]
    assert (first.id, first.kind, first.data) == ("7", "analyzed", {"a": 1})
    assert (second.id, second.kind, second.data) == ("7", "message", {"value": [1]})
    assert (reader.last_id, reader.pause_s) == ("7", 0.25)
    with pytest.raises(UnexpectedAnswer):
        list(itertools.chain.from_iterable(reader.take(line) for line in ("data: {", "")))
