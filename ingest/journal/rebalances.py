"""Calls of kafka-python's event loop, brought to the thread that polls.

kafka-python tells of a rebalance on its own network thread, where nothing may block: no commit, no snapshot, no store.
Here its poll runs on a thread beside, and the thread that called ours runs the callbacks between, while the network thread
waits without blocking and its heartbeats go on.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kafka import AsyncConsumerRebalanceListener
from kafka.coordinator.base import MemberState
from kafka.future import Future

from aiops.errors import AiopsError

Kind = Literal["revoked", "assigned"]


@dataclass(frozen=True, slots=True)
class Change:
    """Partitions that go or come. The network thread waits for ``done``."""

    kind: Kind
    partitions: frozenset[Any]
    done: Future


@dataclass(frozen=True, slots=True)
class Polled:
    """What a poll gave, or raised."""

    records: Mapping[Any, list[Any]]
    error: BaseException | None = None


class PollThread:
    """Polls ``consumer`` when asked. ``on_change`` runs in the thread that asks, within :meth:`poll`."""

    def __init__(self, consumer: Any, on_change: Callable[[Kind, frozenset[Any]], None]) -> None:
        self._consumer = consumer
        self._on_change = on_change
        self._asked: queue.SimpleQueue[tuple[int, int] | None] = queue.SimpleQueue()
        self._told: queue.SimpleQueue[Change | Polled] = queue.SimpleQueue()
        self._running = False
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="kafka-poll", daemon=True)
        self._thread.start()

    def listener(self) -> AsyncConsumerRebalanceListener:
        """What kafka-python calls."""
        return _Listener(self._hand_over)

    def poll(self, *, timeout_s: float, max_records: int) -> Mapping[Any, list[Any]]:
        """Records by kafka-python's partitions. Raises what kafka-python raises, and RebalanceFailed for what a callback does,
        once the poll is over."""
        if not self._running:
            self._asked.put((int(timeout_s * 1000), max_records))
            self._running = True
        failed: AiopsError | None = None
        while True:
            told = self._told.get()
            if isinstance(told, Polled):
                self._running = False
                if failed is not None:
                    raise RebalanceFailed(told.records, failed)
                if told.error is not None:
                    raise told.error
                return told.records
            try:
                self._on_change(told.kind, told.partitions)
            except AiopsError as exc:
                failed = failed or exc
            finally:
                self._go_on(told.done)

    def _go_on(self, done: Future) -> None:
        """Resolve on the network thread, which would not wake for it otherwise."""
        self._consumer._manager.call_soon(lambda: done.success(None))

    async def _hand_over(self, kind: Kind, partitions: frozenset[Any]) -> None:
        if self._closing or (kind == "revoked" and not partitions):
            return
        done = Future()
        self._told.put(Change(kind, partitions, done))
        await done

    def _run(self) -> None:
        while (asked := self._asked.get()) is not None:
            timeout_ms, max_records = asked
            try:
                self._told.put(Polled(self._consumer.poll(timeout_ms=timeout_ms, max_records=max_records)))
            except BaseException as exc:  # noqa: BLE001 (raised again where the poll was asked for)
                self._told.put(Polled({}, exc))

    def close(self) -> None:
        """No callback runs any more. A poll that runs still, because a callback failed hard, is waited for."""
        self._closing = True
        while self._running:
            told = self._told.get()
            if isinstance(told, Polled):
                self._running = False
            else:
                self._go_on(told.done)
        self._asked.put(None)
        self._thread.join()


def make_leave_count(consumer: Any, *, timeout_s: float) -> None:
    """Before ``consumer.close()``: make it leave the group also where the broker gave it a member id and it did not join with it.

    kafka-python leaves only what it joined. The group would wait for such a member for its session timeout, and give partitions
    to nobody new meanwhile (KIP-394). No poll may run. ``timeout_s`` bounds the wait for an id that was asked for.
    """
    coordinator = consumer._coordinator
    give_up = time.monotonic() + timeout_s
    while _asks_for_id(coordinator) and time.monotonic() < give_up:
        time.sleep(0.01)
    with coordinator._lock:
        if coordinator.state is MemberState.UNJOINED and coordinator._generation.has_member_id():
            coordinator.state = MemberState.REBALANCING


def _asks_for_id(coordinator: Any) -> bool:
    return coordinator.state is MemberState.REBALANCING and not coordinator._generation.has_member_id()


class RebalanceFailed(Exception):
    """A callback raised ``cause``; the poll gave ``records`` all the same."""

    def __init__(self, records: Mapping[Any, list[Any]], cause: AiopsError) -> None:
        super().__init__(str(cause))
        self.records = records
        self.cause = cause


class _Listener(AsyncConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, hand_over: Callable[[Kind, frozenset[Any]], Any]) -> None:
        self._hand_over = hand_over

    async def on_partitions_revoked(self, revoked: Any) -> None:
        await self._hand_over("revoked", frozenset(revoked))

    async def on_partitions_assigned(self, assigned: Any) -> None:
        await self._hand_over("assigned", frozenset(assigned))

    async def on_partitions_lost(self, lost: Any) -> None:
        await self._hand_over("revoked", frozenset(lost))
