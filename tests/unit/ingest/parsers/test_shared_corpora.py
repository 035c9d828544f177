"""The parsers on public corpora, where they exist: whole verdicts and shares, not examples."""

from __future__ import annotations

import base64
import csv
import json
import os
import re
from collections import defaultdict
from pathlib import Path

import pytest

from aiops.domain.batches import RawBatch
from aiops.errors import ParseError
from ingest.parsers.exposition import parse_exposition
from ingest.parsers.openmetrics import judge_openmetrics
from ingest.parsers.rfc5424 import judge_rfc5424
from ingest.parsers.syslog import parse_syslog
from ingest.templates import TemplateMiner

pytestmark = pytest.mark.shared

ROOT = Path(
    os.environ.get("AIOPS_SHARED_DATA") or Path(__file__).resolve().parents[4].parent / "shared" / "data"
)
FILLED = {
    **{"mark": "<111>", "bsd": "Mar  7 04:05:06", "iso": "2023-11-14T04:05:06.123456", "host": "device-1"},
    **{
        "iso_header": "2023-11-14T04:05:06.123456",
        "epoch": "1699934706",
        "app": "program",
        "pid": "4321",
        "tzname": "UTC",
    },
    **{
        "date": "2023-11-14",
        "time": "04:05:06",
        "hostname": "device-1",
        "node_id": "LC/0/2/CPU0",
        "key": "device-1",
    },
    **{"timestamp": "2023-11-14T04:05:06.123Z"},
}


def corpus(name: str) -> Path:
    folder = ROOT / "ingest" / name
    if not folder.exists():
        pytest.skip(f"the shared corpus ingest/{name} is not on this machine")
    return folder


def host_of(line: bytes) -> str | None:
    table = parse_syslog(RawBatch("s", "syslog-udp", "p", (line,), (1.7e9,))).table
    host: str | None = table["host"][0].as_py() if table.num_rows else None
    return host


def test_strict_verdicts_and_values_of_rfc5424() -> None:
    text = (corpus("go_syslog") / "rfc5424_cases.jsonl").read_text()
    cases = [json.loads(line) for line in text.splitlines()]
    agreed = sum(
        (judge_rfc5424(base64.b64decode(case["input_b"])) is None) == case["valid"] for case in cases
    )
    assert agreed / len(cases) >= 0.99
    for case in (case for case in cases if case["valid"]):
        line = base64.b64decode(case["input_b"])
        (row,) = parse_syslog(RawBatch("s", "syslog-udp", "p", (line,), (1.7e9,))).table.to_pylist()
        value = case["value"]
        assert [row[name] for name in ("facility", "severity", "host", "app", "procid", "msgid")] == [
            value[name] for name in ("Facility", "Severity", "Hostname", "Appname", "ProcID", "MsgID")
        ]
        assert row["message"] == (value["Message"] or "").removeprefix("\ufeff").rstrip("\r\n\0")
        assert json.loads(row["structured_data"] or "{}") == (value["StructuredData"] or {})


def test_hosts_of_network_devices() -> None:
    lines = sorted(corpus("napalm_logs").glob("*/*/*/syslog.msg"))
    found = sum(
        host_of(line.read_bytes()) == json.loads((line.parent / "yang.json").read_text())["host"]
        for line in lines
    )
    assert found / len(lines) >= 0.98


def test_hosts_of_many_products() -> None:
    def fill(text: str) -> str:
        zoned = re.sub(r"(\{\{ *iso *\}\})(?!Z)", r"\1+00:00", text)
        return re.sub(r"\{\{-?\s*(\w+)\s*-?\}\}", lambda mark: FILLED.get(mark[1], "X"), zoned)

    found = total = 0
    for line in (corpus("sc4s") / "events.jsonl").read_text().splitlines():
        case = json.loads(line)
        wanted = re.search(r'host="([^"]*)"', case["search"])
        if wanted is not None:
            total += 1
            found += (host_of(fill(case["template"]).encode()) or "").lower() == fill(wanted[1]).lower()
    assert found / total >= 0.93


def test_verdicts_on_openmetrics() -> None:
    cases = sorted(corpus("openmetrics").glob("parsers/*/test.json"))
    wrong = []
    for case in cases:
        try:
            judge_openmetrics((case.parent / "metrics").read_bytes())
            accepted = True
        except ParseError:
            accepted = False
        if accepted != json.loads(case.read_text())["shouldParse"]:
            wrong.append(case.parent.name)
    assert wrong == []


def test_real_expositions_have_no_rejects() -> None:
    for file in sorted(corpus("node_exporter_expo").glob("*.txt")):
        batch = parse_exposition(file.read_bytes(), source="s", received_at_s=0.0)
        assert batch.rejects == ()
        assert batch.value.size > 50


def test_grouping_accuracy_of_templates() -> None:
    accuracies = []
    for folder in sorted(path for path in corpus("loghub_2k").iterdir() if path.is_dir()):
        with (folder / f"{folder.name}_2k.log_structured.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assigned = TemplateMiner().assign([row["Content"] for row in rows])
        ours: dict[object, set[int]] = defaultdict(set)
        theirs: dict[str, set[int]] = defaultdict(set)
        for place, (number, row) in enumerate(zip(assigned, rows, strict=True)):
            ours[number].add(place)
            theirs[row["EventId"]].add(place)
        right = sum(len(group) for group in ours.values() if theirs[rows[min(group)]["EventId"]] == group)
        accuracies.append(right / len(rows))
    assert sum(accuracies) / len(accuracies) >= 0.9
