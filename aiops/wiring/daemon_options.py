"""Options of ``aiops ingest`` as members of its configuration."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from aiops.errors import ConfigError
from ingest.config_values import parse_address, write_address, write_duration


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line names: ``ADDRESS:PORT`` for the listeners, ``JOB=URL`` for each scrape."""

    role: str | None = None
    syslog_udp: str | None = None
    syslog_tcp: str | None = None
    http: str | None = None
    scrape: tuple[str, ...] = ()
    scrape_interval_s: float = 15.0

    def values(self) -> dict[str, object]:
        """As the file would say it. Raises :class:`ConfigError` naming the option."""
        sources: dict[str, object] = {}
        if self.syslog_udp:
            sources["syslog_udp"] = [{"listen": address(self.syslog_udp, "--syslog-udp")}]
        if self.syslog_tcp:
            sources["syslog_tcp"] = [{"listen": address(self.syslog_tcp, "--syslog-tcp")}]
        if self.http:
            sources["http"] = {"listen": address(self.http, "--http"), "api": True}
        if self.scrape:
            sources["scrape"] = [self._job(text) for text in self.scrape]
        return {**({"role": self.role} if self.role else {}), **({"sources": sources} if sources else {})}

    def _job(self, text: str) -> dict[str, object]:
        """``node=http://10.0.0.1:9100/metrics``."""
        job, equals, url = text.partition("=")
        parts = urlsplit(url)
        if not equals or not job or parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                f"--scrape {text!r} is no JOB=URL", hint="for example node=http://10.0.0.1:9100/metrics"
            )
        interval = write_duration(self.scrape_interval_s)
        timeout = write_duration(min(10.0, self.scrape_interval_s))
        return {
            "job": job,
            "scheme": parts.scheme,
            "targets": [parts.netloc],
            "path": parts.path or "/",
            "interval": interval,
            "timeout": timeout,
        }


def address(text: str, option: str) -> str:
    """``127.0.0.1:5514``, ``[::1]:5514`` or ``:5514`` (loopback). Raises :class:`ConfigError` naming the option."""
    try:
        return write_address(parse_address(text))
    except ValueError as error:
        raise ConfigError(
            f"{option} {text!r} is no ADDRESS:PORT", hint="for example 127.0.0.1:5514"
        ) from error
