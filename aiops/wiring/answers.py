"""The API's ports of the pipeline: an incident to its analysis, a situation to its analysis, an analysis to its faces."""

from __future__ import annotations

from collections.abc import Mapping

from aiops.contracts import Observations
from aiops.domain.analysis import Analysis
from aiops.domain.graph import Subgraph
from aiops.domain.occurrences import Incident
from aiops.domain.progress import Watch, unwatched
from aiops.pipeline import Pipeline
from aiops.reasoning.documents import analysis_document
from aiops.reasoning.rendering import content_security_policy, render_html, render_markdown, render_text
from aiops.reasoning.what_if import Assumption


class PipelineAnalyze:
    """The API's :class:`aiops.api.services.Analyze`."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    def __call__(
        self,
        incident: Incident,
        *,
        healthy: frozenset[str] = frozenset(),
        failed: frozenset[str] = frozenset(),
        watch: Watch = unwatched,
    ) -> Analysis:
        return self.pipeline.analyze(incident, assume=Assumption(healthy, failed), watch=watch)


class PipelineInfer:
    """The API's :class:`aiops.api.services.Infer`."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def __call__(
        self,
        incident: Incident,
        subgraph: Subgraph,
        seen: Observations,
        *,
        healthy: frozenset[str] = frozenset(),
        failed: frozenset[str] = frozenset(),
    ) -> Analysis:
        return self._pipeline.analyze_observed(incident, subgraph, seen, assume=Assumption(healthy, failed))


class DocumentRenderers:
    """The API's :class:`aiops.api.services.Renderers`."""

    def document(self, analysis: Analysis) -> Mapping[str, object]:
        return analysis_document(analysis)

    def markdown(self, document: Mapping[str, object]) -> str:
        return render_markdown(document)

    def text(self, document: Mapping[str, object]) -> str:
        return render_text(document)

    def html(self, document: Mapping[str, object]) -> str:
        return render_html(document)

    def html_policy(self) -> str:
        return content_security_policy()
