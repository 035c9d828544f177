"""Does what is said follow from what is cited? Reads a document as a distrustful reader would and lists what does not.

For every sentence: each cited id is listed; verbatim parts, names of entities, times, spans and numbers occur in the cited
things or follow from them (a value in its unit, a share, the time between two of them); verbs fit the kind of what is cited;
what rose has risen. And for everything that is cited of what was seen: it was seen (:func:`unseen`).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiops.contracts import Observations
from aiops.domain.graph import Subgraph
from aiops.reasoning.words.names import Names

Document = Mapping[str, Any]

_CLOCK = re.compile(r"(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_SPAN = re.compile(r"\b(\d+(?:\.\d+)?) (days|h|min|s)\b(?: (\d+) (min|s)\b)?(?: (after|before|of)\b)?")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
_QUANTITY = re.compile(
    r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?) ?(ms|s/s|s|[kMGT]?B/s|[kMGT]?B|[kMGT]?W|[kMGT]?Hz|V|°C|%)?(?![\w/])"
)
_MOVED = re.compile(r"\bsaw .* (rise|fall) to (.+?) from a usual (.+?)(?= at \d\d:|,| \(|;|$)")
_MORE = re.compile(r" and (\d+) more\b")
_SECONDS = {"days": 86_400.0, "h": 3600.0, "min": 60.0, "s": 1.0}
_PREFIX = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
#: Verbs before a verbatim part, and the kinds of evidence that they may tell of.
_VERBS = {
    "logged “": {"log"}, "lacks lines: “": {"log"}, "stopped to log “": {"log"}, "raised “": {"alert"},
    "reported “": {"state", "fact"}, "was changed: “": {"change"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence and where it stands."""

    where: str
    text: str
    verbatim: str
    evidence: tuple[str, ...]


def sentences(document: Document) -> Iterator[Said]:
    """Everything that a document says with evidence."""
    for section in document["sections"]:
        for place, one in enumerate(section["sentences"]):
            yield _said(f"{section['id']}[{place}]", one)
    for name, box in (document["boxes"] or {}).items():
        for place, one in enumerate(box["sentences"]):
            yield _said(f"boxes.{name}[{place}]", one)
    for place, moment in enumerate(document["timeline"]):
        yield Said(f"timeline[{place}]", moment["text"], "", tuple(moment["evidence"]))
    for place, one in enumerate(document["alternatives"]):
        yield Said(f"alternatives[{place}]", one["text"], "", tuple(one["evidence"]))


def _said(where: str, one: Document) -> Said:
    return Said(where, one["text"], one["verbatim"] or "", tuple(one["evidence"]))


def faults(document: Document, names: Iterable[str] = ()) -> list[str]:
    """Every way in which a sentence does not follow from what it cites. ``names``: of all entities, as sentences have them."""
    cited = {one["id"]: one for one in document["evidence"]}
    found = [] if len(cited) == len(document["evidence"]) else ["an id is listed twice"]
    everybody = {*names, *_names_in(document["evidence"])}
    for said in sentences(document):
        missing = [name for name in said.evidence if name not in cited]
        if missing or not said.evidence:
            found.append(f"{said.where}: cites {missing or 'nothing'}: {said.text}")
            continue
        things = [cited[name] for name in said.evidence]
        found.extend(f"{said.where}: {what}: {said.text}" for what in _faults_of(said, things, everybody))
    found.extend(_wrong_counts(document))
    return found


def _faults_of(said: Said, things: list[Document], everybody: set[str]) -> Iterator[str]:
    haystack = _haystack(things)
    if said.verbatim:
        if said.verbatim not in said.text:
            yield "the verbatim part is no part of it"
        if _plain(said.verbatim) not in haystack:
            yield f"nobody said {said.verbatim!r}"
    yield from _wrong_verbs(said, things)
    rest = said.text
    for quoted in re.findall(r"“(.*?)”(?=[\s,;:).]|$)", rest):
        if _plain(quoted) not in haystack:
            yield f"nobody said {quoted!r}"
    if said.verbatim:
        rest = rest.replace(said.verbatim, " ")
    rest = re.sub(r"“.*?”(?=[\s,;:).]|$)", " ", rest)
    yield from _wrong_moves(rest, things)
    rest = _MOVED.sub(" ", rest)
    rest = _MORE.sub(lambda more: " " if _are_more(int(more.group(1)), things) else more.group(), rest)
    for name in sorted(everybody, key=lambda name: (-len(name), name)):
        pattern = rf"(?<![\w/.-]){re.escape(name)}(?![\w/-])"
        if re.search(pattern, rest):
            if name not in haystack:
                yield f"{name!r} is nobody that it cites"
            rest = re.sub(pattern, " ", rest)
    rest = _without_texts(rest, things)
    yield from _wrong_times(rest, things, haystack)


