// Picture 03: The topology as it is
MATCH (a:Entity)-[r]->(b:Entity) WHERE r.valid_to IS NULL
RETURN a, r, b LIMIT 300
