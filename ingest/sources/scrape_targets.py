"""What is scraped: jobs as they are configured, targets as they are found (static and in files) and relabelled.

https://prometheus.io/docs/prometheus/latest/configuration/configuration/#scrape_config
"""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import orjson
import yaml

from aiops.domain.graph import EMPTY
from aiops.errors import ConfigError, InputError
from ingest.sources.http_access import HttpAccess
from ingest.sources.relabelling import RelabelRule, relabel

MAX_BODY_BYTES = 16 * 1024 * 1024
SAMPLE_LIMIT = 200_000
TARGET_LIMIT = 10_000
MAX_TARGET_FILE_BYTES = 16 * 1024 * 1024

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_ADDRESS = re.compile(r"[^\s/@?#]+")


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """Addresses (``HOST:PORT``) that share labels."""

    targets: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True)
class ScrapeJob:
    """One scrape configuration; names and meanings are Prometheus's. ``file_sd``: files or patterns of files that list target
    groups, as JSON or YAML. A limit of 0 is none. Raises ConfigError."""

    job: str
    static: tuple[TargetGroup, ...] = ()
    file_sd: tuple[str, ...] = ()
    interval_s: float = 15.0
    timeout_s: float = 10.0
    scheme: str = "http"
    metrics_path: str = "/metrics"
    params: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: EMPTY_PARAMS)
    honor_labels: bool = False
    honor_timestamps: bool = True
    relabel: tuple[RelabelRule, ...] = ()
    metric_relabel: tuple[RelabelRule, ...] = ()
    access: HttpAccess = field(default_factory=HttpAccess)
    body_size_limit: int = MAX_BODY_BYTES
    sample_limit: int = SAMPLE_LIMIT
    label_limit: int = 0
    label_name_length_limit: int = 0
    label_value_length_limit: int = 0
    target_limit: int = TARGET_LIMIT

    def __post_init__(self) -> None:
        if not self.job:
            raise ConfigError("a scrape job needs a name")
        if not 0 < self.timeout_s <= self.interval_s:
            raise ConfigError(f"scrape job {self.job!r}: the timeout must be above 0 and within the interval")
        if self.scheme not in ("http", "https"):
            raise ConfigError(f"scrape job {self.job!r}: the scheme is {self.scheme!r}", hint="http or https")
        if self.body_size_limit < 1:
            raise ConfigError(f"scrape job {self.job!r}: body_size_limit must be 1 or more")
        limits = (
            self.sample_limit,
            self.label_limit,
            self.label_name_length_limit,
            self.label_value_length_limit,
            self.target_limit,
        )
        if min(limits) < 0:
            raise ConfigError(f"scrape job {self.job!r}: a limit must be 0 (none) or more")


EMPTY_PARAMS: Mapping[str, tuple[str, ...]] = {}


@dataclass(frozen=True, slots=True)
class Target:
    """One URL and the labels that its series get, sorted by name."""

    job: ScrapeJob
    url: str
    labels: tuple[tuple[str, str], ...]
    interval_s: float
    timeout_s: float

    @property
    def key(self) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        """Targets with the same key are one."""
        return self.job.job, self.url, self.labels


def targets_of(job: ScrapeJob, groups: Sequence[TargetGroup]) -> tuple[tuple[Target, ...], int]:
    """The targets of the groups after relabelling, without doubles, and how many relabelling dropped. Raises InputError for an
    address that is none and above the job's target limit."""
    found: dict[tuple[str, str, tuple[tuple[str, str], ...]], Target] = {}
    dropped = 0
    for group in groups:
        for address in group.targets:
            target = _target(job, address, group.labels)
            if target is None:
                dropped += 1
            else:
                found.setdefault(target.key, target)
    if job.target_limit and len(found) > job.target_limit:
        raise InputError(
            f"scrape job {job.job!r}: {len(found)} targets, {job.target_limit} are allowed",
            hint="raise target_limit",
        )
    return tuple(found.values()), dropped


def _target(job: ScrapeJob, address: str, group_labels: Mapping[str, str]) -> Target | None:
    labels = {
        "job": job.job,
        "__scheme__": job.scheme,
        "__metrics_path__": job.metrics_path,
        "__scrape_interval__": _duration(job.interval_s),
        "__scrape_timeout__": _duration(job.timeout_s),
        **{f"__param_{name}": values[0] for name, values in job.params.items() if values},
        **group_labels,
        "__address__": address,
    }
    kept = relabel(labels, job.relabel)
    if kept is None:
        return None
    place = kept.get("__address__", "")
    if _ADDRESS.fullmatch(place) is None:
        raise InputError(f"scrape job {job.job!r}: {place!r} is no address", hint="HOST:PORT")
    scheme = kept.get("__scheme__", "")
    if scheme not in ("http", "https"):
        raise InputError(f"scrape job {job.job!r}: {scheme!r} is no scheme", hint="http or https")
    url = f"{scheme}://{place}{_path(kept.get('__metrics_path__', ''))}{_query(job, kept)}"
    final = {name: value for name, value in kept.items() if not name.startswith("__")}
    final.setdefault("instance", place)
    interval_s = _seconds(kept.get("__scrape_interval__", ""), job)
    return Target(
        job,
        url,
        tuple(sorted(final.items())),
        interval_s,
        min(interval_s, _seconds(kept.get("__scrape_timeout__", ""), job)),
    )


