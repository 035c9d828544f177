"""Which alarms belong to which incident, in Neo4j: one PART_OF_INCIDENT relation an alarm at most."""

from __future__ import annotations

from collections.abc import Sequence

from aiops.domain.incident_records import AlarmKey, IncidentChange
from aiops.store.ledger import unknown_alarm
from aiops.store.merge import shortened
from aiops.store.neo4j_labels import LOCK
from aiops.store.neo4j_rows import key_of
from aiops.store.neo4j_statements import found_in_batches, in_batches
from aiops.store.neo4j_tenancy import Tx


def link_alarms(tx: Tx, changes: Sequence[tuple[str, IncidentChange]]) -> None:
    """Do what the changes of the incidents (by id, in order) say about alarms. Raises InputError on unknown alarms."""
    keys = {key: _key(key) for _, change in changes for key in (*change.unlink, *change.link)}
    if not keys:
        return
    owners = _locked_owners(tx, sorted(keys.values()))
    after = dict(owners)
    for incident_id, change in changes:
        own = shortened(incident_id)
        after.update((keys[key], None) for key in change.unlink if after.get(keys[key]) == own)
        for key in change.link:
            if keys[key] not in owners:
                raise unknown_alarm(key)
            after[keys[key]] = own
    moved = [key for key in sorted(after) if after[key] != owners.get(key)]
    in_batches(tx, "MATCH (:Alarm {tenant: $tenant, key: row})-[r:PART_OF_INCIDENT]->() DELETE r", moved)
    in_batches(
        tx,
        "MATCH (n:Alarm {tenant: $tenant, key: row.key}), (i:Incident {tenant: $tenant, id: row.id})"
        " CREATE (n)-[:PART_OF_INCIDENT]->(i)",
        [{"key": key, "id": after[key]} for key in moved if after[key] is not None],
    )
    concerned = {owner for key in moved for owner in (owners.get(key), after[key]) if owner is not None}
    in_batches(
        tx,
        f"MATCH (i:Incident {{tenant: $tenant, id: row}}) REMOVE i.{LOCK} WITH i"
        " SET i.alarms = COUNT { (i)<-[:PART_OF_INCIDENT]-(:Alarm) }",
        sorted(concerned),
    )


def _key(key: AlarmKey) -> str:
    return key_of(key[0], key[1].isoformat())


def _locked_owners(tx: Tx, keys: Sequence[str]) -> dict[str, str | None]:
    """Of the stored alarms among ``keys`` the incident that each belongs to; they are locked until the transaction ends."""
    cypher = (
        f"MATCH (n:Alarm {{tenant: $tenant, key: row}}) REMOVE n.{LOCK} WITH n"
        " OPTIONAL MATCH (n)-[:PART_OF_INCIDENT]->(i:Incident)"
    )
    return {row[0]: row[1] for row in found_in_batches(tx, cypher, keys, returned="n.key, i.id")}
