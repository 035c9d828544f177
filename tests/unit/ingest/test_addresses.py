"""Addresses that are reused: whoever has one now is meant now, whoever had it then is meant then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aiops.domain.addresses import OPEN_NOW, holders_in
from ingest.parsers.exposition import parse_exposition
from tests.support.ingest_sites import IngestSite

ADDRESS = "10.1.0.7"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def scrape(site: IngestSite, at: datetime, *pods: str) -> None:
    text = "".join(
        f'kube_pod_info{{namespace="shop",pod="{pod}",node="n1",pod_ip="{ADDRESS}",host_network="false"}} 1\n'
        for pod in pods
    )
    batch = parse_exposition(text.encode(), source="ksm", received_at_s=at.timestamp())
    site.worker.take_samples(batch)


def holders(site: IngestSite, at: datetime) -> tuple[str, ...]:
    address_id = f"address:{ADDRESS}"
    return holders_in(site.graph.neighbourhood([address_id], as_of=at, depth=1, limit=50), address_id)


def test_a_reused_address_has_a_holder_at_every_time() -> None:
    site = IngestSite()
    scrape(site, START, "old")
    scrape(site, START + timedelta(minutes=5), "old", "new")
    labels = {"instance": f"{ADDRESS}:8080"}
    assert site.worker.candidates(labels) == ("pod:shop/new",)
    assert holders(site, START + timedelta(minutes=1)) == ("pod:shop/old",)
    assert holders(site, START + timedelta(minutes=6))[-1] == "pod:shop/new"
    # The pod that ended is still listed with its address for a while, and seen again: it does not take it back.
    scrape(site, START + timedelta(minutes=11), "old")
    assert site.worker.candidates(labels) == ("pod:shop/new",)


def test_an_address_goes_when_its_holder_is_no_longer_named() -> None:
    site = IngestSite()
    scrape(site, START, "old")
    for minute in range(1, 12):
        scrape(site, START + timedelta(minutes=minute), "old" if minute < 2 else "other")
        site.worker.maintain(START + timedelta(minutes=minute))
    assert holders(site, OPEN_NOW) == ("pod:shop/other",)
    assert holders(site, START + timedelta(seconds=30)) == ("pod:shop/old",)


def test_a_worker_that_starts_anew_knows_the_holder_from_the_store() -> None:
    site = IngestSite()
    scrape(site, START, "old")
    scrape(site, START + timedelta(minutes=5), "new")
    again = IngestSite(graph=site.graph)
    assert again.worker.candidates({"instance": f"{ADDRESS}:8080"}) == ("pod:shop/new",)
