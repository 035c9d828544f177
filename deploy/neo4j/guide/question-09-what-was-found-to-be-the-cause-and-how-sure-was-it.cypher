// Question 09: What was found to be the cause, and how sure was it?
MATCH (i:Incident)-[r:ROOT_CAUSE]->(e:Entity)
RETURN i.id AS incident, r.rank AS rank, e.id AS entity, r.confidence AS confidence ORDER BY incident, rank
