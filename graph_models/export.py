"""Writes the trained network as ONNX, with free node and edge counts, and reads trained weights back."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from aiops.domain.candidates import TEXTS_KEPT
from aiops.errors import ModelError
from graph_models.architecture import read_architecture
from graph_models.encoding import TEXT_WIDTH
from graph_models.network import RootCauseGAT, Seen
from graph_models.registry import read_manifest

INPUTS = tuple(name for name in Seen._fields if name != "owner")
OUTPUTS = ("score", "attention", "edge")


def export_onnx(network: RootCauseGAT, path: Path, node_features: int, edge_features: int) -> None:
    """``torch.export`` with dynamic axes; inputs as in :class:`graph_models.network.Seen` without ``owner``, outputs score,
    attention and edge."""
    network.eval()
    example = (
        torch.zeros(12, node_features),
        torch.zeros(2, 30, dtype=torch.int64),
        torch.zeros(30, edge_features),
        torch.zeros(5, TEXT_WIDTH),
        torch.zeros(12, TEXTS_KEPT, dtype=torch.int64),
        torch.zeros(12, TEXTS_KEPT),
    )
    nodes, edges = torch.export.Dim("nodes", min=1), torch.export.Dim("edges", min=0)
    axes = {
        **{name: {0: nodes} for name in ("x", "text_of", "text_weight")},
        "edge_index": {1: edges},
        "edge_attr": {0: edges},
        "text": {0: torch.export.Dim("texts", min=1)},
    }
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network,
                example,
                dynamo=True,
                input_names=list(INPUTS),
                output_names=list(OUTPUTS),
                dynamic_shapes=axes,
            )
    finally:
        quiet.setLevel(level)
    assert program is not None
    program.save(str(path))
    _strip(path)


def _strip(path: Path) -> None:
    """Take out what the exporter notes down for debugging: stack traces name files of the machine that trained."""
    model = onnx.load(str(path))
    graph = model.graph
    del graph.value_info[
        :
    ]  # what the exporter believes of inner shapes is wrong for some sizes; the runtime infers its own
    parts: list[Any] = [model, graph, *graph.node, *graph.input, *graph.output]
    for function in model.functions:
        parts += [function, *function.node]
    for part in parts:
        part.doc_string = ""
        del part.metadata_props[:]
    onnx.save(model, str(path))


def load_network(folder: Path) -> RootCauseGAT:
    """The trained network of a model folder, in evaluation mode. Raises :class:`aiops.errors.ModelError`."""
    manifest = read_manifest(folder)
    try:
        architecture = read_architecture(manifest.architecture)
    except TypeError as error:
        raise ModelError(
            f"{folder}: unknown architecture: {error}", hint="train the model anew", file=str(folder)
        ) from error
    network = RootCauseGAT(len(manifest.node_features), len(manifest.edge_features), architecture)
    try:
        network.load_state_dict(load_file(str(folder / "weights.safetensors")))
    except (RuntimeError, OSError, SafetensorError) as error:
        raise ModelError(
            f"{folder}: the weights are not those of its architecture",
            hint="train the model anew",
            file=str(folder),
        ) from error
    return network.eval()
