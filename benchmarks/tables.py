"""Writes the measured tables into README.md and docs/accuracy.md, between ``<!-- table NAME -->`` and ``<!-- end -->``.

``python -m benchmarks.tables [--check]``; with ``--check`` nothing is written, and a difference is exit code 1.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGES = ("README.md", "docs/accuracy.md", "docs/network.md")
_BLOCK = re.compile(r"(<!-- table (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def render(page: str) -> str:
    """``page`` with every table made anew. Raises KeyError for a table that nobody knows."""
    return _BLOCK.sub(lambda found: f"{found[1]}{TABLES[found['name']]()}\n{found[3]}", page)


def accuracy() -> str:
    """AC@k by data set, beside the baselines."""
    document = _read("accuracy.json")
    rows = []
    for name, found in sorted(document["sets"].items()):
        low, high = found["ac1_ci95"]
        cells = [name, str(found["n"]), f"**{found['ac1']:.2f}** ({low:.2f}-{high:.2f})"]
        cells += [f"{found[key]:.2f}" for key in ("ac3", "ac5", "avg5", "mrr")]
        cells += [_pair(found["baselines"].get(peer)) for peer in ("random", "largest robust z", "BARO")]
        rows.append(cells)
    head = ["data set", "cases", "AC@1 (95% interval)", "AC@3", "AC@5", "Avg@5", "MRR"]
    return _table([*head, "random", "largest robust z", "BARO"], rows)


def recordings() -> str:
    """Place of the injected fault in each recorded outage."""
    rows = [
        [
            row["name"],
            row["split"],
            ", ".join(row["expected"][:2]),
            str(row["rank"] or "not listed"),
            row["verdict"],
        ]
        for row in _read("recordings.json")["recordings"]
    ]
    return _table(["recording", "split", "injected fault", "rank", "verdict"], rows)


def speed() -> str:
    """Throughput and latency, beside a peer or a limit of the same run."""
    rows = []
    for name in ("throughput.json", "latency.json"):
        for row in _read(name)["results"]:
            peer = f"{row['peer']} {_number(row['peer_value'])}" if row["peer"] else ""
            ratio = f"{row['ratio']:.2f}" if row["ratio"] is not None else ""
            rows.append([row["name"], f"{_number(row['value'])} {row['unit']}", peer, ratio])
    return _table(["what", "median", "beside", "ratio"], rows)


def simulator() -> str:
    """What unlearned scorers reach on real and on simulated failures, and how alike the two orders are."""
    document = _read("simulator.json")
    found = sorted(document["scorers"], key=lambda row: (-row["real_avg5"], row["scorer"]))
    measures = ("real_ac1", "simulated_ac1", "real_avg5", "simulated_avg5")
    rows = [[row["scorer"], *(f"{row[measure]:.2f}" for measure in measures)] for row in found]
    alike = document["spearman"]
    rows.append(["**Spearman**", "", f"**{alike['ac1']:.2f}**", "", f"**{alike['avg5']:.2f}**"])
    return _table(["scorer", "AC@1 real", "AC@1 simulated", "Avg@5 real", "Avg@5 simulated"], rows)


TABLES = {"accuracy": accuracy, "recordings": recordings, "simulator": simulator, "speed": speed}


def _pair(baseline: Mapping[str, float] | None) -> str:
    return "" if baseline is None else f"{baseline['ac1']:.2f} / {baseline['ac3']:.2f}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _read(name: str) -> dict[str, Any]:
    document = json.loads((RESULTS / name).read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def main() -> None:
    changed = False
    for name in PAGES:
        path = ROOT / name
        before = path.read_text(encoding="utf-8")
        after = render(before)
        changed |= before != after
        if "--check" not in sys.argv:
            path.write_text(after, encoding="utf-8")
    if changed and "--check" in sys.argv:
        sys.exit("the tables are not those of benchmarks/results; run python -m benchmarks.tables")


if __name__ == "__main__":
    main()
