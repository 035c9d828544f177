"""Where the labelled failures are, and the arguments of every benchmark on them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from aiops.evaluation.cases import CaseFolder, find_cases
from aiops.evaluation.examined import Examined
from aiops.evaluation.perturbations import Perturbation, unchanged
from aiops.wiring import load
from aiops.wiring.bench import Examiner, Peer, examine_cases, fingerprint
from benchmarks.report import parser

SEED = 7
QUICK_CASES = 6
DEFAULT_CASES = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "cases"


def case_arguments(description: str) -> argparse.ArgumentParser:
    """The arguments that every benchmark takes, and those for cases."""
    arguments = parser(description)
    arguments.add_argument("--cases", type=Path, metavar="DIR", help="folder with case folders below it")
    arguments.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="keep examined cases here, for the next run of the same code",
    )
    arguments.add_argument(
        "--most", type=int, metavar="N", help="at most so many cases a set, spread over the set"
    )
    return arguments


def root_of(options: argparse.Namespace) -> Path:
    """The folder that was asked for, else ``$AIOPS_SHARED_DATA/cases``, else the one beside the checkout."""
    shared = os.environ.get("AIOPS_SHARED_DATA")
    return options.cases or (Path(shared) / "cases" if shared else DEFAULT_CASES)


def chosen_cases(root: Path, *, only: str | None, quick: bool, most: int | None = None) -> list[CaseFolder]:
    """Labelled cases below ``root``; at most ``most`` a set, evenly spread over it, and with ``quick`` a few."""
    sets: dict[str, list[CaseFolder]] = {}
    for case in find_cases(root):
        if case.labelled and (not only or only in case.data_set):
            sets.setdefault(case.data_set, []).append(case)
    limit = QUICK_CASES if quick else most
    return [case for name in sorted(sets) for case in _spread(sets[name], limit)]


def _spread(cases: list[CaseFolder], limit: int | None) -> list[CaseFolder]:
    if limit is None or len(cases) <= limit:
        return cases
    return [cases[place * len(cases) // limit] for place in range(limit)]


def examined_cases(
    options: argparse.Namespace,
    *,
    peers: dict[str, Peer] | None = None,
    calibrated: bool = True,
    change: Perturbation = unchanged,
    name: str = "",
    examiner: Examiner | None = None,
) -> Iterator[tuple[CaseFolder, Examined]]:
    """The chosen cases, examined; ``name`` tells perturbations apart in the cache."""
    made = examiner or Examiner(load(), seed=SEED, peers=peers, calibrated=calibrated)
    key = cache_key(name, *sorted(peers or ()), str(calibrated))
    cases = chosen_cases(root_of(options), only=options.only, quick=options.quick, most=options.most)
    yield from examine_cases(made, cases, cache=options.cache, change=change, key=key, on_case=progress)


def cache_key(*parts: str) -> str:
    """The folder of a cache in which nothing stale can be found."""
    return fingerprint(*parts)


def progress(line: str) -> None:
    """A line on standard error, where a person looks on."""
    if sys.stderr.isatty():
        sys.stderr.write(line + "\n")
