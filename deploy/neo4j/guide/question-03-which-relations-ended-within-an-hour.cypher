// Question 03: Which relations ended within an hour?
MATCH (a:Entity)-[r]->(b:Entity)
WHERE datetime('2026-03-01T12:00:00Z') <= r.valid_to < datetime('2026-03-01T13:00:00Z')
RETURN a.id AS source, type(r) AS relation, b.id AS target, r.valid_to AS ended ORDER BY ended, source
