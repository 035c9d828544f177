"""``aiops migrate``: bring the store's schema to what this program writes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from aiops.cli.output import Output, write_rows


def migrate(
    data: Annotated[Path | None, typer.Option(help="Directory of the embedded store.")] = None,
    store: Annotated[str | None, typer.Option(help="sqlite or neo4j.")] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="Format.")] = Output.TABLE,
) -> None:
    """Bring the schema of the stores up to date; nothing happens where it is. `aiops serve` does the same when it starts.

    A schema that a newer program wrote is refused and stays as it is.
    """
    from aiops.wiring import SystemClock, load, open_stores
    from aiops.wiring.access import open_access

    settings = load(data=data, store=store)
    before = _versions(settings.data)
    open_stores(settings).close()
    with open_access(settings, SystemClock()):
        pass
    after = _versions(settings.data)
    rows: list[dict[str, object]] = [
        {"store": name, "was": before.get(name, "none"), "is": version} for name, version in after.items()
    ]
    if settings.store == "neo4j":
        rows.append({"store": settings.neo4j_uri, "was": "", "is": "up to date"})
    write_rows(rows, ["store", "was", "is"], output)


def _versions(data: Path) -> dict[str, int]:
    """Schema version of each database file in the data directory (``PRAGMA user_version``)."""
    found = {}
    for path in sorted(data.glob("*.sqlite")):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            found[path.name] = int(connection.execute("PRAGMA user_version").fetchone()[0])
    return found
