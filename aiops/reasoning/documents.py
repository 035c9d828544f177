"""The analysis resource of the API, made from an :class:`Analysis` and nothing else.

Key names are a public contract: they are only ever added to. ``id``, ``number``, ``created_at`` and ``duration_ms`` are
added by whoever stores the document, so that two analyses of the same input are byte-equal here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import orjson

from aiops.domain.analysis import Analysis, Citation, ConformalSet, Engine, Hop, ReasoningPath, RootCause
from aiops.domain.candidates import RuleAction
from aiops.domain.evidence import EvidenceSet
from aiops.domain.graph import Entity, Subgraph
from aiops.domain.occurrences import Incident
from aiops.reasoning.explanation_document import explanation_members
from aiops.reasoning.moments import rfc3339
from aiops.reasoning.words.book import KEPT_TEXT
from aiops.reasoning.words.names import shortened

Document = dict[str, Any]


def analysis_document(analysis: Analysis) -> Document:
    """The analysis resource as plain JSON values."""
    return {
        "incident_id": analysis.incident_id,
        "verdict": analysis.verdict,
        "summary": analysis.summary,
        "engine": _engine(analysis.engine),
        "causes": [_cause(cause) for cause in analysis.causes],
        "ruled_out": [
            {"entity": _entity(out.entity), "reason": out.reason, "evidence": list(out.evidence)}
            for out in analysis.ruled_out
        ],
        "conformal_set": _conformal_set(analysis.conformal_set),
        "impact": {
            "entities": analysis.impact.entities,
            "services": list(analysis.impact.services),
            "redundant_ok": analysis.impact.redundant_ok,
        },
        "gaps": list(analysis.gaps),
        **explanation_members(analysis.explanation),
    }


def analysis_json(analysis: Analysis) -> bytes:
    """:func:`analysis_document` as JSON with sorted keys: the same analysis gives the same bytes."""
    return orjson.dumps(analysis_document(analysis), option=orjson.OPT_SORT_KEYS)


def hash_inputs(incident: Incident, subgraph: Subgraph, evidence: EvidenceSet, *versions: str) -> str:
    """``sha256:`` over incident (its id aside), subgraph, evidence and the versions of what judged them."""
    digest = hashlib.sha256()
    described = {
        "started_at": incident.started_at,
        "ended_at": incident.ended_at,
        "affected": incident.affected,
        "symptoms": incident.symptoms,
        "window": (incident.window_before_s, incident.window_after_s),
    }
    for part in (described, subgraph, evidence, versions):
        digest.update(
            orjson.dumps(part, default=_plain, option=orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY)
        )
    return f"sha256:{digest.hexdigest()}"


def _plain(value: object) -> object:
    if isinstance(value, MappingProxyType | Mapping):
        return dict(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


def _engine(engine: Engine) -> Document:
    return {
        "version": engine.version,
        "rules": engine.rules,
        "model": engine.model,
        "graph_as_of": rfc3339(engine.graph_as_of),
        "inputs_hash": engine.inputs_hash,
        "calibrated": engine.calibrated,
        "calibration": engine.calibration,
    }


def _conformal_set(found: ConformalSet | None) -> Document | None:
    if found is None:
        return None
    return {"level": found.level, "causes": list(found.causes), "size": len(found.causes)}


def _cause(cause: RootCause) -> Document:
    explained = len(cause.explained)
    return {
        "rank": cause.rank,
        "confidence": cause.confidence,
        "band": cause.band,
        "score": dict(cause.score),
        "entity": _entity(cause.entity),
        "kind": cause.kind,
        "category": cause.category,
        "critical_failure": _critical_failure(cause),
        "path": [_hop(hop) for hop in cause.paths[0].hops] if cause.paths else [],
        "paths": [_path(path) for path in cause.paths],
        "explains": {
            "alerts": list(cause.explained),
            "count": explained,
            "of": explained + len(cause.unexplained),
            "unexplained": list(cause.unexplained),
        },
        "statements": [{"text": text, "evidence": list(ids)} for text, ids in cause.statements],
        "evidence": [_citation(citation) for citation in cause.citations],
        "counterfactual": None
        if cause.counterfactual is None
        else {
            "statement": cause.counterfactual.statement,
            "delta_explained": cause.counterfactual.delta_explained,
        },
        "actions": [_action(action, rule) for action, rule in cause.actions],
    }


def _entity(entity: Entity) -> Document:
    return {"id": entity.id, "name": entity.name, "type": entity.kind}


def _critical_failure(cause: RootCause) -> Document | None:
    if cause.critical_failure is None:
        return None
    alarms = _alarms_of(cause.critical_failure, cause.citations)
    return {"entity": cause.critical_failure, "alert_id": next(iter(alarms), None)}


def _alarms_of(entity: str, citations: Iterable[Citation]) -> list[str]:
    found = [c.evidence for c in citations if c.evidence.entity == entity and c.evidence.ref.type == "alarm"]
    return [item.ref.id for item in sorted(found, key=lambda item: (item.at_s, item.id))]


def _path(path: ReasoningPath) -> Document:
    return {"plausibility": path.plausibility, "hops": [_hop(hop) for hop in path.hops]}


def _hop(hop: Hop) -> Document:
    return {
        "from": hop.cause_id,
        "to": hop.effect_id,
        "relation": hop.relation,
        "direction": "causes",
        "lag_s": hop.lag_s,
        "observed": hop.observed,
        "edge": {
            "source": hop.provenance,
            "confidence": hop.confidence,
            "last_seen": rfc3339(hop.last_seen),
        },
    }


def _citation(citation: Citation) -> Document:
    item = citation.evidence
    return {
        "id": item.id,
        "kind": item.kind,
        "entity": item.entity,
        "peer": item.peer,
        "channel": item.channel.value,
        "name": item.name,
        "at": rfc3339(datetime.fromtimestamp(item.at_s, tz=UTC)),
        "text": shortened(item.text, KEPT_TEXT),
        "value": item.value,
        "baseline": item.baseline,
        "severity": item.severity,
        "strength": item.strength,
        "weight": citation.weight,
        "supports": citation.supports,
        "ref": {"type": item.ref.type, "id": item.ref.id},
        "href": None,
    }


def _action(action: RuleAction, rule: str) -> Document:
    return {
        "title": action.title,
        "type": action.type,
        "risk": action.risk,
        "command": action.command,
        "undo": action.undo,
        "runbook": action.runbook,
        "why": f"rule {rule}",
    }
