"""Payloads on their way to the inbox, held back for a moment so that one batch carries many of a sender's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from aiops.domain.batches import IntArray, Payloads, RawBatch


@dataclass(slots=True)
class _Held:
    blocks: list[bytes] = field(default_factory=list)
    lengths: list[IntArray] = field(default_factory=list)
    times: list[tuple[float, int]] = field(default_factory=list)


class Gathering:
    """Blocks of payloads by peer, in order of arrival. The caller bounds it by :attr:`count` and :attr:`size_bytes`."""

    def __init__(self, source: str, transport: str) -> None:
        self._source = source
        self._transport = transport
        self._held: dict[str, _Held] = {}
        self.count = 0
        self.size_bytes = 0

    def add(self, peer: str, data: bytes, lengths: IntArray, at_s: float) -> None:
        """``lengths``: of the payloads that stand in ``data`` back to back; all arrived at ``at_s``, epoch seconds."""
        held = self._held.get(peer)
        if held is None:
            held = self._held[peer] = _Held()
        held.blocks.append(data)
        held.lengths.append(lengths)
        held.times.append((at_s, len(lengths)))
        self.count += len(lengths)
        self.size_bytes += len(data)

    def add_messages(self, peer: str, messages: Sequence[bytes], at_s: float) -> None:
        """The same for messages that are :class:`Payloads` or single."""
        packed = messages if isinstance(messages, Payloads) else Payloads.of(messages)
        self.add(peer, packed.data, np.diff(packed.offsets), at_s)

    def take(self) -> list[RawBatch]:
        """One batch a peer, in the order in which the peers spoke first; nothing is held any more."""
        held, self._held = self._held, {}
        self.count = self.size_bytes = 0
        return [self._batch(peer, parts) for peer, parts in held.items()]

    def _batch(self, peer: str, parts: _Held) -> RawBatch:
        lengths = parts.lengths[0] if len(parts.lengths) == 1 else np.concatenate(parts.lengths)
        offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        data = parts.blocks[0] if len(parts.blocks) == 1 else b"".join(parts.blocks)
        at_s, counts = zip(*parts.times, strict=True)
        times = np.repeat(np.array(at_s, dtype=np.float64), np.array(counts))
        return RawBatch(self._source, self._transport, peer, Payloads(data, offsets), times)
