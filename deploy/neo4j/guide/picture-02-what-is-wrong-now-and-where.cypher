// Picture 02: What is wrong now, and where
MATCH (o:Alarm|Anomaly)-[on:ON]->(e:Entity) WHERE o.ended_at IS NULL
OPTIONAL MATCH (e)-[r]-(near:Entity) WHERE r.valid_to IS NULL
RETURN o, on, e, r, near LIMIT 300
