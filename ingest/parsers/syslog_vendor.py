"""Who made the device, as far as the line gives it away."""

from __future__ import annotations

import re

import polars as pl

_JUNOS_DAEMONS = (
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
    *("bfdd", "pfed", "jlaunchd", "kmd", "cosd", "snmpd_junos", "RT_FLOW", "dcpfe", "ppmd", "lldpd_junos"),
)
_MNEMONIC = r"^%[A-Z][A-Z0-9_\-]*-[0-7]-[A-Z0-9_]+"
_EVENT_FORMAT = r"^(?:CEF:\d|LEEF:[\d.]+)\|([^|]{1,64})\|"
_STARTS_WITH_MNEMONIC = re.compile(_MNEMONIC)
_STARTS_AS_EVENT = re.compile(_EVENT_FORMAT)


def vendor_column(frame: pl.DataFrame) -> pl.Series:
    """``cisco``, ``arista``, ``juniper``, or the name in a CEF or LEEF head, lower case; null where nothing says it.

    ``frame`` has columns ``app`` and ``message``. Arista prints the agent's name, with a capital, before the mnemonic.
    """
    message, app = pl.col("message"), pl.col("app")
    mnemonic = message.str.contains(_MNEMONIC)
    named = message.str.extract(_EVENT_FORMAT, 1).str.to_lowercase()
    vendor = (
        pl.when(message.str.starts_with("%") & mnemonic)
        .then(pl.when(app.str.contains("^[A-Z]")).then(pl.lit("arista")).otherwise(pl.lit("cisco")))
        .when(message.str.starts_with("CEF:") | message.str.starts_with("LEEF:"))
        .then(named)
        .when(app.is_in(_JUNOS_DAEMONS))
        .then(pl.lit("juniper"))
        .otherwise(pl.lit(None, pl.String))
    )
    return frame.select(vendor.alias("vendor")).to_series()


def vendor_of(app: str | None, message: str) -> str | None:
    """What :func:`vendor_column` says of one line."""
    if message.startswith("%") and _STARTS_WITH_MNEMONIC.match(message):
        return "arista" if app is not None and "A" <= app[:1] <= "Z" else "cisco"
    if message.startswith(("CEF:", "LEEF:")):
        found = _STARTS_AS_EVENT.match(message)
        return found[1].lower() if found else None
    return "juniper" if app in _JUNOS_DAEMONS else None
