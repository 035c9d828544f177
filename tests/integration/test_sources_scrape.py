"""Scraping over real HTTP: labels, limits, lists of targets, and the same series as a real Prometheus makes of the same job."""

from __future__ import annotations

import gzip
import json
import os
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from aiops.domain.batches import SampleBatch
from aiops.errors import InputError
from ingest.sources.http_access import HttpAccess
from ingest.sources.inbox import Inbox
from ingest.sources.relabelling import relabel_rules
from ingest.sources.scrape import ScrapeJob, Scraper, ScrapeTarget
from ingest.sources.scrape_targets import TargetGroup, read_target_file, targets_of
from tests.support.daemons import free_port, prometheus, until
from tests.support.exporters import Asked, Exporter, Said
from tests.support.inboxes import Drained

pytestmark = pytest.mark.integration

AT_S = 1_790_000_000.0
TEXT = b'a{job="own"} 1\nb 2 1780000000000\nnot a sample\n'


def serving(body: bytes, **headers: str) -> Callable[[Asked], Said]:
    return lambda _request: Said(body, headers={"Content-Type": "text/plain", **headers})


def scraped(scraper: Scraper) -> SampleBatch:
    ((held,), _gone) = scraper.refresh()
    batch = scraper.scrape(held)
    scraper.stop()
    return batch


def values(batch: SampleBatch) -> dict[str, tuple[dict[str, str], float, float]]:
    """Labels, value and time of each metric."""
    return {
        batch.series[which].metric: (dict(batch.series[which].labels), value, at_s)
        for which, value, at_s in zip(
            batch.series_index.tolist(), batch.value.tolist(), batch.at_s.tolist(), strict=True
        )
    }


def job(exporter: Exporter, **more: object) -> ScrapeJob:
    group = TargetGroup((exporter.address,), {"site": "a"})
    return ScrapeJob("shop", (group,), **more)  # type: ignore[arg-type]


def test_a_scrape_carries_its_labels_and_says_how_it_went() -> None:
    with Exporter(serving(TEXT)) as exporter:
        got = scraped(Scraper([job(exporter)], now_s=lambda: AT_S))
        own = {"job": "shop", "instance": exporter.address, "site": "a"}
        assert values(got)["a"] == ({**own, "exported_job": "own"}, 1.0, AT_S)
        assert values(got)["b"] == (own, 2.0, 1_780_000_000.0)
        report = {name: values(got)[name][1] for name in values(got) if name.startswith(("up", "scrape_"))}
        assert report.pop("scrape_duration_seconds") > 0
        assert report == {
            "up": 1.0,
            "scrape_samples_scraped": 2.0,
            "scrape_samples_post_metric_relabeling": 2.0,
            "scrape_series_added": 2.0,
        }
        assert values(got)["up"][0] == own
        assert [reject.raw for reject in got.rejects] == [b"not a sample"]
        honoured = scraped(
            Scraper([job(exporter, honor_labels=True, honor_timestamps=False)], now_s=lambda: AT_S)
        )
        assert values(honoured)["a"][0]["job"] == "own"
        assert values(honoured)["b"][2] == AT_S
        simple = ScrapeTarget("shop", f"http://{exporter.address}/metrics?a=1&b=2")
        assert values(scraped(Scraper([simple])))["up"][1] == 1.0
    asked = exporter.asked[-1]
    assert (asked.path, asked.query) == ("/metrics", {"a": ["1"], "b": ["2"]})
    assert "openmetrics" in asked.headers["Accept"]
    assert asked.headers["X-Prometheus-Scrape-Timeout-Seconds"] == "10"


