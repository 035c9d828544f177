"""Metrics of what the stores hold: graph, alarms, incidents, feedback. Read when they are scraped, at most every so often."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from aiops.contracts import CaseStore, Clock, GraphStore
from aiops.domain.incident_records import FEEDBACK_VERDICTS, IncidentQuery
from aiops.domain.occurrences import SEVERITIES
from aiops.errors import AiopsError

#: Counting a large graph costs; a scrape within so long gets the figures of the one before.
FRESH_S = 15.0
#: Judgements that ``top1_accuracy_ratio`` looks at, the newest.
JUDGED = 500
OPEN = ("open", "acknowledged")


@dataclass(frozen=True, slots=True)
class Held:
    """The stores of one tenant."""

    tenant: str
    graph: GraphStore
    incidents: CaseStore


class SiteMetrics(Collector):
    """Register it with a ``prometheus_client`` registry. A store that cannot be read leaves its tenant out and is counted."""

    def __init__(
        self,
        opened: Callable[[], Sequence[Held]],
        clock: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._opened = opened
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._kept: tuple[float, tuple[Metric, ...]] | None = None
        self._failures: Counter[str] = Counter()

    def describe(self) -> Iterable[Metric]:
        """Names only: nothing is read when it is registered."""
        return _Families().all()

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            now = self._monotonic()
            if self._kept is None or now - self._kept[0] > FRESH_S:
                self._kept = (now, self._read())
            return self._kept[1]

    def _read(self) -> tuple[Metric, ...]:
        families = _Families()
        for held in self._opened():
            try:
                self._read_one(held, families)
            except AiopsError:
                self._failures[held.tenant] += 1
            families.failures.add_metric([held.tenant], self._failures[held.tenant])
        return families.all()

    def _read_one(self, held: Held, families: _Families) -> None:
        tenant, now = held.tenant, self._clock.now()
        counts = held.graph.counts()
        alarms = held.graph.alarms(start=now, end=now + timedelta(microseconds=1))
        totals = {
            severity: held.incidents.find_incidents(
                IncidentQuery(status=OPEN, severity=(severity,), limit=1)
            ).total
            for severity in SEVERITIES
        }
        verdicts = Counter(judged.verdict for judged in held.incidents.feedback(limit=JUDGED))
        for name, count in counts.items():
            kind, _, of = name.partition(":")
            if kind == "entity":
                families.nodes.add_metric([tenant, of], count)
            elif kind == "relation":
                families.edges.add_metric([tenant, of], count)
        families.unmatched.add_metric([tenant], counts.get("entity:Unknown", 0))
        families.alarms.add_metric([tenant], len(alarms))
        for severity, total in totals.items():
            families.incidents.add_metric([tenant, severity], total)
        for verdict in FEEDBACK_VERDICTS:
            families.feedback.add_metric([tenant, verdict], verdicts[verdict])
        decided = verdicts["correct"] + verdicts["partial"] + verdicts["wrong"]
        if decided:
            families.accuracy.add_metric([tenant], verdicts["correct"] / decided)


class _Families:
    """Empty families, with their help."""

    def __init__(self) -> None:
        self.nodes = GaugeMetricFamily("aiops_graph_nodes", "Entities by kind.", labels=["tenant", "type"])
        self.edges = GaugeMetricFamily(
            "aiops_graph_edges", "Open relations by kind.", labels=["tenant", "type"]
        )
        self.unmatched = GaugeMetricFamily(
            "aiops_entities_unmatched",
            "Entities that nobody could match with the topology.",
            labels=["tenant"],
        )
        self.alarms = GaugeMetricFamily("aiops_alerts_open", "Alarms without an end.", labels=["tenant"])
        self.incidents = GaugeMetricFamily(
            "aiops_incidents_open", "Incidents open or acknowledged.", labels=["tenant", "severity"]
        )
        self.feedback = GaugeMetricFamily(
            "aiops_feedback", f"Of the newest {JUDGED} judgements, by verdict.", labels=["tenant", "verdict"]
        )
        self.accuracy = GaugeMetricFamily(
            "aiops_top1_accuracy_ratio",
            f"Share of the newest {JUDGED} judgements, unknown ones aside, that found the first cause correct.",
            labels=["tenant"],
        )
        self.failures = CounterMetricFamily(
            "aiops_site_read_failures", "Scrapes at which the stores could not be read.", labels=["tenant"]
        )

    def all(self) -> tuple[Metric, ...]:
        return (
            *(self.nodes, self.edges, self.unmatched, self.alarms),
            *(self.incidents, self.feedback, self.accuracy, self.failures),
        )
