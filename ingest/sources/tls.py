"""Certificates of a listener: read from files, read again when the files change, and who may present which.

RFC 5425 sections 4 and 5: TLS 1.2 or newer, a certificate of the server, and of the client where it is asked for.
"""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from aiops.errors import ConfigError

ClientCertificates = Literal["none", "optional", "required"]
_VERIFY = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
_CHECK_EVERY_S = 5.0

#: As :meth:`ssl.SSLSocket.getpeercert` gives it.
PeerCertificate = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ServerCertificates:
    """PEM files of a listener. ``client_ca``: whom clients' certificates must come from. ``allowed_names``: names of which a
    client's certificate must carry one; () allows every client of that authority. A name is a DNS name (``*.example.net`` allows
    one label before it), an address, or ``sha256:`` and the fingerprint of the certificate in hexadecimal. Raises ConfigError."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
    client_certificates: ClientCertificates = "none"
    allowed_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.client_certificates not in _VERIFY:
            raise ConfigError(
                f"client certificates are {self.client_certificates!r}", hint="none, optional or required"
            )
        if self.client_certificates != "none" and self.client_ca is None:
            raise ConfigError(
                f"client certificates are {self.client_certificates}, but there is no authority to check them against",
                hint="name the file of the authority's certificates",
            )
        if self.allowed_names and self.client_certificates == "none":
            raise ConfigError(
                "names of clients are given, but no client certificate is asked for",
                hint="ask for client certificates: required",
            )

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(path for path in (self.certificate, self.key, self.client_ca) if path is not None)

    def load(self) -> ssl.SSLContext:
        """Raises ConfigError that names the file which cannot be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = _VERIFY[self.client_certificates]
        try:
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as exc:
            raise ConfigError(
                f"the certificate {self.certificate} with the key {self.key} cannot be used: {exc}",
                hint="PEM files, the key without a pass phrase and readable by this user",
                file=str(self.certificate),
            ) from exc
        if self.client_ca is not None:
            try:
                context.load_verify_locations(self.client_ca)
            except (OSError, ssl.SSLError) as exc:
                raise ConfigError(
                    f"the authority {self.client_ca} cannot be used: {exc}",
                    hint="a PEM file with one or several certificates",
                    file=str(self.client_ca),
                ) from exc
        return context


class CertificateStore:
    """The context for the next handshake. Thread-safe. Files that changed and cannot be used leave the old one in force, with a
    warning and counted in :attr:`failed_reloads`; the first load raises ConfigError."""

    def __init__(self, certificates: ServerCertificates, *, steady_s: Callable[[], float]) -> None:
        self._certificates = certificates
        self._steady_s = steady_s
        self._lock = threading.Lock()
        self._seen = _stamps(certificates.files)
        self._checked_s = steady_s()
        self._context = certificates.load()
        self.reloads = 0
        self.failed_reloads = 0

    def context(self) -> ssl.SSLContext:
        with self._lock:
            now_s = self._steady_s()
            if now_s - self._checked_s >= _CHECK_EVERY_S:
                self._checked_s = now_s
                self._reload()
            return self._context

    def _reload(self) -> None:
        stamps = _stamps(self._certificates.files)
        if stamps == self._seen:
            return
        self._seen = stamps
        try:
            self._context = self._certificates.load()
            self.reloads += 1
        except ConfigError as exc:
            self.failed_reloads += 1
            structlog.get_logger("aiops.ingest").error("the old certificate stays in force", error=str(exc))

    def allows(self, sock: ssl.SSLSocket) -> bool:
        """Whether the client that was verified may send."""
        allowed = self._certificates.allowed_names
        binary = sock.getpeercert(binary_form=True)
        if not allowed or binary is None:  # no certificate was presented, and none was required
            return True
        certificate = sock.getpeercert() or {}
        return name_allowed(certificate, hashlib.sha256(binary).hexdigest(), allowed)


def name_allowed(certificate: PeerCertificate, fingerprint: str, allowed: Sequence[str]) -> bool:
    """RFC 5425 section 5: one of the subject's alternative names, else (there is none) its common name, or the fingerprint."""
    names = [name.lower() for name in _names(certificate)]
    for wanted in allowed:
        kind, _, digest = wanted.partition(":")
        if kind.lower() == "sha256":
            if digest.replace(":", "").lower() == fingerprint:
                return True
        elif any(_matches(name, wanted.lower()) for name in names):
            return True
    return False


def _names(certificate: PeerCertificate) -> list[str]:
    alternatives = certificate.get("subjectAltName", ())
    assert isinstance(alternatives, tuple)
    names = [str(value) for kind, value in alternatives if kind in ("DNS", "IP Address")]
    if names:
        return names
    subject = certificate.get("subject", ())
    assert isinstance(subject, tuple)
    return [str(value) for part in subject for key, value in part if key == "commonName"]


def _matches(name: str, wanted: str) -> bool:
    if not wanted.startswith("*."):
        return name == wanted
    first, _, rest = name.partition(".")
    return bool(first) and rest == wanted[2:]


def _stamps(files: Sequence[Path]) -> tuple[tuple[int, int, int] | None, ...]:
    return tuple(_stamp(path) for path in files)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
