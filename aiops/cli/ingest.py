"""``aiops ingest``: the streaming daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aiops.cli.output import note


def ingest(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The configuration file, aiops.yaml.")
    ] = None,
    role: Annotated[
        str | None,
        typer.Option(help="all, receive (sources to journal) or process (journal to stores)."),
    ] = None,
    syslog_udp: Annotated[
        str | None, typer.Option(help="Listen for syslog over UDP on ADDRESS:PORT.")
    ] = None,
    syslog_tcp: Annotated[
        str | None, typer.Option(help="Listen for syslog over TCP on ADDRESS:PORT.")
    ] = None,
    http: Annotated[
        str | None, typer.Option(help="Serve the API with its delivery routes on ADDRESS:PORT.")
    ] = None,
    scrape: Annotated[list[str] | None, typer.Option(help="Scrape JOB=URL; may be given often.")] = None,
    scrape_interval_s: Annotated[float, typer.Option(min=1.0, help="Seconds between scrapes.")] = 15.0,
    data: Annotated[
        Path | None, typer.Option(help="Directory of the spool, the embedded store, signals, dead letters.")
    ] = None,
    store: Annotated[str | None, typer.Option(help="sqlite or neo4j.")] = None,
) -> None:
    """Take syslog, metrics, alerts and events into the graph until stopped; a stop drains what was received.

    Options win over the environment, and that over the configuration file. Sources on the command line come beside its own.
    """
    from aiops.telemetry import configure_logging
    from aiops.wiring.config import load_daemon_config
    from aiops.wiring.daemon import run_ingest
    from aiops.wiring.daemon_options import Options

    options = Options(role, syslog_udp, syslog_tcp, http, tuple(scrape or ()), scrape_interval_s)
    whole = load_daemon_config(config, options=options.values(), data=data, store=store)
    if whole.config.role != "process" and not whole.config.sources.any():
        raise typer.BadParameter(
            "name a source: in a configuration file (-c), or by --syslog-udp, --syslog-tcp, --http or --scrape"
        )
    configure_logging(level=whole.settings.log_level)
    run_ingest(whole, announce=note)
