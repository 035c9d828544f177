"""A model on disk: ``model.onnx`` to serve, ``weights.safetensors`` to train on, ``manifest.json`` to know what it is.

Nothing is unpickled. A file whose SHA-256 is not the manifest's is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path

from aiops.errors import ModelError

MANIFEST = "manifest.json"
FORMAT = "aiops-model/1"
#: Files of a model adapted to one site, beside the network's.
MEMORY, HEAD = "site.json", "site.npz"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a model is, what it was made from and what the gate decided."""

    name: str
    version: str
    format: str
    node_features: tuple[str, ...]
    edge_features: tuple[str, ...]
    schema_sha256: str
    bound: float
    architecture: Mapping[str, int | float]
    training: Mapping[str, object]
    gate: Mapping[str, object]
    files: Mapping[str, str] = field(default_factory=dict)  # file name -> SHA-256
    edge_bound: float = 0.0
    site: Mapping[str, object] = field(default_factory=dict)  # of a model adapted to one site; else empty

    def describe(self) -> str:
        """Name, version and the head of the served file's SHA-256 (of an adapted model, the site's head)."""
        if self.site:
            return f"{self.name}-{self.version}+site.sha256.{self.files.get(HEAD, '')[:12]}"
        return f"{self.name}-{self.version}+sha256.{self.files.get('model.onnx', '')[:12]}"


def packaged_model() -> Path:
    """The model that ships with the product."""
    return Path(str(resources.files("graph_models") / "weights"))


def file_sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    text = json.dumps(asdict(manifest), indent=2, sort_keys=True)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Read and check a model folder.

    Raises :class:`ModelError` naming the file that is missing, damaged or of another format.
    """
    path = folder / MANIFEST
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        manifest = Manifest(
            **{**document, **{key: tuple(document[key]) for key in ("node_features", "edge_features")}}
        )
    except OSError as error:
        hint = (
            "train one with `aiops train --out DIR`, or switch the model off with AIOPS_MODEL_ENABLED=false"
        )
        raise ModelError(f"no model manifest at {path}", hint=hint, file=str(path)) from error
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(
            f"{path} is no model manifest: {error}", hint="train the model anew", file=str(path)
        ) from error
    if manifest.format != FORMAT:
        raise ModelError(
            f"{path} has format {manifest.format!r}, this version reads {FORMAT!r}",
            hint="train the model anew",
        )
    for name, expected in manifest.files.items():
        file = folder / name
        if not file.is_file():
            raise ModelError(
                f"{file} is missing", hint="the manifest names it; restore it or train anew", file=str(file)
            )
        if file_sha256(file) != expected:
            raise ModelError(
                f"{file} is not the file that the manifest names",
                hint="restore it or train anew",
                file=str(file),
            )
    return manifest
