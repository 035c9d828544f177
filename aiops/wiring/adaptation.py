"""``aiops train --adapt``: a model of one site's own, from the incidents that its people labelled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from aiops.errors import InputError, ModelError
from aiops.evaluation.cases import find_cases
from aiops.settings import Settings
from aiops.wiring.tables import Tabulator
from graph_models.encoding import feature_schema, schema_hash
from graph_models.export import load_network
from graph_models.registry import Manifest, packaged_model, read_manifest
from graph_models.simulation.telemetry import simulate_case
from graph_models.training.adapting import FEWEST_LABELS, AdaptationSettings, Verdict, adapt, ask_forward
from graph_models.training.settings import LabelledTable
from graph_models.training.site_writing import write_site_model
from graph_models.variants import read_variant

#: Simulated faults that the network rehearses while it learns a site.
REPLAY = 64


@dataclass(frozen=True, slots=True)
class Adapted:
    """What came of it. ``manifest`` None: the gate refused, and nothing was written."""

    manifest: Manifest | None
    verdict: Verdict
    labels: int


def adapt_model(
    settings: Settings,
    incidents: Path,
    out: Path,
    *,
    seed: int,
    on_step: Callable[[], None] = lambda: None,
) -> Adapted:
    """Adapt the model of ``settings`` (or the one that ships) to the labelled case folders below ``incidents``.

    Raises :class:`InputError` on fewer than ten usable labels, :class:`aiops.errors.ModelError` on a model of other features.
    The same incidents, seed and version of the code give the same model.
    """
    tabulator = Tabulator(settings)
    cases = _in_time(tabulator, incidents)
    if len(cases) < FEWEST_LABELS:
        raise InputError(
            f"{incidents}: {len(cases)} incidents with a label that names a candidate; {FEWEST_LABELS} are needed",
            hint="confirm more causes, or go on with the model that ships",
        )
    folder = settings.model or packaged_model()
    base, network = read_manifest(folder), load_network(folder)
    _check_schema(base, cases[0])
    rehearsed = (tabulator.simulated(simulate_case(seed * 1_000_000 + i)) for i in range(REPLAY))
    replay = [one.labelled("simulated") for one in rehearsed if one.truth]
    chosen = AdaptationSettings(seed=seed, variant=read_variant(base.name))
    verdict = ask_forward(cases, network, chosen, base_bound=base.bound, replay=replay, on_step=on_step)
    if verdict.bound is None:
        return Adapted(None, verdict, len(cases))
    model = adapt(cases, network, chosen, bound=verdict.bound, replay=replay)
    training = {"labels": len(cases), "replay": len(replay), "base": asdict(base)["training"]}
    return Adapted(write_site_model(out, model, base, verdict, chosen, training), verdict, len(cases))


def _in_time(tabulator: Tabulator, root: Path) -> list[LabelledTable]:
    """Labelled cases below ``root`` in the order in which they happened; those whose cause is no candidate teach nothing."""
    labelled = [folder for folder in find_cases(root) if folder.labelled]
    found = [(tabulator.folder(folder.path), folder.name) for folder in labelled]
    found.sort(key=lambda one: (one[0].at, one[1]))
    return [one.labelled("site") for one, _ in found if one.truth]


def _check_schema(base: Manifest, case: LabelledTable) -> None:
    if schema_hash(*feature_schema(case.table)) != base.schema_sha256:
        raise ModelError(
            f"model {base.describe()} was trained on other features", hint="train it anew with `aiops train`"
        )
