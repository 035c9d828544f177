"""Two topology documents compared: by id for entities, by both ends and kind for relations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

Row = dict[str, object]
#: What tells that two entities or relations of the same key differ; times of seeing do not.
_ENTITY = ("kind", "name", "aliases", "labels")
_RELATION = ("redundancy_group", "confidence", "labels")
_DEFAULTS: Mapping[str, object] = {"aliases": [], "labels": {}, "confidence": 1.0, "redundancy_group": None}


def difference(new: Mapping[str, object], old: Mapping[str, object]) -> list[Row]:
    """Rows with a sign: ``+`` only in ``new``, ``-`` only in ``old``, ``~`` in both and different. In order of key."""
    rows: list[Row] = []
    for what, part, key, members in (
        ("entity", "entities", ("id",), _ENTITY),
        ("relation", "relations", ("from", "kind", "to"), _RELATION),
    ):
        mine, theirs = _keyed(new.get(part), key), _keyed(old.get(part), key)
        for name in sorted(mine.keys() | theirs.keys()):
            sign, detail = _compared(mine.get(name), theirs.get(name), members)
            if sign:
                rows.append(
                    {
                        "sign": sign,
                        "what": what,
                        "id": " ".join(name),
                        "detail": detail,
                    }
                )
    return rows


def _keyed(items: object, key: tuple[str, ...]) -> dict[tuple[str, ...], Mapping[str, object]]:
    if not isinstance(items, list):
        return {}
    return {
        tuple(str(item.get(part, "")) for part in key): item for item in items if isinstance(item, Mapping)
    }


def _compared(
    mine: Mapping[str, object] | None, theirs: Mapping[str, object] | None, members: tuple[str, ...]
) -> tuple[str, str]:
    if theirs is None:
        return "+", ""
    if mine is None:
        return "-", ""
    changed = "; ".join(_changed(mine, theirs, members))
    return ("~", changed) if changed else ("", "")


def _changed(
    mine: Mapping[str, object], theirs: Mapping[str, object], members: tuple[str, ...]
) -> Iterator[str]:
    for name in members:
        if name not in mine:
            continue  # what a document does not say, it does not change
        ours, other = mine[name], theirs.get(name, _DEFAULTS.get(name))
        if name == "aliases" and isinstance(ours, list) and isinstance(other, list):
            ours, other = sorted(ours), sorted(other)
        if ours != other:
            yield f"{name}: {other} -> {ours}"
