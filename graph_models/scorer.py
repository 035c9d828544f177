"""Serves the network through ONNX Runtime as a bounded correction of the prior: s = prior + bound * tanh(g / bound)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as onnx_errors

from aiops.domain.candidates import CandidateTable, Correction, RuleOutcome
from aiops.errors import ModelError
from graph_models.encoding import EncodedGraph, encode, feature_schema, schema_hash
from graph_models.registry import HEAD, MEMORY, Manifest, read_manifest
from graph_models.site.columns import head_columns
from graph_models.site.head import read_head
from graph_models.site.memory import read_memory
from graph_models.variants import read_variant, vary_graph

#: What ONNX Runtime raises on a file it cannot serve.
_REFUSALS = (
    onnx_errors.Fail,
    onnx_errors.InvalidArgument,
    onnx_errors.InvalidGraph,
    onnx_errors.InvalidProtobuf,
    onnx_errors.NoModel,
    onnx_errors.NoSuchFile,
    onnx_errors.NotImplemented,
)


class OnnxCorrector:
    """A :class:`aiops.contracts.Corrector`. One session, one thread, safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        """Load ``model.onnx`` of ``folder``. Raises :class:`ModelError`."""
        self._manifest = read_manifest(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(folder / "model.onnx"), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except _REFUSALS as error:
            raise ModelError(
                f"ONNX Runtime refuses {folder / 'model.onnx'}: {error}", hint="train the model anew"
            ) from error
        self._site = (read_memory(folder / MEMORY), read_head(folder / HEAD)) if self._manifest.site else None
        self._variant = read_variant(self._manifest.name)
        self._inputs = tuple(entry.name for entry in self._session.get_inputs())

    @property
    def model(self) -> str:
        return self._manifest.describe()

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    @property
    def heeded(self) -> bool:
        """Whether a bound leaves it any say; without one it is not asked."""
        return self._manifest.bound > 0 or self._manifest.edge_bound > 0

    def correct(self, table: CandidateTable, rules: RuleOutcome) -> Correction:
        """The correction of every row. Raises :class:`ModelError` on features that the network was not trained on."""
        if schema_hash(*feature_schema(table)) != self._manifest.schema_sha256:
            raise ModelError(
                f"model {self.model} was trained on other features",
                hint="train it anew with `aiops train`, or switch it off",
            )
        bound, edge_bound = self._manifest.bound, self._manifest.edge_bound
        m = table.edges.shape[1]
        if not table.entities or not self.heeded:
            nothing = np.zeros(m)
            return Correction(np.zeros(len(table.entities)), nothing, bound, self.model, nothing, edge_bound)
        graph = vary_graph(encode(table, rules), self._variant)
        raw, attention, edges = self.run(graph)
        if self._site is not None:
            memory, head = self._site
            raw = raw + head.score(head_columns(memory, table, graph))
        delta = bound * np.tanh(raw / bound) if bound > 0 else np.zeros(len(table.entities))
        return Correction(
            delta=delta,
            attention=np.maximum(attention[:m], attention[m:]),
            bound=bound,
            model=self.model,
            edge_delta=edge_bound * np.tanh(edges[:m] / 2.0),  # tanh(q / 2) = 2 sigmoid(q) - 1
            edge_bound=edge_bound,
        )

    def run(self, graph: EncodedGraph) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Raw scores float64 [n], attention and logits of edges float64 [2 m], as the network gives them."""
        feeds = {name: getattr(graph, name) for name in self._inputs}
        raw, attention, edges = self._session.run(["score", "attention", "edge"], feeds)
        return raw.astype(np.float64), attention.astype(np.float64), edges.astype(np.float64)
