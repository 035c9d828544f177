"""What ``aiops doctor --server`` looks at: a server that runs, as its user sees it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx

from aiops import __version__
from aiops.cli.outcomes import Check, Doubt, Row, outcomes
from aiops.client import CannotConnect, Client, ClientError, Forbidden, ProblemAnswer, Unauthorized
from aiops.errors import ConfigError, StoreUnavailable

#: A clock may be off by so much: the answer's ``Date`` has whole seconds, and the way takes a moment.
MAX_SKEW_S = 5.0
#: A share of unmatched names from which the mapping is likely wrong.
MANY_UNMATCHED = 0.2
_UNKNOWN = "entity:Unknown"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reached:
    """A client, and what the server's first answer said about its time: seconds ahead of this machine's."""

    client: Client
    has_token: bool
    ahead_s: float | None = None


def check_server(client: Client, *, has_token: bool) -> list[Row]:
    """What is wrong with a server. Nothing more is asked of one that is not there, or that takes no token of ours."""
    reached = Reached(client, has_token, _ahead_s(client.server))
    first = outcomes((("server", _reachable),), reached)
    if first[0]["result"] == "failed":
        return first
    rows = [*first, *outcomes(_OPEN_CHECKS, reached)]
    return rows if rows[-1]["result"] == "failed" else [*rows, *outcomes(_CHECKS, reached)]


def _ahead_s(server: str) -> float | None:
    """Seconds that the server's clock is ahead of ours, by its ``Date`` (RFC 9110, section 6.6.1)."""
    try:
        answer = httpx.get(f"{server}/healthz", timeout=5.0, trust_env=False)
        told = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (httpx.HTTPError, KeyError, ValueError):
        return None
    return told - time.time()


def _reachable(reached: Reached) -> str:
    try:
        reached.client.get_health()
    except CannotConnect as error:
        hint = (error.hint or "").removesuffix(" aiops doctor --server says more")
        raise StoreUnavailable(error.message, hint=hint) from error
    except ClientError as error:
        raise StoreUnavailable(
            f"what answers at {reached.client.server} is no aiops server: {error.message}",
            hint="check address and port; aiops serve says where it listens",
        ) from error
    return f"answers at {reached.client.server}"


def _version(reached: Reached) -> str:
    there = reached.client.get_version().version
    if there != __version__:
        raise Doubt(
            f"the server is {there}, this program {__version__}",
            hint=f"install the same here: pip install kg-aiops=={there}",
        )
    return f"{there} on both sides"


def _ready(reached: Reached) -> str:
    try:
        checks = reached.client.get_ready().checks
    except ProblemAnswer as error:
        raise StoreUnavailable(
            f"it is not ready: {_unready(reached.client.server) or error.message}",
            hint="run `aiops doctor` on the server's own machine",
        ) from error
    return ", ".join(sorted(checks))


def _unready(server: str) -> str:
    """The parts that /readyz says are not well."""
    try:
        document = httpx.get(f"{server}/readyz", timeout=10.0, trust_env=False).json()
    except (httpx.HTTPError, ValueError):
        return ""
    checks = document.get("checks", {}) if isinstance(document, Mapping) else {}
    bad = [
        f"{name}: {one.get('detail', '')}"
        for name, one in checks.items()
        if isinstance(one, Mapping) and not one.get("ok")
    ]
    return "; ".join(bad)


def _clock(reached: Reached) -> str:
    if reached.ahead_s is None:
        raise Doubt(
            "the server does not tell its time", hint="is there a proxy in between that removes Date?"
        )
    if abs(reached.ahead_s) > MAX_SKEW_S:
        side = "ahead of" if reached.ahead_s > 0 else "behind"
        raise ConfigError(
            f"the server's clock is {abs(reached.ahead_s):.0f} s {side} this machine's",
            hint="set both by NTP (chrony, systemd-timesyncd): what follows from what is told by times",
        )
    return f"within {MAX_SKEW_S:.0f} s of this machine's"


