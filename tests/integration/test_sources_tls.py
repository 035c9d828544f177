"""TLS listener on a real socket with real certificates: who may send, who may not, and what neither holds up."""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from aiops.errors import ConfigError
from ingest.sources.inbox import Inbox
from ingest.sources.syslog_tls import SyslogTls
from ingest.sources.tls import ServerCertificates, name_allowed
from tests.support.daemons import until
from tests.support.inboxes import Drained

pytestmark = pytest.mark.integration


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_files(tmp_path: Path, authority: trustme.CA) -> tuple[Path, Path, Path]:
    return written(tmp_path, authority)


def written(folder: Path, authority: trustme.CA) -> tuple[Path, Path, Path]:
    certificate, key, ca = folder / "server.pem", folder / "server.key", folder / "ca.pem"
    issued = authority.issue_cert("127.0.0.1", "localhost")
    issued.private_key_pem.write_to_path(key)
    for index, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(certificate, append=index > 0)
    authority.cert_pem.write_to_path(ca)
    return certificate, key, ca


def connected(
    listener: SyslogTls, authority: trustme.CA, client: trustme.LeafCert | None = None
) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if client is not None:
        client.configure_cert(context)
    raw = socket.create_connection(listener.address, timeout=30)
    return context.wrap_socket(raw, server_hostname="127.0.0.1")


def ended(sock: socket.socket) -> bool:
    """Whether the other side says nothing but an alert, and closes."""
    try:
        while said := sock.recv(100):
            assert said.startswith(b"\x15")
    except OSError:
        return True
    return True


def refused(listener: SyslogTls, authority: trustme.CA, client: trustme.LeafCert | None) -> bool:
    """With TLS 1.3 a client learns of its refusal by its first read."""
    try:
        with connected(listener, authority, client) as sender:
            sender.sendall(b"<13>1 - - - - - - refused\n")
            return sender.recv(1) == b""
    except OSError:
        return True


@pytest.fixture
def drained() -> Iterator[Drained]:
    with Drained(Inbox()) as reading:
        yield reading


def test_lines_by_tls_and_a_stranger_beside_them(
    drained: Drained, authority: trustme.CA, server_files: tuple[Path, Path, Path]
) -> None:
    certificate, key, _ca = server_files
    listener = SyslogTls(ServerCertificates(certificate, key), port=0, handshake_s=1.0)
    listener.start(drained.inbox)
    silent = socket.create_connection(listener.address)
    with socket.create_connection(listener.address, timeout=30) as plain:
        plain.sendall(b"<13>1 - - - - - - plain text on the TLS port\n")
        assert ended(plain)
    with connected(listener, authority) as sender:
        for number in range(1_000):
            text = b"<13>1 - h a - - - line %d" % number
            sender.sendall(b"%d %s" % (len(text), text))
        until(lambda: drained.lines() >= 1_000, what="1,000 lines")
    until(lambda: listener.counts()["handshake_timeouts"] == 1, what="the silent client")
    assert silent.recv(10) == b""
    silent.close()
    listener.stop()
    assert [line.rsplit(b" ", 1)[1] for line in drained.payloads()] == [b"%d" % n for n in range(1_000)]
    assert {batch.transport for batch in drained.batches()} == {"syslog-tls"}
    assert {batch.peer for batch in drained.batches()} == {"tls 127.0.0.1"}
    counts = listener.counts()
    assert (counts["connections"], counts["handshake_failures"]) == (1, 1)


def test_only_allowed_clients_may_send(
    drained: Drained, authority: trustme.CA, server_files: tuple[Path, Path, Path]
) -> None:
    certificate, key, ca = server_files
    asked = ServerCertificates(certificate, key, ca, "required", ("*.example.net",))
    listener = SyslogTls(asked, port=0)
    listener.start(drained.inbox)
    for client in (None, trustme.CA().issue_cert("a.example.net"), authority.issue_cert("a.example.org")):
        assert refused(listener, authority, client)
    with connected(listener, authority, authority.issue_cert("a.example.net")) as sender:
        sender.sendall(b"<13>1 - - - - - - welcome\n")
        until(lambda: drained.lines() == 1, what="the allowed line")
    listener.stop()
    assert [line.split()[-1] for line in drained.payloads()] == [b"welcome"]
    counts = listener.counts()
    assert (counts["handshake_failures"], counts["names_not_allowed"]) == (2, 1)


def test_a_renewed_certificate_is_served_and_a_broken_one_is_not(
    drained: Drained, tmp_path: Path, authority: trustme.CA, server_files: tuple[Path, Path, Path]
) -> None:
    certificate, key, _ca = server_files
    now = [0.0]
    listener = SyslogTls(ServerCertificates(certificate, key), port=0, steady_s=lambda: now[0])
    listener.start(drained.inbox)

    def served() -> str:
        with connected(listener, authority) as sender:
            shown = sender.getpeercert(binary_form=True)
            assert shown is not None
            return hashlib.sha256(shown).hexdigest()

    first = served()
    written(tmp_path, authority)
    now[0] += 6.0
    second = served()
    certificate.write_text("no certificate")
    now[0] += 6.0
    third = served()
    listener.stop()
    assert first != second == third
    counts = listener.counts()
    assert (counts["certificate_reloads"], counts["failed_certificate_reloads"]) == (1, 1)


def test_certificates_that_cannot_work_are_refused(
    tmp_path: Path, server_files: tuple[Path, Path, Path]
) -> None:
    certificate, key, ca = server_files
    with pytest.raises(ConfigError, match="no authority"):
        ServerCertificates(certificate, key, None, "required")
    with pytest.raises(ConfigError, match="no client certificate is asked for"):
        ServerCertificates(certificate, key, ca, "none", ("a",))
    with pytest.raises(ConfigError, match=r"none, optional or required"):
        ServerCertificates(certificate, key, ca, "maybe")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="missing"):
        SyslogTls(ServerCertificates(tmp_path / "missing", key), port=0).start(Inbox())
    with pytest.raises(ConfigError, match="authority"):
        SyslogTls(ServerCertificates(certificate, key, key, "optional"), port=0).start(Inbox())


def test_names_of_clients() -> None:
    named = {"subject": ((("commonName", "old.example.net"),),)}
    both = {**named, "subjectAltName": (("DNS", "New.example.net"), ("IP Address", "192.0.2.7"))}
    assert name_allowed(named, "", ("old.example.net",))
    assert not name_allowed(both, "", ("old.example.net",))
    assert name_allowed(both, "", ("new.example.net",))
    assert name_allowed(both, "", ("192.0.2.7",))
    assert name_allowed(both, "", ("*.EXAMPLE.net",))
    assert not name_allowed(both, "", ("*.net",))
    assert name_allowed(named, "ab" * 32, ("sha256:" + ":".join(["AB"] * 32),))
    assert not name_allowed({}, "ab" * 32, ("sha256:00", "a"))
