// Question 06: On what do most things rest?
MATCH (a:Entity)-[r:CALLS|DEPENDS_ON|RUNS_ON|POWERED_BY]->(b:Entity)
WHERE r.valid_to IS NULL
RETURN b.id AS entity, count(DISTINCT a) AS dependants ORDER BY dependants DESC, entity LIMIT 3
