"""What the network is made of, in words that the manifest can hold. Knows no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True, slots=True)
class Architecture:
    """``hidden``: width, a multiple of ``heads``. ``layers``: rounds of messages; 0 is a perceptron that sees no edge.
    ``dropout``: share of message values dropped in training. ``uniform``: every message into a node counts the same.
    ``pair_norm``: PairNorm in place of LayerNorm. ``learned_neighbours``: that many others of the case are neighbours by
    likeness (learned adjacency); 0 switches it off. ``text``: whether texts are read.
    """

    hidden: int = 32
    heads: int = 4
    layers: int = 2
    dropout: float = 0.1
    uniform: bool = False
    pair_norm: bool = False
    learned_neighbours: int = 0
    text: bool = True

    def document(self) -> dict[str, int | float]:
        return asdict(self)


def read_architecture(document: Mapping[str, int | float]) -> Architecture:
    """The architecture of a manifest. Raises TypeError on a key that this version does not know."""
    known = {entry.name for entry in fields(Architecture)}
    if not known.issuperset(document):
        raise TypeError(", ".join(sorted(set(document) - known)))
    return Architecture(**document)  # type: ignore[arg-type]  # JSON keeps the kinds of numbers apart
