"""Rule packs from files: read, checked, put in order. A pack is refused whole, with file and line.

The version id of a set is ``SEMVER+sha256.HEX``: the highest version among its packs, and SHA-256 over the canonical form
(JSON, keys sorted, comments and layout gone) of all of them in the order of their names.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path

from aiops.errors import RuleError
from rules.conditions import read_rule
from rules.documents import read_document
from rules.model import ConcludedCondition, ConclusionMatch, NearCondition, Pack, Rule, RuleSet

MAX_RULES = 1_000
MAX_FILES = 200

_SEMVER = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})")
_PACK_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


def load_packs(paths: Sequence[Path] = ()) -> RuleSet:
    """Packs from files and folders (``*.yaml`` in them, by name); with no paths, those that ship.

    Raises :class:`RuleError` for a path that is not there, a pack that breaks a rule of the format, an id given twice or
    conclusions that run in a circle.
    """
    if not paths:
        return load_shipped_packs()
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files.extend(sorted(path.glob("*.yaml")))
        elif path.is_file():
            files.append(path)
        else:
            raise RuleError(f"{path}: no such rule file or folder", file=str(path), line=0, rule=None)
    if not files or len(files) > MAX_FILES:
        raise RuleError(
            f"{len(files)} rule files were found, 1 to {MAX_FILES} are expected",
            file=str(paths[0]),
            line=0,
            rule=None,
        )
    return assemble(parse_pack(file.read_bytes(), str(file)) for file in files)


def load_shipped_packs() -> RuleSet:
    """The packs inside the package."""
    folder = resources.files("rules") / "packs"
    entries = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".yaml")), key=lambda e: e.name
    )
    return assemble(parse_pack(entry.read_bytes(), f"rules/packs/{entry.name}") for entry in entries)


def parse_pack(data: bytes, file: str) -> Pack:
    """One pack from the bytes of its file. ``file`` is what errors call it."""
    document = read_document(data, file)
    fields = document.fields("pack", "rules", required=("pack", "rules"))
    head = fields["pack"].fields(
        "name", "version", "description", required=("name", "version", "description")
    )
    name, version = head["name"].text(limit=40), head["version"].text(limit=30)
    if not _PACK_NAME.fullmatch(name):
        head["name"].place.refuse(f"{name!r} is no pack name", "lower-case letters, digits and '-'")
    if not _SEMVER.fullmatch(version):
        head["version"].place.refuse(f"{version!r} is no version", "three numbers such as 1.0.0")
    rules = tuple(read_rule(item, name) for item in fields["rules"].items(limit=MAX_RULES))
    canonical = json.dumps(document.plain(), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return Pack(
        name=name,
        version=version,
        description=head["description"].text(limit=1_000),
        rules=rules,
        digest=hashlib.sha256(canonical.encode()).hexdigest(),
        file=file,
    )


def assemble(packs: Iterable[Pack]) -> RuleSet:
    """Packs as one set: ids are unique, conclusions resolve and run in one direction, the version id is made."""
    ordered = tuple(sorted(packs, key=lambda pack: (pack.name, pack.file)))
    seen: dict[str, Rule] = {}
    for rule in (rule for pack in ordered for rule in pack.rules):
        if rule.id in seen:
            first = seen[rule.id].place
            rule.place.refuse(f"the id {rule.id} is given twice", f"first in {first.file}:{first.line}")
        seen[rule.id] = rule
    if len(seen) > MAX_RULES:
        list(seen.values())[MAX_RULES].place.refuse(f"more than {MAX_RULES} rules in one set")
    strata = _strata(seen)
    rules = tuple(sorted(seen.values(), key=lambda rule: (strata[rule.id], rule.id)))
    index = {rule.id: number for number, rule in enumerate(rules)}
    premises = tuple(
        tuple(tuple(sorted(index[name] for name in names)) for names in _premises(rule, seen))
        for rule in rules
    )
    return RuleSet(
        packs=ordered,
        rules=rules,
        strata=tuple(strata[rule.id] for rule in rules),
        premises=premises,
        version=_version(ordered),
    )


def _version(packs: tuple[Pack, ...]) -> str:
    numbers = max((tuple(int(part) for part in pack.version.split(".")) for pack in packs), default=(0, 0, 0))
    digest = hashlib.sha256("\n".join(f"{pack.name} {pack.digest}" for pack in packs).encode()).hexdigest()
    return f"{'.'.join(map(str, numbers))}+sha256.{digest}"


def _premises(rule: Rule, rules: dict[str, Rule]) -> list[tuple[str, ...]]:
    """For each condition that reads conclusions, in order, the ids of the rules that can satisfy it."""
    return [
        tuple(name for name, other in rules.items() if _concludes(other, match))
        for match in conclusion_matches(rule)
    ]


def conclusion_matches(rule: Rule) -> list[ConclusionMatch]:
    """The tests of other rules' conclusions, in order of the conditions."""
    found: list[ConclusionMatch] = []
    for condition in rule.conditions:
        if isinstance(condition, ConcludedCondition):
            found.append(condition.match)
        elif isinstance(condition, NearCondition) and condition.concluded is not None:
            found.append(condition.concluded)
    return found


def _concludes(rule: Rule, match: ConclusionMatch) -> bool:
    said = rule.conclusion
    return (
        said.effect in match.effects
        and (not match.rules or rule.id in match.rules)
        and (not match.kinds or said.kind in match.kinds)
        and (not match.categories or said.category in match.categories)
    )


def _strata(rules: dict[str, Rule]) -> dict[str, int]:
    """Longest chain below each rule. A circle is refused: it could run for ever, or depend on the order of firing."""
    below: dict[str, set[str]] = {}
    for rule in rules.values():
        for match, names in zip(conclusion_matches(rule), _premises(rule, rules), strict=True):
            for wanted in match.rules:
                if wanted not in rules:
                    rule.place.refuse(f"'concluded' names the rule {wanted}, which is in no loaded pack")
            if not names:
                rule.place.refuse("no rule concludes what 'concluded' asks for")
            below.setdefault(rule.id, set()).update(names)
    strata = {name: 0 for name in rules if name not in below}
    waiting = sorted(below)
    while waiting:
        ready = [name for name in waiting if below[name] <= strata.keys()]
        if not ready:
            stuck = rules[_on_circle(waiting, below, strata)]
            stuck.place.refuse("its conclusions run in a circle", f"among: {', '.join(waiting[:10])}")
        for name in ready:
            strata[name] = 1 + max(strata[other] for other in below[name])
        waiting = [name for name in waiting if name not in strata]
    return strata


def _on_circle(waiting: list[str], below: dict[str, set[str]], strata: dict[str, int]) -> str:
    """A rule that is on a circle, not merely above one."""
    seen: list[str] = []
    name = waiting[0]
    while name not in seen:
        seen.append(name)
        name = min(other for other in below[name] if other not in strata)
    return name
