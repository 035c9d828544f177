"""Documents of ``inference``. Made from docs/openapi.json by ``python -m tests.support.client_code``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from aiops.client.documents import Answered, Given
from aiops.client.models.analyses import (
    Assume,
    CauseDocument,
    ConformalSetDocument,
    EngineDocument,
    ReachDocument,
    RuledOutDocument,
)
from aiops.client.models.incidents import Window
from aiops.client.models.topology import TopologyEntity, TopologyRelation


class InferenceAlarm(Given):
    """``ended_at`` absent: open. ``peer``: it is about the relation entity -> peer."""

    name: str
    entity: str
    started_at: datetime
    fingerprint: str | None = None
    ended_at: datetime | None = None
    severity: str | None = None
    peer: str | None = None
    value: float | None = None
    message: str | None = None
    labels: Mapping[str, str] | None = None


class InferenceChange(Given):
    """A deployment, a configuration, a maintenance; ``entities`` are ids of the subgraph."""

    external_id: str
    title: str
    started_at: datetime
    entities: tuple[str, ...]
    kind: str | None = None
    ended_at: datetime | None = None
    author: str | None = None


class InferenceSymptom(Given):
    """Where it hurt: an entity, perhaps the metric that said so, and when."""

    entity: str
    at: datetime
    metric: str | None = None


class InferenceIncident(Given):
    """``affected``: ids of entities of the subgraph."""

    started_at: datetime
    ended_at: datetime | None = None
    affected: tuple[str, ...] | None = None
    symptoms: tuple[InferenceSymptom, ...] | None = None
    window: Window | None = None


class InferenceLine(Given):
    """``severity`` 0 (worst) to 7 as in syslog; ``source``: the program that spoke."""

    at: datetime
    entity: str
    message: str
    severity: int | None = None
    source: str | None = None


class InferenceSeries(Given):
    """Samples of one metric of one entity. ``at_s``: epoch seconds, ascending; ``value``: one for each."""

    entity: str
    metric: str
    at_s: tuple[float, ...]
    value: tuple[float, ...]
    peer: str | None = None
    labels: Mapping[str, str] | None = None


class InferenceState(Given):
    """A property that was seen to have a value: a pod's phase, a node's condition."""

    at: datetime
    entity: str
    property: str
    value: str


class InferenceSubgraph(Given):
    """The topology as it stood at ``as_of``; relations lead from one of ``entities`` to another."""

    entities: tuple[TopologyEntity, ...]
    as_of: datetime | None = None
    relations: tuple[TopologyRelation, ...] | None = None


class InferenceRequest(Given):
    """Everything that the answer shall rest on."""

    subgraph: InferenceSubgraph
    incident: InferenceIncident
    alarms: tuple[InferenceAlarm, ...] | None = None
    changes: tuple[InferenceChange, ...] | None = None
    logs: tuple[InferenceLine, ...] | None = None
    series: tuple[InferenceSeries, ...] | None = None
    states: tuple[InferenceState, ...] | None = None
    assume: Assume | None = None


class InferredDocument(Answered):
    """An analysis that belongs to no incident and is not kept."""

    duration_ms: int
    verdict: str
    summary: str
    engine: EngineDocument
    causes: tuple[CauseDocument, ...]
    ruled_out: tuple[RuledOutDocument, ...]
    impact: ReachDocument
    gaps: tuple[str, ...]
    conformal_set: ConformalSetDocument | None = None
