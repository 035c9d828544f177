"""The server on real sockets: TLS, slow and long requests, hosts, proxies, connections, metrics of their own."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import trustme
import uvicorn
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_der_x509_certificate

from aiops.api.access.audit import AuditQuery
from aiops.api.app import create_app
from aiops.api.boundary import host_is_allowed
from aiops.api.services import ApiLimits, Protection
from aiops.errors import ConfigError, StoreUnavailable
from aiops.settings import Settings, load_settings
from aiops.wiring import http_protocol
from aiops.wiring.api import serve_metrics
from aiops.wiring.http_server import bind, hosts_allowed, make_server, renew_certificate, tls_context
from tests.support.api_fakes import FakeSite, fake_site


@dataclass(slots=True)
class Served:
    site: FakeSite
    address: tuple[str, int]
    server: uvicorn.Server

    def url(self, path: str, scheme: str = "http") -> str:
        return f"{scheme}://{self.address[0]}:{self.address[1]}{path}"

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=20)


@contextmanager
def served(**given: object) -> Iterator[Served]:
    """A fake site behind the product's server on a free port of the loopback."""
    answer_s = float(str(given.pop("request_timeout_s", 60.0)))
    limits = ApiLimits(body_timeout_s=0.3, body_bytes=10_000, request_timeout_s=answer_s)
    site = fake_site(limits=limits)
    settings = load_settings(**given)
    services = replace(site.services, protection=Protection(hosts_allowed(settings)))
    made = create_app(services)
    server = make_server(made, settings)
    listener = bind("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="server")
    thread.start()
    end = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < end
        time.sleep(0.01)
    try:
        yield Served(site, listener.getsockname(), server)
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()
        site.close()


def answer_of(connection: socket.socket) -> bytes:
    """All that comes until the other side ends the connection."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, Path, Path]:
    """An authority, and the files of a certificate for the loopback."""
    ca = trustme.CA()
    issued = ca.issue_cert("127.0.0.1", "localhost")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return ca, cert, key


def test_tls_by_settings(authority: tuple[trustme.CA, Path, Path]) -> None:
    ca, cert, key = authority
    context = ssl.create_default_context()
    ca.configure_trust(context)
    with served(tls_cert=cert, tls_key=key) as server:
        answer = httpx.get(server.url("/healthz", "https"), verify=context)
        assert (answer.status_code, answer.headers["strict-transport-security"]) == (200, "max-age=31536000")
        with pytest.raises(httpx.HTTPError):
            httpx.get(server.url("/healthz"))
        with pytest.raises(httpx.ConnectError, match="certificate"):
            httpx.get(server.url("/healthz", "https"))
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ca.configure_trust(old)
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(httpx.ConnectError):
            httpx.get(server.url("/healthz", "https"), verify=old)
    with served() as plain:
        assert "strict-transport-security" not in httpx.get(plain.url("/healthz")).headers


def test_a_key_with_a_password(authority: tuple[trustme.CA, Path, Path], tmp_path: Path) -> None:
    _, cert, key = authority
    locked, password = tmp_path / "locked.pem", tmp_path / "password"
    private = load_pem_private_key(key.read_bytes(), None)
    encryption = BestAvailableEncryption(b"s3cret")
    locked.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    password.write_text("s3cret\n")
    given = {"tls_cert": cert, "tls_key": locked}
    context = tls_context(load_settings(**given, tls_key_password_file=password))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    for wrong in ({}, {"tls_key_password": "other"}):
        with pytest.raises(ConfigError, match="cannot use"):
            tls_context(load_settings(**given, **wrong))
    with pytest.raises(ConfigError, match=r"AIOPS_TLS_CERT"):
        tls_context(load_settings(tls_cert=tmp_path / "no", tls_key=key))
    with pytest.raises(ConfigError, match="together"):
        load_settings(tls_cert=cert)
    with pytest.raises(ConfigError, match="AIOPS_TLS_KEY_PASSWORD"):
        load_settings(**given, tls_key_password="x", tls_key_password_file=password)


@pytest.mark.parametrize("before", [b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_headers_that_dribble_end_the_connection(before: bytes) -> None:
    with served(header_timeout_s=0.4) as server, server.connect() as connection:
        connection.sendall(before)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        stop = threading.Event()

        def dribble() -> None:
            while not stop.wait(0.05):
                try:
                    connection.sendall(b"X-A: b\r\n")
                except OSError:
                    return

        thread = threading.Thread(target=dribble)
        thread.start()
        answer = answer_of(connection)
        stop.set()
        thread.join()
        assert answer.count(b"HTTP/1.1 200 OK") == (1 if before else 0)


def test_a_connection_that_says_nothing_ends() -> None:
    with served(header_timeout_s=0.2) as server, server.connect() as connection:
        assert answer_of(connection) == b""


def test_an_answer_that_takes_longer_than_headers_may_is_given() -> None:
    with served(header_timeout_s=0.2) as server:
        server.site.analyze.gate = threading.Event()
        threading.Timer(0.6, server.site.analyze.gate.set).start()
        posted = {"title": "x", "affected": [{"ref": "service:shop/cart"}]}
        headers = {"Authorization": f"Bearer {server.site.admin}"}
        answer = httpx.post(
            server.url("/api/v1/incidents?wait=10s"), json=posted, headers=headers, timeout=20
        )
        assert (answer.status_code, answer.json()["analysis_status"]) == (201, "done")


@pytest.mark.parametrize("token", [True, False], ids=["slow", "refused"])
def test_a_body_that_dribbles_is_answered_and_its_connection_ends(
    token: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "LINGER_S", 0.3)
    with served() as server, server.connect() as connection:
        authorization = f"Authorization: Bearer {server.site.admin}\r\n" if token else ""
        head = f"POST /api/v2/alerts HTTP/1.1\r\nHost: localhost\r\n{authorization}"
        connection.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 9000\r\n\r\n[".encode())
        stop = threading.Event()

        def dribble() -> None:
            while not stop.wait(0.05):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

        thread = threading.Thread(target=dribble)
        thread.start()
        answer = answer_of(connection)
        stop.set()
        thread.join()
        assert answer.startswith(b"HTTP/1.1 408" if token else b"HTTP/1.1 401")
        assert answer.count(b"HTTP/1.1") == 1


def test_long_targets_and_many_headers_are_refused() -> None:
    with served() as server:
        long = httpx.get(server.url("/api/v1/stats?q=" + "x" * 9000))
        assert (long.status_code, long.json()["type"]) == (414, "urn:aiops:problem:target-too-long")
        many = httpx.get(server.url("/healthz"), headers={f"X-{number}": "y" for number in range(150)})
        assert (many.status_code, many.json()["type"]) == (431, "urn:aiops:problem:headers-too-large")
        large = httpx.get(server.url("/healthz"), headers={"X-A": "y" * 17_000})
        assert large.status_code == 431
        with suppress(httpx.ReadError, httpx.WriteError):  # it may end before all of it is sent
            assert httpx.get(server.url("/healthz"), headers={"X-A": "y" * 200_000}).status_code in (400, 431)
        assert httpx.get(server.url("/healthz")).status_code == 200


def test_a_rebound_name_is_refused_and_audited() -> None:
    with served() as server:
        port = server.address[1]
        for host in ("localhost", f"localhost:{port}", "127.0.0.1", f"[::1]:{port}", "LOCALHOST."):
            assert httpx.get(server.url("/healthz"), headers={"Host": host}).status_code == 200, host
        for host in ("evil.example", f"evil.example:{port}", "localhost.evil.example", "127.0.0.1.nip.io"):
            headers = {"Host": host, "Authorization": f"Bearer {server.site.admin}"}
            refused = httpx.get(server.url("/api/v1/stats"), headers=headers)
            assert (refused.status_code, refused.json()["type"]) == (421, "urn:aiops:problem:wrong-host")
        (entry,) = server.site.audit.entries(AuditQuery(status=421))
        assert (entry.kind, entry.reason, entry.times) == ("refused", "wrong-host", 4)
    with served(allowed_hosts=("aiops.example.net",)) as named:
        for host, status in (("aiops.example.net", 200), ("AIOPS.example.net:80", 200), ("other.net", 421)):
            assert httpx.get(named.url("/healthz"), headers={"Host": host}).status_code == status


def test_hosts_by_default() -> None:
    assert hosts_allowed(load_settings()) == ("localhost",)
    assert hosts_allowed(load_settings(host="0.0.0.0")) == ()
    assert hosts_allowed(load_settings(host="0.0.0.0", allowed_hosts=("a",))) == ("a", "localhost")
    for host in ("[", "[]", "", ":", "[::1", "::1", "a b"):
        assert not host_is_allowed(host, ("localhost",)), host


@pytest.mark.parametrize(
    ("trusted", "seen"), [((), "127.0.0.1"), (("127.0.0.0/8",), "203.0.113.9"), (("192.0.2.1",), "127.0.0.1")]
)
def test_only_trusted_proxies_say_who_asks(trusted: tuple[str, ...], seen: str) -> None:
    with served(trusted_proxies=trusted) as server:
        headers = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
        answer = httpx.get(server.url("/api/v1/stats"), headers=headers)
        assert answer.status_code == 401
        (entry,) = server.site.audit.entries(AuditQuery())
        assert entry.peer == seen
        assert ("strict-transport-security" in answer.headers) == (seen == "203.0.113.9")
    with pytest.raises(ConfigError, match="AIOPS_TRUSTED_PROXIES"):
        load_settings(trusted_proxies=("proxy.example",))


def test_connections_are_bounded() -> None:
    with served(max_connections=10) as server:
        held = [server.connect() for _ in range(12)]
        end = time.monotonic() + 20
        while httpx.get(server.url("/healthz")).status_code != 503:
            assert time.monotonic() < end
        for connection in held:
            connection.close()
        while httpx.get(server.url("/healthz")).status_code != 200:
            assert time.monotonic() < end


def test_metrics_at_an_address_of_their_own(tmp_path: Path) -> None:
    site = fake_site()
    settings: Settings = load_settings(metrics_port=0)
    app = create_app(replace(site.services, protection=Protection(metrics=False)))
    assert "/metrics" not in app.openapi()["paths"]
    with serve_metrics(settings, site.services.registry) as place:
        assert place.startswith("http://127.0.0.1:")
        assert "aiops_build_info" in httpx.get(place).text
        port = int(place.split(":")[2].split("/")[0])
        taken = load_settings(metrics_port=port)
        with (
            pytest.raises(StoreUnavailable, match="cannot listen"),
            serve_metrics(taken, site.services.registry),
        ):
            pass
    app.state.desks.close()
    site.close()


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_a_stream_outlives_the_time_of_an_answer_and_ends_with_its_token(end: str) -> None:
    with served(request_timeout_s=0.5) as server:
        site = server.site
        record, token = site.tokens.issue("p", ["incidents:read"], site.clock.at + timedelta(hours=1))
        headers = {"Authorization": f"Bearer {token}"}
        place = server.url("/api/v1/incidents:events")
        with httpx.stream("GET", place, headers=headers, timeout=30) as stream:
            lines = stream.iter_lines()
            assert next(lines) == ": listening"
            time.sleep(1.0)
            posted = {"title": "x", "affected": [{"ref": "service:shop/cart"}], "analyze": False}
            admin = {"Authorization": f"Bearer {site.admin}"}
            assert httpx.post(server.url("/api/v1/incidents"), json=posted, headers=admin).status_code == 201
            while not next(lines).startswith("event: created"):
                pass
            if end == "revoked":
                site.tokens.revoke(record.prefix)
            else:
                site.clock.advance(hours=2)
            rest = list(lines)
            assert not any("acknowledged" in line for line in rest)
        assert httpx.get(place, headers=headers).status_code == 401


def test_a_renewed_certificate_is_taken_up_and_a_broken_one_is_not(
    authority: tuple[trustme.CA, Path, Path],
) -> None:
    ca, cert, key = authority
    context = ssl.create_default_context()
    ca.configure_trust(context)

    def shown(server: Served) -> int:
        """The serial number of the certificate."""
        with (
            server.connect() as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            given = connection.getpeercert(binary_form=True)
        assert given is not None
        return load_der_x509_certificate(given).serial_number

    with served(tls_cert=cert, tls_key=key) as server:
        settings = load_settings(tls_cert=cert, tls_key=key)
        first = shown(server)
        issued = ca.issue_cert("127.0.0.1")
        cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        renew_certificate(server.server, settings)
        assert shown(server) == first, "the key does not belong to it"
        key.write_bytes(issued.private_key_pem.bytes())
        renew_certificate(server.server, settings)
        assert shown(server) != first
