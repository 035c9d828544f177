"""The folder of a model adapted to one site: the network's files, and the site's memory and head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import save_file

from graph_models.export import export_onnx
from graph_models.registry import HEAD, MEMORY, Manifest, file_sha256, write_manifest
from graph_models.site.head import write_head
from graph_models.site.memory import write_memory
from graph_models.training.adapting import AdaptationSettings, SiteModel, Verdict

_FILES = ("model.onnx", "weights.safetensors", MEMORY, HEAD)


def write_site_model(
    out: Path,
    model: SiteModel,
    base: Manifest,
    verdict: Verdict,
    settings: AdaptationSettings,
    training: Mapping[str, object],
) -> Manifest:
    """Write ``model``, made from ``base``, to ``out``. ``training``: what is to be known of the incidents."""
    out.mkdir(parents=True, exist_ok=True)
    state = {name: value.contiguous() for name, value in model.network.state_dict().items()}
    save_file(state, str(out / "weights.safetensors"))
    export_onnx(model.network, out / "model.onnx", len(base.node_features), len(base.edge_features))
    write_memory(out / MEMORY, model.memory)
    write_head(out / HEAD, model.head)
    manifest = Manifest(
        name=base.name,
        version=base.version,
        format=base.format,
        node_features=base.node_features,
        edge_features=base.edge_features,
        schema_sha256=base.schema_sha256,
        bound=model.bound,
        architecture=base.architecture,
        training={**training, "settings": asdict(settings)},
        gate=asdict(verdict),
        files={name: file_sha256(out / name) for name in _FILES},
        site={"incidents": model.memory.incidents, "base": base.describe()},
    )
    write_manifest(out, manifest)
    return manifest
