// Question 01: What runs on a host now, directly or through something else?
MATCH path = (e:Entity)-[:RUNS_ON|PART_OF*1..3]->(:Host {id: 'host:db-1'})
WHERE all(r IN relationships(path) WHERE r.valid_to IS NULL)
RETURN DISTINCT e.id AS entity ORDER BY entity
