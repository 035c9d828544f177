"""The sources that a configuration names, not started yet."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiops.errors import ConfigError
from aiops.settings import Settings
from ingest.config import FilesSource, IngestConfig, ScrapeJob, SyslogTlsSource
from ingest.sources.files import FollowedFiles
from ingest.sources.inbox import Source
from ingest.sources.scrape import Scraper, ScrapeTarget
from ingest.sources.syslog_tcp import SyslogTcp
from ingest.sources.syslog_tls import SyslogTls
from ingest.sources.syslog_udp import SyslogUdp
from ingest.sources.syslog_unix import SyslogUnix
from ingest.sources.tls import ServerCertificates

POSITIONS_FOLDER = "positions"


def make_sources(config: IngestConfig, settings: Settings) -> list[Source]:
    """Every source but HTTP. Raises :class:`ConfigError` for what cannot be."""
    given = config.sources
    sources: list[Source] = [
        SyslogUdp(*one.listen, name=one.name, sockets=one.sockets, receive_buffer_bytes=one.receive_buffer)
        for one in given.syslog_udp
    ]
    sources += [
        SyslogTcp(*one.listen, name=one.name, max_connections=one.max_connections, idle_s=one.idle_timeout)
        for one in given.syslog_tcp
    ]
    sources += [_tls(one) for one in given.syslog_tls]
    sources += [SyslogUnix(one.path, name=one.name) for one in given.syslog_unix]
    sources += [_files(one, settings) for one in given.files]
    if given.scrape:
        sources.append(Scraper([target for job in given.scrape for target in targets_of(job)]))
    return sources


def _tls(one: SyslogTlsSource) -> SyslogTls:
    certificates = ServerCertificates(
        one.certificate, one.key, one.client_ca, one.client_certificates, one.allowed_names
    )
    return SyslogTls(
        certificates,
        *one.listen,
        name=one.name,
        max_connections=one.max_connections,
        idle_s=one.idle_timeout,
    )


def _files(one: FilesSource, settings: Settings) -> FollowedFiles:
    return FollowedFiles(
        one.paths,
        settings.data / POSITIONS_FOLDER / f"{one.name}.json",
        name=one.name,
        start_at=one.start,
        exclude=one.exclude,
        host=one.host,
    )


def targets_of(job: ScrapeJob) -> list[ScrapeTarget]:
    """The static targets of a job. Raises :class:`ConfigError`."""
    return [
        ScrapeTarget(
            job=job.job,
            url=url_of(target, job.scheme, job.path),
            labels=job.labels,
            interval_s=job.interval,
            timeout_s=job.timeout,
            honor_labels=job.honor_labels,
        )
        for target in job.targets
    ]


def url_of(target: str, scheme: str, path: str) -> str:
    """``http://10.0.0.1:9100/metrics`` of ``10.0.0.1:9100``; a URL stays as it is, but gets the path where it has none."""
    if "://" not in target:
        return f"{scheme}://{target}{path}"
    parts = urlsplit(target)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ConfigError(
            f"scrape target {target!r} is no http URL", hint="HOST:PORT or http://HOST:PORT/metrics"
        )
    return target if parts.path not in ("", "/") else f"{parts.scheme}://{parts.netloc}{path}"
