"""Customers: a few requests a second through the edge, at random times, with their own view in metrics."""

from __future__ import annotations

import http.client
import random
import sys
import threading
import time

from webservice import BUCKETS, CALLS, logger, prometheus, report_forever  # type: ignore[import-not-found]

DURATION = prometheus.Histogram(
    "synthetic_request_duration_seconds", "Time until the customer had the page.", ["route"], buckets=BUCKETS
)
RESULTS = prometheus.Counter("synthetic_requests_total", "Pages asked for.", ["route", "code"])
TIMEOUT_S = 6.0
counts = {"all": 0, "failed": 0}
log = logger("web-client")


def visit(dice: random.Random) -> None:
    """Ask for one page and count what came of it."""
    user, item, draw = dice.randrange(40), dice.randrange(1, 60), dice.random()
    if draw < 0.5:
        method, path = "GET", "/products"
    elif draw < 0.75:
        method, path = "GET", f"/cart?user={user}"
    else:
        method, path = "POST", f"/orders?user={user}&item={item}"
    route = path.split("?")[0]
    started = time.monotonic()
    connection = http.client.HTTPConnection("edge-1", 80, timeout=TIMEOUT_S)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        answer.read()
        code = str(answer.status)
    except (OSError, http.client.HTTPException) as error:
        code = "none"
        log.warning("%s %s: no answer from edge-1:80: %s", method, route, error)
    finally:
        connection.close()
    DURATION.labels(route).observe(time.monotonic() - started)
    RESULTS.labels(route, code).inc()
    CALLS.labels("edge", "ok" if code < "5" else "error").inc()
    counts["all"] += 1
    counts["failed"] += code >= "5"


def visit_forever(seed: int, rate_per_s: float) -> None:
    dice = random.Random(seed)
    while True:
        time.sleep(dice.expovariate(rate_per_s))
        visit(dice)


if __name__ == "__main__":
    seed, workers, rate_per_s = int(sys.argv[1]), 10, float(sys.argv[2])
    prometheus.start_http_server(8000)
    for number in range(workers):
        threading.Thread(
            target=visit_forever, args=(seed * 1000 + number, rate_per_s / workers), daemon=True
        ).start()
    report_forever(log, lambda: (counts["all"], counts["failed"]), "pages")
