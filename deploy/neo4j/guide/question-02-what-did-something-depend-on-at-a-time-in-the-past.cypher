// Question 02: What did something depend on at a time in the past?
WITH datetime('2026-03-01T12:00:00Z') AS at
MATCH (a:Entity {id: 'service:shop/cart'})-[r]->(b:Entity)
WHERE (r.valid_from IS NULL OR r.valid_from <= at) AND (r.valid_to IS NULL OR at < r.valid_to)
RETURN type(r) AS relation, b.id AS target ORDER BY relation, target
