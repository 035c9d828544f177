"""Plays every recorded outage and writes the place of the injected fault: ``python -m benchmarks.recordings [-o FILE]``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from aiops.wiring import load
from aiops.wiring.recordings import play, scenarios
from benchmarks.report import commit, machine, parser

FOLDER = Path(__file__).resolve().parent.parent / "scenarios" / "recordings"


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser(__doc__ or "").parse_args(arguments)
    folders = {
        **scenarios(),
        **{path.parent.name: path.parent for path in sorted(FOLDER.glob("*/recording.json"))},
    }
    names = sorted(name for name in folders if options.only in (None, name))
    rows = []
    for name in names[:2] if options.quick else names:
        played = play(load(), folders[name])
        sys.stderr.write(f"{name}: {played.rank or 'not listed'}\n")
        rows.append(
            {
                "name": name,
                "split": "test" if name.endswith("-b") else "development",
                "expected": list(played.expected),
                "rank": played.rank,
                "verdict": played.analysis["verdict"],
                "first": [cause["entity"]["id"] for cause in played.analysis["causes"][:3]],
                "replay_s": round(played.replay_s, 2),
                "analysis_s": round(played.analysis_s, 3),
            }
        )
    text = json.dumps({"commit": commit(), "machine": machine(), "recordings": rows}, indent=1) + "\n"
    if options.output is None:
        sys.stdout.write(text)
    else:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text)


if __name__ == "__main__":
    main()
