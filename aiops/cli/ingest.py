"""``aiops ingest``: the streaming daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aiops.cli.output import note


def ingest(
    syslog_udp: Annotated[
        str | None, typer.Option(help="Listen for syslog over UDP on ADDRESS:PORT.")
    ] = None,
    syslog_tcp: Annotated[
        str | None, typer.Option(help="Listen for syslog over TCP on ADDRESS:PORT.")
    ] = None,
    http: Annotated[
        str | None, typer.Option(help="Serve remote write and Alertmanager routes on ADDRESS:PORT.")
    ] = None,
    scrape: Annotated[list[str] | None, typer.Option(help="Scrape JOB=URL; may be given often.")] = None,
    scrape_interval_s: Annotated[float, typer.Option(min=1.0, help="Seconds between scrapes.")] = 15.0,
    data: Annotated[
        Path | None, typer.Option(help="Directory of the embedded store, signals and dead letters.")
    ] = None,
    store: Annotated[str | None, typer.Option(help="sqlite or neo4j.")] = None,
) -> None:
    """Take syslog, remote write and scrapes into the graph until stopped; a stop drains what was received."""
    from aiops.telemetry import configure_logging
    from aiops.wiring import load
    from aiops.wiring.daemon import DaemonPlan, run_ingest

    if not (syslog_udp or syslog_tcp or http or scrape):
        raise typer.BadParameter("name at least one source: --syslog-udp, --syslog-tcp, --http or --scrape")
    settings = load(data=data, store=store)
    configure_logging(level=settings.log_level)
    plan = DaemonPlan(syslog_udp, syslog_tcp, http, tuple(scrape or ()), scrape_interval_s)
    run_ingest(settings, plan, announce=note)
