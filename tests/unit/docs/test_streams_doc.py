"""docs/streams.md names every setting of the journals, with its default, and every topic as it is made."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ingest.journal.kafka_settings import TOPICS, KafkaSettings
from ingest.journal.spool import SpoolLimits

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "streams.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name", [field.name for kind in (KafkaSettings, SpoolLimits) for field in dataclasses.fields(kind)]
)
def test_every_setting_is_there(name: str) -> None:
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("name", TOPICS)
def test_every_topic_is_as_it_is_made(name: str) -> None:
    plan = TOPICS[name]
    kept = "compacted" if plan.compacted else f"{plan.retention_s // 86_400} days"
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
    assert row.startswith(f"| `{name}` | {plan.partitions} | {kept}")


def test_defaults_in_bytes_and_seconds() -> None:
    settings, limits = KafkaSettings(), SpoolLimits()
    for name, value, unit in (
        ("max_bytes", limits.max_bytes >> 30, "GiB"),
        ("segment_bytes", limits.segment_bytes >> 20, "MiB"),
        ("max_record_bytes", limits.max_record_bytes >> 20, "MiB"),
        ("buffer_bytes", settings.buffer_bytes >> 20, "MiB"),
        ("fetch_max_bytes", settings.fetch_max_bytes >> 20, "MiB"),
    ):
        assert f"| `{name}` | {value} {unit} |" in PAGE
    assert settings.max_record_bytes == limits.max_record_bytes
    assert f"| `delivery_timeout_s` | {settings.delivery_timeout_s:.0f} |" in PAGE
