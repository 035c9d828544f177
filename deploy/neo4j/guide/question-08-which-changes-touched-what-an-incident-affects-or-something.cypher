// Question 08: Which changes touched what an incident affects, or something one relation away, in the hour before?
MATCH (i:Incident {id: 'I1'})-[:AFFECTS]->(e:Entity)
MATCH (e)-[*0..1]-(near:Entity)<-[:TOUCHES]-(c:Change)
WHERE i.started_at - duration('PT1H') <= c.started_at <= i.started_at
RETURN DISTINCT c.title AS change, near.id AS entity, c.started_at AS at ORDER BY at, entity
