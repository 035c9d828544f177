"""The model folder: weights, the network as ONNX, the training curve, and the manifest that names them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import save_file

from graph_models.encoding import schema_hash
from graph_models.export import export_onnx
from graph_models.network import RootCauseGAT
from graph_models.registry import FORMAT, Manifest, file_sha256, write_manifest
from graph_models.training.settings import Epoch, TrainingSettings

CURVE = "curve.csv"


def write_curve(path: Path, curve: Sequence[Epoch]) -> None:
    """One line an epoch."""
    lines = [
        "epoch,loss,stop_loss,ac1",
        *(f"{e.number},{e.loss:.6f},{e.stop_loss:.6f},{e.ac1:.4f}" for e in curve),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_model(
    out: Path,
    network: RootCauseGAT,
    settings: TrainingSettings,
    *,
    version: str,
    schema: tuple[tuple[str, ...], tuple[str, ...]],
    curve: Sequence[Epoch],
    gate: Mapping[str, object],
    training: Mapping[str, object],
) -> Manifest:
    """Write a model to ``out``. ``training``: what is to be known of the data beside the settings."""
    out.mkdir(parents=True, exist_ok=True)
    node_features, edge_features = schema
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(state, str(out / "weights.safetensors"))
    export_onnx(network, out / "model.onnx", len(node_features), len(edge_features))
    write_curve(out / CURVE, curve)
    manifest = Manifest(
        name=settings.variant,
        version=version,
        format=FORMAT,
        node_features=node_features,
        edge_features=edge_features,
        schema_sha256=schema_hash(node_features, edge_features),
        bound=float(str(gate["bound"])),
        edge_bound=float(str(gate["edge_bound"])),
        architecture=network.architecture.document(),
        training={"settings": asdict(settings), "epochs": len(curve), **training},
        gate=gate,
        files={name: file_sha256(out / name) for name in ("model.onnx", "weights.safetensors", CURVE)},
    )
    write_manifest(out, manifest)
    return manifest
