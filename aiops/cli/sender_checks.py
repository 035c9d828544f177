"""Whether a Prometheus and an Alertmanager send here, by what they themselves say of their configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

import httpx
import yaml

from aiops.cli.outcomes import Row, outcomes
from aiops.errors import ConfigError, StoreUnavailable

_ACCESS = ("authorization", "basic_auth", "oauth2", "bearer_token", "bearer_token_file", "tls_config")
_TOKEN_HINT = "add authorization: {credentials_file: FILE} with a token of scope ingest:write (docs/api.md)"  # noqa: S105  a hint


def check_prometheus(address: str, server: str) -> list[Row]:
    """Alerts and samples of the Prometheus at ``address``, on their way to ``server``."""
    config = _once(lambda: _prometheus_config(address))
    return outcomes(
        (
            ("prometheus alerts", lambda _: _alerting(config(), server)),
            ("prometheus samples", lambda _: _remote_write(config(), server)),
        ),
        None,
    )


def check_alertmanager(address: str, server: str) -> list[Row]:
    """Webhooks of the Alertmanager at ``address``."""
    return outcomes((("alertmanager", lambda _: _webhooks(_alertmanager_config(address), server)),), None)


def _once(make: Callable[[], Mapping[str, object]]) -> Callable[[], Mapping[str, object]]:
    kept: list[Mapping[str, object]] = []

    def get() -> Mapping[str, object]:
        if not kept:
            kept.append(make())
        return kept[0]

    return get


def _prometheus_config(address: str) -> Mapping[str, object]:
    document = _asked(address, "/api/v1/status/config", "Prometheus")
    data = document.get("data")
    return _yaml(data.get("yaml") if isinstance(data, Mapping) else None, address)


def _alertmanager_config(address: str) -> Mapping[str, object]:
    config = _asked(address, "/api/v2/status", "Alertmanager").get("config")
    return _yaml(config.get("original") if isinstance(config, Mapping) else None, address)


def _asked(address: str, path: str, what: str) -> Mapping[str, object]:
    url = f"{address.rstrip('/')}{path}"
    try:
        answer = httpx.get(url, timeout=10.0, trust_env=False)
        answer.raise_for_status()
        document = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise StoreUnavailable(
            f"{url}: {error}", hint=f"is that the address of {what}, and may this machine ask it?"
        ) from error
    if not isinstance(document, Mapping):
        raise StoreUnavailable(f"{url} does not answer like {what}", hint=f"is that the address of {what}?")
    return document


def _yaml(text: object, address: str) -> Mapping[str, object]:
    document = yaml.safe_load(text) if isinstance(text, str) else None
    if not isinstance(document, Mapping):
        raise StoreUnavailable(
            f"{address} does not tell its configuration",
            hint="check its file by hand",
        )
    return document


def _alerting(config: Mapping[str, object], server: str) -> str:
    """``alerting.alertmanagers`` with a target here and a token."""
    host = urlsplit(server).netloc
    managers = list(_items(_mapping(config.get("alerting")).get("alertmanagers")))
    ours = [one for one in managers if host in _targets(one)]
    if not ours:
        said = ", ".join(target for one in managers for target in _targets(one)) or "nobody"
        raise ConfigError(
            f"it sends its alerts to {said}, not to {host}",
            hint=f'add to alerting.alertmanagers: static_configs: [{{targets: ["{host}"]}}], api_version: v2',
        )
    if not any(_has_access(one) for one in ours):
        raise ConfigError(f"it sends alerts to {host} without a token", hint=_TOKEN_HINT)
    return f"alerts go to {host}"


def _remote_write(config: Mapping[str, object], server: str) -> str:
    """``remote_write`` with our URL and a token."""
    writes = list(_items(config.get("remote_write")))
    ours = [one for one in writes if _leads_here(str(one.get("url", "")), server)]
    if not ours:
        raise ConfigError(
            f"it does not write its samples to {server}",
            hint=f"add remote_write: - url: {server}/api/v1/write",
        )
    wrong = [str(one["url"]) for one in ours if urlsplit(str(one["url"])).path != "/api/v1/write"]
    if wrong:
        raise ConfigError(f"it writes its samples to {wrong[0]}", hint=f"the route is {server}/api/v1/write")
    if not any(_has_access(one) for one in ours):
        raise ConfigError(f"it writes samples to {server} without a token", hint=_TOKEN_HINT)
    return f"samples go to {server}"


def _webhooks(config: Mapping[str, object], server: str) -> str:
    """A receiver that a route uses, with our URL, a token and resolved alerts."""
    names = {str(one.get("name")) for one in _items(config.get("receivers"))}
    hooks = [
        (str(one.get("name")), hook)
        for one in _items(config.get("receivers"))
        for hook in _items(one.get("webhook_configs"))
        if _leads_here(str(hook.get("url", "")), server) or "<secret>" in str(hook.get("url", ""))
    ]
    if not hooks:
        raise ConfigError(
            f"no receiver sends to {server}; there are: {', '.join(sorted(names)) or 'none'}",
            hint=f"add a receiver with webhook_configs: - url: {server}/api/v1/ingest/alertmanager",
        )
    used = set(_receivers(_mapping(config.get("route"))))
    if not any(name in used for name, _ in hooks):
        raise ConfigError(
            f"no route leads to receiver {hooks[0][0]!r}",
            hint=f"add to route.routes: - receiver: {hooks[0][0]}",
        )
    paths = {urlsplit(str(hook["url"])).path for _, hook in hooks if "<secret>" not in str(hook["url"])}
    if paths and "/api/v1/ingest/alertmanager" not in paths:
        raise ConfigError(
            f"the webhook's path is {sorted(paths)[0]}", hint="it is /api/v1/ingest/alertmanager"
        )
    if not any(_has_access(_mapping(hook.get("http_config"))) for _, hook in hooks):
        raise ConfigError(
            f"receiver {hooks[0][0]!r} sends without a token", hint=f"http_config: {_TOKEN_HINT}"
        )
    if all(hook.get("send_resolved") is False for _, hook in hooks):
        raise ConfigError("it does not tell when an alert is over", hint="set send_resolved: true")
    return f"receiver {hooks[0][0]} sends here"


def _receivers(route: Mapping[str, object]) -> Iterator[str]:
    yield str(route.get("receiver"))
    for inner in _items(route.get("routes")):
        yield from _receivers(inner)


def _targets(manager: Mapping[str, object]) -> list[str]:
    groups = _items(manager.get("static_configs"))
    return [str(target) for group in groups for target in _listed(group.get("targets"))]


def _leads_here(url: str, server: str) -> bool:
    return urlsplit(url).netloc == urlsplit(server).netloc


def _has_access(part: Mapping[str, object]) -> bool:
    return any(part.get(name) for name in _ACCESS if name != "tls_config")


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _items(value: object) -> Iterator[Mapping[str, object]]:
    yield from (one for one in _listed(value) if isinstance(one, Mapping))