def _are_more(left: int, things: list[Document]) -> bool:
    """Whether something cited counts so many beyond the first few."""
    counts = [float(len(thing["members"])) for thing in things]
    counts += [thing["value"] for thing in things if thing["kind"] == "count" and thing["value"] is not None]
    counts += [float(n) for thing in things for detail in thing["details"] for n in _NUMBER.findall(detail)]
    return any(1 <= count - left <= 8 for count in counts)


def _without_texts(rest: str, things: list[Document]) -> str:
    """What is left when whole texts of cited things are taken out: those follow from themselves."""
    for text in sorted(
        {t for thing in things for t in (thing["text"], *thing["details"])}, key=len, reverse=True
    ):
        if len(text) > 3:
            rest = rest.replace(text, " ")
    return rest


def _haystack(things: list[Document]) -> str:
    parts: list[str] = []
    for thing in things:
        parts += [
            thing["text"],
            thing["name"],
            thing["source"],
            thing["ref"]["id"],
            *thing["details"],
            *thing["members"],
        ]
        parts += [
            str(thing[key]) for key in ("entity_name", "peer_name", "severity", "at", "until") if thing[key]
        ]
    return " \n ".join(_plain(part) for part in parts)


def _plain(text: str) -> str:
    return " ".join(text.removesuffix("…").split())


def _names_in(evidence: Iterable[Document]) -> set[str]:
    return {thing[key] for thing in evidence for key in ("entity_name", "peer_name") if thing[key]}


def _wrong_verbs(said: Said, things: list[Document]) -> Iterator[str]:
    for verb, kinds in _VERBS.items():
        for quoted in re.findall(rf"\b{verb}(.*?)”(?=[\s,;:).]|$)", said.text):
            fitting = [thing for thing in things if _plain(quoted) in _haystack([thing])]
            if not any(thing["kind"] in kinds for thing in fitting):
                yield f"cites nothing that {verb}{quoted}”"


def _wrong_moves(rest: str, things: list[Document]) -> Iterator[str]:
    for way, now, usual in _MOVED.findall(rest):
        fitting = [
            thing for thing in things
            if thing["value"] is not None and thing["baseline"] is not None
            and _fits(now, thing["value"]) and _fits(usual, thing["baseline"])
        ]  # fmt: skip
        if not fitting:
            yield f"no value {now!r} against {usual!r}"
        elif not any((thing["value"] > thing["baseline"]) == (way == "rise") for thing in fitting):
            yield f"it did not {way}"


def _fits(shown: str, value: float) -> bool:
    """Whether ``shown`` (``153 MB``, ``23.1 ms``) is ``value``, to three digits."""
    found = _QUANTITY.match(shown.strip())
    if found is None:
        return False
    number, unit = float(found.group(1)), found.group(2) or ""
    if unit == "ms" and _close(number / 1000.0, value):
        return True
    if len(unit) > 1 and unit[0] in _PREFIX:
        number *= _PREFIX[unit[0]]
    return _close(number, value)


def _close(shown: float, value: float) -> bool:
    return abs(shown - value) <= 0.006 * abs(value) + 1e-12


def _wrong_times(rest: str, things: list[Document], haystack: str) -> Iterator[str]:
    moments = [
        datetime.fromisoformat(thing[key]) for thing in things for key in ("at", "until") if thing[key]
    ]
    clocks = _CLOCK.findall(rest)
    for shown in clocks:
        if not any(_shows(shown, moment) for moment in moments) and shown not in haystack:
            yield f"nothing was at {shown}"
    rest = _CLOCK.sub(" ", rest)
    for shown in _DATE.findall(rest):
        if not any(f"{moment:%Y-%m-%d}" == shown for moment in moments):
            yield f"nothing was on {shown}"
    rest = _DATE.sub(" ", rest)
    for found in _SPAN.finditer(rest):
        whole = " ".join(part for part in found.groups()[:4] if part)
        if whole not in haystack and not _between(found, moments, clocks):
            yield f"no two things are {found.group().strip()} apart"
    rest = _SPAN.sub(" ", rest)
    yield from _wrong_numbers(rest, things, haystack)


def _shows(shown: str, moment: datetime) -> bool:
    return f"{moment:%Y-%m-%d %H:%M:%S}".endswith(shown)


