r"""The head on a site's columns: the mean of a few perceptrons with one hidden layer, in plain numpy.

.. math:: h_i = \frac{1}{E} \sum_e v_e^\top \mathrm{ELU}(W_e z_i + w_e) + u_e, \quad
          z = \mathrm{clip}((\mathrm{columns} - \mu) / \sigma, -4, 4)
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from aiops.domain.batches import FloatArray
from aiops.errors import ModelError

CLIP = 4.0


@dataclass(frozen=True, slots=True)
class SiteHead:
    """``mean``, ``scale``: float64 [c]. ``hidden``: [e, h, c], ``hidden_bias``: [e, h], ``out``: [e, h], ``out_bias``: [e]."""

    mean: FloatArray
    scale: FloatArray
    hidden: FloatArray
    hidden_bias: FloatArray
    out: FloatArray
    out_bias: FloatArray

    def score(self, columns: FloatArray) -> FloatArray:
        """h of every row, float64 [n]."""
        z = np.clip((columns - self.mean) / self.scale, -CLIP, CLIP)
        raw = np.einsum("nc,ehc->enh", z, self.hidden) + self.hidden_bias[:, np.newaxis, :]
        active = np.where(raw > 0, raw, np.expm1(np.minimum(raw, 0.0)))
        return np.asarray(
            (np.einsum("enh,eh->en", active, self.out) + self.out_bias[:, np.newaxis]).mean(axis=0)
        )


def write_head(path: Path, head: SiteHead) -> None:
    """As .npz without pickles."""
    with path.open("wb") as file:
        np.savez(file, **{entry.name: getattr(head, entry.name) for entry in fields(SiteHead)})


def read_head(path: Path) -> SiteHead:
    """Raises :class:`ModelError` on a file that is none."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return SiteHead(
                **{entry.name: np.asarray(file[entry.name], dtype=np.float64) for entry in fields(SiteHead)}
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path} is no site head: {error}", hint="adapt the model anew", file=str(path)
        ) from error
