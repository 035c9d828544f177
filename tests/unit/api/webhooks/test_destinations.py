"""Where webhooks may go."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import pytest

from aiops.api.webhooks.destinations import Destinations, ForbiddenDestination, is_public

PUBLIC = (
    "93.184.215.14",
    "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
    "64:ff9b::5db8:d70e",
    "::ffff:93.184.215.14",
)
PRIVATE = (
    *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
    *("100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "255.255.255.255", "240.0.0.1"),
    *("::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1"),
)
NO_URLS = (
    *("", "x", "https://", "https:///x", "ftp://example.net", "file:///etc/passwd", "gopher://example.net"),
    *("javascript:1", "https://user@example.net/", "https://user:p@example.net/", "https://example.net/#a"),
    *("https://example.net:0/", "https://example.net:70000/", "https://exa mple.net/", "https://[::1/"),
    *("https://example.net/\r\nX: y", "https://example.net/\x00", "https://" + "x" * 2100, "https://é.net/"),
)


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize("text", PRIVATE)
def test_private_addresses_however_they_are_written(text: str) -> None:
    assert not is_public(ip_address(text))
    host = f"[{text}]" if ":" in text else text
    with pytest.raises(ForbiddenDestination, match="no public address"):
        Destinations().check(f"https://{host}/hook")
    assert Destinations(allow_private=True).check(f"https://{host}/hook").hostname is not None


@pytest.mark.parametrize("url", NO_URLS)
def test_what_is_no_url_for_a_webhook(url: str) -> None:
    with pytest.raises(ForbiddenDestination):
        Destinations(allow_http=True, allow_private=True).check(url)


def test_http_only_where_it_is_allowed() -> None:
    with pytest.raises(ForbiddenDestination, match="https://"):
        Destinations().check("http://example.net/")
    assert Destinations(allow_http=True).check("http://example.net/x?y=z").port is None
    assert Destinations().check("HTTPS://example.net:8443/").port == 8443


@pytest.mark.parametrize("name", ["localhost", "127.1", "0x7f000001", "2130706433", "0177.0.0.1"])
def test_a_name_that_leads_here_is_refused_when_it_is_resolved(name: str) -> None:
    destinations = Destinations()
    parts = destinations.check(f"https://{name}/")
    with pytest.raises(ForbiddenDestination, match="no public address"):
        asyncio.run(destinations.address_of(parts))
    allowed = asyncio.run(Destinations(allow_private=True).address_of(parts))
    assert allowed in ("127.0.0.1", "::1")
