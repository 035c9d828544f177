"""aiops.yaml: every problem with its line, the environment above the file, secrets outside of it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aiops.settings import Settings
from aiops.wiring.config import disk_faults, load_daemon_config, shown
from ingest.config_file import ConfigFaults, parse_config, read_config
from ingest.config_keys import keys
from ingest.config_values import (
    parse_address,
    parse_duration,
    parse_size,
    write_address,
    write_duration,
    write_size,
)

EXAMPLE = resources.files("ingest").joinpath("aiops.example.yaml").read_text("utf-8")


def faults_of(text: str, **environment: str) -> list[str]:
    with pytest.raises(ConfigFaults) as caught:
        parse_config(text, "aiops.yaml", environment)
    return [str(fault) for fault in caught.value.faults]


def test_every_problem_is_told_at_once_with_line_and_key() -> None:
    text = """\
role: al
sources:
  syslog_udp:
    - listen: 127.0.0.1
      sockts: 3
      receive_buffer: 8
  scrape:
    - job: a
    - job: b
      targets: [x]
      timeout: 1m
      interval: 30s
journal: {partitons: 3}
intervals:
  snapshot: 30
  drain: 30 parsecs
limits: {inbox: true, poll: 1KB}
"""
    assert faults_of(text) == [
        "aiops.yaml:1: role: input should be 'all', 'receive' or 'process'",
        "aiops.yaml:4: sources.syslog_udp[0].listen: expected ADDRESS:PORT, for example 127.0.0.1:5514",
        "aiops.yaml:5: sources.syslog_udp[0].sockts: unknown key; did you mean sockets?",
        "aiops.yaml:6: sources.syslog_udp[0].receive_buffer: expected a size with its unit, write 8B for bytes",
        "aiops.yaml:8: sources.scrape[0]: name targets or file_sd",
        "aiops.yaml:9: sources.scrape[1]: the timeout is longer than the interval",
        "aiops.yaml:13: journal.partitons: unknown key; known are kind, append_timeout, spool, kafka",
        "aiops.yaml:15: intervals.snapshot: expected a duration with its unit, write 30s for seconds",
        "aiops.yaml:16: intervals.drain: unknown unit 'parsecs' of a duration; known are ms, s, m, h, d, w",
        "aiops.yaml:17: limits.inbox: expected a size such as 64MiB",
        "aiops.yaml:17: limits.poll: unknown unit 'KB' of a size; known are B, KiB, MiB, GiB, TiB, kB, MB, GB",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: [", "aiops.yaml:2: did not find expected node content"),
        ("role: all\nrole: all\n", "aiops.yaml:2: the key 'role' is there twice"),
        ("- all\n", "aiops.yaml:1: expected a mapping (key: value)"),
        ("sources: 3\n", "aiops.yaml:1: sources: input should be a valid dictionary or instance of Sources"),
    ],
)
def test_a_file_that_is_no_configuration(text: str, fault: str) -> None:
    assert faults_of(text) == [fault]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigFaults, match="cannot be read: No such file"):
        read_config(tmp_path / "none.yaml", {})


def test_a_file_of_comments_is_the_defaults() -> None:
    assert parse_config("# nothing\n", "f", {}).config == parse_config("", "f", {}).config


def test_the_environment_wins_over_the_file() -> None:
    text = "journal: {kind: spool, kafka: {servers: [a:1], partitions: 3}}\nintervals: {drain: 1s}\n"
    given = {
        "AIOPS_JOURNAL_KIND": "kafka",
        "AIOPS_JOURNAL_KAFKA_SERVERS": "b:1, c:2",
        "AIOPS_JOURNAL_KAFKA_TLS_VERIFY_HOST": "false",
        "AIOPS_INTERVALS_DRAIN": "2m",
        "AIOPS_SOURCES_HTTP_LISTEN": ":0",
    }
    config = parse_config(text, "f", given).config
    assert config.journal.kind == "kafka"
    assert config.journal.kafka.servers == ("b:1", "c:2")
    assert config.journal.kafka.partitions == 3
    assert config.journal.kafka.tls is not None
    assert not config.journal.kafka.tls.verify_host
    assert config.intervals.drain == 120.0
    assert config.sources.http is not None
    assert config.sources.http.listen == ("127.0.0.1", 0)


def test_a_wrong_variable_is_told_by_its_name() -> None:
    assert faults_of("", AIOPS_JOURNAL_KAFKA_SERVER="a:1", AIOPS_LIMITS_INBOX="3") == [
        "environment: AIOPS_JOURNAL_KAFKA_SERVER: no such variable; did you mean AIOPS_JOURNAL_KAFKA_SERVERS?",
        "environment: AIOPS_LIMITS_INBOX: expected a size with its unit, write 3B for bytes",
    ]


def test_a_secret_is_refused_in_the_file_and_taken_from_the_environment() -> None:
    text = "journal:\n  kafka:\n    sasl:\n      username: u\n      password: hunter2\n"
    assert faults_of(text) == [
        "aiops.yaml:5: journal.kafka.sasl.password: a secret does not belong in this file: use password_file or the environment"
    ]
    by_file = "journal:\n  kafka:\n    sasl:\n      password_file: /f\n"
    loaded = parse_config(by_file, "f", {"AIOPS_JOURNAL_KAFKA_SASL_PASSWORD": "hunter2"})
    sasl = loaded.config.journal.kafka.sasl
    assert sasl is not None
    assert (sasl.password_file, sasl.password.get_secret_value() if sasl.password else "") == (
        None,
        "hunter2",
    )
    assert "hunter2" not in repr(loaded)


def test_the_command_line_wins_over_the_environment_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "aiops.yaml"
    file.write_text(
        f"data: {tmp_path}/f\nstore: {{kind: neo4j, neo4j: {{uri: 'bolt://f:1', user: f, password_file: /f}}}}\n"
        "limits: {signals: 3MiB}\n"
    )
    monkeypatch.setenv("AIOPS_NEO4J_URI", "bolt://e:1")
    monkeypatch.setenv("AIOPS_NEO4J_PASSWORD", "hunter2")
    whole = load_daemon_config(file, data=tmp_path / "c")
    assert (whole.settings.store, whole.settings.neo4j_uri, whole.settings.neo4j_user) == (
        "neo4j",
        "bolt://e:1",
        "f",
    )
    assert (whole.settings.data, whole.settings.signals_max_bytes) == (tmp_path / "c", 3 * 2**20)
    assert whole.settings.secret("neo4j_password") == "hunter2"
    document = yaml.safe_dump(shown(whole))
    assert "hunter2" not in document
    assert "bolt://e:1" in document


def test_what_is_shown_reads_as_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, again = tmp_path / "aiops.yaml", tmp_path / "again.yaml"
    file.write_text(EXAMPLE)
    first = load_daemon_config(file)
    again.write_text(yaml.safe_dump(shown(first)))
    second = load_daemon_config(again)
    assert second.config == first.config
    assert second.settings == first.settings


def test_the_example_has_every_key_and_defaults_where_there_are_any() -> None:
    plain = yaml.safe_load(EXAMPLE)
    missing = []
    for key in keys():
        if key.only_environment or f"# {key.path.rpartition('.')[2]}:" in EXAMPLE:
            continue
        here = [plain]
        for part in key.path.split("."):
            name, many = part.removesuffix("[]"), part.endswith("[]")
            here = [member[name] for member in here if name in member]
            here = [item for member in here for item in member] if many else here
        if not here:
            missing.append(key.path)
        elif key.path.endswith("client_certificates"):
            continue  # the example shows what names of senders need
        elif key.default not in (None, [], {}, "") and not key.required:
            assert here[0] == key.default, key.path
    assert missing == []
    parse_config(EXAMPLE, "example", {})


def test_no_two_keys_share_a_variable_and_settings_are_settings() -> None:
    variables = [key.variable for key in keys() if key.variable]
    assert len(set(variables)) == len(variables)
    assert {key.setting for key in keys() if key.setting} <= set(Settings.model_fields)
    others = {f"AIOPS_{name.upper()}" for name in Settings.model_fields}
    assert {key.variable for key in keys() if not key.setting} & others == set()


def test_what_the_disk_does_not_have_is_told_with_its_line(tmp_path: Path) -> None:
    file, mapping = tmp_path / "aiops.yaml", tmp_path / "mapping.yaml"
    file.write_text(
        f"mapping: {mapping}\nsources:\n  scrape:\n    - job: a\n      targets: [x]\n      access: {{ca: {tmp_path}/t.json}}\n"
    )
    assert [str(fault) for fault in disk_faults(load_daemon_config(file))] == [
        f"{file}:1: mapping: {mapping}: there is no such file",
        f"{file}:6: sources.scrape[0].access.ca: {tmp_path}/t.json: there is no such file",
    ]
    (tmp_path / "t.json").write_text("[]")
    mapping.write_text("# mine\nnope: 1\n")
    (fault,) = disk_faults(load_daemon_config(file))
    assert (fault.file, fault.line) == (str(mapping), 2)


@given(st.integers(min_value=0, max_value=2**45))
def test_sizes_read_as_they_were_written(size: int) -> None:
    assert parse_size(write_size(size)) == size


@given(st.integers(min_value=0, max_value=10**9))
def test_durations_read_as_they_were_written(milliseconds: int) -> None:
    assert parse_duration(write_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)


@pytest.mark.parametrize("text", ["127.0.0.1:0", "[::1]:514", "localhost:65535"])
def test_addresses_read_as_they_were_written(text: str) -> None:
    assert write_address(parse_address(text)) == text


@pytest.mark.parametrize(
    ("text", "seconds"), [("1h30m", 5400.0), ("500ms", 0.5), ("1.5s", 1.5), ("0", 0.0), ("2w", 1209600.0)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