def _between(found: re.Match[str], moments: list[datetime], clocks: list[str]) -> bool:
    """Whether two moments are so far apart, and in that order where the sentence says one."""
    size, unit, more, small, order = found.groups()
    seconds = float(size) * _SECONDS[unit] + (float(more) * _SECONDS[small] if more else 0.0)
    least = _SECONDS[small] if more else {"days": 86_400.0, "h": 60.0, "min": 60.0, "s": 1.0}[unit]
    for mine, other in itertools.permutations(moments, 2):
        lag_s = (mine - other).total_seconds()
        signed = lag_s if order == "after" else -lag_s if order == "before" else abs(lag_s)
        if abs(signed - seconds) <= 0.51 * least and (
            not clocks or any(_shows(clock, mine) for clock in clocks)
        ):
            return True
    return False


def _wrong_numbers(rest: str, things: list[Document], haystack: str) -> Iterator[str]:
    known = {float(number) for number in _NUMBER.findall(haystack)}
    for thing in things:
        known.add(float(len(thing["members"])))
        for key in ("value", "baseline", "weight"):
            if thing[key] is not None:
                known |= {float(thing[key]), 100.0 * float(thing[key])}
    for shown in _QUANTITY.finditer(re.sub(r"(?<=\w)[-/](?=\d)", " ", rest)):
        number = float(shown.group(1))
        digits = len(shown.group(1).partition(".")[2])
        rounded = {round(value, digits) for value in known} | {round(abs(value), digits) for value in known}
        if round(number, digits) not in rounded and not any(_fits(shown.group(), value) for value in known):
            yield f"nothing says {shown.group().strip()}"


def _wrong_counts(document: Document) -> Iterator[str]:
    """Counts that are not the number of what they list, and causes that explain other things than their count says."""
    explained = {cause["entity"]["id"]: cause["explains"] for cause in document["causes"]}
    for thing in document["evidence"]:
        if thing["kind"] != "count" or thing["name"] not in (
            "explained",
            "reached",
            "at risk",
            "redundant",
            "unexplained",
        ):
            continue
        if len(thing["members"]) != min(100, thing["value"]):
            yield f"{thing['id']}: {thing['value']} members, {len(thing['members'])} listed: {thing['text']}"
        if thing["name"] == "explained":
            cause = explained[thing["entity"]]
            if thing["members"] != cause["alerts"][:100] or thing["baseline"] != cause["of"]:
                yield f"{thing['id']}: the cause explains something else: {thing['text']}"


def display_names(subgraph: Subgraph) -> set[str]:
    """What the entities of a subgraph are called in sentences."""
    names = Names(subgraph.entities)
    return {names.of(entity.id) for entity in subgraph.entities}


def unseen(document: Document, seen: Observations, subgraph: Subgraph) -> list[str]:
    """Cited observations that nobody made: lines, alerts, states, changes and relations that are not in what was handed in."""
    logs = seen.window.logs
    lines = {
        (entity, _plain(message))
        for entity, message in zip(
            logs.column("entity").to_pylist(), logs.column("message").to_pylist(), strict=True
        )
    }
    messages = {message for _, message in lines}
    alarms = {alarm.id: alarm for alarm in seen.alarms}
    states = {(state.entity, state.property, state.value[:200]) for state in seen.window.states}
    changes = {change.id: change for change in seen.changes}
    relations = {relation.key for relation in subgraph.relations}
    measured = {series.entity for series in seen.window.series}
    found = []
    for thing in document["evidence"]:
        match thing["kind"]:
            case "log":
                text = _plain(thing["text"].removeprefix("no longer seen: "))
                known = (thing["entity"], text) in lines or len(text) > 1900
                if not known and not any(message in text for message in messages):
                    found.append(f"nobody logged {thing['text']!r}")
            case "alert":
                alarm = alarms.get(thing["ref"]["id"])
                if (
                    alarm is None
                    or alarm.name not in thing["text"]
                    or not _shows_alarm(thing, alarm.started_at)
                ):
                    found.append(f"no alert {thing['text']!r} on {thing['entity']} at {thing['at']}")
            case "state":
                held = {(prop, value) for entity, prop, value in states if entity == thing["entity"]}
                if not any(prop in thing["text"] and value in thing["text"] for prop, value in held):
                    found.append(f"no state {thing['text']!r} of {thing['entity']}")
            case "change":
                change = changes.get(thing["ref"]["id"])
                if change is None or _plain(change.title) not in _plain(thing["text"]):
                    found.append(f"no change {thing['text']!r}")
            case "topology" if thing["source"] != "message":
                key = (thing["entity"], thing["name"], thing["peer"], thing["source"])
                if key not in relations and (key[2], key[1], key[0], key[3]) not in relations:
                    found.append(f"no relation {key}")
            case "metric":
                if thing["entity"] not in measured:
                    found.append(f"no series of {thing['entity']}: {thing['text']!r}")
            case _:
                pass
    return found


def _shows_alarm(thing: Document, started: datetime) -> bool:
    return abs((datetime.fromisoformat(thing["at"]) - started).total_seconds()) < 0.01
