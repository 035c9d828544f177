"""Addresses that pass from one holder to the next (a pod's, a service's): who had one when.

An address is an entity of kind Address that IDENTIFIES its holder. The relation has a beginning and an end like any other,
so that a name in an old line or incident means whoever had it then.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from aiops.domain.graph import Subgraph

ADDRESS = "Address"
ADDRESS_PREFIX = "address:"
IDENTIFIES = "IDENTIFIES"
#: A time at which every relation that is open now is open.
OPEN_NOW = datetime(9999, 1, 1, tzinfo=UTC)

_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


def is_address(entity_id: str) -> bool:
    return entity_id.startswith(ADDRESS_PREFIX)


def holders_in(near: Subgraph, address_id: str) -> tuple[str, ...]:
    """Who holds the address in ``near`` (its neighbourhood at some time), the one that got it last at the end."""
    held = [r for r in near.relations if r.source_id == address_id and r.kind == IDENTIFIES]
    begun = sorted((r.valid_from or _LONG_AGO, r.first_seen or _LONG_AGO, r.target_id) for r in held)
    return tuple(dict.fromkeys(holder for _from, _seen, holder in begun))


def without_addresses(ids: tuple[str, ...], holders: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
    """``ids`` with every address replaced by its newest holder; where an address has one, nothing else was meant."""
    if not any(is_address(i) for i in ids):
        return ids
    held = {of[-1] for i in ids if is_address(i) and (of := holders(i))}
    return tuple(sorted(held)) or tuple(i for i in ids if not is_address(i))
