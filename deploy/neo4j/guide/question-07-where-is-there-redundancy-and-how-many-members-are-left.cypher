// Question 07: Where is there redundancy, and how many members are left?
MATCH (a:Entity)-[r]->(b:Entity) WHERE r.redundancy_group IS NOT NULL
RETURN a.id AS entity, r.redundancy_group AS group,
       count(CASE WHEN r.valid_to IS NULL THEN 1 END) AS alive, count(r) AS members ORDER BY entity
