// Picture 01: An incident: what it affects, what was found, what was reported there and what lies around it
MATCH (i:Incident {id: 'I1'})-[said:AFFECTS|ROOT_CAUSE]->(e:Entity)
OPTIONAL MATCH near = (e)-[*1..2]-(:Entity)
WHERE all(n IN nodes(near) WHERE n:Entity) AND all(r IN relationships(near) WHERE r.valid_to IS NULL)
OPTIONAL MATCH (o:Alarm|Anomaly)-[on:ON]->(e)
OPTIONAL MATCH (c:Change)-[touches:TOUCHES]->(e)
RETURN i, said, e, near, o, on, c, touches LIMIT 300