def bomb(size_bytes: int) -> bytes:
    return gzip.compress(b"a 1\n" * (size_bytes // 4))


@pytest.mark.parametrize(
    ("said", "limits"),
    [
        (Said(b"x 1\n" * 1_000), {"body_size_limit": 500}),
        (Said(bomb(20_000_000), headers={"Content-Encoding": "gzip"}), {"body_size_limit": 1_000_000}),
        (Said(bomb(400)[:-5], headers={"Content-Encoding": "gzip"}), {}),
        (Said(b"a 1\n", headers={"Content-Encoding": "br"}), {}),
        (Said(b"a 1\n", status=503), {}),
        (Said(b"<html>", headers={"Content-Type": "text/html"}), {}),
        (Said(b"", status=302, headers={"Location": "http://127.0.0.1:1/"}), {}),
        (Said(b'a{b="1"} 1\na{b="2"} 1\n'), {"sample_limit": 1}),
        (Said(b"".join(b'a{b="%d"} 1\n' % number for number in range(100))), {"sample_limit": 10}),
        (Said(b'a{b="1",c="2"} 1\n'), {"label_limit": 5}),
        (Said(b'a{bbbbbbbbbbbbbbb="1"} 1\n'), {"label_name_length_limit": 10}),
        (Said(b'a{b="1111111111111111111111111111111111"} 1\n'), {"label_value_length_limit": 30}),
    ],
)
def test_a_target_that_breaks_a_bound_is_down(said: Said, limits: dict[str, int]) -> None:
    with Exporter(lambda _request: said) as exporter:
        got = values(scraped(Scraper([job(exporter, **limits)])))
        assert "a" not in got
        assert got["up"][1] == 0.0


def test_a_slow_target_is_given_up_in_time() -> None:
    def slow(_request: Asked) -> Said:
        time.sleep(1.0)
        return Said(b"a 1\n")

    with Exporter(slow) as exporter:
        began = time.monotonic()
        got = values(scraped(Scraper([job(exporter, timeout_s=0.2)])))
        assert got["up"][1] == 0.0
        assert time.monotonic() - began < 0.9


def test_what_vanishes_goes_stale() -> None:
    answers = [b"a 1\nb 1\n", b"a 2\n", b"", b"a 3\nb 3\n"]
    with Exporter(lambda _request: Said(answers.pop(0) or b"", status=200 if answers else 500)) as exporter:
        scraper = Scraper([job(exporter)])
        ((held,), _gone) = scraper.refresh()
        batches = [scraper.scrape(held) for _ in range(4)]
        scraper.stop()
    gone = [[batch.series[row].metric for row, _at_s in batch.stale] for batch in batches]
    assert gone == [[], ["b"], ["a"], []]
    assert values(batches[3])["up"][1] == 0.0


def test_credentials_are_read_from_files_at_every_scrape(tmp_path: Path) -> None:
    token, password = tmp_path / "token", tmp_path / "password"
    token.write_text("first\n")
    password.write_text("secret")
    with Exporter(serving(b"a 1\n")) as exporter:
        scraper = Scraper([job(exporter, access=HttpAccess(bearer_file=token))])
        ((held,), _gone) = scraper.refresh()
        scraper.scrape(held)
        token.write_text("second")
        scraper.scrape(held)
        token.unlink()
        assert values(scraper.scrape(held))["up"][1] == 0.0
        scraper.stop()
        scraped(Scraper([job(exporter, access=HttpAccess(user="u", password_file=password))]))
    sent = [asked.headers["Authorization"] for asked in exporter.asked]
    assert sent == ["Bearer first", "Bearer second", "Basic dTpzZWNyZXQ="]


def test_lists_of_targets_are_read_again_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    listed = tmp_path / "targets.json"
    with Exporter(serving(b"a 1\n")) as exporter, Drained(Inbox()) as drained:
        listed.write_text(json.dumps([{"targets": [exporter.address], "labels": {"rack": "r1"}}]))
        watched = ScrapeJob(
            "sd",
            file_sd=(str(tmp_path / "*.json"), str(tmp_path / "*.yml")),
            interval_s=0.1,
            timeout_s=0.1,
            relabel=relabel_rules(
                [
                    {"source_labels": ["__meta_filepath"], "regex": ".*/(.*)", "target_label": "list"},
                    {"source_labels": ["rack"], "regex": "none", "action": "drop"},
                ]
            ),
        )
        scraper = Scraper([watched], refresh_s=0.05)
        scraper.start(drained.inbox)
        until(lambda: len(drained.samples()) >= 2, what="scrapes of the first list")
        (tmp_path / "more.yml").write_text(
            f"- targets: ['{exporter.address}', 'x:1']\n  labels: {{rack: none}}\n"
        )
        until(lambda: scraper.counts()["dropped_targets"] == 2)
        listed.write_text("no list")
        until(lambda: scraper.counts()["bad_targets"] == 1)
        assert scraper.counts()["targets"] == 1
        before = listed.stat().st_mtime_ns
        listed.write_text("[]")
        os.utime(listed, ns=(before + 10, before + 10))
        until(lambda: scraper.counts()["targets"] == 0)
        until(lambda: bool(drained.samples()[-1].stale), what="the end of the target")
        scraper.stop()
    first = values(drained.samples()[0])["a"][0]
    assert first == {"job": "sd", "instance": exporter.address, "rack": "r1", "list": "targets.json"}
    ended = drained.samples()[-1]
    assert [ended.series[row].metric for row, _at_s in ended.stale][:2] == ["a", "up"]


def test_the_end_of_a_target_comes_after_a_scrape_that_was_under_way(tmp_path: Path) -> None:
    listed = tmp_path / "targets.json"
    goes_on, asked = threading.Event(), threading.Semaphore(0)

    def answer(_request: Asked) -> Said:
        asked.release()
        goes_on.wait(30)
        return Said(b"a 1\n")

    with Exporter(answer) as exporter, Drained(Inbox()) as drained:
        listed.write_text(json.dumps([{"targets": [exporter.address]}]))
        watched = ScrapeJob("sd", file_sd=(str(listed),), interval_s=60.0, timeout_s=30.0)
        scraper = Scraper([watched], refresh_s=0.05, now_s=time.time)
        ((held,), _gone) = scraper.refresh()
        under_way = threading.Thread(target=scraper._scrape_into, args=(held, drained.inbox))
        under_way.start()
        assert asked.acquire(timeout=30)
        listed.write_text("[]")
        scraper.start(drained.inbox)
        until(lambda: scraper.counts()["targets"] == 0)
        assert not drained.samples()
        goes_on.set()
        under_way.join()
        until(lambda: len(drained.samples()) >= 2, what="the scrape and the end of the target")
        scraper.stop()
    scrape, ended = drained.samples()
    assert values(scrape)["a"][1] == 1.0
    assert "a" in [ended.series[row].metric for row, _at_s in ended.stale]
    assert scraper.counts()["skipped"] == 0


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", "{", "neither JSON"),
        ("a.yml", "a: [", "neither JSON"),
        ("a.json", '{"targets": []}', "must be a list"),
        ("a.json", '[{"target": []}]', "group 1"),
        ("a.json", '[{"targets": [1]}]', "HOST:PORT"),
        ("a.json", '[{"targets": [], "labels": {"a-b": "c"}}]', "no label"),
        ("a.yml", "- targets: []\n  labels: {a: 1}\n", "no label"),
    ],
)
def test_a_list_of_targets_that_is_wrong_says_why(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=said):
        read_target_file(tmp_path / name)


def test_targets_are_relabelled_into_urls_and_counted() -> None:
    rules = relabel_rules(
        [
            {"source_labels": ["__address__"], "target_label": "__param_target"},
            {"source_labels": ["__param_target"], "target_label": "instance"},
            {"target_label": "__address__", "replacement": "prober:9115"},
            {"target_label": "__metrics_path__", "replacement": "probe"},
            {"target_label": "__scrape_interval__", "replacement": "1m30s"},
        ]
    )
    probing = ScrapeJob("probe", relabel=rules, params={"module": ("icmp",)}, target_limit=2)
    targets, dropped = targets_of(probing, [TargetGroup(("10.0.0.1", "10.0.0.2", "10.0.0.1"))])
    assert dropped == 0
    assert [target.url for target in targets] == [
        "http://prober:9115/probe?module=icmp&target=10.0.0.1",
        "http://prober:9115/probe?module=icmp&target=10.0.0.2",
    ]
    assert targets[0].labels == (("instance", "10.0.0.1"), ("job", "probe"))
    assert (targets[0].interval_s, targets[0].timeout_s) == (90.0, 10.0)
    with pytest.raises(InputError, match="3 targets"):
        targets_of(probing, [TargetGroup(("a", "b", "c"))])
    with pytest.raises(InputError, match="no address"):
        targets_of(ScrapeJob("x"), [TargetGroup(("a/b",))])


PROMETHEUS_JOB = """
job_name: shop
scrape_interval: 1s
scrape_timeout: 1s
metrics_path: /m
params: {view: [all]}
honor_labels: %s
static_configs: [{targets: ["%s"], labels: {site: a, instance_id: "7", path: x}}]
relabel_configs:
  - {source_labels: [__address__, site], separator: "@", regex: "(.+):(\\\\d+)@(.*)", target_label: where, replacement: "$3-${1}"}
  - {source_labels: [instance_id], action: hashmod, modulus: 5, target_label: shard}
  - {regex: instance_(.+), action: labelmap, replacement: inst_$1}
  - {source_labels: [site], action: uppercase, target_label: site}
metric_relabel_configs:
  - {source_labels: [__name__], regex: "secret_.*", action: drop}
  - {source_labels: [__name__, code], regex: "requests_total;(.)..", target_label: class, replacement: "${1}xx"}
  - {regex: "noise|n[0-9]", action: labeldrop}
  - {source_labels: [path], regex: "(?i)/API/.*", target_label: path, replacement: api}
  - {source_labels: [__name__], regex: "old_(.*)", target_label: __name__, replacement: "new_$1"}
  - {source_labels: [gone], regex: ".+", target_label: gone, replacement: ""}
  - {source_labels: [exported_job], action: dropequal, target_label: twin}
"""
PROMETHEUS_TEXT = b"""# TYPE requests_total counter
requests_total{code="200",path="/api/x",noise="1",n7="x"} 5
requests_total{code="503",path="/else",twin="k"} 1
secret_key 1
old_name{job="own",instance="me",exported_job="two",gone="soon"} 3
twin_metric{job="same",twin="same"} 1
no_own_labels 1
"""


@pytest.mark.parametrize("honor", ["false", "true"])
def test_the_same_series_as_prometheus(tmp_path: Path, honor: str) -> None:
    with Exporter(serving(PROMETHEUS_TEXT)) as exporter:
        text = PROMETHEUS_JOB % (honor, exporter.address)
        document = yaml.safe_load(text)
        ours = ScrapeJob(
            document["job_name"],
            tuple(
                TargetGroup(tuple(group["targets"]), group["labels"]) for group in document["static_configs"]
            ),
            metrics_path=document["metrics_path"],
            params={name: tuple(given) for name, given in document["params"].items()},
            honor_labels=document["honor_labels"],
            relabel=relabel_rules(document["relabel_configs"]),
            metric_relabel=relabel_rules(document["metric_relabel_configs"]),
        )
        batch = scraped(Scraper([ours]))
        mine = {
            tuple(sorted({**dict(series.labels), "__name__": series.metric}.items()))
            for series in batch.series
        }
        port = free_port()
        with prometheus(tmp_path, yaml.safe_dump({"scrape_configs": [document]}), port):
            until(lambda: len(series_of(port)) > 5, what="a scrape by Prometheus")
            theirs = series_of(port)
    assert mine == theirs
    assert {asked.query["view"][0] for asked in exporter.asked} == {"all"}


def series_of(port: int) -> set[tuple[tuple[str, str], ...]]:
    url = f"http://127.0.0.1:{port}/api/v1/series?match[]=%7B__name__%3D~%22.%2B%22%7D"
    with urllib.request.urlopen(url, timeout=30) as answer:
        return {tuple(sorted(labels.items())) for labels in json.load(answer)["data"]}
