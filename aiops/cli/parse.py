"""``aiops parse``, ``aiops templates``: the parsers on standard input, one record a line, to compare them with others."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

app = typer.Typer(help="Run a parser on standard input, one JSON object a line.", no_args_is_help=True)


@app.command()
def syslog(
    zone: Annotated[
        str, typer.Option(help="Zone of RFC 3164 stamps, which name none: an IANA name.")
    ] = "UTC",
) -> None:
    """RFC 5424, RFC 3164 and vendors' lines to JSON; a line that is none of these becomes {"reject": reason}."""
    from ingest.parsers.lines import syslog_json_lines

    _pass_through(syslog_json_lines(sys.stdin.buffer, zone=zone))


@app.command()
def metrics(
    strict: Annotated[
        bool, typer.Option("--strict", help="Judge the whole document as OpenMetrics.")
    ] = False,
) -> None:
    """Exposition text or OpenMetrics to JSON, one object a sample; a bad line becomes {"reject": reason, "line": n}."""
    from ingest.parsers.lines import metrics_json_lines

    _pass_through(metrics_json_lines(sys.stdin.buffer, strict=strict))


def templates() -> None:
    """Messages on standard input to template ids, one a line."""
    from ingest.parsers.lines import template_ids

    _pass_through(template_ids(sys.stdin.buffer))


def _pass_through(lines: object) -> None:
    out = sys.stdout.buffer
    for line in lines:  # type: ignore[attr-defined]
        out.write(line + b"\n")
    out.flush()
