"""``aiops parse``, ``aiops templates``: the parsers on standard input, one record a line, to compare them with others."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Annotated

import typer

_BATCH_BYTES = 1 << 20

app = typer.Typer(help="Run a parser on standard input, one JSON object a line.", no_args_is_help=True)


@app.command(epilog="Example: aiops parse syslog < messages.log")
def syslog(
    zone: Annotated[
        str, typer.Option(help="Zone of RFC 3164 stamps, which name none: an IANA name.")
    ] = "UTC",
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse what does not follow RFC 5424 to the letter.")
    ] = False,
) -> None:
    """RFC 5424, RFC 3164 and vendors' lines to JSON; a line that is none of these becomes {"reject": reason}."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from ingest.parsers.lines import json_lines

    try:
        chosen = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise typer.BadParameter(
            f"{zone!r} is no zone, for example Europe/Berlin", param_hint="--zone"
        ) from error
    _pass_through(json_lines(sys.stdin.buffer, received_at_s=time.time(), zone=chosen, strict=strict))


@app.command(epilog="Example: aiops parse metrics < metrics.txt")
def metrics(
    openmetrics: Annotated[
        bool, typer.Option("--openmetrics", help="Stamps are seconds, as OpenMetrics has them.")
    ] = False,
) -> None:
    """Exposition text or OpenMetrics to JSON, one object a line; a bad line becomes {"reject": reason}."""
    from ingest.parsers.lines import metric_json_lines

    _pass_through(metric_json_lines(sys.stdin.buffer, openmetrics=openmetrics))


def templates() -> None:
    """Messages on standard input to the number of their template, one a line."""
    from ingest.templates import TemplateMiner

    miner = TemplateMiner()
    out = sys.stdout.buffer
    while lines := sys.stdin.buffer.readlines(_BATCH_BYTES):
        numbers = miner.assign([line.rstrip(b"\r\n").decode(errors="replace") for line in lines])
        out.write(b"".join(b"%d\n" % (-1 if number is None else number) for number in numbers))
    out.flush()


def _pass_through(lines: Iterable[bytes]) -> None:
    out = sys.stdout.buffer
    for line in lines:
        out.write(line)
    out.flush()
