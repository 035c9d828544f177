"""The catalogue: items and prices, read from PostgreSQL. Its queries come with the release."""

from __future__ import annotations

import json
from pathlib import Path

from webservice import Answer, DatabasePeer, logger, serve  # type: ignore[import-not-found]

release = json.loads(Path("/srv/catalogue/release.json").read_text())
log = logger("catalogue")
database = DatabasePeer("orders", "db-1", 5432, "orders")


def items(_: dict[str, str]) -> Answer:
    rows = database.query(release["items_query"])
    return 200, [{"id": row[0], "name": row[1], "price": float(row[2])} for row in rows]


def price(query: dict[str, str]) -> Answer:
    rows = database.query(release["price_query"], query.get("item", "1"))
    return (200, {"price": float(rows[0][0])}) if rows else (404, {})


def health(_: dict[str, str]) -> Answer:
    return 200, {"status": "ok", "release": release["version"]}


if __name__ == "__main__":
    log.info("catalogue %s listening on port 8000", release["version"])
    serve(
        8000,
        {("GET", "/items"): items, ("GET", "/price"): price, ("GET", "/healthz"): health},
        log,
    )