def _path(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"


def _query(job: ScrapeJob, labels: Mapping[str, str]) -> str:
    """The job's parameters; the first value of each is what relabelling made of it."""
    params = {name: list(values) for name, values in job.params.items()}
    for name, value in labels.items():
        if name.startswith("__param_"):
            held = params.setdefault(name.removeprefix("__param_"), [])
            held[:1] = [value]
    return f"?{urlencode(params, doseq=True)}" if params else ""


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?")


def _seconds(text: str, job: ScrapeJob) -> float:
    """``1m30s`` as Prometheus writes durations."""
    found = _DURATION.fullmatch(text)
    parts = (0.0,) if found is None else tuple(float(part or 0) for part in found.groups())
    seconds = sum(part * unit for part, unit in zip(parts, (86_400, 3_600, 60, 1, 0.001), strict=False))
    if seconds <= 0:
        raise InputError(f"scrape job {job.job!r}: {text!r} is no duration", hint="for example 15s")
    return seconds


@dataclass(frozen=True, slots=True)
class ScrapeTarget:
    """The simple case: one target by its URL. Raises ConfigError for a URL that is none."""

    job: str
    url: str
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    interval_s: float = 15.0
    timeout_s: float = 10.0
    honor_labels: bool = False

    def __post_init__(self) -> None:
        self.as_job()

    def as_job(self) -> ScrapeJob:
        """The same as a job."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"scrape target {self.url!r} is no http URL", hint="http://HOST:PORT/metrics")
        if parts.username is not None:
            raise ConfigError("a scrape URL must not carry a password", hint="name a password file")
        params: dict[str, tuple[str, ...]] = {}
        for name, value in parse_qsl(parts.query, keep_blank_values=True):
            params[name] = (*params.get(name, ()), value)
        return ScrapeJob(
            self.job,
            (TargetGroup((parts.netloc,), self.labels),),
            interval_s=self.interval_s,
            timeout_s=self.timeout_s,
            scheme=parts.scheme,
            metrics_path=parts.path or "/",
            params=params,
            honor_labels=self.honor_labels,
        )


def read_target_file(path: Path) -> tuple[TargetGroup, ...]:
    """The groups of one ``file_sd`` file, ``.json``, ``.yml`` or ``.yaml``; each gets ``__meta_filepath``. Raises InputError."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_TARGET_FILE_BYTES + 1)
    except OSError as exc:
        raise InputError(f"{path}: cannot be read: {exc.strerror}", file=str(path)) from exc
    if len(raw) > MAX_TARGET_FILE_BYTES:
        raise InputError(f"{path}: more than {MAX_TARGET_FILE_BYTES} bytes", file=str(path))
    try:
        document = orjson.loads(raw) if path.suffix == ".json" else yaml.safe_load(raw)
    except (orjson.JSONDecodeError, yaml.YAMLError, UnicodeDecodeError, RecursionError) as exc:
        raise InputError(f"{path}: neither JSON nor YAML: {exc}", file=str(path)) from exc
    if not isinstance(document, list):
        raise InputError(f"{path}: must be a list of groups with targets and labels", file=str(path))
    return tuple(_group(entry, path, number) for number, entry in enumerate(document, start=1))


def _group(entry: object, path: Path, number: int) -> TargetGroup:
    def wrong(text: str) -> InputError:
        return InputError(f"{path}, group {number}: {text}", file=str(path))

    if not isinstance(entry, dict) or not set(entry) <= {"targets", "labels"}:
        raise wrong("must be an object with targets and labels, and nothing else")
    targets, labels = entry.get("targets", []), entry.get("labels") or {}
    if not isinstance(targets, list) or not all(isinstance(target, str) and target for target in targets):
        raise wrong("targets must be a list of HOST:PORT")
    if not isinstance(labels, dict):
        raise wrong("labels must be an object")
    for name, value in labels.items():
        if not isinstance(name, str) or _LABEL_NAME.fullmatch(name) is None or not isinstance(value, str):
            raise wrong(f"{name!r}: {value!r} is no label; names of letters, digits and _, values texts")
    return TargetGroup(tuple(targets), {**labels, "__meta_filepath": str(path)})


class TargetFiles:
    """The ``file_sd`` files of one job, read again when they change. One that cannot be used keeps the targets it gave before."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = tuple(patterns)
        self._held: dict[Path, tuple[tuple[int, int, int], tuple[TargetGroup, ...]]] = {}

    def read(self) -> tuple[tuple[TargetGroup, ...], tuple[InputError, ...]]:
        """All groups as they are now, and what went wrong since the last call."""
        names = sorted({name for pattern in self._patterns for name in glob.glob(pattern)})  # noqa: PTH207 - absolute patterns
        problems: list[InputError] = []
        held: dict[Path, tuple[tuple[int, int, int], tuple[TargetGroup, ...]]] = {}
        for path in map(Path, names):
            before = self._held.get(path)
            try:
                found = path.stat()
                stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
                if before is not None and before[0] == stamp:
                    held[path] = before
                    continue
                held[path] = (stamp, read_target_file(path))
            except OSError as exc:
                problems.append(InputError(f"{path}: cannot be read: {exc.strerror}", file=str(path)))
            except InputError as exc:
                problems.append(exc)
                held[path] = (stamp, before[1] if before is not None else ())
        self._held = held
        return tuple(group for _stamp, groups in held.values() for group in groups), tuple(problems)
