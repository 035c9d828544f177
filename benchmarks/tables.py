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
PAGES = (
    "README.md",
    "docs/accuracy.md",
    "docs/network.md",
    "docs/streams.md",
    "docs/daemon.md",
    "docs/sources.md",
    "docs/performance.md",
)
#: Scorers shown beside the product, by their name in the results.
PEERS = {
    "random": "random",
    "largest_robust_z": "largest robust z",
    "baro": "BARO",
    "ranked_correlation": "ranked correlation",
    "random_walk": "random walk",
}
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
        kinds = found["kind_acc"]
        cells += ["" if kinds is None else f"{kinds:.2f}", f"{found['ms_p50']:.0f}"]
        cells += [_pair(found["baselines"].get(peer)) for peer in PEERS]
        rows.append(cells)
    head = ["data set", "cases", "AC@1 (95% interval)", "AC@3", "AC@5", "Avg@5", "MRR", "kind", "ms"]
    return _table([*head, *PEERS.values()], rows)


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
    """Throughput and latency, beside a peer or a limit of the same run; the stages of one analysis in one row."""
    rows: list[list[str]] = []
    stages: dict[str, list[str]] = {}
    for name in ("throughput.json", "latency.json"):
        for row in _read(name)["results"]:
            site, _, stage = row["name"].partition(": ")
            if stage:
                if site not in stages:
                    stages[site] = []
                    rows.append(stages[site])
                stages[site].append(f"{stage} {_number(row['value'])}")
                continue
            peer = f"{row['peer']} {_number(row['peer_value'])}" if row["peer"] else ""
            ratio = f"{row['ratio']:.2f}" if row["ratio"] is not None else ""
            rows.append([row["name"], f"{_number(row['value'])} {row['unit']}", peer, ratio])
    for site, parts in stages.items():
        stages[site][:] = [f"stages of {site}, CPU ms", ", ".join(parts), "", ""]
    return _table(["what", "median", "beside", "ratio"], rows)


def analyses() -> str:
    """From a posted incident to its analysis on generated sites, beside the limits."""
    document = _read("analysis_load.json")
    rows = []
    for row in document["results"]:
        beside = f"{row['peer']} {_number(row['peer_value'])}" if row["peer"] else ""
        ratio = f"{row['ratio']:.2f}" if row["ratio"] is not None else ""
        rows.append([row["name"], f"{_number(row['value'])} {row['unit']}".strip(), beside, ratio])
    return _table(["what", "value", "beside", "ratio"], rows)


def journal() -> str:
    """Both journals: lines a second by the clock and by our CPU, appended and read."""
    rows: dict[str, dict[str, float]] = {}
    for row in _read("journal.json")["results"]:
        name, _, what = row["name"].partition(": ")
        rows.setdefault(name, {})[f"{what} {row['unit']}"] = row["value"]
    columns = ["append lines/s", "append MB/s", "append, our CPU lines/CPU s", "consume lines/s"]
    columns.append("consume, our CPU lines/CPU s")
    head = ["journal", "append, lines/s", "MB/s", "lines per CPU s", "read, lines/s", "lines per CPU s"]
    return _table(head, [[name, *(_number(row.get(one)) for one in columns)] for name, row in rows.items()])


def simulator() -> str:
    """What unlearned scorers reach on real and on simulated failures, and how alike the two orders are."""
    document = _read("simulator.json")
    found = sorted(document["scorers"], key=lambda row: (-row["real_avg5"], row["scorer"]))
    measures = ("real_ac1", "simulated_ac1", "real_avg5", "simulated_avg5")
    rows = [[row["scorer"], *(f"{row[measure]:.2f}" for measure in measures)] for row in found]
    alike = document["spearman"]
    rows.append(["**Spearman**", "", f"**{alike['ac1']:.2f}**", "", f"**{alike['avg5']:.2f}**"])
    return _table(["scorer", "AC@1 real", "AC@1 simulated", "Avg@5 real", "Avg@5 simulated"], rows)


def scorers() -> str:
    """Everything that learns nothing, pooled, and what it is."""
    document = _read("accuracy.json")
    pooled, described = document["pooled"], document["scorers"]
    own = {key: pooled[key] for key in ("ac1", "ac3", "avg5")}
    found = sorted({**pooled["baselines"], "product": own}.items(), key=lambda row: (row[1]["ac1"], row[0]))
    rows = [
        [
            _words(name),
            f"{row['ac1']:.3f}",
            f"{row['ac3']:.3f}",
            f"{row['avg5']:.3f}",
            described.get(name, ""),
        ]
        for name, row in found
    ]
    return _table(["scorer", "AC@1", "AC@3", "Avg@5", "what it is"], rows)


