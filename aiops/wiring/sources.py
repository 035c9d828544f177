"""The sources that a configuration names, not started yet."""

from __future__ import annotations

from aiops.settings import Settings
from ingest import config_sections, config_sources
from ingest.config import IngestConfig
from ingest.config_sources import FilesSource, SyslogTlsSource
from ingest.sources.files import FollowedFiles
from ingest.sources.http_access import HttpAccess
from ingest.sources.inbox import Source
from ingest.sources.prometheus_api import ApiQuery, PrometheusApi
from ingest.sources.relabelling import relabel_rules
from ingest.sources.scrape import Scraper
from ingest.sources.scrape_targets import ScrapeJob, TargetGroup
from ingest.sources.syslog_tcp import SyslogTcp
from ingest.sources.syslog_tls import SyslogTls
from ingest.sources.syslog_udp import SyslogUdp
from ingest.sources.syslog_unix import SyslogUnix
from ingest.sources.tls import ServerCertificates

POSITIONS_FOLDER = "positions"


def make_sources(whole: IngestConfig, settings: Settings) -> list[Source]:
    """Every source but HTTP. Raises :class:`ConfigError` for what cannot be."""
    given = whole.sources
    sources: list[Source] = [
        SyslogUdp(*one.listen, name=one.name, sockets=one.sockets, receive_buffer_bytes=one.receive_buffer)
        for one in given.syslog_udp
    ]
    sources += [
        SyslogTcp(
            *one.listen,
            name=one.name,
            max_connections=one.max_connections,
            idle_s=one.idle_timeout,
            frame_s=one.frame_timeout,
            max_message_bytes=one.max_message,
            max_buffered_bytes=one.max_buffered,
        )
        for one in given.syslog_tcp
    ]
    sources += [_tls(one) for one in given.syslog_tls]
    sources += [SyslogUnix(one.path, name=one.name, mode=int(one.mode, 8)) for one in given.syslog_unix]
    sources += [_files(one, settings) for one in given.files]
    if given.scrape:
        sources.append(Scraper([_job(job) for job in given.scrape]))
    sources += [_prometheus(one, settings) for one in given.prometheus]
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
        handshake_s=one.handshake_timeout,
        frame_s=one.frame_timeout,
        max_message_bytes=one.max_message,
        max_buffered_bytes=one.max_buffered,
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


def _job(job: config_sources.ScrapeJob) -> ScrapeJob:
    static = (TargetGroup(job.targets, job.labels),) if job.targets else ()
    return ScrapeJob(
        job=job.job,
        static=static,
        file_sd=job.file_sd,
        interval_s=job.interval,
        timeout_s=job.timeout,
        scheme=job.scheme,
        metrics_path=job.path,
        params=job.params,
        honor_labels=job.honor_labels,
        honor_timestamps=job.honor_timestamps,
        relabel=relabel_rules([rule.model_dump() for rule in job.relabel]),
        metric_relabel=relabel_rules([rule.model_dump() for rule in job.metric_relabel]),
        access=access_of(job.access),
        sample_limit=job.sample_limit,
        label_limit=job.label_limit,
        label_name_length_limit=job.label_name_length_limit,
        label_value_length_limit=job.label_value_length_limit,
        target_limit=job.target_limit,
        body_size_limit=job.body_size_limit,
    )


def _prometheus(one: config_sources.PrometheusSource, settings: Settings) -> PrometheusApi:
    queries = [ApiQuery(selector, labels=one.labels, step_s=one.step) for selector in one.selectors]
    queries += [ApiQuery(ask.query, ask.record, one.labels, one.step) for ask in one.queries]
    return PrometheusApi(
        one.url,
        queries,
        settings.data / POSITIONS_FOLDER / f"{one.name}-api.json",
        name=one.name,
        access=access_of(one.access),
        alerts=one.alerts,
        interval_s=one.interval,
        delay_s=one.delay,
        backfill_s=one.backfill,
        max_backfill_s=one.max_backfill,
    )


def access_of(given: config_sections.Access) -> HttpAccess:
    """How a server is reached over HTTP. Raises :class:`ConfigError`."""
    return HttpAccess(
        ca=given.ca,
        certificate=given.certificate,
        key=given.key,
        verify=given.verify_host,
        user=given.username,
        password_file=given.password_file,
        bearer_file=given.token_file,
    )