def _token(reached: Reached) -> str:
    if not reached.has_token:
        raise ConfigError("no token is given", hint="set AIOPS_TOKEN_FILE or AIOPS_TOKEN, or give --token")
    may, lacks = [], []
    for scope, ask in (
        ("incidents:read", lambda: reached.client.list_incidents(limit=1)),
        ("topology:read", reached.client.get_stats),
        ("admin", reached.client.list_tokens),
    ):
        try:
            ask()
        except Forbidden:
            lacks.append(scope)
        except Unauthorized as error:
            raise ConfigError(
                f"the server does not take this token: {error.message}",
                hint="make another: aiops token create NAME --scope admin, with a token that is valid",
            ) from error
        else:
            may.append(scope)
    needed = [scope for scope in lacks if scope != "admin"]
    if needed:
        raise Doubt(
            f"the token is too narrow for reading: it lacks {', '.join(needed)}",
            hint=f"aiops token create NAME {' '.join(f'--scope {scope}' for scope in needed)}",
        )
    return f"allows {', '.join(may)}"


def _topology(reached: Reached) -> str:
    counts = _graph(reached)
    known = sum(count for name, count in counts.items() if name.startswith("entity:") and name != _UNKNOWN)
    if known == 0:
        raise Doubt(
            "no topology was imported: nothing that alerts name can be matched, and nothing explains anything else",
            hint="aiops topology import FILE, or aiops topology from-netbox FILE --import",
        )
    relations = sum(count for name, count in counts.items() if name.startswith("relation:"))
    if relations == 0:
        raise Doubt(
            f"{known} entities and no relation between them",
            hint="import what depends on what: docs/topology.md",
        )
    return f"{known} entities, {relations} relations"


def _unmatched(reached: Reached) -> str:
    counts = _graph(reached)
    unknown = counts.get(_UNKNOWN, 0)
    known = sum(count for name, count in counts.items() if name.startswith("entity:")) - unknown
    if unknown and unknown >= MANY_UNMATCHED * known:
        examples = ", ".join(one.name for one in reached.client.list_unmatched(limit=3).items)
        raise Doubt(
            f"{unknown} names match nothing in a topology of {known}, for example {examples}",
            hint="aiops entities unmatched lists them; add them as aliases, or change the mapping (docs/topology.md)",
        )
    return f"{unknown} names match nothing"


def _senders(reached: Reached) -> str:
    sources = _permitted(lambda: reached.client.list_sources().items)
    if not any(one.received for one in sources):
        raise Doubt(
            "nothing was delivered since the server began: no alerts, no samples, no lines",
            hint="point Prometheus and Alertmanager here (docs/api.md); aiops doctor --prometheus URL asks them",
        )
    lost = [
        f"{one.name} {one.rejected} of {one.received}" for one in sources if one.rejected * 10 > one.received
    ]
    if lost:
        raise Doubt(f"much cannot be used: {', '.join(lost)}", hint="aiops sources shows the reasons")
    return ", ".join(f"{one.name} {one.received}" for one in sources if one.received)


def _refused(reached: Reached) -> str:
    """Senders that come without a token, as the audit log has them; only an administrator may read it."""
    entries = _permitted(lambda: reached.client.list_audit(kind="refused", limit=200).items)
    times: Counter[tuple[str, str, str]] = Counter()
    for one in entries:
        if "/ingest" in one.route or one.route in (
            "/api/v1/write",
            "/api/v2/alerts",
            "/v1/logs",
            "/v1/metrics",
        ):
            times[one.peer, one.route, one.reason] += one.times
    if times:
        (peer, route, reason), many = times.most_common(1)[0]
        raise Doubt(
            f"{peer} was refused {many} times at {route}: {reason}",
            hint="give that sender a token: aiops token create NAME --scope ingest:write, then authorization.credentials_file",
        )
    return "no sender was refused"


def _graph(reached: Reached) -> Mapping[str, int]:
    return _permitted(lambda: reached.client.get_stats().graph)


def _permitted(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except (Forbidden, Unauthorized) as error:
        raise Doubt(f"cannot be seen with this token: {error.message}", hint=error.hint) from error


#: What needs no token, and then the token itself.
_OPEN_CHECKS: tuple[Check[Reached], ...] = (
    ("version", _version),
    ("ready", _ready),
    ("clock", _clock),
    ("token", _token),
)
_CHECKS: tuple[Check[Reached], ...] = (
    ("topology", _topology),
    ("unmatched", _unmatched),
    ("senders", _senders),
    ("refused", _refused),
)