def protocols() -> str:
    """Every learner by protocol: AC@1 / AC@3 pooled, and the mean of the sets' AC@1."""
    found = _read("protocols.json")["protocols"]
    learners = dict.fromkeys(name for one in found.values() for name in one["learners"])
    rows = [
        ["cases", *(str(one["cases"]) for one in found.values())],
        ["at most a set", *(str(one["most_cases_a_set"] or "all") for one in found.values())],
        ["seeds", *(str(len(one["seeds"])) for one in found.values())],
    ]
    for learner in learners:
        cells = [one["learners"].get(learner) for one in found.values()]
        rows.append(
            [
                _words(learner),
                *(
                    "" if c is None else f"{c['ac1']:.3f} / {c['ac3']:.3f} ({c['macro_ac1']:.3f})"
                    for c in cells
                ),
            ]
        )
    return _table(["learner", *(_words(name) for name in found)], rows)


def differences() -> str:
    """Differences in AC@1 with their intervals: of each learner to the prior, of graph networks to the best without one."""
    rows = []
    for name, one in _read("protocols.json")["protocols"].items():
        best = one.get("best_without_graph")
        for learner, found in one["learners"].items():
            gain = found["difference"]
            cells = [_interval(gain.get("prior")), _interval(gain.get(best)) if best else ""]
            if any(cells) and learner != "prior_rules":
                rows.append([_words(name), _words(learner), *cells, _words(best or "")])
    head = ["protocol", "learner", "to the prior", "to the best without a graph", "which is"]
    return _table(head, rows)


def robustness() -> str:
    """The product and others on damaged cases."""
    document = _read("robustness.json")
    rows = []
    for name, one in document["damage"].items():
        rows.append(
            [
                name,
                *(f"{row['ac1']:.3f} / {row['ac3']:.3f}" for row in one["scorers"].values()),
                _interval(one["difference"]),
            ]
        )
    names = list(next(iter(document["damage"].values()))["scorers"])
    return f"{_scope(document)}\n\n" + _table(
        ["damage", *(_words(name) for name in names), "change of the product's AC@1"], rows
    )


def calibration() -> str:
    """Calibration error and coverage of conformal sets, on what the map had not seen."""
    document = _read("calibration.json")
    parts = {
        "incidents held out (10-fold)": document["folds"],
        "systems held out": document["left_out"],
        **{f"{name}, held out with its system": row for name, row in document["left_out_sets"].items()},
    }
    rows = [
        [
            name,
            f"{row['ece_raw']:.3f}",
            f"{row['ece']:.3f}",
            f"{row['ece_listed']:.3f}",
            f"{row['brier']:.3f}",
            f"{row['coverage']:.3f}",
            f"{row['mean_size']:.1f} ({row['median_size']:.0f})",
        ]
        for name, row in parts.items()
    ]
    return _table(
        [
            "judged on",
            "raw error",
            "calibrated error",
            "error over all listed",
            "Brier",
            "sets hold the truth",
            "mean (median) size",
        ],
        rows,
    )


def adaptation() -> str:
    """What a site's own labels are worth."""
    document = _read("adaptation.json")
    rows = [
        [
            name,
            str(row["labels"]),
            f"{row['bound']:g}",
            f"{row['ac1']:.3f}",
            f"{row['ac3']:.3f}",
            f"{row['ac5']:.3f}",
            _interval(row.get("gain")),
        ]
        for name, one in document["sets"].items()
        for row in one["rows"]
    ]
    return _table(["set", "labels", "bound", "AC@1", "AC@3", "AC@5", "gain in AC@1"], rows)


def faults() -> str:
    """What each fault cost, and how long it took to get over it."""
    rows = []
    for name, found in sorted(_read("faults.json").items()):
        senders = found["senders"].values()
        recovery = found["recovery_s"]
        rows.append(
            [
                name.replace("_", " "),
                *(str(sum(sender[key] for sender in senders)) for key in ("acknowledged", "gaps", "doubles")),
                f"{found['resident_peak_mib']:.0f}",
                "" if recovery is None else f"{recovery:.1f}",
            ]
        )
    head = ["fault", "acknowledged", "gaps", "doubles", "resident peak, MiB", "caught up after, s"]
    return _table(head, rows)


