"""The sources that ``aiops.yaml`` can name."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ingest.config_sections import Access, KafkaClient, Section, section, setting
from ingest.config_values import Address, Count, Duration, FilePath, Size, Texts


class SyslogUdpSource(Section):
    """Syslog over UDP (RFC 5426)."""

    name: str = Field("syslog-udp", description="how the counters call it", pattern=r"^[a-z][a-z0-9-]{0,62}$")
    listen: Address = Field(("127.0.0.1", 5514), description="ADDRESS:PORT")
    sockets: Count = Field(1, ge=1, le=64, description="sockets that share the port (SO_REUSEPORT)")
    receive_buffer: Size = Field(
        8 * 2**20, ge=2**16, le=2**30, description="of each socket; the kernel drops beyond it"
    )


class SyslogTcpSource(Section):
    """Syslog over TCP (RFC 6587): octet counting and newlines, told apart."""

    name: str = Field("syslog-tcp", description="how the counters call it", pattern=r"^[a-z][a-z0-9-]{0,62}$")
    listen: Address = Field(("127.0.0.1", 5514), description="ADDRESS:PORT")
    max_connections: Count = Field(
        10_000, ge=1, le=100_000, description="beyond it a connection is closed at once"
    )
    idle_timeout: Duration = Field(3600.0, gt=0, description="a silent connection is closed after it")


class SyslogTlsSource(SyslogTcpSource):
    """Syslog over TLS (RFC 5425)."""

    name: str = Field("syslog-tls", description="how the counters call it", pattern=r"^[a-z][a-z0-9-]{0,62}$")
    listen: Address = Field(("127.0.0.1", 6514), description="ADDRESS:PORT")
    certificate: FilePath = Field(description="our certificate with its chain (PEM)")
    key: FilePath = Field(description="its private key (PEM)")
    client_ca: FilePath | None = Field(None, description="whom certificates of senders must come from (PEM)")
    client_certificates: Literal["none", "optional", "required"] = Field(
        "none", description="whether senders must show one: none, optional or required"
    )
    allowed_names: Texts = Field((), description="names of which a sender's certificate must carry one; all")

    @model_validator(mode="after")
    def _authority(self) -> SyslogTlsSource:
        if self.client_certificates != "none" and self.client_ca is None:
            raise ValueError("client_certificates need client_ca")
        if self.allowed_names and self.client_certificates == "none":
            raise ValueError("allowed_names need client_certificates: required")
        return self


class SyslogUnixSource(Section):
    """Syslog on a Unix datagram socket."""

    name: str = Field(
        "syslog-unix", description="how the counters call it", pattern=r"^[a-z][a-z0-9-]{0,62}$"
    )
    path: FilePath = Field(description="of the socket; one that is left over is replaced")


class FilesSource(Section):
    """Log files followed through rotation, the position saved."""

    name: str = Field("file", description="how the counters call it", pattern=r"^[a-z][a-z0-9-]{0,62}$")
    paths: Texts = Field(description="paths, or patterns with * and ?", min_length=1)
    exclude: Texts = Field(
        ("*.gz", "*.xz", "*.zst", "*.bz2"), description="patterns of names that are left out"
    )
    start: Literal["beginning", "end"] = Field(
        "end", description="where a file that is there at first is begun"
    )
    host: str | None = Field(None, description="who speaks where a line names no host; default this machine")


class ScrapeJob(Section):
    """Targets that are scraped as Prometheus does."""

    job: str = Field(description="label job of what is scraped", min_length=1)
    targets: Texts = Field((), description="HOST:PORT of each")
    file_sd: Texts = Field((), description="files of targets, JSON or YAML as Prometheus' file_sd; read anew")
    path: str = Field("/metrics", description="of the exposition", pattern=r"^/")
    scheme: Literal["http", "https"] = Field("http", description="http or https")
    labels: dict[str, str] = Field({}, description="put on every series")
    honor_labels: bool = Field(False, description="the target's own labels win over ours")
    interval: Duration = Field(15.0, ge=1.0, description="between two scrapes of a target")
    timeout: Duration = Field(10.0, gt=0, description="of one scrape; at most the interval")
    sample_limit: Count = Field(200_000, ge=0, description="a scrape with more samples fails; 0: no limit")
    label_limit: Count = Field(
        0, ge=0, description="a scrape with more labels on a series fails; 0: no limit"
    )
    body_size_limit: Size = Field(16 * 2**20, ge=1, description="a scrape with a larger body fails")
    access: Access = section(Access, "how the targets are reached")

    @model_validator(mode="after")
    def _something_to_scrape(self) -> ScrapeJob:
        for target in self.targets:
            if "/" in target or "@" in target:
                raise ValueError(f"target {target!r} is no HOST:PORT: give scheme and path beside it")
        if not self.targets and not self.file_sd:
            raise ValueError("name targets or file_sd")
        if self.timeout > self.interval:
            raise ValueError("the timeout is longer than the interval")
        return self


class PrometheusSource(Section):
    """A server with Prometheus' HTTP API that is asked for what it has."""

    name: str = Field("prometheus", description="how the counters call it", pattern=r"^[a-z][a-z0-9-]{0,62}$")
    url: str = Field(description="of the server, without /api/v1", pattern=r"^https?://[^/]+")
    selectors: Texts = Field(description="series selectors that are asked for", min_length=1)
    step: Duration = Field(15.0, gt=0, description="between two samples of an answer")
    interval: Duration = Field(30.0, ge=1.0, description="between two questions")
    backfill: Duration = Field(0.0, ge=0, description="how far back the first question goes")
    alerts: bool = Field(False, description="ask for its alerts too")
    access: Access = section(Access, "how the server is reached")


class KafkaSource(KafkaClient):
    """Topics that other shippers fill."""

    name: str = Field("kafka", description="how the counters call it", pattern=r"^[a-z][a-z0-9-]{0,62}$")
    topics: Texts = Field(description="topics that are read", min_length=1)
    group: str = Field("aiops-shippers", description="consumer group", min_length=1)
    format: Literal["auto", "lines", "rsyslog", "vector", "fluent-bit"] = Field(
        "auto", description="auto, lines, rsyslog, vector or fluent-bit"
    )


class HttpSource(Section):
    """The listener for remote write, alerts, OTLP, CloudEvents, lines and changes."""

    listen: Address = Field(("127.0.0.1", 9440), description="ADDRESS:PORT")
    max_body: Size | None = setting("max_body_bytes", "largest request body")
    api: bool = Field(False, description="serve the whole API here too, as aiops serve does; role all only")


class Sources(Section):
    """Where input comes from. None is on unless it is named."""

    syslog_udp: tuple[SyslogUdpSource, ...] = Field((), description="syslog over UDP")
    syslog_tcp: tuple[SyslogTcpSource, ...] = Field((), description="syslog over TCP")
    syslog_tls: tuple[SyslogTlsSource, ...] = Field((), description="syslog over TLS")
    syslog_unix: tuple[SyslogUnixSource, ...] = Field((), description="syslog on Unix sockets")
    files: tuple[FilesSource, ...] = Field((), description="log files")
    scrape: tuple[ScrapeJob, ...] = Field((), description="scrape jobs")
    prometheus: tuple[PrometheusSource, ...] = Field((), description="servers with Prometheus' HTTP API")
    kafka: tuple[KafkaSource, ...] = Field((), description="topics of other shippers")
    http: HttpSource | None = Field(None, description="the HTTP listener")

    def any(self) -> bool:
        """Whether anything is named."""
        return any(bool(getattr(self, name)) for name in type(self).model_fields)
