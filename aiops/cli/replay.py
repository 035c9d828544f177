"""``aiops replay``: what was recorded, sent to a server as it once arrived, or faster."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from aiops.cli.output import Output
from aiops.cli.progress import share_done
from aiops.cli.recorded_deliveries import Recorded, read_recorded
from aiops.cli.session import Session, on_server
from aiops.client import Client

#: What was sent, in words.
_SENT = {
    "topology": "topology documents",
    "samples": "metrics, by remote write",
    "lines": "log lines",
    "webhook": "deliveries of alerts",
    "incidents": "incidents",
}
#: Lines of so many recorded seconds travel together at most, however fast it goes.
BATCH_S = 15.0


def add_to(app: typer.Typer) -> None:
    on_server(app, "replay", example="aiops replay recordings/outage-1 --speed 10x --analyze")(replay)


def replay(
    session: Session,
    path: Annotated[
        Path,
        typer.Argument(
            help="A recording, or the name of one that ships (aiops demo --list); a case folder; a file of Alertmanager's"
            " deliveries, one a line; - reads it."
        ),
    ],
    speed: Annotated[
        str, typer.Option(help="1x is as it was, 10x ten times as fast, max without any pause.")
    ] = "1x",
    analyze: Annotated[
        bool, typer.Option("--analyze", help="Post the incident that was recorded with it at the end.")
    ] = False,
) -> None:
    """Send what was recorded to a server in the order and at the pace of its arrival. Times within it stay as they are."""
    times = factor(speed)
    path = _shipped(path)
    recorded = read_recorded(path, within_s=min(max(times, 1.0), BATCH_S) if times else BATCH_S)
    with share_done(f"replaying {path.name}", quiet=session.quiet) as done:
        sent = send(session.client, recorded, times, done)
    if analyze:
        if recorded.incident is None:
            raise typer.BadParameter("no incident was recorded with it", param_hint="--analyze")
        posted = session.client.post_incident(recorded.incident, wait="30s")
        session.note(f"incident {posted.id}; see it with `aiops incidents show {posted.id}`")
        sent["incidents"] = 1
    if session.output is Output.JSON or session.output is Output.YAML:
        session.document(dict(sent))
        return
    session.rows(
        [{"sent": _SENT.get(what, what), "count": count} for what, count in sent.items()], ["sent", "count"]
    )
    if not analyze:
        session.note("alerts become incidents within seconds: aiops incidents list, then aiops explain")


def factor(text: str) -> float:
    """``10x``: 10.0; ``max``: 0.0."""
    if text == "max":
        return 0.0
    try:
        value = float(text.removesuffix("x"))
    except ValueError:
        value = -1.0
    if not 0.0 < value <= 1e6:
        raise typer.BadParameter(f"{text!r} is no speed: 1x, 10x, 0.5x or max", param_hint="--speed")
    return value


def send(
    client: Client,
    recorded: Recorded,
    speed: float,
    done: Callable[[float], None],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Counter[str]:
    """Everything, in order; how much of each. ``speed`` 0: no pause. A server that is slow makes it late, never shorter."""
    sent: Counter[str] = Counter()
    for delivery in recorded.first:
        client.send(delivery.call)
        sent[delivery.what] += delivery.count
    began_s, began = None, clock()
    for delivery in recorded.flow:
        began_s = delivery.at_s if began_s is None else began_s
        passed_s = delivery.at_s - began_s
        if speed:
            wait_s = passed_s / speed - (clock() - began)
            if wait_s > 0:
                sleep(wait_s)
        client.send(delivery.call)
        sent[delivery.what] += delivery.count
        done(min(passed_s / recorded.span_s, 1.0) if recorded.span_s else 1.0)
    return sent


def _shipped(path: Path) -> Path:
    """A recording that ships, by its name, where there is no file of it."""
    from aiops.wiring.recordings import scenarios

    return path if path.exists() else scenarios().get(str(path), path)
