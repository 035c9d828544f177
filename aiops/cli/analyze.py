"""``aiops analyze``: the causes of an incident, by a server, from files alone, or of recorded cases."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import orjson
import typer

from aiops.cli.alert_documents import incident_of, read_alerts
from aiops.cli.answers import show_analysis
from aiops.cli.documents import read_bytes, read_object
from aiops.cli.output import EXIT_NOT_FOUND, Output, note, write_bytes
from aiops.cli.profiles import find_connection
from aiops.cli.session import CaFile, NothingFound, Profile, Quiet, Server, Token, open_session
from aiops.errors import InputError

_FORMATS = "table, json, yaml, markdown; jsonl with --cases."


def analyze(
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="An incident as POST /api/v1/incidents takes it; - reads it."),
    ] = None,
    incident: Annotated[
        str | None, typer.Option("--incident", help="Id of an incident that the server has.")
    ] = None,
    alerts: Annotated[
        Path | None,
        typer.Option(
            "--alerts",
            help="Alerts: Alertmanager's webhook, a list of its API v2, or one a line; - reads them.",
        ),
    ] = None,
    case: Annotated[Path | None, typer.Option("--case", help="One case folder (rca-case/1).")] = None,
    cases: Annotated[Path | None, typer.Option("--cases", help="All case folders below this one.")] = None,
    topology: Annotated[
        list[Path] | None,
        typer.Option(
            "--topology", "-t", help="Analyse here, without a server, on this topology; repeatable."
        ),
    ] = None,
    rerun: Annotated[
        bool, typer.Option("--rerun", help="With --incident: analyse again with what is known now.")
    ] = False,
    healthy: Annotated[
        list[str] | None,
        typer.Option("--assume-healthy", help="What if it were; with --incident, repeatable."),
    ] = None,
    failed: Annotated[
        list[str] | None, typer.Option("--assume-failed", help="What if it had; with --incident, repeatable.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="The whole answer: chain, evidence, alternatives, gaps.")
    ] = False,
    output: Annotated[str | None, typer.Option("--output", "-o", help=_FORMATS)] = None,
    top: Annotated[int, typer.Option(min=1, help="How many causes are shown.")] = 5,
    model: Annotated[
        bool, typer.Option(help="Let the network correct the prior; here, not on a server.")
    ] = True,
    model_dir: Annotated[
        Path | None,
        typer.Option(help="Model folder, for example one adapted to a site; default: the settings'."),
    ] = None,
    server: Server = None,
    token: Token = None,
    ca_file: CaFile = None,
    profile: Profile = None,
    quiet: Quiet = False,
) -> None:
    """Rank the root causes of an incident. Exit code 4: inconclusive; 3: no such incident or case.

    With --topology, --case or --cases no server is needed; else the incident goes to the server.
    """
    given = [
        name
        for name, value in (("--file", file), ("--incident", incident), ("--case", case), ("--cases", cases))
        if value
    ]
    if len(given) > 1 or not (given or alerts) or (alerts and given not in ([], ["--file"])):
        raise typer.BadParameter(
            "give one of --file, --incident, --alerts, --case, --cases (--alerts goes with --file)"
        )
    if (rerun or healthy or failed) and incident is None:
        raise typer.BadParameter(
            "goes with --incident", param_hint="--rerun, --assume-healthy, --assume-failed"
        )
    if topology and incident is not None:
        raise typer.BadParameter("--incident is on a server, --topology needs none", param_hint="--topology")
    if case is not None or cases is not None:
        _analyze_folders(case, cases, output, top=top, explain=explain, model=model, model_dir=model_dir)
        return
    chosen = _format(output)
    if topology:
        here = _offline(file, alerts, topology, model=model, model_dir=model_dir)
        show_analysis(here, chosen or Output.TABLE, top=top, explain=explain)
        return
    connection = find_connection(server=server, token=token, ca_file=ca_file, profile=profile)
    session = open_session(connection, chosen, quiet=quiet)
    with session.client as client:
        if incident is None:
            posted = client.post_incident(_incident(file, alerts), wait="30s")
            session.note(f"incident {posted.id}")
            found = posted if posted.analysis else client.wait_for_analysis(posted.id, timeout_s=300.0)
            if found.analysis is None:
                raise InputError(
                    f"there is no analysis: it is {found.analysis_status}", hint="the server's log says why"
                )
            document: Mapping[str, object] = found.analysis.plain()
        elif rerun or healthy or failed:
            assumed = {"healthy": healthy or [], "failed": failed or []}
            asked = {"assume": assumed} if healthy or failed else {}
            answered = client.post_analysis(incident, asked, wait="30s").plain()
            document = (
                answered
                if "verdict" in answered
                else _awaited(client.wait_for_analysis(incident).analysis, incident)
            )
        else:
            document = _awaited(client.get_incident(incident).analysis, incident)
    show_analysis(document, session.output, top=top, explain=explain)


def _awaited(analysis: object, incident: str) -> dict[str, object]:
    from aiops.client.models import AnalysisDocument

    if not isinstance(analysis, AnalysisDocument):
        raise NothingFound(
            f"incident {incident} has no analysis", hint=f"aiops analyze --incident {incident} --rerun"
        )
    return dict(analysis.plain())


def _incident(file: Path | None, alerts: Path | None) -> dict[str, object]:
    """The incident to post: as it stands, with the alerts of a file added; or what these alerts are."""
    listed = [] if alerts is None else read_alerts(read_bytes(alerts), alerts)
    if file is None:
        return incident_of(listed)
    document = read_object(file, "incident")
    own = document.get("alerts", [])
    return {**document, "alerts": [*own, *listed]} if listed and isinstance(own, list) else document


def _offline(
    file: Path | None, alerts: Path | None, topology: list[Path], *, model: bool, model_dir: Path | None
) -> dict[str, object]:
    from aiops.wiring import keep_loaded, load
    from aiops.wiring.offline import analyze_offline

    incident = _incident(file, alerts)
    topologies = [read_object(one, "topology") for one in topology]
    settings = load(model_enabled=model, model=model_dir)
    keep_loaded()
    found = analyze_offline(settings, incident, topologies=topologies)
    assert found.analysis is not None
    return dict(found.analysis.plain())


def _format(output: str | None) -> Output | None:
    if output is None:
        return None
    try:
        return Output(output)
    except ValueError as error:
        raise typer.BadParameter("table, json, yaml or markdown", param_hint="--output") from error


def _analyze_folders(
    case: Path | None,
    cases: Path | None,
    output: str | None,
    *,
    top: int,
    explain: bool,
    model: bool,
    model_dir: Path | None,
) -> None:
    from aiops.wiring import CaseAnalyzer, keep_loaded, load

    if cases is not None and output not in (None, "jsonl", "table"):
        raise typer.BadParameter("--cases writes jsonl", param_hint="--output")
    chosen = None if cases is not None else _format(output)
    analyzer = CaseAnalyzer(load(model_enabled=model, model=model_dir))
    keep_loaded()
    if cases is not None:
        _analyze_many(analyzer, cases)
        return
    assert case is not None
    if not case.is_dir():
        note(f"aiops: there is no case folder {case}")
        raise typer.Exit(EXIT_NOT_FOUND)
    document: Mapping[str, object] = analyzer.document(case)
    show_analysis(document, chosen or Output.TABLE, top=top, explain=explain)


def case_folders(root: Path) -> Iterator[Path]:
    """Every folder at or below ``root`` that holds a case.json, in order of name."""
    yield from sorted(path.parent for path in root.rglob("case.json"))


def _analyze_many(analyzer: object, root: Path) -> None:
    from aiops.wiring import CaseAnalyzer

    assert isinstance(analyzer, CaseAnalyzer)
    found = False
    for folder in case_folders(root):
        found = True
        began = time.perf_counter()
        try:
            row: dict[str, object] = {"analysis": analyzer.document(folder)}
        except InputError as error:
            # One broken case must not take the others with it; it is reported in its place, and never as a ranking.
            row = {"analysis": None, "error": str(error)}
        row |= {"case": folder.name, "seconds": round(time.perf_counter() - began, 4)}
        write_bytes(orjson.dumps(row, option=orjson.OPT_SORT_KEYS))
    if not found:
        note(f"aiops: no case.json at or below {root}")
        raise typer.Exit(EXIT_NOT_FOUND)
