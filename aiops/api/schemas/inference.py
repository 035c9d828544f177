"""A whole situation in one document: the topology, what was seen of it, and where it hurt."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from aiops.api.schemas.analyses import (
    Assume,
    CauseDocument,
    ConformalSetDocument,
    EngineDocument,
    ReachDocument,
    RuledOutDocument,
    Verdict,
)
from aiops.api.schemas.incidents import Window
from aiops.api.schemas.primitives import MAX_ITEMS, PLAIN, Labels, Name, Open, Severity, Strict, Text, Time
from aiops.api.schemas.topology import TopologyEntity, TopologyRelation

MAX_ENTITIES, MAX_RELATIONS = 5_000, 50_000
MAX_ALARMS, MAX_CHANGES, MAX_STATES = 10_000, 10_000, 20_000
MAX_LOGS, MAX_SERIES, MAX_SAMPLES = 50_000, 5_000, 10_000
Number = Annotated[float, Field(allow_inf_nan=False)]


class InferenceSubgraph(Strict):
    """The topology as it stood at ``as_of``; relations lead from one of ``entities`` to another."""

    as_of: Time | None = Field(None, description="default is the incident's start")
    entities: list[TopologyEntity] = Field(min_length=1, max_length=MAX_ENTITIES)
    relations: list[TopologyRelation] = Field(default_factory=list, max_length=MAX_RELATIONS)


class InferenceSymptom(Strict):
    """Where it hurt: an entity, perhaps the metric that said so, and when."""

    entity: Name
    metric: Name | None = None
    at: Time


class InferenceIncident(Strict):
    """``affected``: ids of entities of the subgraph."""

    started_at: Time
    ended_at: Time | None = None
    affected: list[Name] = Field(default_factory=list, max_length=MAX_ITEMS)
    symptoms: list[InferenceSymptom] = Field(default_factory=list, max_length=MAX_ITEMS)
    window: Window = Window()


class InferenceAlarm(Strict):
    """``ended_at`` absent: open. ``peer``: it is about the relation entity -> peer."""

    fingerprint: Name | None = Field(None, description="default is made of name, entity and peer")
    name: Name
    entity: Name
    started_at: Time
    ended_at: Time | None = None
    severity: Severity | None = None
    peer: Name | None = None
    value: Number | None = None
    message: Text = ""
    labels: Labels = Field(default_factory=dict)


class InferenceChange(Strict):
    """A deployment, a configuration, a maintenance; ``entities`` are ids of the subgraph."""

    external_id: Name
    title: Name
    kind: Name = "other"
    started_at: Time
    ended_at: Time | None = None
    entities: list[Name] = Field(min_length=1, max_length=MAX_ITEMS)
    author: Annotated[str, Field(max_length=512, pattern=PLAIN)] = ""


class InferenceLine(Strict):
    """``severity`` 0 (worst) to 7 as in syslog; ``source``: the program that spoke."""

    at: Time
    entity: Name
    message: Text
    severity: Annotated[int, Field(ge=0, le=7)] | None = None
    source: Annotated[str, Field(max_length=512, pattern=PLAIN)] = ""


class InferenceSeries(Strict):
    """Samples of one metric of one entity. ``at_s``: epoch seconds, ascending; ``value``: one for each."""

    entity: Name
    metric: Name
    peer: Name | None = None
    labels: Labels = Field(default_factory=dict)
    at_s: list[Number] = Field(max_length=MAX_SAMPLES)
    value: list[Number] = Field(max_length=MAX_SAMPLES)


class InferenceState(Strict):
    """A property that was seen to have a value: a pod's phase, a node's condition."""

    at: Time
    entity: Name
    property: Name
    value: Name


class InferenceRequest(Strict):
    """Everything that the answer shall rest on."""

    subgraph: InferenceSubgraph
    incident: InferenceIncident
    alarms: list[InferenceAlarm] = Field(default_factory=list, max_length=MAX_ALARMS)
    changes: list[InferenceChange] = Field(default_factory=list, max_length=MAX_CHANGES)
    logs: list[InferenceLine] = Field(default_factory=list, max_length=MAX_LOGS)
    series: list[InferenceSeries] = Field(default_factory=list, max_length=MAX_SERIES)
    states: list[InferenceState] = Field(default_factory=list, max_length=MAX_STATES)
    assume: Assume = Assume()


class InferredDocument(Open):
    """An analysis that belongs to no incident and is not kept."""

    duration_ms: int
    verdict: Verdict
    summary: str
    engine: EngineDocument
    causes: list[CauseDocument]
    ruled_out: list[RuledOutDocument]
    impact: ReachDocument
    gaps: list[str]
    conformal_set: ConformalSetDocument | None = None
