// Question 10: What was referred to and never described, and who said so?
MATCH (e:Unknown) OPTIONAL MATCH (e)-[r]-(:Entity)
RETURN e.id AS entity, collect(DISTINCT r.source) AS sources ORDER BY entity
