"""HTTP as a client within bounds: certificates, credentials from files, a deadline for the whole answer, and a body that is
decompressed only up to its limit."""

from __future__ import annotations

import ssl
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from aiops.errors import ConfigError, ParseError

_MAX_SECRET_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class HttpAccess:
    """How a server is reached. Secrets stand in files, read at every request, so that they can be renewed. Raises ConfigError
    for what excludes each other."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    verify: bool = True
    user: str | None = None
    password_file: Path | None = None
    bearer_file: Path | None = None
    follow_redirects: bool = False

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("a client certificate needs its key, and a key its certificate")
        if (self.user is None) != (self.password_file is None):
            raise ConfigError("basic authentication needs a user and a password file")
        if self.user is not None and self.bearer_file is not None:
            raise ConfigError("either basic authentication or a bearer token, not both")

    def client(self, transport: httpx.BaseTransport | None = None) -> httpx.Client:
        """Raises ConfigError for certificates that cannot be used."""
        return httpx.Client(
            transport=transport,
            trust_env=False,
            follow_redirects=self.follow_redirects,
            max_redirects=5,
            verify=self._context(),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=256, keepalive_expiry=120.0),
        )

    def _context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=None if self.ca is None else str(self.ca))
            if self.certificate is not None and self.key is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as exc:
            raise ConfigError(
                f"TLS files cannot be used: {exc} (authority {self.ca}, certificate {self.certificate})",
                hint="PEM files, the key without a pass phrase",
            ) from exc
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def auth(self) -> tuple[dict[str, str], httpx.BasicAuth | None]:
        """Headers and authentication of one request. Raises ConfigError where a file cannot be read."""
        if self.bearer_file is not None:
            return {"Authorization": f"Bearer {_secret(self.bearer_file)}"}, None
        if self.user is not None and self.password_file is not None:
            return {}, httpx.BasicAuth(self.user, _secret(self.password_file))
        return {}, None


def _secret(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_SECRET_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"cannot read the secret in {path}: {exc}", file=str(path)) from exc


@dataclass(frozen=True, slots=True)
class Answer:
    """``body`` is decompressed; ``media_type`` is without parameters, in lower case."""

    body: bytes
    media_type: str
    status: int
    retry_after: str = ""


def fetch(
    client: httpx.Client,
    request: httpx.Request,
    *,
    auth: httpx.BasicAuth | None,
    timeout_s: float,
    max_body_bytes: int,
    steady_s: Callable[[], float] = time.monotonic,
) -> Answer:
    """One request, whatever its status. ``timeout_s`` is everything's. Raises httpx.HTTPError where nothing whole comes in time,
    ParseError (reason ``too large``, ``encoding``) for a body that cannot be taken."""
    deadline = steady_s() + timeout_s
    request.headers["Accept-Encoding"] = "gzip"
    answer = client.send(request, auth=auth, stream=True)
    parts: list[bytes] = []
    size = 0
    try:
        for part in _decompressed(answer, max_body_bytes):
            size += len(part)
            if size > max_body_bytes:
                raise ParseError(f"{request.url}: more than {max_body_bytes} bytes", reason="too large")
            if steady_s() > deadline:
                raise httpx.ReadTimeout(f"{request.url}: longer than {timeout_s} s", request=request)
            parts.append(part)
    finally:
        answer.close()
    media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return Answer(b"".join(parts), media_type, answer.status_code, answer.headers.get("Retry-After", ""))


def _decompressed(answer: httpx.Response, max_body_bytes: int) -> Iterator[bytes]:
    encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding == "identity":
        yield from answer.iter_raw()
        return
    if encoding not in ("gzip", "x-gzip"):
        raise ParseError(f"the body is encoded as {encoding!r}, which was not asked for", reason="encoding")
    unpacked = zlib.decompressobj(wbits=31)
    try:
        for packed in answer.iter_raw():
            yield unpacked.decompress(packed, max_body_bytes + 1)
            if unpacked.unconsumed_tail:
                yield unpacked.decompress(unpacked.unconsumed_tail, max_body_bytes + 1)
    except zlib.error as exc:
        raise ParseError(f"the body is no gzip: {exc}", reason="encoding") from exc
    if not unpacked.eof:
        raise ParseError("the gzip body ends too early", reason="encoding")
