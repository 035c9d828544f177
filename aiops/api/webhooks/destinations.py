"""Where webhooks may go: by default to public addresses by HTTPS only, whatever a name says today or tomorrow.

A name is resolved once for each attempt, every address is checked, and the connection goes to the address that was checked, so
that a name which changes in between (DNS rebinding) leads nowhere else.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

MAX_URL_LENGTH = 2048
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052


class ForbiddenDestination(Exception):
    """Says in a sentence why nothing is sent there."""


@dataclass(frozen=True, slots=True)
class Destinations:
    """``allow_http``: without TLS too; ``allow_private``: to addresses of this machine and its networks too."""

    allow_http: bool = False
    allow_private: bool = False

    def check(self, url: str) -> SplitResult:
        """The parts of ``url``. Raises :class:`ForbiddenDestination` where its text alone says that it cannot be."""
        if len(url) > MAX_URL_LENGTH or not url.isascii() or not url.isprintable() or " " in url:
            raise ForbiddenDestination(
                f"expected at most {MAX_URL_LENGTH} printable ASCII characters without blanks"
            )
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ForbiddenDestination(f"is no URL: {error}") from None
        schemes = ("https", "http") if self.allow_http else ("https",)
        if parts.scheme not in schemes:
            raise ForbiddenDestination(f"expected a URL that begins with {' or '.join(schemes)}://")
        if not parts.hostname or port == 0:
            raise ForbiddenDestination("names no host")
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise ForbiddenDestination("may have no user, password or fragment")
        try:
            literal = ip_address(parts.hostname)
        except ValueError:
            return parts
        self._check_address(literal)
        return parts

    async def address_of(self, parts: SplitResult) -> str:
        """The address to connect to. Raises :class:`ForbiddenDestination`, and :class:`OSError` where the name has none."""
        assert parts.hostname is not None
        port = parts.port or (443 if parts.scheme == "https" else 80)
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        for text in addresses:
            self._check_address(ip_address(text.partition("%")[0]))
        return addresses[0]

    def _check_address(self, address: IPv4Address | IPv6Address) -> None:
        if not self.allow_private and not is_public(address):
            raise ForbiddenDestination(
                f"{address} is no public address; AIOPS_WEBHOOKS_ALLOW_PRIVATE allows such addresses"
            )


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Reachable from everywhere, also by what an IPv6 address has inside of it."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address.sixtofour is not None or address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast
