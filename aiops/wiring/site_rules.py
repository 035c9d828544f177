"""The rule packs of a site, changed while it runs: tried beside the others, kept as files, taken up between two analyses."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from aiops.api.services import BacktestResult, PackText, ReplayedIncident, RuleFinding, RulesState
from aiops.contracts import Clock, IncidentLedger, RuleEngine
from aiops.domain.occurrences import Incident
from aiops.errors import InputError, RuleError
from aiops.pipeline import Pipeline
from aiops.settings import Settings
from aiops.wiring.rule_files import rule_paths, site_folder
from rules.engine import ClipsRuleEngine
from rules.lint import lint_rules
from rules.loader import assemble, load_packs, parse_pack
from rules.model import Pack, RuleSet
from rules.reload import ReloadingRuleEngine

#: What a pack that was sent is called in errors.
SENT = "the pack"
MAX_PACK_BYTES = 1 << 20
BACKTESTED = 50


class SiteRules:
    """The API's :class:`aiops.api.services.RulesPort`. Every change is tried first; what is refused changes nothing."""

    def __init__(
        self,
        engine: ReloadingRuleEngine,
        settings: Settings,
        pipeline: Pipeline,
        incidents: IncidentLedger | None,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._pipeline = pipeline
        self._incidents = incidents
        self._clock = clock
        self._lock = threading.Lock()

    def state(self) -> RulesState:
        """The set in use; packs by name."""
        refused = self._engine.reload(only_if_changed=True)
        packs = load_packs(rule_paths(self._settings)).packs if refused is None else ()
        folder = str(site_folder(self._settings))
        texts = tuple(
            PackText(
                name=pack.name,
                version=pack.version,
                description=pack.description,
                digest=pack.digest,
                editable=pack.file.startswith(folder),
                rules=tuple(_rule(pack)),
            )
            for pack in packs
        )
        return RulesState(self._engine.version, refused, texts)

    def text(self, name: str) -> bytes | None:
        """The YAML of a pack that came through the API; None where there is none of this name."""
        file = self._file(name)
        return file.read_bytes() if file is not None and file.is_file() else None

    def validate(self, data: bytes) -> tuple[RuleFinding, ...]:
        """What is wrong with a pack beside the others, errors first; () where it may be put."""
        try:
            pack = _parsed(data)
            rule_set = self._with(pack)
            ClipsRuleEngine(rule_set)
        except RuleError as error:
            return (_finding(error),)
        own = {rule.id for rule in pack.rules}
        return tuple(
            RuleFinding("warning", problem.code, problem.rule, problem.line, problem.message)
            for problem in lint_rules(rule_set)
            if problem.rule in own
        )

    def put(self, data: bytes) -> tuple[str, bool]:
        """Keep a pack and use it from the next analysis on: its name, and whether it is new. Raises :class:`RuleError`."""
        with self._lock:
            pack = _parsed(data)
            ClipsRuleEngine(self._with(pack))
            file = self._file(pack.name)
            assert file is not None  # the name was checked
            before = file.read_bytes() if file.is_file() else None
            _write(file, data)
            refused = self._engine.reload()
            if refused is not None:
                _write(file, before) if before is not None else file.unlink()
                self._engine.reload()
                raise RuleError(refused, file=SENT, line=0, rule=None)
            return pack.name, before is None

    def remove(self, name: str) -> bool:
        """Let go of a pack from the API; False where there is none. Raises :class:`RuleError` where others need it."""
        with self._lock:
            file = self._file(name)
            if file is None or not file.is_file():
                return False
            before = file.read_bytes()
            file.unlink()
            refused = self._engine.reload()
            if refused is not None:
                _write(file, before)
                self._engine.reload()
                raise RuleError(
                    refused, hint="change the packs that need it first", file=name, line=0, rule=None
                )
            return True

    def backtest(self, data: bytes | None) -> BacktestResult:
        """The newest incidents whose cause was confirmed, once with the rules in use and once with this pack beside them (None:
        without any rule). Raises :class:`RuleError`, :class:`aiops.errors.StoreUnavailable`."""
        if self._incidents is None:
            raise InputError("no incidents are kept here")
        candidate = ClipsRuleEngine(self._with(_parsed(data)) if data is not None else assemble(()))
        past = self._incidents.past_incidents(before=self._clock.now(), limit=1000)
        confirmed = [item for item in past if item.confirmed and item.cause is not None][:BACKTESTED]
        replayed = []
        for item in confirmed:
            cause = str(item.cause)
            before, after = (self._rank(item.incident, cause, rules) for rules in (self._engine, candidate))
            replayed.append(ReplayedIncident(item.incident.id, cause, before, after))
        return BacktestResult(tuple(replayed))

    def _rank(self, incident: Incident, cause: str, rules: RuleEngine) -> int | None:
        analysis = replace(self._pipeline, rules=rules).analyze(incident)
        return next((found.rank for found in analysis.causes if found.entity.id == cause), None)

    def _with(self, pack: Pack) -> RuleSet:
        """The set in use with ``pack`` in the place of one of its name from the API."""
        folder = str(site_folder(self._settings))
        packs = load_packs(rule_paths(self._settings)).packs
        return assemble(
            [
                *(
                    other
                    for other in packs
                    if not (other.name == pack.name and other.file.startswith(folder))
                ),
                pack,
            ]
        )

    def _file(self, name: str) -> Path | None:
        plain = name.replace("-", "")
        return site_folder(self._settings) / f"{name}.yaml" if plain.isalnum() and plain.isascii() else None


def _parsed(data: bytes) -> Pack:
    if len(data) > MAX_PACK_BYTES:
        raise RuleError(
            f"a pack of {len(data)} bytes; {MAX_PACK_BYTES} are taken", file=SENT, line=0, rule=None
        )
    return parse_pack(data, SENT)


def _finding(error: RuleError) -> RuleFinding:
    line, rule = error.details.get("line"), error.details.get("rule")
    return RuleFinding(
        "error",
        "refused",
        rule if isinstance(rule, str) else None,
        line if isinstance(line, int) else 0,
        str(error),
    )


def _rule(pack: Pack) -> Iterator[dict[str, object]]:
    for rule in pack.rules:
        said = rule.conclusion
        yield {
            "id": rule.id,
            "title": rule.title,
            "description": rule.description,
            "effect": said.effect,
            "kind": said.kind,
            "category": said.category,
            "weight": said.weight,
        }


def _write(file: Path, data: bytes) -> None:
    """The whole file or the one from before, whenever the process ends."""
    temporary = file.with_suffix(".new")
    with temporary.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