#: Rows of the table of the stream: file, row, what it says, what is aimed at, and whether the ratio or the value is meant.
STREAM = (
    ("rsyslog.json", "rfc5424_to_columns", "RFC 5424 to columns", 1.0, "ratio"),
    ("rsyslog.json", "rfc5424_to_json", "RFC 5424 to JSON", 1.0, "ratio"),
    ("rsyslog.json", "rfc3164_to_columns", "RFC 3164 to columns", 1.0, "ratio"),
    ("rsyslog.json", "rfc3164_to_json", "RFC 3164 to JSON", 1.0, "ratio"),
    ("socket_to_graph.json", "socket_to_graph_kafka", "socket to graph, Kafka and Neo4j", 0.4, "ratio"),
    ("socket_to_graph.json", "socket_to_graph_spool", "socket to graph, spool and SQLite", 0.4, "ratio"),
    ("throughput.json", "decode_remote_write", "remote write 1.0 to columns", 600_000, "value"),
    ("throughput.json", "decode_remote_write_2", "remote write 2.0 to columns", 600_000, "value"),
    ("throughput.json", "parse_exposition", "exposition text to columns", 10.0, "ratio"),
    ("neo4j_sink.json", "entities_new", "new entities into Neo4j", 0.8, "ratio"),
    ("neo4j_sink.json", "relations_new", "new relations into Neo4j", 0.8, "ratio"),
    ("neo4j_sink.json", "alarms_new", "new alarms into Neo4j", 0.8, "ratio"),
    ("metrics_memory.json", "resident", "resident with 1,000,000 active series", 2e9, "value"),
)


def stream() -> str:
    """Pace and memory of the stream beside a peer of the same run, and what was aimed at."""
    rows = []
    for file, name, what, aim, kind in STREAM:
        row = next(row for row in _read(file)["results"] if row["name"] == name)
        peer = f"{row['peer']} {_number(row['peer_value'])}" if row["peer"] else ""
        ratio = f"{row['ratio']:.2f}" if row["ratio"] is not None else ""
        wanted = f"{aim:g}" if kind == "ratio" else f"{_number(aim)} {row['unit']}"
        rows.append([what, f"{_number(row['value'])} {row['unit']}", peer, ratio, wanted])
    return _table(["what", "median", "beside", "ratio", "aim"], rows)


def udp() -> str:
    """Numbered datagrams: every one is stored or counted."""
    found = {row["name"]: row["value"] for row in _read("udp.json")["results"]}
    rows = []
    for name in (name.removesuffix("_sent") for name in found if name.endswith("_sent")):
        counts = (
            found[f"{name}_{what}"] for what in ("sent", "stored", "counted_drops", "not_counted", "doubles")
        )
        rows.append([name.replace("_", " "), *(f"{int(count):,}" for count in counts)])
    return _table(["pace", "sent", "stored", "counted drops", "not counted", "doubles"], rows)


def kills() -> str:
    """A load with kill -9 in it, on both stores: what was acknowledged, and what of it was missing or twice there."""
    stores = ("SQLite", "Neo4j")
    found = [
        {row["name"].partition(": ")[2]: row for row in _read(f"load_{store.lower()}.json")["results"]}
        for store in stores
    ]
    rows = [
        [what, *(f"{_number(one[what]['value'])} {one[what]['unit']}".strip() for one in found)]
        for what in found[0]
    ]
    return _table(["what", *stores], rows)


TABLES = {
    "kills": kills,
    "stream": stream,
    "udp": udp,
    "faults": faults,
    "journal": journal,
    "adaptation": adaptation,
    "analyses": analyses,
    "accuracy": accuracy,
    "calibration": calibration,
    "differences": differences,
    "protocols": protocols,
    "recordings": recordings,
    "robustness": robustness,
    "scorers": scorers,
    "simulator": simulator,
    "speed": speed,
}


def _scope(document: Mapping[str, Any]) -> str:
    """How much was run, where it was not everything."""
    most, seeds = document["most_cases_a_set"], document.get("seeds")
    parts = [f"{document['cases']} cases" + (f", at most {most} a set, spread over it" if most else "")]
    parts += [f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}"] if seeds else []
    return f"*{', '.join(parts)}.*"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _interval(found: Mapping[str, float] | None) -> str:
    return "" if found is None else f"{found['mean']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f})"


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
