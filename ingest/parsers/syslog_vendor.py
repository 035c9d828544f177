"""Who made the device, as far as the line gives it away."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_JUNOS_DAEMONS = frozenset(
    (
        *(
            "rpd",
            "mgd",
            "mib2d",
            "eswd",
            "l2ald",
            "l2cpd",
            "lacpd",
            "chassisd",
            "craftd",
            "alarmd",
            "jddosd",
            "dcd",
        ),
        *(
            "bfdd",
            "pfed",
            "jlaunchd",
            "kmd",
            "cosd",
            "snmpd_junos",
            "RT_FLOW",
            "dcpfe",
            "ppmd",
            "lldpd_junos",
        ),
    )
)
_MNEMONIC = r"^%[A-Z][A-Z0-9_\-]*-[0-7]-[A-Z0-9_]+"
_EVENT_FORMAT = r"^(?:CEF:\d|LEEF:[\d.]+)\|([^|]{1,64})\|"
_STARTS_WITH_MNEMONIC = re.compile(_MNEMONIC)
_STARTS_AS_EVENT = re.compile(_EVENT_FORMAT)


def vendor_of(app: str | None, message: str) -> str | None:
    """``cisco``, ``arista``, ``juniper``, or the name in a CEF or LEEF head, lower case; None where nothing says it.

    Arista prints the agent's name, with a capital, before the mnemonic.
    """
    if message.startswith("%") and _STARTS_WITH_MNEMONIC.match(message):
        return "arista" if app is not None and "A" <= app[:1] <= "Z" else "cisco"
    if message.startswith(("CEF:", "LEEF:")):
        found = _STARTS_AS_EVENT.match(message)
        return found[1].lower() if found else None
    return "juniper" if app in _JUNOS_DAEMONS else None


def vendor_column(app: pa.StringArray, message: pa.StringArray) -> pa.StringArray:
    """What :func:`vendor_of` says of each line. Most lines are judged by their program alone."""
    apps = app.dictionary_encode()
    by_app = [vendor_of(name, "") for name in apps.dictionary.to_pylist()]
    told = np.flatnonzero(_first_bytes(message, "%CL"))
    if not told.size and not any(by_app):
        return pa.nulls(len(app), pa.string())
    vendors = pa.array([*by_app, None], pa.string()).take(pc.fill_null(apps.indices, len(by_app)))
    if not told.size:
        return vendors
    chosen = pa.array(told)
    pairs = zip(app.take(chosen).to_pylist(), _heads(message.take(chosen)), strict=True)
    judged = pa.array([vendor_of(*pair) for pair in pairs], pa.string())
    mask = np.zeros(len(app), dtype=np.bool_)
    mask[told] = True
    return pc.replace_with_mask(vendors, pa.array(mask), judged)


def _first_bytes(texts: pa.StringArray, wanted: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether each text begins with one of ``wanted``."""
    _, offsets, data = texts.buffers()
    begin = np.frombuffer(offsets, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    if data is None or not data.size:
        return np.zeros(len(texts), dtype=np.bool_)
    first = np.frombuffer(data, dtype=np.uint8)[np.minimum(begin[:-1], data.size - 1)]
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.isin(first, list(wanted.encode())) & (
        begin[1:] > begin[:-1]
    )
    return found


def _heads(messages: pa.StringArray) -> list[str]:
    """The beginnings of texts, long enough to be judged."""
    heads: list[str] = pc.utf8_slice_codeunits(messages, 0, 96).to_pylist()
    return heads
