"""Hosts and what they carry: a host shows what its tenants do, and tenants suffer what their host has."""

from __future__ import annotations

import numpy as np

from aiops.domain.batches import FloatArray
from aiops.reasoning.things import Things

CARRIED_SHARE = 0.9


def not_carried(value: FloatArray, things: Things) -> FloatArray:
    """A host's value of a channel, cut by the strongest tenant that shows the same: nine tenths at equal strength."""
    tenant = of_tenants(value, things)
    share = np.divide(tenant, value, out=np.zeros(len(things)), where=value > 0)
    return np.asarray(value * (1.0 - CARRIED_SHARE * np.minimum(1.0, share)))


def of_hosts(value: FloatArray, things: Things) -> FloatArray:
    """For each thing the largest value among the hosts it runs on; 0 for what runs on nothing known."""
    found = np.zeros(len(things))
    host, carried = things.hosting
    np.maximum.at(found, carried, value[host])
    return found


def of_tenants(value: FloatArray, things: Things) -> FloatArray:
    """For each thing the largest value among what runs on it; 0 for what carries nothing known."""
    found = np.zeros(len(things))
    host, carried = things.hosting
    np.maximum.at(found, host, value[carried])
    return found
