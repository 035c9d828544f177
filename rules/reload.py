"""Rule packs that change under a running process: noticed, tried beside the old set, and swapped in whole.

Before an evaluation the pack files are looked at (names, times and sizes, nothing else). Where something changed, the packs
are read, compiled into an environment of their own and tried on their own examples; only then do they replace the set in
use, between two evaluations. What is refused changes nothing: the old set goes on, and every outcome says so in its gaps
until the files are mended. Each outcome carries the version of the set that made it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from aiops.domain.candidates import RuleOutcome
from aiops.domain.evidence import EvidenceSet
from aiops.domain.graph import Subgraph
from aiops.domain.occurrences import Incident
from aiops.errors import RuleError
from rules.engine import ClipsRuleEngine
from rules.examples import run_examples
from rules.loader import load_packs
from rules.model import RuleSet

#: Beside a pack file, or in the folder of packs: the examples that a changed set must pass.
EXAMPLES = "examples"

_log = structlog.get_logger(__name__)
_Stamp = tuple[tuple[str, int, int], ...]


class ReloadingRuleEngine:
    """Implements :class:`aiops.contracts.RuleEngine` over the packs in ``paths``. Safe to call from several threads.

    Raises :class:`RuleError` when made on packs that are broken: a process does not start on half a rule set.
    """

    def __init__(
        self, paths: Sequence[Path], *, load: Callable[[Sequence[Path]], RuleSet] = load_packs
    ) -> None:
        self._paths, self._load = tuple(paths), load
        self._lock = threading.Lock()
        self._stamp = self._look()
        self._engine = ClipsRuleEngine(load(self._paths))
        self._refused: str | None = None

    @property
    def version(self) -> str:
        """Semver and SHA-256 of the set in use."""
        return self._engine.version

    def evaluate(self, incident: Incident, subgraph: Subgraph, evidence: EvidenceSet) -> RuleOutcome:
        """All firings of the set in use; first a changed set is taken up, if it is sound."""
        self.reload(only_if_changed=True)
        engine, refused = self._engine, self._refused
        outcome = engine.evaluate(incident, subgraph, evidence)
        return replace(outcome, gaps=(refused, *outcome.gaps)) if refused is not None else outcome

    def reload(self, *, only_if_changed: bool = False) -> str | None:
        """Take up the packs as they are on disk now. Returns why they were refused, None where they were not.

        A second caller waits for the first and finds nothing left to do.
        """
        with self._lock:
            stamp = self._look()
            if only_if_changed and stamp == self._stamp:
                return self._refused
            self._stamp = stamp
            try:
                engine = self._try()
            except RuleError as exc:
                self._refused = (
                    f"changed rule packs were refused, rules {self.version.partition('+')[0]} from before are used: "
                    f"{exc.message}"
                )
                _log.warning("rules refused", used=self.version, reason=exc.message)
                return self._refused
            if engine.version != self.version:
                _log.info("rules replaced", used=engine.version, before=self.version)
            self._engine, self._refused = engine, None
            return None

    def _try(self) -> ClipsRuleEngine:
        """A new engine on what is on disk, tried on the examples that stand beside it. Raises :class:`RuleError`."""
        rule_set = self._load(self._paths)
        engine = ClipsRuleEngine(rule_set)
        for folder in self._examples():
            for result in run_examples(rule_set, folder).results:
                if result.problem is not None:
                    raise RuleError(
                        f"{folder / result.file}: {result.problem}",
                        file=str(folder / result.file),
                        line=0,
                        rule=result.rule,
                    )
        return engine

    def _examples(self) -> list[Path]:
        folders = {(path if path.is_dir() else path.parent) / EXAMPLES for path in self._paths}
        return sorted(folder for folder in folders if folder.is_dir())

    def _look(self) -> _Stamp:
        """Name, time of change and size of every pack and example; a path that is gone counts as size -1."""
        found: list[tuple[str, int, int]] = []
        folders = self._examples()
        for path in (*self._paths, *folders):
            pattern = "*/*.yaml" if path in folders else "*.yaml"
            for file in sorted(path.glob(pattern)) if path.is_dir() else [path]:
                try:
                    status = file.stat()
                except OSError:
                    found.append((str(file), 0, -1))
                    continue
                found.append((str(file), status.st_mtime_ns, status.st_size))
        return tuple(found)
