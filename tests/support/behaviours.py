"""Scenarios of the behaviours: names, kinds and relations as data, so that nothing can hold for one spelling of it only."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from tests.support.http_site import HttpSite

Fresh = Callable[[], AbstractContextManager[HttpSite]]

#: Effect first, cause last: each a chain of dependence with other kinds and other relations.
CHAINS = {
    "network": ("host:web-1 DEPENDS_ON device:access-1", "device:access-1 DEPENDS_ON device:core"),
    "shop": ("service:mail CALLS service:ledger", "service:ledger CALLS database:books"),
    "cluster": ("pod:prod/cart-7d9 RUNS_ON node:k8s-n3", "node:k8s-n3 RUNS_ON host:hv-12"),
    "storage": ("database:orders MOUNTS volume:vol-9", "volume:vol-9 BACKED_BY disk:nvme-3"),
    "containment": ("device:leaf-4 CONTAINS interface:leaf-4/et1", "host:db-9 DEPENDS_ON device:leaf-4"),
}


def members(chain: str) -> tuple[str, str, str]:
    """(effect, between, cause) of a chain."""
    if chain == "containment":
        return ("host:db-9", "device:leaf-4", "interface:leaf-4/et1")
    first, second = CHAINS[chain]
    return (first.split()[0], first.split()[2], second.split()[2])


REDUNDANT = {
    "uplinks": (
        "device:acc-7 DEPENDS_ON device:up-1 [uplinks]",
        "device:acc-7 DEPENDS_ON device:up-2 [uplinks]",
    ),
    "replicas": (
        "service:front CALLS instance:shop-a [shop]",
        "service:front CALLS instance:shop-b [shop]",
    ),
}

SHARED = {
    "power": ("device:tor-{:02}", "PART_OF rack:r-{}", "rack:r-{} POWERED_BY powerunit:pdu-9", "powerunit:pdu-9"),
    "direct": ("host:srv-{:02}", "POWERED_BY powerunit:ups-{}", "powerunit:ups-{} POWERED_BY powerunit:mains", "powerunit:mains"),
    "volumes": ("pod:shop/p-{:02}", "MOUNTS volume:v-{}", "volume:v-{} BACKED_BY disk:array-2", "disk:array-2"),
}  # fmt: skip
