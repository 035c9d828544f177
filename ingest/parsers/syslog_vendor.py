"""Who made the device, as far as the line gives it away."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aiops.domain.batches import IntArray
from ingest.parsers.syslog_block import spans_of

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
_MNEMONIC = r"%[A-Z][A-Z0-9_\-]*-[0-7]-[A-Z0-9_]+"
_HUAWEI = r"%%\d\d[A-Z0-9_]+/\d/"
_EVENT_FORMAT = r"(?:CEF:\d|LEEF:[\d.]+)\|([^|]{1,64})\|"
_STARTS_WITH_MNEMONIC = re.compile(_MNEMONIC)
_STARTS_LIKE_HUAWEI = re.compile(_HUAWEI)
_STARTS_AS_EVENT = re.compile(_EVENT_FORMAT)
_EVENT = r"^(?P<head>(?:CEF:\d|LEEF:[\d.]+)\|[^|]{1,64}\|)"


def vendor_of(app: str | None, message: str) -> str | None:
    """``cisco``, ``arista``, ``juniper``, ``huawei``, ``h3c``, or the name in a CEF or LEEF head, lower case; None where
    nothing says it.

    Arista prints the agent's name, with a capital, before the mnemonic. Huawei's format is of version 01, H3C's of 10.
    """
    if message.startswith("%%") and _STARTS_LIKE_HUAWEI.match(message):
        return {"01": "huawei", "10": "h3c"}.get(message[2:4])
    if message.startswith("%") and _STARTS_WITH_MNEMONIC.match(message):
        return "arista" if app is not None and "A" <= app[:1] <= "Z" else "cisco"
    if message.startswith(("CEF:", "LEEF:")) and (event := _STARTS_AS_EVENT.match(message)):
        return event[1].lower()
    return "juniper" if app in _JUNOS_DAEMONS else None


def vendor_column(app: pa.StringArray, message: pa.StringArray) -> pa.StringArray:
    """What :func:`vendor_of` says of each line; it is asked about the distinct programs and beginnings only."""
    apps = app.dictionary_encode()
    names = [*apps.dictionary.to_pylist(), None]
    of_app = pc.fill_null(apps.indices, len(names) - 1).to_numpy(zero_copy_only=False).astype(np.int64)
    heads, of_head = _beginnings(message)
    pairs, which = np.unique(of_app * len(heads) + of_head, return_inverse=True)
    vendors = [vendor_of(names[pair // len(heads)], heads[pair % len(heads)]) for pair in pairs.tolist()]
    if not any(vendors):
        return pa.nulls(len(app), pa.string())
    return pa.array(vendors, pa.string()).take(pa.array(which))


def _beginnings(message: pa.StringArray) -> tuple[list[str], IntArray]:
    """The distinct beginnings by which a vendor may be told, the first of them empty, and for each line its own."""
    heads, of_head = [""], np.zeros(len(message), dtype=np.int64)
    _, offsets, data = message.buffers()
    if data is None or not data.size:
        return heads, of_head
    begin = np.frombuffer(offsets, dtype=np.int32)[message.offset :][: len(message) + 1].astype(np.int64)
    texts = np.frombuffer(data, dtype=np.uint8)
    first = np.where(begin[1:] > begin[:-1], texts[np.minimum(begin[:-1], data.size - 1)], 0)
    percent = np.flatnonzero(first == ord("%"))
    event = np.flatnonzero((first == ord("C")) | (first == ord("L")))
    if percent.size:
        blanks = np.append(np.flatnonzero(texts == ord(" ")), data.size)
        word_end = np.minimum(blanks[np.searchsorted(blanks, begin[percent])], begin[percent + 1])
        words = spans_of(data, begin[percent], word_end).dictionary_encode()
        of_head[percent] = words.indices.to_numpy() + len(heads)
        heads += words.dictionary.to_pylist()
    if event.size:
        found = pc.struct_field(
            pc.extract_regex(message.take(pa.array(event)), _EVENT), "head"
        ).dictionary_encode()
        of_head[event] = np.where(
            pc.is_valid(found.indices).to_numpy(zero_copy_only=False),
            pc.fill_null(found.indices, 0).to_numpy(zero_copy_only=False) + len(heads),
            0,
        )
        heads += found.dictionary.to_pylist()
    return heads, of_head
