"""docs/daemon.md names every key with its default, and docs/operations.md every metric; neither names one that is not."""

from __future__ import annotations

import re
from pathlib import Path

from ingest.config_keys import Key, keys
from ingest.counters import IngestMetrics, Reading
from ingest.daemon_metrics import DaemonMetrics, HeldReading, ProcessorReading, ReceiverReading
from ingest.retention import RetentionReading

DOCS = Path(__file__).parents[3] / "docs"


def test_the_table_of_keys_is_that_of_the_model() -> None:
    table = (DOCS / "daemon.md").read_text("utf-8").partition("| key | variable |")[2].partition("\n\n")[0]
    assert table.splitlines()[2:] == [row_of(key) for key in keys()]


def row_of(key: Key) -> str:
    default = "needed" if key.required else written(key.default)
    variable = f"`{key.variable}`" if key.variable else ""
    return f"| `{key.path}` | {variable} | {default} | {key.text} |"


def written(value: object) -> str:
    if value in (None, "", [], {}):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return " ".join(f"`{item}`" for item in value)
    return f"`{value}`"


def test_every_metric_of_the_daemon_is_documented_and_every_documented_one_exists() -> None:
    reading = ProcessorReading(lag_records={"logs-0": 0})
    collectors = (
        IngestMetrics(lambda: Reading({}, {}, 0, 0, 0)),
        DaemonMetrics(
            receiver=ReceiverReading,
            processor=lambda: reading,
            held=HeldReading,
            retention=RetentionReading,
        ),
    )
    made = {
        metric.name + ("_total" if metric.type == "counter" else "")
        for collector in collectors
        for metric in collector.collect()
    }
    text = (
        (DOCS / "operations.md")
        .read_text("utf-8")
        .partition("## Metrics of the ingest")[2]
        .partition("\n## ")[0]
    )
    documented = set(re.findall(r"^\| `(aiops_[a-z_]+)`", text, re.M))
    assert documented == made
