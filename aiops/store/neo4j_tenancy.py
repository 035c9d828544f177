"""One tenant's share of a Neo4j database: its transactions, and what its writes leave for those who keep up with it.

Every node that a tenant made has its name as ``tenant``, which is a part of every key; relationships never lead from one
tenant to another. A statement that does not ask for ``$tenant`` is refused before it is sent, so that none can be forgotten.

Numbers grow in order of commit because a counter stays locked from its increment to the commit. So increments come late:
first what is written, then the counter of alarms, of activities and of the topology, in this order.

A reader may see a part of a transaction while it commits: a counter, but not yet what is counted. The lock of the counter is
let go of after all of it can be seen; so who keeps up takes it once whenever the counter has moved (:meth:`TenantGraph.settled`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from neo4j import ManagedTransaction, Result

from aiops.errors import ConfigError
from aiops.store.merge import check_text
from aiops.store.neo4j_connection import Neo4jConnection
from aiops.store.neo4j_labels import LOCK
from aiops.store.neo4j_schema import migrate

T = TypeVar("T")

DEFAULT_TENANT = "default"

#: Counters of a tenant.
ALARMS, ACTIVITIES, TOPOLOGY = "alarms", "activities", "topology"

#: So many writes to the topology are remembered; who is further behind reads everything.
KEPT_WRITES = 1_000

#: A write that touches more entities than this is remembered as one that touches all of them.
TOLD_OF_A_WRITE = 5_000


class Tx:
    """A transaction of one tenant."""

    def __init__(self, tx: ManagedTransaction, tenant: str) -> None:
        self._tx = tx
        self._tenant = tenant
        self._touched: set[str] = set()

    def run(self, cypher: str, **given: object) -> Result:
        """Everything from outside travels in ``given``; what is formatted into ``cypher`` comes from
        :mod:`aiops.store.neo4j_labels` alone."""
        if "$tenant" not in cypher:
            raise AssertionError(f"a statement of no tenant: {cypher}")
        return self._tx.run(cypher, {**given, "tenant": self._tenant})

    def touch(self, ids: Iterable[str]) -> None:
        """This transaction changes the entities ``ids``, or relations that leave them."""
        self._touched.update(ids)

    def count_up(self, name: str, by: int) -> int:
        """Add ``by`` to a counter, which stays locked until the transaction ends; returns what it was before."""
        row = self.run(
            "MERGE (c:AiopsCounter {tenant: $tenant, name: $name}) ON CREATE SET c.value = 0"
            f" WITH c REMOVE c.{LOCK} WITH c SET c.value = c.value + $by RETURN c.value AS value",
            name=name,
            by=by,
        ).single(strict=True)
        return int(row["value"]) - by

    def settle(self) -> None:
        """Remember what was touched; the last thing that a transaction does."""
        if not self._touched:
            return
        mark = self.count_up(TOPOLOGY, 1) + 1
        ids = sorted(self._touched) if len(self._touched) <= TOLD_OF_A_WRITE else None
        self.run(
            "CREATE (:AiopsWrite {tenant: $tenant, mark: $mark, touched: $ids})", mark=mark, ids=ids
        ).consume()
        if mark % 100 == 0:
            self.run(
                "MATCH (w:AiopsWrite {tenant: $tenant}) WHERE w.mark <= $gone DELETE w",
                gone=mark - KEPT_WRITES,
            ).consume()


def counted(tx: Tx, name: str, *, lock: bool = False) -> int:
    """The value of a counter, if asked for locked until the transaction ends; 0: nothing was counted."""
    locked = f" REMOVE c.{LOCK} WITH c" if lock else ""
    cypher = f"MATCH (c:AiopsCounter {{tenant: $tenant, name: $name}}){locked} RETURN c.value AS value"
    row = tx.run(cypher, name=name).single()
    return 0 if row is None else int(row["value"])


class TenantGraph:
    """The way to one tenant's share; several may use one connection. The schema is brought up on the first use."""

    def __init__(self, connection: Neo4jConnection, tenant: str = DEFAULT_TENANT) -> None:
        check_text(tenant)
        if not tenant or len(tenant) > 200:
            raise ConfigError(f"{tenant[:80]!r} is no name of a tenant", hint="1 to 200 letters")
        self._connection = connection
        self._settled: dict[str, int] = {}
        self.tenant = tenant

    def of(self, tenant: str) -> TenantGraph:
        """Another tenant's share, over the same connection."""
        return TenantGraph(self._connection, tenant)

    def read(self, work: Callable[[Tx], T]) -> T:
        self._connection.once(migrate)
        return self._connection.read(lambda tx: work(Tx(tx, self.tenant)))

    def settled(self, name: str) -> int:
        """The value of a counter up to which all that was counted can be seen whole; 0: nothing was counted."""
        seen = self.read(lambda tx: counted(tx, name))
        if seen and self._settled.get(name) != seen:
            seen = self._connection.write(lambda tx: counted(Tx(tx, self.tenant), name, lock=True))
            self._settled[name] = seen
        return seen

    def write(self, work: Callable[[Tx], T]) -> T:
        """See :meth:`aiops.store.neo4j_connection.Neo4jConnection.write`."""
        self._connection.once(migrate)

        def settled(tx: ManagedTransaction) -> T:
            own = Tx(tx, self.tenant)
            done = work(own)
            own.settle()
            return done

        return self._connection.write(settled)
