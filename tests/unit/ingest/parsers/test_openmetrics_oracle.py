"""The strict verdict on OpenMetrics beside prometheus_client's, on documents that were damaged at random."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from aiops.errors import ParseError
from ingest.parsers.exposition import parse_exposition
from ingest.parsers.openmetrics import judge_openmetrics

ROOT = Path(
    os.environ.get("AIOPS_SHARED_DATA") or Path(__file__).resolve().parents[4].parent / "shared" / "data"
)
OWN = (
    b"# EOF\n",
    b'# TYPE a info\na_info{v="1"} 1\n# EOF\n',
    b'# TYPE a stateset\na{a="x"} 0\na{a="y"} 1\n# EOF\n',
    b'# HELP a text\n# TYPE a summary\na{quantile="0.5"} 1\na_count 1\na_sum 2\n# EOF\n',
    b'# TYPE a histogram\na_bucket{le="1.0"} 1\na_bucket{le="+Inf"} 2 # {t="1"} 0.5\na_count 2\na_sum 3\n# EOF\n',
    b"# TYPE a_s gauge\n# UNIT a_s s\na_s 1 1\na_s 2 2\n# EOF\n",
    b'# TYPE a counter\na_total{b="c",d="e"} 1 1.5 # {id="7"} 1 1.25\na_created{b="c",d="e"} 5\n# EOF\n',
    b'# TYPE a gaugehistogram\na_bucket{le="-1.0"} 1\na_bucket{le="+Inf"} 2\na_gcount 2\na_gsum -3\n# EOF\n',
)
PIECES = (
    *(
        b" ",
        b"\n",
        b'"',
        b"{",
        b"}",
        b",",
        b"=",
        b"1",
        b"-",
        b".",
        b"#",
        b"\\",
        b"\xff",
        b"0",
        b"e5",
        b"a",
        b"le",
    ),
    *(b"_total", b"_sum", b"_created", b"+Inf", b"NaN", b"# EOF\n"),
)


def damaged(document: bytes, rng: random.Random) -> bytes:
    """``document`` with a piece put in or taken out, or with two lines exchanged."""
    at, kind = rng.randrange(len(document) + 1), rng.randrange(3)
    if kind == 0:
        return document[:at] + document[at + rng.randint(1, 3) :]
    if kind == 1:
        return document[:at] + rng.choice(PIECES) + document[at:]
    lines = document.split(b"\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def accepted(document: bytes) -> bool:
    try:
        judge_openmetrics(document)
    except ParseError:
        return False
    return True


def accepted_by_peer(document: bytes) -> bool:
    try:
        return sum(1 for _ in text_string_to_metric_families(document.decode())) >= 0
    except (
        ValueError,
        AttributeError,
        KeyError,
        IndexError,
    ):  # it raises all of these on purpose or by accident
        return False


def agreement(documents: list[bytes], count: int) -> float:
    rng = random.Random(20261127)
    same = 0
    for _ in range(count):
        document = damaged(rng.choice(documents), rng)
        verdict = accepted(document)
        same += verdict == accepted_by_peer(document)
        batch = parse_exposition(document, source="s", received_at_s=1.0, openmetrics=True)
        assert not verdict or not batch.rejects  # what follows the standard is read whole
    return same / count


def test_damaged_documents_get_the_verdict_of_prometheus_client() -> None:
    """The rest are its leniencies: two blanks in a TYPE line, times that go back in the ninth digit, values without a blank."""
    assert agreement(list(OWN), 3000) >= 0.99


@pytest.mark.shared
def test_damaged_documents_of_the_suite_get_the_verdict_of_prometheus_client() -> None:
    folder = ROOT / "ingest" / "openmetrics" / "parsers"
    documents = [path.read_bytes() for path in sorted(folder.glob("*/metrics"))]
    if not documents:
        pytest.skip("the OpenMetrics suite is not here")
    assert agreement(documents, 3000) >= 0.99
