"""The tables of the embedded graph store, a script a version. Times are microseconds since 1970, UTC.

A script is split at every semicolon. A file keeps its version in ``user_version``; what was released is never changed.
"""

from __future__ import annotations

GRAPH_MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE entity (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL,
        aliases TEXT NOT NULL, labels TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX entity_kind ON entity (kind);
    CREATE TABLE entity_name (
        folded TEXT NOT NULL, entity_id TEXT NOT NULL REFERENCES entity (id),
        PRIMARY KEY (folded, entity_id)
    ) WITHOUT ROWID;
    CREATE INDEX entity_name_entity ON entity_name (entity_id);
    CREATE TABLE relation (
        source_id TEXT NOT NULL REFERENCES entity (id), kind TEXT NOT NULL,
        target_id TEXT NOT NULL REFERENCES entity (id), provenance TEXT NOT NULL,
        valid_from INTEGER, valid_to INTEGER, first_seen INTEGER, last_seen INTEGER,
        confidence REAL NOT NULL, redundancy_group TEXT, labels TEXT NOT NULL
    );
    CREATE UNIQUE INDEX relation_key
        ON relation (source_id, kind, target_id, provenance, COALESCE(valid_from, -9223372036854775808));
    CREATE INDEX relation_target ON relation (target_id);
    CREATE INDEX relation_open ON relation (provenance) WHERE valid_to IS NULL;
    CREATE TABLE alarm (
        fingerprint TEXT NOT NULL, started_at INTEGER NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL,
        entity TEXT NOT NULL REFERENCES entity (id), ended_at INTEGER, severity TEXT, peer TEXT, value REAL,
        message TEXT NOT NULL, source TEXT NOT NULL, labels TEXT NOT NULL,
        PRIMARY KEY (fingerprint, started_at)
    );
    CREATE INDEX alarm_started ON alarm (started_at);
    CREATE INDEX alarm_ended ON alarm (ended_at);
    CREATE INDEX alarm_entity ON alarm (entity);
    CREATE TABLE change (
        source TEXT NOT NULL, external_id TEXT NOT NULL, id TEXT NOT NULL, title TEXT NOT NULL,
        kind TEXT NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER, entities TEXT NOT NULL,
        author TEXT NOT NULL,
        PRIMARY KEY (source, external_id)
    );
    CREATE INDEX change_started ON change (started_at);
    CREATE TABLE incident (
        id TEXT PRIMARY KEY, title TEXT NOT NULL, started_at INTEGER NOT NULL, severity TEXT NOT NULL,
        source TEXT NOT NULL, external_id TEXT, description TEXT NOT NULL, ended_at INTEGER,
        status TEXT NOT NULL, affected TEXT NOT NULL, symptoms TEXT NOT NULL, labels TEXT NOT NULL,
        window_before_s REAL NOT NULL, window_after_s REAL NOT NULL
    );
    CREATE UNIQUE INDEX incident_origin ON incident (source, external_id) WHERE external_id IS NOT NULL;
    CREATE INDEX incident_started ON incident (started_at, id);
    CREATE INDEX incident_status ON incident (status, started_at, id);
    CREATE TABLE analysis (
        incident_id TEXT NOT NULL REFERENCES incident (id), number INTEGER NOT NULL,
        at INTEGER NOT NULL, document BLOB NOT NULL,
        PRIMARY KEY (incident_id, number)
    );
    CREATE TABLE root_cause (
        incident_id TEXT NOT NULL, number INTEGER NOT NULL, rank INTEGER NOT NULL,
        entity_id TEXT NOT NULL REFERENCES entity (id), confidence REAL NOT NULL,
        PRIMARY KEY (incident_id, number, rank),
        FOREIGN KEY (incident_id, number) REFERENCES analysis (incident_id, number)
    ) WITHOUT ROWID;
    """,
    "ALTER TABLE change ADD COLUMN labels TEXT NOT NULL DEFAULT '{}'",
    """
    CREATE TABLE anomaly (
        id TEXT PRIMARY KEY, entity TEXT NOT NULL REFERENCES entity (id), signal TEXT NOT NULL,
        detector TEXT NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER, peer TEXT,
        direction TEXT NOT NULL, score REAL NOT NULL, value REAL, expected REAL,
        labels TEXT NOT NULL, events TEXT NOT NULL
    );
    CREATE INDEX anomaly_started ON anomaly (started_at);
    CREATE INDEX anomaly_ended ON anomaly (ended_at);
    CREATE INDEX anomaly_entity ON anomaly (entity);
    CREATE INDEX relation_closed ON relation (valid_to) WHERE valid_to IS NOT NULL;
    """,
    """
    ALTER TABLE entity ADD COLUMN mark INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX entity_mark ON entity (mark);
    ALTER TABLE alarm ADD COLUMN mark INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    UPDATE alarm SET mark = rowid;
    INSERT INTO counter SELECT 'alarm', coalesce(max(rowid), 0) FROM alarm;
    CREATE UNIQUE INDEX alarm_mark ON alarm (mark);
    ALTER TABLE incident ADD COLUMN owner TEXT NOT NULL DEFAULT '';
    ALTER TABLE incident ADD COLUMN merged_into TEXT;
    ALTER TABLE incident ADD COLUMN severity_rank INTEGER NOT NULL DEFAULT -1;
    ALTER TABLE incident ADD COLUMN status_rank INTEGER NOT NULL DEFAULT 3;
    ALTER TABLE incident ADD COLUMN searched TEXT NOT NULL DEFAULT '';
    ALTER TABLE incident ADD COLUMN alarms INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE incident ADD COLUMN analysis INTEGER;
    ALTER TABLE incident ADD COLUMN verdict TEXT;
    ALTER TABLE incident ADD COLUMN cause TEXT;
    ALTER TABLE incident ADD COLUMN cause_kind TEXT;
    ALTER TABLE incident ADD COLUMN confidence REAL;
    ALTER TABLE analysis ADD COLUMN verdict TEXT NOT NULL DEFAULT '';
    ALTER TABLE analysis ADD COLUMN cause_kind TEXT;
    UPDATE analysis SET verdict = coalesce(json_extract(CAST(document AS TEXT), '$.verdict'), ''),
        cause_kind = json_extract(CAST(document AS TEXT), '$.causes[0].kind')
        WHERE json_valid(CAST(document AS TEXT));
    UPDATE incident SET
        severity_rank = CASE severity WHEN 'critical' THEN 4 WHEN 'major' THEN 3 WHEN 'minor' THEN 2
            WHEN 'warning' THEN 1 WHEN 'info' THEN 0 ELSE -1 END,
        status_rank = CASE status WHEN 'open' THEN 0 WHEN 'acknowledged' THEN 1 WHEN 'resolved' THEN 2 ELSE 3 END,
        searched = case_folded(title || char(10) || description || char(10) || coalesce(external_id, '')),
        analysis = (SELECT max(number) FROM analysis a WHERE a.incident_id = incident.id);
    UPDATE incident SET
        (verdict, cause_kind) = (SELECT verdict, cause_kind FROM analysis a
            WHERE a.incident_id = incident.id AND a.number = incident.analysis),
        (cause, confidence) = (SELECT entity_id, confidence FROM root_cause r
            WHERE r.incident_id = incident.id AND r.number = incident.analysis AND r.rank = 1)
        WHERE analysis IS NOT NULL;
    CREATE INDEX incident_severity ON incident (severity_rank, started_at, id);
    CREATE INDEX incident_cause ON incident (cause) WHERE cause IS NOT NULL;
    CREATE TABLE incident_entity (
        entity_id TEXT NOT NULL, incident_id TEXT NOT NULL REFERENCES incident (id),
        PRIMARY KEY (entity_id, incident_id)
    ) WITHOUT ROWID;
    CREATE INDEX incident_entity_incident ON incident_entity (incident_id);
    INSERT INTO incident_entity SELECT DISTINCT j.value, i.id FROM incident i, json_each(i.affected) j;
    CREATE TABLE incident_label (
        name TEXT NOT NULL, value TEXT NOT NULL, incident_id TEXT NOT NULL REFERENCES incident (id),
        PRIMARY KEY (name, value, incident_id)
    ) WITHOUT ROWID;
    CREATE INDEX incident_label_incident ON incident_label (incident_id);
    INSERT INTO incident_label SELECT DISTINCT j.key, j.value, i.id FROM incident i, json_each(i.labels) j;
    CREATE TABLE incident_alarm (
        fingerprint TEXT NOT NULL, started_at INTEGER NOT NULL,
        incident_id TEXT NOT NULL REFERENCES incident (id),
        PRIMARY KEY (fingerprint, started_at),
        FOREIGN KEY (fingerprint, started_at) REFERENCES alarm (fingerprint, started_at)
    ) WITHOUT ROWID;
    CREATE INDEX incident_alarm_incident ON incident_alarm (incident_id);
    CREATE TABLE activity (
        number INTEGER PRIMARY KEY, incident_id TEXT NOT NULL REFERENCES incident (id), kind TEXT NOT NULL,
        at INTEGER NOT NULL, actor TEXT NOT NULL, text TEXT NOT NULL, details TEXT NOT NULL
    );
    CREATE INDEX activity_incident ON activity (incident_id, number);
    CREATE TABLE feedback (
        id TEXT PRIMARY KEY, incident_id TEXT NOT NULL REFERENCES incident (id), at INTEGER NOT NULL,
        actor TEXT NOT NULL, verdict TEXT NOT NULL, analysis INTEGER, causal TEXT NOT NULL,
        non_causal TEXT NOT NULL, root_entity TEXT, root_kind TEXT, comment TEXT NOT NULL,
        resolution TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX feedback_incident ON feedback (incident_id, at, id);
    CREATE INDEX feedback_at ON feedback (at, id);
    CREATE TABLE cursor (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE lease (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;
    """,
    """
    CREATE TABLE entity_doc (n INTEGER PRIMARY KEY, entity_id TEXT NOT NULL UNIQUE REFERENCES entity (id));
    CREATE VIRTUAL TABLE entity_words USING fts5 (
        text, content = '', detail = none, columnsize = 0, tokenize = 'trigram case_sensitive 1'
    );
    INSERT INTO entity_doc (entity_id) SELECT id FROM entity ORDER BY id;
    INSERT INTO entity_words (rowid, text) SELECT d.n,
        (SELECT group_concat('  ' || folded || ' ', '') FROM entity_name e WHERE e.entity_id = d.entity_id) || '  '
        FROM entity_doc d;
    CREATE INDEX relation_open_kind ON relation (kind) WHERE valid_to IS NULL;
    CREATE INDEX alarm_open ON alarm (started_at) WHERE ended_at IS NULL;
    CREATE INDEX anomaly_open ON anomaly (started_at) WHERE ended_at IS NULL;
    """,
    "CREATE INDEX change_maintenance ON change (started_at) WHERE kind = 'maintenance'",
)
