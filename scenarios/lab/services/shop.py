"""The shop: products from the catalogue, carts in Redis, orders in PostgreSQL."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

import redis
from webservice import Answer, CachePeer, DatabasePeer, HttpPeer, logger, serve  # type: ignore[import-not-found]

FLAGS = Path("/srv/shop/flags.json")
log = logger("shop")
catalogue = HttpPeer("catalogue", "cat-1", 8000)
orders = DatabasePeer("orders", "db-1", 5432, "orders")
sessions = CachePeer("sessions", "cache-1", 6379)
receipts: list[bytes] = []


def keep_receipt() -> None:
    """Hold on to the rendered page. How much, a feature flag says; it is meant to be zero."""
    kilobytes = int(json.loads(FLAGS.read_text()).get("receipt_kb", 0))
    if kilobytes:
        receipts.append(os.urandom(kilobytes * 1024))


def products(_: dict[str, str]) -> Answer:
    keep_receipt()
    return 200, {"items": catalogue.get("/items")}


def cart(query: dict[str, str]) -> Answer:
    keep_receipt()
    user = query.get("user", "0")

    def work(client: redis.Redis[str]) -> dict[str, str]:
        client.hincrby(f"cart:{user}", "views", 1)
        client.expire(f"cart:{user}", 600)
        views: dict[str, str] = client.hgetall(f"cart:{user}")
        return views

    return 200, sessions.run(work)


def place_order(query: dict[str, str]) -> Answer:
    keep_receipt()
    user, item = query.get("user", "0"), query.get("item", "1")
    price = catalogue.get(f"/price?item={item}")["price"]
    sessions.run(lambda client: client.hset(f"cart:{user}", f"item-{item}", "1"))
    row = orders.query(
        "INSERT INTO orders (customer, item, price, note) VALUES (%s, %s, %s, %s) RETURNING id",
        user,
        item,
        price,
        secrets.token_hex(950),
    )
    orders.query("SELECT count(*), sum(price) FROM orders WHERE customer = %s", user)
    sessions.run(lambda client: client.delete(f"cart:{user}"))
    log.info("order %s placed customer=%s item=%s total=%.2f", row[0][0], user, item, price)
    return 201, {"order": row[0][0]}


def health(_: dict[str, str]) -> Answer:
    return 200, {"status": "ok"}


if __name__ == "__main__":
    log.info("shop 3.8.2 listening on port 8000")
    serve(
        8000,
        {
            ("GET", "/products"): products,
            ("GET", "/cart"): cart,
            ("POST", "/orders"): place_order,
            ("GET", "/healthz"): health,
        },
        log,
    )
