"""From the candidate table and the rules' firings to the arrays that the network reads.

No name and no id enters: only unit-free features, so that what one site teaches can hold on another.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from aiops.domain.candidates import TEXTS_KEPT, CandidateTable, RuleOutcome

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

#: Columns that stand behind the table's own: the prior, then what the rules said.
EXTRA_NODE_FEATURES = (
    "prior",
    "prior_rank",
    "prior_lead",
    "rule_support",
    "rule_oppose",
    "rule_veto",
    "rule_pin",
)
#: Columns that stand behind the table's edge features: how much more suspect the cause is than the effect by the prior, and
#: 1 along the way failure spreads, -1 against it (last).
EXTRA_EDGE_FEATURES = ("prior_gap", "along")
#: Features are clipped to this; what lies beyond says no more.
CLIP = 5.0
#: Buckets that the character n-grams of a text are hashed to.
TEXT_WIDTH = 96
_NGRAMS = (3, 4)
#: Strength of the strongest evidence there is; see :class:`aiops.domain.evidence.Evidence`.
_STRONGEST = 10.0


@dataclass(frozen=True, slots=True)
class EncodedGraph:
    """n candidates, messages both ways over m edges.

    ``x``: float32 [n, c]. ``edge_index``: int64 [2, 2 m], the first m along the spread of failure, the rest against it.
    ``edge_attr``: float32 [2 m, d]. ``prior``: float32 [n]. ``text``: float32 [u + 1, TEXT_WIDTH], one row a distinct text,
    row 0 is nothing. ``text_of``: int64 [n, TEXTS_KEPT], the rows of ``text`` that are said of a candidate.
    ``text_weight``: float32 [n, TEXTS_KEPT] in [-1, 1], how strongly; 0 where there is no text.
    """

    x: Float32
    edge_index: Int64
    edge_attr: Float32
    prior: Float32
    text: Float32
    text_of: Int64
    text_weight: Float32


def feature_schema(table: CandidateTable) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of node and edge features in the order in which the network reads them."""
    return (*table.feature_names, *EXTRA_NODE_FEATURES), (*table.edge_feature_names, *EXTRA_EDGE_FEATURES)


def schema_hash(node_features: tuple[str, ...], edge_features: tuple[str, ...]) -> str:
    """SHA-256 over the names and the size of hashed texts; weights made for others are refused."""
    parts = (*node_features, "--", *edge_features, "--", f"{TEXTS_KEPT} texts in {TEXT_WIDTH} buckets")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def encode(table: CandidateTable, rules: RuleOutcome) -> EncodedGraph:
    """The arrays of one case; see :class:`EncodedGraph` for shapes."""
    n = len(table.entities)
    x = np.concatenate([table.features.reshape(n, len(table.feature_names)), _extras(table, rules)], axis=1)
    forward = table.edges.astype(np.int64).reshape(2, -1)
    m = forward.shape[1]
    gap = (table.prior[forward[0]] - table.prior[forward[1]]).reshape(m, 1)
    attributes = np.concatenate([table.edge_features.reshape(m, len(table.edge_feature_names)), gap], axis=1)
    along = np.ones((m, 1))
    text, text_of, text_weight = _encode_texts(table)
    edge_attr = np.concatenate(
        [np.concatenate([attributes, along], axis=1), np.concatenate([attributes, -along], axis=1)]
    )
    return EncodedGraph(
        x=np.clip(np.nan_to_num(x), -CLIP, CLIP).astype(np.float32),
        edge_index=np.concatenate([forward, forward[::-1]], axis=1),
        edge_attr=np.clip(np.nan_to_num(edge_attr), -CLIP, CLIP).astype(np.float32),
        prior=table.prior.astype(np.float32),
        text=text,
        text_of=text_of,
        text_weight=text_weight,
    )


def _encode_texts(table: CandidateTable) -> tuple[Float32, Int64, Float32]:
    n = len(table.entities)
    rows: dict[str, int] = {}
    text_of = np.zeros((n, TEXTS_KEPT), dtype=np.int64)
    weight = np.zeros((n, TEXTS_KEPT), dtype=np.float32)
    for row, texts in enumerate(table.texts):
        for place, one in enumerate(texts[:TEXTS_KEPT]):
            text_of[row, place] = rows.setdefault(one.text, len(rows) + 1)
            weight[row, place] = np.clip(one.weight / _STRONGEST, -1.0, 1.0)
    nothing: Float32 = np.zeros(TEXT_WIDTH, dtype=np.float32)
    return np.stack([nothing, *(hash_text(text) for text in rows)]), text_of, weight


@lru_cache(maxsize=20_000)
def hash_text(text: str) -> Float32:
    """Character n-grams of 3 and 4 signs, each added with the sign of its hash to one of TEXT_WIDTH buckets; length 1."""
    padded = f" {text} "
    found = np.zeros(TEXT_WIDTH, dtype=np.float32)
    for size in _NGRAMS:
        for start in range(len(padded) - size + 1):
            digest = zlib.crc32(padded[start : start + size].encode())
            found[(digest >> 1) % TEXT_WIDTH] += 1.0 if digest & 1 else -1.0
    length = float(np.linalg.norm(found))
    found = found / length if length > 0 else found
    found.setflags(write=False)
    return found


def _extras(table: CandidateTable, rules: RuleOutcome) -> npt.NDArray[np.float64]:
    n = len(table.entities)
    extras = np.zeros((n, len(EXTRA_NODE_FEATURES)))
    extras[:, 0] = table.prior
    order = np.lexsort((np.arange(n), -table.prior))
    extras[order, 1] = 1.0 / (1.0 + np.arange(n))
    index = {entity: row for row, entity in enumerate(table.entities)}
    extras[:, 2] = _lead(table.prior, table.group)
    column = {"support": 3, "oppose": 4, "veto": 5, "pin": 6}
    for firing in rules.firings:
        row = index.get(firing.entity)
        if row is not None:
            extras[row, column[firing.effect]] = max(extras[row, column[firing.effect]], firing.weight)
    return extras


def _lead(prior: npt.NDArray[np.float64], group: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """How far the prior puts a candidate before the best of the others (negative: behind), float64 [n]."""
    merged = np.full(len(prior), -np.inf)
    np.maximum.at(merged, group, prior)
    own = merged[group]
    best, second = np.sort(np.append(merged[np.unique(group)], [0.0, 0.0]))[-2:][::-1]
    return np.asarray(np.where(own >= best, own - second, own - best), dtype=np.float64)
